/* SPDX-License-Identifier: MIT */
/*
 * A small HTTP server on libmicrohttpd that runs Tenon plugins at three hooks. It serves a few
 * pages
 * (/, /echo, /private/...), reads commands on standard input (console.c) and ends with it.
 *
 *   httpd [--port N] [--threads N] [PLUGIN.bpf.o...]
 *   httpd --describe FILE     write hooks, contexts and helpers for `tenon prog verify --host`
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console.h"
#include "surface.h"

static void set_client(const struct sockaddr *addr, unsigned int *client, unsigned int *port)
{
	if (addr && addr->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, addr, sizeof(in));
		*client = in.sin_addr.s_addr;
		*port = ntohs(in.sin_port);
	}
}

static enum MHD_Result on_accept(void *user, const struct sockaddr *addr, socklen_t addr_len)
{
	struct http_accept ctx = { 0 };

	(void)user;
	(void)addr_len;
	set_client(addr, &ctx.client, &ctx.client_port);
	return tenon_hook_fire(&hook_accept, &ctx) == 0 ? MHD_YES : MHD_NO;
}

static enum MHD_Result collect_header(void *user, enum MHD_ValueKind kind, const char *key,
				      const char *value)
{
	(void)kind;
	if (!value)
		value = "";
	/* A block at its limit shows plugins the headers that fit. */
	return request_add_header(user, key, value, strlen(value)) == 0 ? MHD_YES : MHD_NO;
}

/* What the plugins say: 0, or the status to answer with. */
static unsigned int ask_plugins(struct MHD_Connection *connection, struct request *req,
				const char *method, const char *path)
{
	const union MHD_ConnectionInfo *info;
	unsigned int status;

	if (!tenon_hook_armed(&hook_request))
		return 0;
	req->ctx.method = method;
	req->ctx.method_len = strlen(method);
	req->ctx.path = path;
	req->ctx.path_len = strlen(path);
	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	set_client(info ? info->client_addr : NULL, &req->ctx.client, &req->ctx.client_port);
	MHD_get_connection_values(connection, MHD_HEADER_KIND, collect_header, req);
	status = (unsigned int)tenon_hook_fire(&hook_request, &req->ctx);
	return req->denied ? req->denied : status;
}

static enum MHD_Result answer(struct MHD_Connection *connection, const char *path,
			      unsigned int status, const char *body, size_t size)
{
	struct http_response ctx = {
		.path = path, .path_len = strlen(path), .status = status, .bytes = size
	};
	struct MHD_Response *response;
	enum MHD_Result result;

	response = MHD_create_response_from_buffer(size, (void *)body, MHD_RESPMEM_MUST_COPY);
	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, "Content-Type", "text/plain");
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	tenon_hook_fire(&hook_response, &ctx);
	return result;
}

static enum MHD_Result respond(struct MHD_Connection *connection, struct request *req,
			       const char *path, unsigned int denied)
{
	char text[64];
	int n;

	if (denied >= 400 && denied <= 599) {
		n = snprintf(text, sizeof(text), "%u: refused by a plugin\n", denied);
		return answer(connection, path, denied, text, (size_t)n);
	}
	if (strcmp(path, "/echo") == 0)
		return answer(connection, path, 200, req->headers ? req->headers : "",
			      req->ctx.headers_len);
	if (strcmp(path, "/") == 0 || strncmp(path, "/private/", 9) == 0)
		return answer(connection, path, 200, "hello\n", 6);
	return answer(connection, path, 404, "not found\n", 10);
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *connection, const char *path,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_size, void **state)
{
	static int headers_seen;
	struct request req = { .denied = 0 };
	enum MHD_Result result;

	(void)user;
	(void)version;
	(void)upload;
	if (!*state) { /* first call: headers only; answer on the next, so that bodies are read */
		*state = &headers_seen;
		return MHD_YES;
	}
	if (*upload_size) {
		*upload_size = 0;
		return MHD_YES;
	}
	result = respond(connection, &req, path, ask_plugins(connection, &req, method, path));
	request_done(&req);
	return result;
}

static void log_line(void *user, enum tenon_log_level level, const char *line)
{
	(void)user;
	fprintf(stderr, "tenon[%d]: %s\n", (int)level, line);
}

static int serve(struct tenon_runtime *rt, uint16_t port, unsigned int threads, char **plugins)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_port = htons(port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct MHD_Daemon *daemon;
	int status;

	daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL, port, on_accept,
				  NULL, on_request, NULL, MHD_OPTION_SOCK_ADDR, &addr,
				  MHD_OPTION_THREAD_POOL_SIZE, threads, MHD_OPTION_END);
	if (!daemon) {
		fprintf(stderr, "httpd: cannot listen on 127.0.0.1:%u: %s\n", port,
			strerror(errno));
		return 1;
	}
	printf("listening on 127.0.0.1:%u\n", port);
	fflush(stdout);
	status = console_run(rt, plugins);
	MHD_stop_daemon(daemon);
	return status;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "port", required_argument, NULL, 'p' },
						 { "threads", required_argument, NULL, 't' },
						 { "describe", required_argument, NULL, 'd' },
						 { NULL, 0, NULL, 0 } };
	const struct tenon_runtime_opts opts = { .sz = sizeof(opts),
						 .log = log_line,
						 .log_level = TENON_LOG_WARN };
	struct tenon_runtime *rt = tenon_runtime_new(&opts);
	const char *describe = NULL;
	unsigned int port = 8080, threads = 2;
	int opt, status;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'p')
			port = (unsigned int)strtoul(optarg, NULL, 10);
		else if (opt == 't')
			threads = (unsigned int)strtoul(optarg, NULL, 10);
		else if (opt == 'd')
			describe = optarg;
		else
			return 2;
	}
	if (!rt || surface_register(rt) || (describe && tenon_runtime_describe(rt, describe))) {
		fprintf(stderr, "httpd: %s\n", tenon_last_error()->msg);
		return 1;
	}
	status = describe ? 0 : serve(rt, (uint16_t)port, threads, argv + optind);
	if (tenon_runtime_free(rt)) {
		fprintf(stderr, "httpd: %s\n", tenon_last_error()->msg);
		return 1;
	}
	return status;
}
