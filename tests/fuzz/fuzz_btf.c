/* SPDX-License-Identifier: MIT */
/* Any bytes as a BTF blob. Where it is accepted, every reader's walk over it must end inside. */
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/rt.h"
#include "vm/btf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
	if (!holds)
		__builtin_trap();
}

static void walk(const struct tn_btf *btf)
{
	for (uint32_t id = 0; id < btf->nr_types; id++) {
		const struct tn_btf_type *t = tn_btf_type(btf, id);
		uint32_t plain = tn_btf_skip_mods(btf, id);

		must(t && strlen(tn_btf_str(btf, t->name_off)) < btf->size);
		must(plain < btf->nr_types);
		must(tn_btf_size_of(btf, id) <= UINT32_MAX);
		if (tn_btf_kind(t) == TN_BTF_STRUCT || tn_btf_kind(t) == TN_BTF_UNION) {
			const struct tn_btf_member *m = tn_btf_extra(t);

			for (uint32_t i = 0; i < tn_btf_vlen(t); i++) {
				must(strlen(tn_btf_str(btf, m[i].name_off)) < btf->size);
				must(tn_btf_size_of(btf, m[i].type) >= 0);
			}
		}
	}
	tn_btf_find(btf, "int", TN_BTF_INT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tn_rt rt;
	static int ready;
	struct tn_btf *btf;

	if (!ready) {
		must(tn_rt_init(&rt, NULL) == 0);
		ready = 1;
	}
	btf = tn_btf_parse(&rt, tn_span_make(data, size));
	if (btf)
		walk(btf);
	else
		must(errno == EINVAL && tn_err_last()->code == -EINVAL && *tn_err_last()->msg);
	tn_btf_free(btf);
	return 0;
}
