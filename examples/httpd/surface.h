/* SPDX-License-Identifier: MIT */
/* What this server offers to plugins: three hooks, two helpers. */
#ifndef SURFACE_H
#define SURFACE_H

#include <tenon/tenon.h>

#include "http_plugin.h"

#define NR_HOOKS 3

extern struct tenon_hook hook_accept, hook_request, hook_response;

/* A request as plugins see it, and what they did to it. */
struct request {
	struct http_request ctx; /* first: helpers get its address back */
	char *headers;		 /* the block that ctx.headers shows; owned */
	size_t headers_size;	 /* allocated */
	unsigned int denied;	 /* status of http_deny(), 0: none */
};

/* Register hooks and helpers. 0, or a negative errno with tenon_last_error(). */
int surface_register(struct tenon_runtime *rt);

/* Append "name: value\r\n" to the block; -1: out of memory, or the block is at its limit. */
int request_add_header(struct request *req, const char *name, const char *value, size_t value_len);
void request_done(struct request *req);

#endif
