/* SPDX-License-Identifier: MIT */
/*
 * Contexts and helpers of the host: checked when they are declared, so that the verifier, the JIT
 * and libffi can all rely on one description.
 */
#include "host-api/host_type.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host-api/btf_types.h"
#include "host-api/ffi.h"
#include "host-api/host_btf.h"
#include "vm/held_iter.h"

_Static_assert((int)TENON_FIELD_SCALAR == TN_FIELD_SCALAR &&
		       (int)TENON_FIELD_SIZED == TN_FIELD_SIZED &&
		       (int)TENON_FIELD_REGION == TN_FIELD_REGION &&
		       (int)TENON_FIELD_MEM == TN_FIELD_MEM &&
		       (int)TENON_FIELD_HANDLE == TN_FIELD_HANDLE,
	       "field kinds are the same numbers inside and outside");
_Static_assert((int)TENON_R == TN_ACC_R && (int)TENON_RW == TN_ACC_RW &&
		       (int)TENON_NULLABLE == TN_ACC_NULLABLE &&
		       (int)TENON_ALIGNED == TN_ACC_ALIGNED &&
		       (int)TENON_UNTRUSTED == TN_ACC_UNTRUSTED,
	       "access bits are the same inside and outside");
_Static_assert((int)TENON_MAY_ABORT == TN_SIG_MAY_ABORT &&
		       (int)TENON_INVALIDATES_CTX == TN_SIG_INVALIDATES_CTX &&
		       (int)TENON_MAY_FIRE == TN_SIG_MAY_FIRE && (int)TENON_PURE == TN_SIG_PURE,
	       "helper flags are the same bits inside and outside");
_Static_assert(sizeof(struct tenon_xdp_md) == sizeof(struct tn_xdp_host) &&
		       offsetof(struct tenon_xdp_md, data_meta) ==
			       offsetof(struct tn_xdp_host, data_meta) &&
		       offsetof(struct tenon_xdp_md, egress_ifindex) ==
			       offsetof(struct tn_xdp_host, egress_ifindex),
	       "the public XDP context is the rewriter's");
#define SAME_SKB(member) \
	(offsetof(struct tenon_sk_buff, member) == offsetof(struct tn_skb_host, member))
_Static_assert(sizeof(struct tenon_seq_file) == sizeof(struct tn_seq_host) &&
		       offsetof(struct tenon_seq_file, user) == offsetof(struct tn_seq_host, user),
	       "tenon_seq_file");
_Static_assert(offsetof(struct tenon_xdp_md, redirect_ifindex) ==
			       offsetof(struct tn_xdp_host, redirect_ifindex) &&
		       offsetof(struct tenon_xdp_md, redirect_key) ==
			       offsetof(struct tn_xdp_host, redirect_key) &&
		       SAME_SKB(redirect_ifindex) && SAME_SKB(redirect_flags),
	       "where to");
_Static_assert(sizeof(struct tenon_sk_buff) == sizeof(struct tn_skb_host) && SAME_SKB(data_meta) &&
		       SAME_SKB(tstamp) && SAME_SKB(len) && SAME_SKB(mark) && SAME_SKB(protocol) &&
		       SAME_SKB(priority) && SAME_SKB(cb) && SAME_SKB(hash) &&
		       SAME_SKB(local_ip6) && SAME_SKB(remote_port) && SAME_SKB(gso_size) &&
		       SAME_SKB(room) && SAME_SKB(sk),
	       "the public socket buffer context is the rewriter's");

/* ---- Contexts ---- */

static int field_err(const struct tenon_ctx_type *ctx, const struct tenon_field *f,
		     const char *what)
{
	return tn_err(-EINVAL, "context '%s': field '%s': %s", ctx->name, f->name ? f->name : "",
		      what);
}

/* One field by itself; how it fits the others is checked later. */
static int check_field(const struct tenon_ctx_type *ctx, const struct tenon_field *f)
{
	if (!f->name || !f->name[0])
		return tn_err(-EINVAL, "context '%s': a field at offset %u has no name", ctx->name,
			      f->offset);
	if (f->size == 0 || f->offset > ctx->size || f->size > ctx->size - f->offset)
		return field_err(ctx, f, "lies outside the struct");
	if (f->kind > TENON_FIELD_HANDLE)
		return field_err(ctx, f, "unknown kind");
	if (f->access &
	    ~(uint32_t)(TENON_RW | TENON_NULLABLE | TENON_ALIGNED | TENON_UNTRUSTED | TENON_CONST))
		return field_err(ctx, f, "unknown access bits");
	if (f->access & TENON_CONST && f->kind != TENON_FIELD_HANDLE)
		return field_err(ctx, f, "TENON_CONST is for handles");
	if (f->access & TENON_UNTRUSTED && f->kind != TENON_FIELD_HANDLE)
		return field_err(ctx, f, "TENON_UNTRUSTED is for handles");
	if (f->access & TENON_ALIGNED &&
	    (f->kind == TENON_FIELD_SCALAR || f->kind == TENON_FIELD_HANDLE))
		return field_err(ctx, f, "TENON_ALIGNED is for pointers to memory");
	if (f->kind == TENON_FIELD_SCALAR) {
		if (!(f->access & TENON_R) || f->access & TENON_NULLABLE)
			return field_err(ctx, f, "access must be TENON_R or TENON_RW");
		return 0;
	}
	if (f->size != sizeof(void *) || f->offset % sizeof(void *))
		return field_err(ctx, f, "a pointer has 8 bytes and stands at a multiple of 8");
	if (f->kind == TENON_FIELD_HANDLE && (!f->handle || !f->handle[0]))
		return field_err(ctx, f, "a handle names its type");
	if (f->kind == TENON_FIELD_HANDLE && strlen(f->handle) >= TN_SIG_HANDLE_BYTES)
		return field_err(ctx, f, "the handle's name is too long");
	if (f->kind != TENON_FIELD_HANDLE && !(f->access & TENON_R))
		return field_err(ctx, f, "access must be TENON_R or TENON_RW, and may be NULLABLE");
	if (f->kind == TENON_FIELD_MEM && f->mem_size == 0)
		return field_err(ctx, f, "mem_size is 0");
	if (f->kind == TENON_FIELD_REGION &&
	    (f->end >= ctx->size || f->end % sizeof(void *) || ctx->size - f->end < sizeof(void *)))
		return field_err(ctx, f, "`end` is not the offset of a pointer in the struct");
	return 0;
}

/* Integers are read whole; what is no integer is an array of bytes. */
static uint32_t scalar_elem_size(uint32_t size)
{
	return size == 1 || size == 2 || size == 4 || size == 8 ? size : 1;
}

static int add_field(struct tenon_runtime *rt, struct tn_ctx_type *type,
		     const struct tenon_field *f)
{
	struct tn_field *to = &type->fields[type->nr_fields];

	*to = (struct tn_field){
		.name = tn_strdup(&rt->rt, f->name),
		.offset = f->offset,
		.size = f->size,
		.host_offset = f->offset,
		.host_size = f->size,
		.kind = (uint8_t)f->kind,
		.access = (uint8_t)f->access,
		.mem_size = f->mem_size,
		.peer = -1,
		.elem_size = f->kind == TENON_FIELD_SCALAR ? scalar_elem_size(f->size) : f->size,
		.handle = f->kind == TENON_FIELD_HANDLE ? tn_strdup(&rt->rt, f->handle) : NULL,
	};
	/* Counted even when half made, so that freeing the type frees it. */
	type->nr_fields++;
	if (!to->name || (f->kind == TENON_FIELD_HANDLE && !to->handle))
		return tn_err_nomem("context type");
	return 0;
}

static int compare_fields(const void *a, const void *b)
{
	const struct tn_field *fa = a, *fb = b;

	return fa->offset < fb->offset ? -1 : fa->offset > fb->offset;
}

static struct tn_field *field_starting_at(struct tn_ctx_type *type, uint32_t off)
{
	uint32_t i;

	for (i = 0; i < type->nr_fields; i++) {
		if (type->fields[i].offset == off)
			return &type->fields[i];
	}
	return NULL;
}

/* The length or end member of `f`, which the host need not list. */
static int add_end(struct tenon_runtime *rt, struct tn_ctx_type *type,
		   const struct tenon_ctx_type *ctx, const struct tenon_field *f)
{
	char name[TN_ERR_NAME_BYTES];
	struct tenon_field end = {
		.name = f->end_name, .offset = f->end, .size = f->end_size, .access = TENON_R
	};
	int rc;

	if (f->kind == TENON_FIELD_REGION && !end.size)
		end.size = sizeof(void *);
	if (!end.size)
		return tn_err(-EINVAL,
			      "context '%s': field '%s': list the member at offset %u, where it "
			      "ends, as a field too, or give its end_size",
			      ctx->name, f->name, f->end);
	if (!end.name) {
		/* No member of a C struct is called so. */
		snprintf(name, sizeof(name), "%.*s.end", (int)sizeof(name) - 5, f->name);
		end.name = name;
	}
	rc = check_field(ctx, &end);
	return rc ? rc : add_field(rt, type, &end);
}

/* Find the length or end member of every SIZED and REGION, and take it from the plugin's hands:
 * a program that could change either would choose its own bounds. */
static int pair_fields(struct tn_ctx_type *type, const uint32_t *ends)
{
	uint32_t i;

	for (i = 0; i < type->nr_fields; i++) {
		struct tn_field *f = &type->fields[i], *peer;

		if (f->kind != TN_FIELD_SIZED && f->kind != TN_FIELD_REGION)
			continue;
		peer = field_starting_at(type, ends[f->host_offset]);
		tn_assert(peer);
		if (peer->kind == TN_FIELD_REGION_END || peer->kind == TN_FIELD_SIZED_LEN)
			return tn_err(-EINVAL, "context '%s': '%s' is the end of two fields",
				      type->name, peer->name);
		if (peer->kind != TN_FIELD_SCALAR || peer->access & TN_ACC_W ||
		    peer->size != scalar_elem_size(peer->size) || peer->size == 1)
			return tn_err(-EINVAL,
				      "context '%s': '%s' bounds '%s', so it must be a "
				      "read-only scalar of 2, 4 or 8 bytes",
				      type->name, peer->name, f->name);
		if (f->kind == TN_FIELD_REGION && peer->size != sizeof(void *))
			return tn_err(-EINVAL, "context '%s': '%s' is no end pointer: %u bytes",
				      type->name, peer->name, peer->size);
		peer->kind = f->kind == TN_FIELD_REGION ? TN_FIELD_REGION_END : TN_FIELD_SIZED_LEN;
		peer->peer = (int32_t)i;
		f->peer = (int32_t)(peer - type->fields);
	}
	return 0;
}

static int check_overlap(const struct tn_ctx_type *type)
{
	uint32_t i;

	for (i = 1; i < type->nr_fields; i++) {
		const struct tn_field *a = &type->fields[i - 1], *b = &type->fields[i];

		if (b->offset - a->offset < a->size)
			return tn_err(-EINVAL, "context '%s': fields '%s' and '%s' overlap",
				      type->name, a->name, b->name);
	}
	return 0;
}

/* The caller's array has its own element size: headers may be newer or older than we are. */
static int read_field(const struct tenon_ctx_type *ctx, size_t idx, struct tenon_field *out)
{
	const char *at = (const char *)ctx->fields + idx * ctx->field_size;
	size_t i;

	memset(out, 0, sizeof(*out));
	memcpy(out, at, TN_MIN(ctx->field_size, sizeof(*out)));
	for (i = sizeof(*out); i < ctx->field_size; i++) {
		if (at[i])
			return tn_err(-E2BIG,
				      "context '%s': field %zu uses what this version does "
				      "not know",
				      ctx->name, idx);
	}
	return check_field(ctx, out);
}

static int fill_type(struct tenon_runtime *rt, struct tn_ctx_type *type,
		     const struct tenon_ctx_type *ctx, uint32_t *ends)
{
	struct tenon_field f;
	size_t i;
	int rc;

	for (i = 0; i < ctx->nr_fields; i++) {
		rc = read_field(ctx, i, &f);
		if (!rc)
			rc = add_field(rt, type, &f);
		if (rc)
			return rc;
		ends[f.offset] = f.end;
	}
	for (i = 0; i < ctx->nr_fields; i++) {
		rc = read_field(ctx, i, &f);
		if (!rc && (f.kind == TENON_FIELD_SIZED || f.kind == TENON_FIELD_REGION) &&
		    !field_starting_at(type, f.end))
			rc = add_end(rt, type, ctx, &f);
		if (rc)
			return rc;
	}
	qsort(type->fields, type->nr_fields, sizeof(type->fields[0]), compare_fields);
	rc = check_overlap(type);
	return rc ? rc : pair_fields(type, ends);
}

int tn_ctx_type_make(struct tenon_runtime *rt, const struct tenon_ctx_type *ctx,
		     struct tn_ctx_type **out)
{
	struct tn_ctx_type *type = tn_new(&rt->rt, struct tn_ctx_type);
	/* By offset: where the field that starts there ends. Fields move when they are sorted. */
	uint32_t *ends = tn_alloc_array(&rt->rt, ctx->size, sizeof(*ends));
	int rc = 0;

	if (type) {
		type->name = tn_strdup(&rt->rt, ctx->name);
		type->size = type->host_size = (uint32_t)ctx->size;
		/* Each may bring its end along. */
		type->fields = tn_alloc_array(&rt->rt, 2 * TN_MAX(ctx->nr_fields, 1u),
					      sizeof(type->fields[0]));
	}
	if (!type || !ends || !type->name || !type->fields)
		rc = tn_err_nomem("context type");
	else
		rc = fill_type(rt, type, ctx, ends);
	tn_free(&rt->rt, ends);
	if (rc)
		tn_ctx_type_free(&rt->rt, type);
	else
		*out = type;
	return rc;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

bool tn_ctx_type_same_layout(const struct tn_ctx_type *a, const struct tn_ctx_type *b)
{
	uint32_t i;

	if (a->size != b->size || a->nr_fields != b->nr_fields)
		return false;
	for (i = 0; i < a->nr_fields; i++) {
		const struct tn_field *fa = &a->fields[i], *fb = &b->fields[i];

		if (strcmp(fa->name, fb->name) || fa->offset != fb->offset ||
		    fa->size != fb->size || fa->kind != fb->kind || fa->access != fb->access ||
		    fa->mem_size != fb->mem_size || fa->peer != fb->peer ||
		    !same_text(fa->handle, fb->handle))
			return false;
	}
	return true;
}

/* Adds `type` or finds its equal; takes it over in every case. */
int tn_ctx_type_intern(struct tenon_runtime *rt, struct tn_ctx_type *type,
		       const struct tn_ctx_type **out)
{
	struct tn_ctx_entry *e, **at = &rt->ctx_types;
	int rc = 0;

	tn_lock(rt);
	while (*at && strcmp((*at)->type->name, type->name))
		at = &(*at)->next;
	e = *at;
	if (e && tn_ctx_type_same_layout(e->type, type)) {
		*out = e->type;
	} else if (e) {
		rc = tn_err(-EEXIST, "context '%s' is declared already, with another layout",
			    type->name);
	} else {
		e = tn_new(&rt->rt, struct tn_ctx_entry);
		if (e) {
			e->type = type;
			*at = e;
			*out = type;
			type = NULL;
		} else {
			rc = tn_err_nomem("context type");
		}
	}
	tn_unlock(rt);
	tn_ctx_type_free(&rt->rt, type);
	return rc;
}

int tn_ctx_type_register(struct tenon_runtime *rt, const struct tenon_ctx_type *ctx,
			 const struct tn_ctx_type **out)
{
	struct tenon_ctx_type want;
	struct tn_ctx_type *type;
	int rc;

	if (!ctx)
		return tn_err(-EINVAL, "hook: no context type");
	if (tn_ctx_is_builtin(ctx)) {
		*out = tn_ctx_builtin(ctx->name);
		return *out ? 0 : tn_err(-ENOTSUP, "context '%s' is not built in", ctx->name);
	}
	rc = tn_opts_read("tenon_ctx_type", ctx, &want, sizeof(want));
	if (rc)
		return rc;
	if (!want.name || !want.name[0])
		return tn_err(-EINVAL, "context type without a name");
	if (want.size == 0 || want.size > TN_MAX_CTX_BYTES)
		return tn_err(-EINVAL, "context '%s': %zu bytes, expected 1 to %u", want.name,
			      want.size, TN_MAX_CTX_BYTES);
	if (want.nr_fields > TN_MAX_CTX_FIELDS || (want.nr_fields && !want.fields) ||
	    (want.nr_fields && want.field_size < offsetof(struct tenon_field, end)))
		return tn_err(-EINVAL, "context '%s': fields, nr_fields or field_size is wrong",
			      want.name);
	rc = tn_ctx_type_make(rt, &want, &type);
	return rc ? rc : tn_ctx_type_intern(rt, type, out);
}

int tn_ctx_type_check_btf(const struct tn_ctx_type *type, const struct tn_btf *btf)
{
	const struct tn_btf_type *t;
	const struct tn_btf_member *m;
	const struct tn_field *f;
	uint32_t id, i;

	if (!btf || type->builtin || !type->name)
		return 0;
	id = tn_btf_find(btf, type->name, TN_BTF_STRUCT);
	t = id ? tn_btf_type(btf, id) : NULL;
	if (!t)
		return 0;
	m = tn_btf_extra(t);
	for (i = 0; i < tn_btf_vlen(t); i++, m++) {
		const char *name = tn_btf_str(btf, m->name_off);
		/* kind_flag: the upper byte of the offset is a bitfield's width */
		bool kflag = t->info >> 31;
		uint32_t bits = kflag ? m->offset & 0xffffff : m->offset;
		bool bitfield = kflag && m->offset >> 24;
		int64_t size;

		f = name[0] ? tn_ctx_field_by_name(type, name) : NULL;
		if (!f)
			continue;
		size = tn_btf_size_of(btf, m->type);
		if (bitfield || bits != f->offset * 8 || size != (int64_t)f->size)
			return tn_err(-ESTALE,
				      "context '%s': the plugin has field '%s' as %lld bytes at "
				      "offset %u, the host as %u bytes at offset %u: compile the "
				      "plugin against the host's header",
				      type->name, name, (long long)size, bits / 8, f->size,
				      f->offset);
	}
	return 0;
}

bool tn_ctx_has_pointers(const struct tn_ctx_type *type)
{
	uint32_t i;

	for (i = 0; !type->is_packet && i < type->nr_fields; i++) {
		if (type->fields[i].kind >= TN_FIELD_SIZED &&
		    type->fields[i].kind <= TN_FIELD_HANDLE)
			return true;
	}
	return false;
}

/* ---- Helpers ---- */

static const struct tn_host_helper *find_helper(struct tenon_runtime *rt, const char *name,
						uint32_t id)
{
	struct tn_helper_entry *e;

	for (e = rt->helpers; e; e = e->next) {
		if (name ? !strcmp(e->helper.name, name) : e->helper.id == id)
			return &e->helper;
	}
	return NULL;
}

const struct tn_host_helper *tn_host_helper_find(struct tenon_runtime *rt, const char *name)
{
	const struct tn_host_helper *found;

	tn_lock(rt);
	found = find_helper(rt, name, 0);
	tn_unlock(rt);
	return found;
}

const struct tn_host_helper *tn_host_helper_by_id(struct tenon_runtime *rt, uint32_t id)
{
	const struct tn_host_helper *found;

	tn_lock(rt);
	found = id ? find_helper(rt, NULL, id) : NULL;
	tn_unlock(rt);
	return found;
}

int tn_host_helper_check(const struct tn_host_helper *helper, const struct tn_btf *btf,
			 uint32_t func)
{
	struct tn_proto proto;
	int rc;

	if (!btf || !func)
		return 0;
	if (!helper->btf_func)
		return tn_proto_check(btf, func, NULL, &helper->sig, helper->name);
	rc = tn_proto_of_func(helper->btf, helper->btf_func, &proto);
	return rc ? rc : tn_proto_check(btf, func, &proto, NULL, helper->name);
}

const struct tn_releaser *tn_host_releaser(struct tenon_runtime *rt, const char *type)
{
	const struct tn_releaser *found = NULL, *named = NULL;
	const struct tn_helper_entry *e;
	uint32_t nr = 0, nr_named = 0;

	tn_lock(rt);
	for (e = rt->helpers; e; e = e->next) {
		if (!e->helper.releaser.fn || e->helper.releaser.by_helper ||
		    strcmp(e->helper.releaser.type, type) != 0)
			continue;
		found = &e->helper.releaser;
		nr++;
		if (!(e->flags & TENON_CLEANUP))
			continue;
		named = found;
		nr_named++;
	}
	tn_unlock(rt);
	if (nr_named)
		return nr_named == 1 ? named : NULL;
	return nr == 1 ? found : NULL;
}

static void free_helper(struct tenon_runtime *rt, struct tn_helper_entry *e)
{
	if (!e)
		return;
	tn_ffi_release(&rt->rt, &e->helper);
	tn_ctx_type_free(&rt->rt, e->helper.ctx_layout);
	tn_free(&rt->rt, e->helper.name);
	tn_free(&rt->rt, e);
}

/* The functions of an iterator find each other, in whatever order they come; under rt->lock. What
 * makes one has its end before a program can use both. */
static int link_iterator(struct tenon_runtime *rt, struct tn_helper_entry *e)
{
	const struct tn_arg *it = &e->helper.sig.args[0];
	enum tn_iter_role role = tn_sig_iter_role(&e->helper.sig);
	struct tn_helper_entry *other;

	for (other = rt->helpers; role && other; other = other->next) {
		const struct tn_sig *sig = &other->helper.sig;

		if (!tn_sig_iter_role(sig) || strcmp(sig->args[0].handle, it->handle) != 0)
			continue;
		if (sig->args[0].struct_size != it->struct_size)
			return tn_err(-EINVAL,
				      "helper '%s': iterator '%s' has %u bytes here, and %u in "
				      "'%s'",
				      e->helper.name, it->handle, it->struct_size,
				      sig->args[0].struct_size, other->helper.name);
		if (role == TN_ITER_END && tn_sig_iter_role(sig) == TN_ITER_END)
			return tn_err(-EEXIST,
				      "helper '%s': iterators of type '%s' are destroyed by '%s'",
				      e->helper.name, it->handle, other->helper.name);
	}
	for (other = rt->helpers; role && other; other = other->next) {
		const struct tn_sig *sig = &other->helper.sig;

		if (!tn_sig_iter_role(sig) || strcmp(sig->args[0].handle, it->handle) != 0)
			continue;
		if (role == TN_ITER_END)
			other->helper.iter_end = &e->helper;
		else if (tn_sig_iter_role(sig) == TN_ITER_END)
			e->helper.iter_end = &other->helper;
	}
	return 0;
}

static int add_helper(struct tenon_runtime *rt, struct tn_helper_entry *e)
{
	struct tn_helper_entry **at;
	int rc = 0;

	tn_lock(rt);
	if (find_helper(rt, e->helper.name, 0)) {
		rc = tn_err(-EEXIST, "helper '%s' is declared already", e->helper.name);
	} else if (e->helper.id && find_helper(rt, NULL, e->helper.id)) {
		rc = tn_err(-EEXIST, "helper '%s': number %u is taken by '%s'", e->helper.name,
			    e->helper.id, find_helper(rt, NULL, e->helper.id)->name);
	} else {
		rc = link_iterator(rt, e);
		for (at = &rt->helpers; *at; at = &(*at)->next)
			;
		*at = rc ? NULL : e;
	}
	tn_unlock(rt);
	return rc;
}

/* What the structure of its TENON_CTX argument is, beyond the name. */
static int read_ctx_layout(struct tenon_runtime *rt, const struct tn_proto *proto,
			   struct tn_host_helper *helper)
{
	const struct tn_btf_param *params = tn_btf_extra(tn_btf_type(proto->btf, proto->proto));

	for (uint32_t i = 0; i < helper->sig.nr_args; i++) {
		const struct tn_arg *arg = &helper->sig.args[i];
		const struct tn_btf_type *t;
		bool is_const;

		if (arg->kind != TN_ARG_CTX || !arg->struct_size || helper->ctx_layout)
			continue;
		t = tn_btf_type(proto->btf, tn_btf_skip_mods(proto->btf, params[i].type));
		return tn_ctx_layout(rt, proto->btf, tn_btf_pointee(proto->btf, t, &is_const),
				     &helper->ctx_layout);
	}
	return 0;
}

/* The signature that the host's BTF gives it. */
static int read_prototype(struct tenon_runtime *rt, const char *name, struct tn_helper_entry *e)
{
	struct tn_proto proto;
	int rc;

	e->helper.btf_func = tn_host_btf_find(rt, name, TN_BTF_FUNC, &e->helper.btf);
	if (!e->helper.btf_func)
		return tn_err(-EINVAL,
			      "no signature, and no BTF of the host has a function of that name: "
			      "is it TENON_HELPER in the header, and was tenon_runtime_add_btf() "
			      "called?");
	rc = tn_proto_of_func(e->helper.btf, e->helper.btf_func, &proto);
	if (!rc)
		rc = tn_sig_of_proto(rt, &proto, &e->helper.sig, &e->flags);
	return rc ? rc : read_ctx_layout(rt, &proto, &e->helper);
}

static int make_helper(struct tenon_runtime *rt, const char *name, const char *sig, tenon_fn fn,
		       const struct tenon_helper_opts *opts, struct tn_helper_entry **out)
{
	struct tn_helper_entry *e = tn_new(&rt->rt, struct tn_helper_entry);
	int rc;

	*out = e;
	if (!e)
		return tn_err_nomem("helper");
	rc = sig ? tn_sig_parse(sig, &e->helper.sig) : read_prototype(rt, name, e);
	if (rc)
		return tn_err(rc, "helper '%s': %s", name, strdupa(tn_err_last()->msg));
	e->flags |= opts->flags;
	e->helper.sig.flags |= (uint32_t)e->flags;
	e->helper.fn = (tn_host_fn)fn;
	e->helper.pass_user = opts->pass_user;
	e->helper.user = opts->user;
	e->helper.id = opts->id;
	e->helper.name = tn_strdup(&rt->rt, name);
	if (!e->helper.name)
		return tn_err_nomem("helper");
	tn_held_init_helper(&e->helper);
	if (e->flags & TENON_CLEANUP && !e->helper.releaser.fn)
		return tn_err(-EINVAL,
			      "helper '%s': TENON_CLEANUP is for helpers whose one argument is "
			      "release:NAME, and that neither abort nor acquire",
			      name);
	if (e->flags && tn_sig_iter_role(&e->helper.sig))
		return tn_err(-EINVAL,
			      "helper '%s': a function of an iterator neither aborts, fires nor "
			      "moves the context: it has no flags",
			      name);
	rc = tn_ffi_prepare(&rt->rt, &e->helper);
	if (!rc)
		tn_held_iter_init(&e->helper);
	return rc;
}

/* Also for descriptions, which know no function. */
int tn_host_helper_add(struct tenon_runtime *rt, const char *name, const char *sig, tenon_fn fn,
		       const struct tenon_helper_opts *opts)
{
	const uint64_t known = TENON_MAY_ABORT | TENON_INVALIDATES_CTX | TENON_MAY_FIRE |
			       TENON_PURE | TENON_CLEANUP;
	struct tn_helper_entry *e = NULL;
	int rc;

	if (!name || !name[0] || strlen(name) >= TN_ERR_NAME_BYTES)
		return tn_err(-EINVAL, "helper: the name is missing or too long");
	if (opts->flags & ~known)
		return tn_err(-EINVAL, "helper '%s': unknown flags 0x%llx", name,
			      (unsigned long long)(opts->flags & ~known));
	rc = make_helper(rt, name, sig, fn, opts, &e);
	if (!rc)
		rc = add_helper(rt, e);
	if (rc)
		free_helper(rt, e);
	return rc;
}

int tenon_runtime_add_helper(struct tenon_runtime *rt, const char *name, const char *sig,
			     tenon_fn fn, const struct tenon_helper_opts *opts)
{
	struct tenon_helper_opts want;
	int rc;

	if (!rt)
		return tn_err(-EINVAL, "helper: no runtime");
	if (!fn)
		return tn_err(-EINVAL, "helper '%s': no function", name ? name : "");
	rc = tn_opts_read("tenon_helper_opts", opts, &want, sizeof(want));
	if (!rc)
		rc = tn_host_helper_add(rt, name, sig, fn, &want);
	if (rc)
		tn_err_at(TN_STAGE_RESOLVE, NULL, NULL, -1, NULL);
	return rc;
}

/* ---- Signatures of programs ---- */

bool tn_prog_sig_same_ctx(const struct tn_prog_sig *a, const struct tn_prog_sig *b)
{
	return a->ctx == b->ctx && a->raw_size == b->raw_size;
}

const struct tn_prog_sig *tn_prog_sig_intern(struct tenon_runtime *rt,
					     const struct tn_prog_sig *want)
{
	struct tn_prog_sig *s;

	tn_lock(rt);
	for (s = rt->prog_sigs; s; s = s->next) {
		if (tn_prog_sig_same_ctx(s, want) && s->ret_checked == want->ret_checked &&
		    s->ret_int == want->ret_int && s->ret_min == want->ret_min &&
		    s->ret_max == want->ret_max)
			break;
	}
	if (!s) {
		s = tn_memdup(&rt->rt, want, sizeof(*want));
		if (s) {
			s->next = rt->prog_sigs;
			rt->prog_sigs = s;
		}
	}
	tn_unlock(rt);
	return s;
}

static void free_types(struct tenon_runtime *rt, struct tn_ctx_entry **list)
{
	while (*list) {
		struct tn_ctx_entry *e = *list;

		*list = e->next;
		tn_ctx_type_free(&rt->rt, e->type);
		tn_btf_free(e->btf);
		tn_free(&rt->rt, e);
	}
}

void tn_host_types_fini(struct tenon_runtime *rt)
{
	free_types(rt, &rt->ctx_types);
	free_types(rt, &rt->structs);
	while (rt->helpers) {
		struct tn_helper_entry *e = rt->helpers;

		rt->helpers = e->next;
		free_helper(rt, e);
	}
	while (rt->prog_sigs) {
		struct tn_prog_sig *s = rt->prog_sigs;

		rt->prog_sigs = s->next;
		tn_free(&rt->rt, s);
	}
}
