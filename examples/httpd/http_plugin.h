/* SPDX-License-Identifier: MIT */
/*
 * What the server shows to its plugins: one struct per hook and the functions it lends out. Host
 * and plugins include it; a plugin that was compiled against another layout is refused at load.
 */
#ifndef HTTP_PLUGIN_H
#define HTTP_PLUGIN_H

/* Hook "request", before the request is answered. Result 0: go on, else the status to answer with.
 * Each `char *` and the length after it are one checked region. */
struct http_request {
	const char *method;
	unsigned long long method_len;
	const char *path;
	unsigned long long path_len;
	const char *headers; /* "Name: value\r\n" for each, set by http_set_header() too */
	unsigned long long headers_len;
	unsigned int client; /* IPv4 address, network byte order */
	unsigned int client_port;
};

/* Hook "response", after the answer was queued. The result is not used. */
struct http_response {
	const char *path;
	unsigned long long path_len;
	unsigned int status;
	unsigned int reserved;
	unsigned long long bytes; /* of the body */
};

/* Hook "accept", on a new connection. Result 0: take it, else close it. */
struct http_accept {
	unsigned int client;
	unsigned int client_port;
};

#ifdef __bpf__
/* Add a header to the request. The header block may move: load ctx->headers again afterwards. */
extern int http_set_header(struct http_request *ctx, const char *name, const void *value,
			   unsigned long long value_len) __ksym;
/* Answer with `status` whatever the hook's result is. */
extern int http_deny(struct http_request *ctx, unsigned int status) __ksym;
#endif

#endif
