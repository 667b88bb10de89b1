/* SPDX-License-Identifier: MIT */
/* A value as people and programs read it: `{ .packets = 3 }` or JSON, by its BTF type; without one
 * as bytes. */
#ifndef TN_HOST_VALUE_TEXT_H
#define TN_HOST_VALUE_TEXT_H

#include "base/compiler.h"
#include "vm/btf.h"

struct tn_text {
	struct tn_rt *rt;
	char *s; /* owned; with a NUL once something was put */
	size_t len, cap;
	bool failed; /* out of memory */
};

void tn_text_put(struct tn_text *t, const char *fmt, ...) TN_PRINTF(2, 3);
void tn_text_free(struct tn_text *t);

/* `size` bytes of type `id` (0 or a NULL btf: bytes in hex). A type of another size than the data
 * is as none. */
void tn_text_value(struct tn_text *t, const struct tn_btf *btf, uint32_t id, const void *data,
		   size_t size, bool json);

#endif
