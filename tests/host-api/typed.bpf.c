// SPDX-License-Identifier: MIT
/* Every kind of argument of a helper that is declared in a header, and every kind of member. */
#include <tenon/plugin.h>

#include "typed_api.h"

static const char text[] = "seven..";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 3);
	__type(key, u32);
	__type(value, u64);
} numbers SEC(".maps");

SEC("hook/request")
long ints(struct request *r)
{
	return t_ints(-3, 40000, -100000, 1ull << 40, true);
}

SEC("hook/request")
long verdict(struct request *r)
{
	return t_verdict(DENY) == DENY && t_verdict(LIMIT) == LIMIT;
}

SEC("hook/request")
long length(struct request *r)
{
	return t_length(text);
}

SEC("hook/request")
long sum(struct request *r)
{
	u8 bytes[5] = { 1, 2, 3, 4, 5 };

	return t_sum(bytes, sizeof(bytes));
}

SEC("hook/request")
long body(struct request *r)
{
	const uint8_t *body = r->body;
	u32 len = r->body_len;

	if (!body)
		return -1;
	return t_sum(body, len) + (len > 2 ? body[2] * 1000 : 0);
}

SEC("hook/request")
long answer(struct request *r)
{
	if (r->answer_len < 2)
		return 1;
	r->answer[0] = 'h';
	r->answer[1] = 'i';
	r->mark = 99;
	return 0;
}

SEC("hook/request")
long fill(struct request *r)
{
	u64 to[2];

	t_fill(to, sizeof(to));
	return to[0] == to[1] ? (long)(to[0] & 0xff) : -1;
}

SEC("hook/request")
long number(struct request *r)
{
	u32 n = 5;

	t_number(&n);
	return n + t_read(&n);
}

SEC("hook/request")
long in_and_out(struct request *r)
{
	struct stats s;

	t_stats(&s);
	s.nr = 100;
	return (long)t_add(&s);
}

SEC("hook/request")
long members(struct request *r)
{
	struct conn *c = r->conn;
	struct peer *p = c->peer;

	return (long)c->id + c->level + c->own.port + c->own.family + c->secure + c->depth * 10 +
	       c->name[3] + c->octets[1] + (p ? p->port + t_peer_family(p) : 0);
}

SEC("hook/request")
long context(struct request *r)
{
	return r->urgent + r->weight * 2 + r->ports[3] + r->at.x + r->at.y;
}

/* As compilers copy structures: two members in one word. */
SEC("hook/request")
long both(struct request *r)
{
	u64 both = *(volatile u64 *)&r->at;

	return (int)both + (int)(both >> 32);
}

/* The whole unit of a bit field, its neighbours with it. */
SEC("hook/request")
long unit(struct request *r)
{
	return *(volatile u32 *)((char *)r + 36) >> 1 & 127;
}

SEC("hook/request")
long store(struct request *r)
{
	r->conn->bytes += 5;
	return (long)r->conn->bytes;
}

SEC("hook/request")
long follow(struct request *r)
{
	struct conn *n = r->conn->next;

	/* Neither is tested: what is not there reads as 0. */
	return (long)n->id + n->next->id;
}

SEC("hook/request")
long label(struct request *r)
{
	char buf[8] = {};

	bpf_probe_read_kernel_str(buf, sizeof(buf), r->conn->label);
	return buf[0] + buf[1];
}

SEC("hook/request")
long objects(struct request *r)
{
	struct conn *c = t_get(2), *o = r->other;
	long sum = t_conn_id(r->conn) + t_conn_or(o, 1000);

	if (!c)
		return sum;
	sum += t_conn_id(c) * 10;
	t_put(c);
	return sum;
}

SEC("hook/request")
long early(struct request *r)
{
	struct conn *c = t_get(1);

	if (!c)
		return 0;
	t_stop();
	t_put(c);
	return 1;
}

SEC("hook/request")
long ctx(struct request *r)
{
	return t_ctx(r);
}

SEC("hook/request")
long map(struct request *r)
{
	return t_map((struct tenon_map *)(void *)&numbers);
}

char _license[] SEC("license") = "GPL";
