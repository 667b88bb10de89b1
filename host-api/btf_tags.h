/* SPDX-License-Identifier: MIT */
/* What the words of tenon/host.h said of a type of the host's BTF: declaration tags "tenon:...". */
#ifndef TN_HOST_BTF_TAGS_H
#define TN_HOST_BTF_TAGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"
#include "vm/btf.h"

enum { TN_TAG_SELF = -1 }; /* of the type itself, not of a member or argument */

struct tn_tag {
	int32_t component;
	const char *text; /* behind "tenon:"; borrowed from the BTF */
};

struct tn_tags {
	TN_VEC(struct tn_tag) all;
};

/* Those of one type (a structure or FUNC) and of its members or arguments. 0, -ENOMEM. */
int tn_tags_read(struct tn_rt *rt, const struct tn_btf *btf, uint32_t id, struct tn_tags *out);
void tn_tags_free(struct tn_rt *rt, struct tn_tags *tags);

/* NULL: there is no such tag; "" or what stands behind its '='. */
const char *tn_tag_value(const struct tn_tags *tags, int32_t component, const char *word);
static inline bool tn_tag_has(const struct tn_tags *tags, int32_t component, const char *word)
{
	return tn_tag_value(tags, component, word) != NULL;
}

/* Of argument `arg` (from 0) of the function that `component` is: itself (TN_TAG_SELF), or a member
 * that points to one, of which only TENON_ARG() can speak. */
bool tn_tag_has_arg(const struct tn_tags *tags, int32_t component, uint32_t arg, const char *word);

#endif
