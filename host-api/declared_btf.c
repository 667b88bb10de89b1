/* SPDX-License-Identifier: MIT */
/*
 * BTF of structures that the host declared field by field (tenon_ctx_type, tenon_struct_type), for
 * plugins to be relocated against. It has the members that are shown, no others. A declaration does
 * not tell the elements of arrays apart: a structure with one is left out, and the plugin's own
 * layout stands for it, which is compared with the declaration when it is loaded.
 */
#include <errno.h>
#include <string.h>

#include "host-api/host_btf.h"
#include "host-api/host_type.h"
#include "vm/btf_build.h"

static const char *const number_names[] = { [1] = "u8", [2] = "u16", [4] = "u32", [8] = "u64" };

static bool can_be_written(const struct tn_ctx_type *type)
{
	if (type->builtin || type->from_btf || type->is_args || !type->nr_fields)
		return false;
	for (uint32_t i = 0; i < type->nr_fields; i++) {
		uint32_t size = type->fields[i].size;

		if (size != 1 && size != 2 && size != 4 && size != 8)
			return false;
	}
	return true;
}

/* Numbers first, then what pointers lead to, then the structure: members follow it at once. */
static uint32_t add_field_type(struct tn_btf_builder *b, const struct tn_field *f,
			       uint32_t numbers[9])
{
	switch ((enum tn_field_kind)f->kind) {
	case TN_FIELD_SCALAR:
	case TN_FIELD_SIZED_LEN:
		if (!numbers[f->size])
			numbers[f->size] = tn_btf_add_int(b, number_names[f->size], f->size, 0);
		return numbers[f->size];
	case TN_FIELD_HANDLE:
		return tn_btf_add_ptr(b, tn_btf_add_fwd(b, f->handle, false));
	case TN_FIELD_SIZED:
	case TN_FIELD_REGION:
	case TN_FIELD_REGION_END:
	case TN_FIELD_MEM:
		break;
	}
	return tn_btf_add_ptr(b, 0);
}

struct tn_btf *tn_btf_of_declared(struct tenon_runtime *rt, const struct tn_ctx_type *type)
{
	uint32_t numbers[9] = { 0 }, *types;
	struct tn_btf_builder *b = tn_btf_build_new(&rt->rt, NULL);

	types = tn_alloc_array(&rt->rt, type->nr_fields, sizeof(types[0]));
	if (!b || !types) {
		tn_btf_build_free(b);
		tn_free(&rt->rt, types);
		return tn_null(tn_err_nomem("BTF of a structure"));
	}
	for (uint32_t i = 0; i < type->nr_fields; i++)
		types[i] = add_field_type(b, &type->fields[i], numbers);
	tn_btf_add_struct(b, TN_BTF_STRUCT, type->name, type->size);
	for (uint32_t i = 0; i < type->nr_fields; i++) {
		/* Those without a name of their own: "data.end". */
		if (!strchr(type->fields[i].name, '.'))
			tn_btf_add_member(b, type->fields[i].name, types[i],
					  type->fields[i].offset * 8, 0);
	}
	tn_free(&rt->rt, types);
	return tn_btf_build_finish(b);
}

bool tn_declared_wanted(const struct tenon_runtime *rt, const struct tn_ctx_entry *e)
{
	const struct tn_host_btf *host;

	if (!can_be_written(e->type))
		return false;
	for (host = rt->btfs; host; host = host->next) {
		if (tn_btf_find(host->btf, e->type->name, TN_BTF_STRUCT))
			return false;
	}
	return true;
}
