/* SPDX-License-Identifier: MIT */
/*
 * For the verify bench: a lexer as a state machine, unrolled over the bytes of a request. The state
 * is a number that every path of a round sets.
 */
#include <tenon/plugin.h>

#define BYTES 64

enum { METHOD, SPACE, PATH, QUERY, ESCAPE_1, ESCAPE_2, VERSION, DONE, BAD };

struct request {
	__u32 method, path, query, escapes, slashes, dots, version, words;
};

static __always_inline __u32 hex(__u8 c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 255;
}

static __always_inline int in_path(struct request *r, __u8 c)
{
	switch (c) {
	case ' ':
		r->words++;
		return VERSION;
	case '?':
		return QUERY;
	case '%':
		r->escapes++;
		return ESCAPE_1;
	case '/':
		r->slashes++;
		break;
	case '.':
		r->dots++;
		break;
	case 0:
		return BAD;
	}
	r->path = r->path * 31 + c;
	return PATH;
}

static __always_inline int next(struct request *r, int state, __u8 c)
{
	switch (state) {
	case METHOD:
		if (c == ' ')
			return SPACE;
		if (c < 'A' || c > 'Z')
			return BAD;
		r->method = r->method << 8 | c;
		return METHOD;
	case SPACE:
		if (c == ' ')
			return SPACE;
		return c == '/' ? PATH : BAD;
	case PATH:
		return in_path(r, c);
	case QUERY:
		if (c == ' ')
			return VERSION;
		r->query = r->query * 33 ^ c;
		return QUERY;
	case ESCAPE_1:
		return hex(c) == 255 ? BAD : ESCAPE_2;
	case ESCAPE_2:
		return hex(c) == 255 ? BAD : PATH;
	case VERSION:
		if (c == '\n')
			return DONE;
		r->version += c;
		return VERSION;
	default:
		return state;
	}
}

SEC("xdp") int lexer(struct xdp_md *ctx)
{
	__u8 *p = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct request r = { 0 };
	int state = METHOD;

	if (p + BYTES > end)
		return XDP_PASS;
#pragma unroll
	for (int i = 0; i < BYTES; i++)
		state = next(&r, state, p[i]);
	if (state == BAD || r.escapes > 8)
		return XDP_DROP;
	return (r.method ^ r.path ^ r.query ^ r.slashes ^ r.dots ^ r.version ^ r.words) & 1
		       ? XDP_TX
		       : XDP_PASS;
}

char _license[] SEC("license") = "MIT";
