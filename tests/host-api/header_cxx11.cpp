/* SPDX-License-Identifier: MIT */
/* tenon.h in C++11: compiled, with its macros and options used. */
#include <tenon/host.h>
#include <tenon/tenon.h>

TENON_TYPES_BEGIN
struct lent {
	uint32_t id TENON_WRITABLE;
	struct lent *next TENON_TRUSTED TENON_NONNULL;
};
TENON_TYPES_END
TENON_HELPER TENON_RELEASE TENON_HELPER_FLAGS(MAY_ABORT, CLEANUP) void lent_put(struct lent *l);
TENON_HELPER TENON_ARG(1, size_is) int lent_send(const void *p TENON_SIZE_IS(n), uint32_t n);

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
