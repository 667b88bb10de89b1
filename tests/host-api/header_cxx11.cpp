/* SPDX-License-Identifier: MIT */
/* tenon.h in C++11: compiled, with its macros and options used. */
#include <tenon/tenon.h>

struct plain {
	uint32_t len;
	const char *text;
};

uint64_t header_use(struct tenon_runtime *rt, struct tenon_hook *hook, struct plain *ctx);

uint64_t header_use(struct tenon_runtime *rt, struct tenon_hook *hook, struct plain *ctx)
{
	auto desc = tenon::opts<tenon_hook_desc>();

	desc.name = "h";
	desc.ctx = tenon_ctx_xdp();
	if (tenon_hook_register(rt, hook, &desc))
		return 0;
	return tenon_hook_armed(hook) ? tenon_hook_fire(hook, ctx) : 0;
}
