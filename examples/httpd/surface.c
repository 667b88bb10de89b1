/* SPDX-License-Identifier: MIT */
/*
 * The plugin surface of the server. Each context is described once, as a table of fields: the
 * verifier checks plugins against it, and `tenon prog verify --host` reads it from a file.
 */
#include "surface.h"

#include <stdlib.h>
#include <string.h>

#define MAX_HEADERS_BYTES (64 * 1024)

struct tenon_hook hook_accept, hook_request, hook_response;

static const struct tenon_field accept_fields[] = {
	TENON_SCALAR(struct http_accept, client, TENON_R),
	TENON_SCALAR(struct http_accept, client_port, TENON_R),
};

static const struct tenon_field request_fields[] = {
	TENON_SIZED(struct http_request, method, method_len, TENON_R),
	TENON_SIZED(struct http_request, path, path_len, TENON_R),
	TENON_SIZED(struct http_request, headers, headers_len, TENON_R),
	TENON_SCALAR(struct http_request, client, TENON_R),
	TENON_SCALAR(struct http_request, client_port, TENON_R),
};

static const struct tenon_field response_fields[] = {
	TENON_SIZED(struct http_response, path, path_len, TENON_R),
	TENON_SCALAR(struct http_response, status, TENON_R),
	TENON_SCALAR(struct http_response, bytes, TENON_R),
};

static const struct tenon_ctx_type accept_type = TENON_CTX_TYPE(http_accept, accept_fields);
static const struct tenon_ctx_type request_type = TENON_CTX_TYPE(http_request, request_fields);
static const struct tenon_ctx_type response_type = TENON_CTX_TYPE(http_response, response_fields);

static struct request *request_of(struct http_request *ctx)
{
	return (struct request *)ctx;
}

int request_add_header(struct request *req, const char *name, const char *value, size_t value_len)
{
	size_t name_len = strlen(name), used = req->ctx.headers_len;
	size_t need = used + name_len + value_len + 4;

	if (need > MAX_HEADERS_BYTES)
		return -1;
	if (need > req->headers_size) {
		size_t size = need < 1024 ? 1024 : need * 2;
		char *grown = realloc(req->headers, size);

		if (!grown)
			return -1;
		req->headers = grown;
		req->headers_size = size;
	}
	memcpy(req->headers + used, name, name_len);
	memcpy(req->headers + used + name_len, ": ", 2);
	memcpy(req->headers + used + name_len + 2, value, value_len);
	memcpy(req->headers + need - 2, "\r\n", 2);
	req->ctx.headers = req->headers;
	req->ctx.headers_len = need;
	return 0;
}

void request_done(struct request *req)
{
	free(req->headers);
	req->headers = NULL;
}

/* A value that holds line ends would forge further headers. */
static int set_header(struct http_request *ctx, const char *name, const void *value, uint64_t len)
{
	if (memchr(value, '\r', len) || memchr(value, '\n', len))
		return -1;
	return request_add_header(request_of(ctx), name, value, len);
}

static int deny(struct http_request *ctx, uint32_t status)
{
	if (status < 400 || status > 599)
		return -1;
	request_of(ctx)->denied = status;
	return 0;
}

int surface_register(struct tenon_runtime *rt)
{
	const struct tenon_hook_desc accept_desc = {
		.sz = sizeof(accept_desc),
		.name = "accept",
		.ctx = &accept_type,
		.chain = TENON_CHAIN_UNTIL_SET,
	};
	const struct tenon_hook_desc request_desc = {
		.sz = sizeof(request_desc),
		.name = "request",
		.ctx = &request_type,
		.chain = TENON_CHAIN_UNTIL_SET,
		.ret_checked = true,
		.ret_min = 0,
		.ret_max = 599,
	};
	const struct tenon_hook_desc response_desc = {
		.sz = sizeof(response_desc),
		.name = "response",
		.ctx = &response_type,
	};
	const struct tenon_helper_opts moves = { .sz = sizeof(moves),
						 .flags = TENON_INVALIDATES_CTX };
	int err;

	err = tenon_hook_register(rt, &hook_accept, &accept_desc);
	if (!err)
		err = tenon_hook_register(rt, &hook_request, &request_desc);
	if (!err)
		err = tenon_hook_register(rt, &hook_response, &response_desc);
	if (!err)
		err = tenon_runtime_add_helper(rt, "http_set_header", "i32(ctx, str, mem, size)",
					       TENON_FN(set_header), &moves);
	if (!err)
		err = tenon_runtime_add_helper(rt, "http_deny", "i32(ctx, u32)", TENON_FN(deny),
					       NULL);
	return err;
}
