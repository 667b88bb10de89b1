/* SPDX-License-Identifier: MIT */
/* Contexts known by their size alone, and the search for a field. */
#include "vm/ctx_type.h"

#include <errno.h>
#include <string.h>

#include "base/compiler.h"
#include "base/mem.h"

const struct tn_field *tn_ctx_field_at(const struct tn_ctx_type *type, uint32_t off, uint32_t size)
{
	uint32_t low = 0, high = type->nr_fields;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		const struct tn_field *field = &type->fields[mid];

		if (off < field->offset)
			high = mid;
		else if (off - field->offset >= field->size)
			low = mid + 1;
		else
			return size <= field->size - (off - field->offset) ? field : NULL;
	}
	return NULL;
}

bool tn_field_takes(const struct tn_field *field, uint32_t off, uint32_t size, bool write)
{
	uint32_t at, elem = field->elem_size;

	if (field->kind != TN_FIELD_SCALAR || field->parts == TN_PARTS_ANY)
		return true;
	if (off % size)
		return false;
	if (field->parts == TN_PARTS_ALIGNED)
		return true;
	at = (off - field->offset) % elem;
	if (size >= elem || write)
		return size == elem && at == 0;
	switch (field->parts) {
	case TN_PARTS_READ:
		return at + size <= elem;
	case TN_PARTS_FIRST:
		return at == 0;
	case TN_PARTS_HALF:
		return size == elem / 2;
	case TN_PARTS_LOW:
		return at + size <= elem / 2;
	default:
		return false;
	}
}

const struct tn_field *tn_ctx_retval(const struct tn_ctx_type *type)
{
	const struct tn_field *f = tn_ctx_field_by_name(type, "retval");

	return f && f->kind == TN_FIELD_SCALAR && f->elem_size == f->size &&
			       f->host_size == f->size && (f->size == 4 || f->size == 8)
		       ? f
		       : NULL;
}

bool tn_ctx_numbers_at(const struct tn_ctx_type *type, uint32_t off, uint32_t size)
{
	if (!type->from_btf)
		return false;
	for (uint32_t i = 0; i < size; i++) {
		const struct tn_field *f = tn_ctx_field_at(type, off + i, 1);

		if (!f || (f->kind != TN_FIELD_SCALAR && f->kind != TN_FIELD_SIZED_LEN) ||
		    !(f->access & TN_ACC_R))
			return false;
	}
	return true;
}

const struct tn_field *tn_ctx_field_by_name(const struct tn_ctx_type *type, const char *name)
{
	for (uint32_t i = 0; i < type->nr_fields; i++) {
		if (!strcmp(type->fields[i].name, name))
			return &type->fields[i];
	}
	return NULL;
}

/* One field that covers everything. */
static int add_raw_field(struct tn_rt *rt, struct tn_ctx_type *type)
{
	struct tn_field *field = tn_new(rt, struct tn_field);

	if (!field)
		return -ENOMEM;
	type->fields = field;
	type->nr_fields = 1;
	field->name = tn_strdup(rt, "bytes");
	field->size = field->host_size = type->size;
	field->kind = TN_FIELD_SCALAR;
	field->access = TN_ACC_RW;
	field->peer = -1;
	field->elem_size = 1;
	return field->name ? 0 : -ENOMEM;
}

struct tn_ctx_type *tn_ctx_type_raw(struct tn_rt *rt, uint32_t size)
{
	struct tn_ctx_type *type = tn_new(rt, struct tn_ctx_type);

	if (!type)
		return NULL;
	type->size = type->host_size = size;
	type->name = tn_strdup(rt, "raw");
	if (!type->name || (size && add_raw_field(rt, type))) {
		tn_ctx_type_free(rt, type);
		return NULL;
	}
	return type;
}

void tn_ctx_type_free(struct tn_rt *rt, struct tn_ctx_type *type)
{
	if (!type)
		return;
	tn_assert(!type->builtin);
	for (uint32_t i = 0; i < type->nr_fields; i++) {
		tn_free(rt, type->fields[i].name);
		tn_free(rt, type->fields[i].handle);
	}
	tn_free(rt, type->fields);
	tn_free(rt, type->name);
	tn_free(rt, type->base);
	tn_free(rt, type);
}

static bool leads_somewhere(const struct tn_field *f)
{
	return f->kind == TN_FIELD_SIZED || f->kind == TN_FIELD_REGION || f->kind == TN_FIELD_MEM ||
	       f->kind == TN_FIELD_HANDLE;
}

/* Pointers to objects of two types. */
static bool lead_elsewhere(const struct tn_field *a, const struct tn_field *b)
{
	return a->kind == TN_FIELD_HANDLE && b->kind == TN_FIELD_HANDLE && a->handle && b->handle &&
	       strcmp(a->handle, b->handle) != 0;
}

bool tn_ctx_type_serves(const struct tn_ctx_type *have, const struct tn_ctx_type *want)
{
	if (have == want)
		return true;
	/* Arguments are no structure of the host's. Of two names they are two structures, however
	 * alike what plugins see of them is: what is hidden, and what the numbers mean, may differ.
	 */
	if (have->is_args || want->is_args || have->host_size != want->host_size ||
	    strcmp(have->name, want->name) != 0)
		return false;
	for (uint32_t i = 0; i < have->nr_fields; i++) {
		const struct tn_field *f = &have->fields[i];
		const struct tn_field *g = tn_ctx_field_by_name(want, f->name);

		if (!g)
			continue;
		if (f->host_offset != g->host_offset || f->host_size != g->host_size ||
		    lead_elsewhere(f, g))
			return false;
		/* What the program may write must not be followed. */
		if (f->access & TN_ACC_W && !leads_somewhere(f) && leads_somewhere(g))
			return false;
	}
	return true;
}
