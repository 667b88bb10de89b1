/* SPDX-License-Identifier: MIT */
/* Structures behind handles: which fields plugins may read. A layout like that of a context. */
#include <errno.h>
#include <string.h>

#include "host-api/btf_types.h"
#include "host-api/host_btf.h"
#include "host-api/host_type.h"

static int check_fields(const struct tenon_struct_type *want)
{
	for (size_t i = 0; i < want->nr_fields; i++) {
		const char *at = (const char *)want->fields + i * want->field_size;
		struct tenon_field f = { 0 };

		memcpy(&f, at, TN_MIN(want->field_size, sizeof(f)));
		if (f.kind != TENON_FIELD_SCALAR && f.kind != TENON_FIELD_HANDLE)
			return tn_err(-EINVAL,
				      "structure '%s': field '%s' is neither a number nor a handle",
				      want->name, f.name ? f.name : "");
	}
	return 0;
}

static int check(const struct tenon_struct_type *want)
{
	if (!want->name || !want->name[0] || strlen(want->name) >= TN_SIG_HANDLE_BYTES)
		return tn_err(-EINVAL, "structure: the name is missing or too long");
	if (want->size == 0 || want->size > TN_MAX_CTX_BYTES)
		return tn_err(-EINVAL, "structure '%s': %zu bytes, expected 1 to %u", want->name,
			      want->size, TN_MAX_CTX_BYTES);
	if (want->nr_fields > TN_MAX_CTX_FIELDS || (want->nr_fields && !want->fields) ||
	    (want->nr_fields && want->field_size < offsetof(struct tenon_field, end)))
		return tn_err(-EINVAL, "structure '%s': fields, nr_fields or field_size is wrong",
			      want->name);
	return check_fields(want);
}

static struct tn_ctx_entry *find(struct tenon_runtime *rt, const char *name)
{
	struct tn_ctx_entry *e = rt->structs;

	while (e && strcmp(e->type->name, name) != 0)
		e = e->next;
	return e;
}

static bool same_base(const struct tn_ctx_type *a, const struct tn_ctx_type *b)
{
	return !a->base == !b->base && (!a->base || !strcmp(a->base, b->base));
}

/* Takes `type` over in every case. The list is in the order of declaration. */
static int add(struct tenon_runtime *rt, struct tn_ctx_type *type)
{
	struct tn_ctx_entry *e, **at = &rt->structs;
	int rc = 0;

	tn_lock(rt);
	e = find(rt, type->name);
	if (e) {
		if (!tn_ctx_type_same_layout(e->type, type) || !same_base(e->type, type))
			rc = tn_err(-EEXIST,
				    "structure '%s' is declared already, with another layout",
				    type->name);
	} else if (type->base && !find(rt, type->base)) {
		rc = tn_err(-ENOENT, "structure '%s': its base '%s' is not declared", type->name,
			    type->base);
	} else {
		e = tn_new(&rt->rt, struct tn_ctx_entry);
		if (e) {
			while (*at)
				at = &(*at)->next;
			e->type = type;
			*at = e;
			type = NULL;
		} else {
			rc = tn_err_nomem("structure");
		}
	}
	tn_unlock(rt);
	tn_ctx_type_free(&rt->rt, type);
	return rc;
}

int tn_struct_register(struct tenon_runtime *rt, const struct tenon_struct_type *desc)
{
	struct tenon_struct_type want;
	struct tenon_ctx_type layout;
	struct tn_ctx_type *type;
	int rc = tn_opts_read("tenon_struct_type", desc, &want, sizeof(want));

	if (!rc)
		rc = check(&want);
	if (rc)
		return rc;
	layout = (struct tenon_ctx_type){
		.sz = sizeof(layout),
		.name = want.name,
		.size = want.size,
		.fields = want.fields,
		.nr_fields = want.nr_fields,
		.field_size = want.field_size,
	};
	rc = tn_ctx_type_make(rt, &layout, &type);
	if (rc)
		return rc;
	if (want.base) {
		type->base = tn_strdup(&rt->rt, want.base);
		if (!type->base) {
			tn_ctx_type_free(&rt->rt, type);
			return tn_err_nomem("structure");
		}
	}
	return add(rt, type);
}

int tenon_runtime_add_struct(struct tenon_runtime *rt, const struct tenon_struct_type *type)
{
	int rc = rt && type ? tn_struct_register(rt, type)
			    : tn_err(-EINVAL, "tenon_runtime_add_struct: an argument is NULL");

	if (rc)
		tn_err_at(TN_STAGE_RESOLVE, NULL, NULL, -1, NULL);
	return rc;
}

/* Handles of other pointers have words of C for names. */
static bool is_struct_name(const char *name)
{
	return strcmp(name, "void") != 0 && strcmp(name, TN_HANDLE_STRING) != 0;
}

/* A host that has a structure of its own under that name may mean either by it: where they cannot
 * be the same nothing is shown of them. */
static const struct tn_ctx_type *builtin_struct(struct tenon_runtime *rt, const char *name)
{
	const struct tn_ctx_type *type = tn_ctx_builtin_struct(name);
	const struct tn_btf *btf;
	uint32_t id = tn_host_btf_find(rt, name, TN_BTF_STRUCT, &btf);

	return id && tn_btf_type(btf, id)->size_or_type != type->host_size ? NULL : type;
}

const struct tn_ctx_type *tn_struct_find(struct tenon_runtime *rt, const char *name)
{
	const struct tn_ctx_entry *e;
	struct tn_ctx_type *type;

	tn_lock(rt);
	e = find(rt, name);
	tn_unlock(rt);
	if (e || !is_struct_name(name))
		return e ? e->type : NULL;
	if (tn_ctx_builtin_struct(name))
		return builtin_struct(rt, name);
	/* Made when it is first asked for: most of a host's structures never are. */
	if (tn_struct_from_btf(rt, name, &type) || !type || add(rt, type))
		return NULL;
	tn_lock(rt);
	e = find(rt, name);
	tn_unlock(rt);
	return e ? e->type : NULL;
}
