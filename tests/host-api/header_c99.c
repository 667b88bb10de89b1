/* SPDX-License-Identifier: MIT */
/* tenon.h in C99: compiled, with its macros used. */
#include <tenon/host.h>
#include <tenon/tenon.h>

TENON_TYPES_BEGIN
struct lent {
	uint32_t id TENON_WRITABLE;
	struct lent *next TENON_TRUSTED TENON_NONNULL;
};
TENON_TYPES_END
TENON_HELPER TENON_RELEASE TENON_HELPER_FLAGS(MAY_ABORT, CLEANUP) void lent_put(struct lent *l);
TENON_HELPER TENON_ARG(1, size_is)
int lent_send(const void *p TENON_SIZE_IS(n), uint32_t n);

struct plain {
	void *data, *end;
	uint32_t len;
	uint32_t value;
	const char *text;
};

static const struct tenon_field fields[] = {
	TENON_REGION(struct plain, data, end, TENON_RW), TENON_SCALAR(struct plain, end, TENON_R),
	TENON_SIZED(struct plain, text, len, TENON_R),	 TENON_SCALAR(struct plain, len, TENON_R),
	TENON_SCALAR(struct plain, value, TENON_RW),
};
static const struct tenon_ctx_type type = TENON_CTX_TYPE(plain, fields);

uint64_t header_use(struct tenon_runtime *rt, struct tenon_hook *hook, struct plain *ctx);

uint64_t header_use(struct tenon_runtime *rt, struct tenon_hook *hook, struct plain *ctx)
{
	TENON_OPTS(tenon_hook_desc, desc, .name = "h", .ctx = &type);

	if (tenon_hook_register(rt, hook, &desc))
		return 0;
	return tenon_hook_armed(hook) ? tenon_hook_fire(hook, ctx) : 0;
}
