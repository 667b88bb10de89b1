/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as BTF: whole, or where the first byte says so, split on top of the builtin types.
 * Where it is accepted, every reader's walk over it must end inside: names, sizes, the raw and the
 * C form, merging and copying.
 */
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/rt.h"
#include "vm/btf_builtin.h"
#include "vm/btf_dump.h"
#include "vm/btf_merge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
	if (!holds)
		__builtin_trap();
}

static int count_line(void *user, const char *line)
{
	*(size_t *)user += strlen(line);
	return 0;
}

static void walk(const struct tn_btf *btf)
{
	char decl[64];

	for (uint32_t id = 0; id < btf->nr_types; id++) {
		const struct tn_btf_type *t = tn_btf_type(btf, id);
		uint32_t plain = tn_btf_skip_mods(btf, id), align = tn_btf_align_of(btf, id);

		must(t && strlen(tn_btf_str(btf, t->name_off)) < btf->end_str);
		must(plain < btf->nr_types);
		must(tn_btf_size_of(btf, id) <= UINT32_MAX);
		must(align >= 1 && align <= 16 && (align & (align - 1)) == 0);
		must(strlen(tn_btf_format_decl(btf, id, "x", decl, sizeof(decl))) < sizeof(decl));
		if (tn_btf_is_composite(t)) {
			const struct tn_btf_member *m = tn_btf_extra(t);

			for (uint32_t i = 0; i < tn_btf_vlen(t); i++) {
				must(strlen(tn_btf_str(btf, m[i].name_off)) < btf->end_str);
				must(tn_btf_size_of(btf, m[i].type) >= 0);
			}
		}
	}
}

/* Every name leads to its type. Of one name there may be as many as there are types. */
static void find(const struct tn_btf *btf)
{
	uint32_t budget = 2000;

	for (uint32_t id = btf->first_type; id < btf->nr_types && budget; id++) {
		const char *name = tn_btf_name(btf, id);
		uint32_t at = 0;

		if (!*name)
			continue;
		must(tn_btf_find(btf, name, tn_btf_kind(tn_btf_type(btf, id))) <= id);
		do
			at = tn_btf_next_named(btf, name, tn_btf_essential_len(name), at);
		while (at && at != id && --budget);
		must(at == id || !budget);
		budget -= budget ? 1 : 0;
	}
}

static void dump(const struct tn_btf *btf)
{
	size_t bytes = 0;
	int err;

	must(tn_btf_dump_raw(btf, btf->first_type, UINT32_MAX, false, count_line, &bytes) == 0);
	must(tn_btf_dump_raw(btf, btf->first_type, UINT32_MAX, true, count_line, &bytes) == 0);
	err = tn_btf_dump_c(btf, NULL, 0, " __ksym", count_line, &bytes);
	must(err == 0 || (err == -EINVAL && *tn_err_last()->msg));
}

static void copy(struct tn_rt *rt, const struct tn_btf *btf)
{
	const struct tn_btf *twice[2] = { tn_btf_builtin(rt), btf };
	unsigned char *wanted = tn_alloc_array(rt, btf->nr_types, 1);
	struct tn_btf *made = tn_btf_merge(rt, twice, 2);

	/* Only what is too large for the writer may fail. */
	must(made || errno == EINVAL);
	tn_btf_free(made);
	for (uint32_t id = 1; wanted && id < btf->nr_types; id += 3)
		wanted[id] = 1;
	made = wanted ? tn_btf_subset(rt, btf, wanted, NULL) : NULL;
	tn_btf_free(made);
	tn_free(rt, wanted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tn_rt rt;
	const struct tn_btf *base = NULL;
	struct tn_btf *btf;

	if (!rt.id)
		must(tn_rt_init(&rt, NULL) == 0);
	if (size && data[0] == 'S') {
		base = tn_btf_builtin(&rt);
		data++;
		size--;
	}
	btf = tn_btf_parse_split(&rt, base, tn_span_make(data, size));
	if (btf) {
		walk(btf);
		find(btf);
		dump(btf);
		copy(&rt, btf);
	} else {
		must(errno == EINVAL && tn_err_last()->code == -EINVAL && *tn_err_last()->msg);
	}
	tn_btf_free(btf);
	return 0;
}
