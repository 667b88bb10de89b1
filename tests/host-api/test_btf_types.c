/* SPDX-License-Identifier: MIT */
/* Structures and functions of BTF that a compiler would not write, or hosts should not. */
#include "host-api/btf_types.h"
#include "host-api/host_btf.h"
#include "host-api/host_type.h"
#include "host.h"
#include "vm/btf_build.h"

struct types {
	struct tn_btf_builder *b;
	uint32_t u8, u16, u32, u64, i32, chr, vptr;
};

static struct types begin(struct tenon_runtime *rt)
{
	struct types t = { .b = tn_btf_build_new(&rt->rt, NULL) };

	assert_non_null(t.b);
	t.u8 = tn_btf_add_int(t.b, "u8", 1, 0);
	t.u16 = tn_btf_add_int(t.b, "u16", 2, 0);
	t.u32 = tn_btf_add_int(t.b, "u32", 4, 0);
	t.u64 = tn_btf_add_int(t.b, "u64", 8, 0);
	t.i32 = tn_btf_add_int(t.b, "int", 4, TN_BTF_INT_SIGNED);
	t.chr = tn_btf_add_int(t.b, "char", 1, TN_BTF_INT_SIGNED);
	t.vptr = tn_btf_add_ptr(t.b, 0);
	return t;
}

static void finish(struct tenon_runtime *rt, struct types *t, const char *name)
{
	struct tn_btf *btf = tn_btf_build_finish(t->b);
	struct tenon_btf_opts opts = { .sz = sizeof(opts), .name = name };

	if (!btf)
		fail_msg("builder: %s", tenon_last_error()->msg);
	assert_ok(tenon_runtime_add_btf(rt, btf->data, btf->size, &opts));
	tn_btf_free(btf);
}

static const struct tn_field *field(const struct tn_ctx_type *type, const char *name)
{
	const struct tn_field *f = tn_ctx_field_by_name(type, name);

	if (!f)
		fail_msg("no field '%s'", name);
	return f;
}

static void assert_field(const struct tn_ctx_type *type, const char *name, uint32_t off,
			 uint32_t size, uint8_t kind)
{
	const struct tn_field *f = field(type, name);

	if (f->offset != off || f->size != size || f->kind != kind)
		fail_msg("field '%s': %u bytes at %u, kind %u", name, f->size, f->offset, f->kind);
}

static void members_stand_where_the_type_has_them(void **state)
{
	struct tenon_runtime *rt = new_runtime(NULL);
	struct types t = begin(rt);
	uint32_t numbers, pointers, inner, array, elems, s, conn, text, ptr_array;
	const struct tn_ctx_type *type;

	(void)state;
	conn = tn_btf_add_ptr(t.b, tn_btf_add_fwd(t.b, "conn", false));
	text = tn_btf_add_ptr(t.b, tn_btf_add_mod(t.b, TN_BTF_CONST, t.chr));
	numbers = tn_btf_add_struct(t.b, TN_BTF_UNION, NULL, 8);
	tn_btf_add_member(t.b, "whole", t.u64, 0, 0);
	tn_btf_add_member(t.b, "half", t.u32, 0, 0);
	pointers = tn_btf_add_struct(t.b, TN_BTF_UNION, NULL, 8);
	tn_btf_add_member(t.b, "number", t.u64, 0, 0);
	tn_btf_add_member(t.b, "pointer", t.vptr, 0, 0);
	inner = tn_btf_add_struct(t.b, TN_BTF_STRUCT, "inner", 8);
	tn_btf_add_member(t.b, "x", t.u32, 0, 0);
	tn_btf_add_member(t.b, "y", t.u16, 32, 0);
	array = tn_btf_add_array(t.b, inner, t.u32, 2);
	elems = tn_btf_add_array(t.b, t.u16, t.u32, 4);
	ptr_array = tn_btf_add_array(t.b, conn, t.u32, 2);
	s = tn_btf_add_struct(t.b, TN_BTF_STRUCT, "outer", 104);
	tn_btf_add_member(t.b, "a", t.u32, 0, 3);
	tn_btf_add_member(t.b, "b", t.u32, 3, 6);
	tn_btf_add_member(t.b, "c", t.u8, 16, 0);
	tn_btf_add_member(t.b, "", numbers, 64, 0);
	tn_btf_add_member(t.b, "mixed", pointers, 128, 0);
	tn_btf_add_member(t.b, "in", inner, 192, 0);
	tn_btf_add_member(t.b, "ins", array, 256, 0);
	tn_btf_add_member(t.b, "ports", elems, 384, 0);
	tn_btf_add_member(t.b, "conn", conn, 448, 0);
	tn_btf_add_member(t.b, "text", text, 512, 0);
	tn_btf_add_member(t.b, "any", t.vptr, 576, 0);
	tn_btf_add_member(t.b, "packed", conn, 640 + 8, 0);
	tn_btf_add_member(t.b, "conns", ptr_array, 704 - 64 + 64, 0);
	(void)s;
	finish(rt, &t, "host");

	type = tn_struct_find(rt, "outer");
	if (!type)
		fail_msg("outer: %s", tenon_last_error()->msg);
	assert_ptr_equal(type, tn_struct_find(rt, "outer"));
	assert_field(type, "a..b", 0, 2, TN_FIELD_SCALAR);
	assert_field(type, "c", 2, 1, TN_FIELD_SCALAR);
	assert_null(tn_ctx_field_at(type, 3, 1));
	assert_field(type, "(unnamed)", 8, 8, TN_FIELD_SCALAR);
	assert_null(tn_ctx_field_at(type, 16, 1));
	assert_field(type, "in.x", 24, 4, TN_FIELD_SCALAR);
	assert_field(type, "in.y", 28, 2, TN_FIELD_SCALAR);
	assert_null(tn_ctx_field_at(type, 30, 1));
	assert_non_null(tn_ctx_field_at(type, 40, 6));
	assert_field(type, "ports", 48, 8, TN_FIELD_SCALAR);
	assert_field(type, "conn", 56, 8, TN_FIELD_HANDLE);
	assert_string_equal(field(type, "conn")->handle, "conn");
	assert_int_equal(field(type, "conn")->access, TN_ACC_UNTRUSTED);
	assert_string_equal(field(type, "text")->handle, TN_HANDLE_STRING);
	assert_string_equal(field(type, "any")->handle, "void");
	assert_null(tn_ctx_field_by_name(type, "packed"));
	assert_field(type, "conns[1]", 96, 8, TN_FIELD_HANDLE);
	assert_false(tn_ctx_numbers_at(type, 0, 4));
	assert_true(tn_ctx_numbers_at(type, 24, 4));
	assert_false(tn_ctx_numbers_at(type, 52, 8));
	assert_ok(tenon_runtime_free(rt));
}

static void structures_of_one_name_that_differ_are_opaque(void **state)
{
	struct tenon_runtime *rt = new_runtime(NULL);
	struct tenon_hook hook = { 0 };
	struct tenon_hook_desc desc = { .sz = sizeof(desc), .name = "h", .ctx_name = "s" };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct types t = begin(rt);

		tn_btf_add_struct(t.b, TN_BTF_STRUCT, "s", 8);
		tn_btf_add_member(t.b, "x", i ? t.u32 : t.u64, 0, 0);
		tn_btf_add_struct(t.b, TN_BTF_STRUCT, "same", 4);
		tn_btf_add_member(t.b, "x", t.u32, 0, 0);
		finish(rt, &t, i ? "two" : "one");
	}
	assert_null(tn_struct_find(rt, "s"));
	assert_non_null(tn_struct_find(rt, "same"));
	assert_int_equal(tenon_hook_register(rt, &hook, &desc), -EINVAL);
	assert_words("several that differ");
	assert_ok(tenon_runtime_free(rt));
}

/* 2^40 members, were each looked at. */
static void structures_that_unfold_without_end_end(void **state)
{
	struct tenon_runtime *rt = new_runtime(NULL);
	struct types t = begin(rt);
	uint32_t id = tn_btf_add_struct(t.b, TN_BTF_UNION, NULL, 0);
	char name[16];

	(void)state;
	for (int i = 0; i < 40; i++) {
		uint32_t next;

		snprintf(name, sizeof(name), "level%d", i);
		next = tn_btf_add_struct(t.b, i % 2 ? TN_BTF_UNION : TN_BTF_STRUCT, name, 4);
		tn_btf_add_member(t.b, "l", id, 0, 0);
		tn_btf_add_member(t.b, "r", id, 0, 0);
		tn_btf_add_member(t.b, "x", t.u32, 0, 0);
		id = next;
	}
	finish(rt, &t, "host");
	/* Shown or opaque: it ends. */
	for (int i = 0; i < 40; i += 2) {
		snprintf(name, sizeof(name), "level%d", i);
		tn_struct_find(rt, name);
	}
	assert_ok(tenon_runtime_free(rt));
}

static int register_ctx(struct tenon_runtime *rt, const char *name)
{
	static struct tenon_hook hook;
	struct tenon_hook_desc desc = { .sz = sizeof(desc), .name = name, .ctx_name = name };

	memset(&hook, 0, sizeof(hook));
	return tenon_hook_register(rt, &hook, &desc);
}

static void pairs_that_do_not_fit_are_refused(void **state)
{
	struct tenon_runtime *rt = new_runtime(NULL);
	struct types t = begin(rt);
	uint32_t s, big, pp = tn_btf_add_ptr(t.b, t.vptr);

	(void)state;
	s = tn_btf_add_struct(t.b, TN_BTF_STRUCT, "no_length", 16);
	tn_btf_add_member(t.b, "p", t.vptr, 0, 0);
	tn_btf_add_member(t.b, "n", t.u32, 64, 0);
	tn_btf_add_decl_tag(t.b, "tenon:size_is=len", s, 0);
	s = tn_btf_add_struct(t.b, TN_BTF_STRUCT, "negative", 16);
	tn_btf_add_member(t.b, "p", t.vptr, 0, 0);
	tn_btf_add_member(t.b, "n", t.i32, 64, 0);
	tn_btf_add_decl_tag(t.b, "tenon:size_is=n", s, 0);
	s = tn_btf_add_struct(t.b, TN_BTF_STRUCT, "writable_length", 16);
	tn_btf_add_member(t.b, "p", t.vptr, 0, 0);
	tn_btf_add_member(t.b, "n", t.u32, 64, 0);
	tn_btf_add_decl_tag(t.b, "tenon:size_is=n", s, 0);
	tn_btf_add_decl_tag(t.b, "tenon:writable", s, 1);
	s = tn_btf_add_struct(t.b, TN_BTF_STRUCT, "shared_length", 24);
	tn_btf_add_member(t.b, "p", t.vptr, 0, 0);
	tn_btf_add_member(t.b, "q", t.vptr, 64, 0);
	tn_btf_add_member(t.b, "n", t.u32, 128, 0);
	tn_btf_add_decl_tag(t.b, "tenon:size_is=n", s, 0);
	tn_btf_add_decl_tag(t.b, "tenon:size_is=n", s, 1);
	s = tn_btf_add_struct(t.b, TN_BTF_STRUCT, "of_pointers", 16);
	tn_btf_add_member(t.b, "p", pp, 0, 0);
	tn_btf_add_member(t.b, "n", t.u32, 64, 0);
	tn_btf_add_decl_tag(t.b, "tenon:size_is=n", s, 0);
	big = tn_btf_add_array(t.b, t.u8, t.u32, 70000);
	tn_btf_add_struct(t.b, TN_BTF_STRUCT, "large", 70000);
	tn_btf_add_member(t.b, "all", big, 0, 0);
	s = tn_btf_add_struct(t.b, TN_BTF_STRUCT, "hidden_bits", 4);
	tn_btf_add_member(t.b, "a", t.u32, 0, 3);
	tn_btf_add_member(t.b, "b", t.u32, 3, 5);
	tn_btf_add_member(t.b, "c", t.u16, 16, 0);
	tn_btf_add_decl_tag(t.b, "tenon:hidden", s, 1);
	finish(rt, &t, "host");

	assert_int_equal(register_ctx(rt, "no_length"), -EINVAL);
	assert_words("'p': TENON_SIZE_IS names no member");
	assert_int_equal(register_ctx(rt, "negative"), -EINVAL);
	assert_words("no unsigned integer");
	assert_int_equal(register_ctx(rt, "writable_length"), -EINVAL);
	assert_words("read-only scalar");
	assert_int_equal(register_ctx(rt, "shared_length"), -EINVAL);
	assert_words("the end of two fields");
	assert_int_equal(register_ctx(rt, "of_pointers"), -EINVAL);
	assert_words("not memory of plain numbers");
	assert_int_equal(register_ctx(rt, "large"), -EINVAL);
	assert_null(tn_struct_find(rt, "large"));
	/* Behind a handle a pair is two members. */
	assert_field(tn_struct_find(rt, "negative"), "p", 0, 8, TN_FIELD_HANDLE);
	assert_null(tn_ctx_field_at(tn_struct_find(rt, "hidden_bits"), 0, 1));
	assert_field(tn_struct_find(rt, "hidden_bits"), "c", 2, 2, TN_FIELD_SCALAR);
	assert_ok(tenon_runtime_free(rt));
}

/* struct of 16 bytes with a pointer that `tag` bounds by the next member. */
static uint32_t add_pair(struct types *t, const char *name, uint32_t ptr, uint32_t bound,
			 const char *tag)
{
	uint32_t s = tn_btf_add_struct(t->b, TN_BTF_STRUCT, name, 16);

	tn_btf_add_member(t->b, "p", ptr, 0, 0);
	tn_btf_add_member(t->b, "n", bound, 64, 0);
	tn_btf_add_decl_tag(t->b, tag, s, 0);
	return s;
}

static void hidden_members_are_not_shown_through_memory(void **state)
{
	struct tenon_runtime *rt = new_runtime(NULL);
	struct types t = begin(rt);
	uint32_t rec, recs, rec_ptr, outer, p, s;
	const struct tn_ctx_type *type;
	const struct tn_btf *btf;
	struct tn_proto proto;

	(void)state;
	rec = tn_btf_add_struct(t.b, TN_BTF_STRUCT, "rec", 8);
	tn_btf_add_member(t.b, "a", t.u32, 0, 0);
	tn_btf_add_member(t.b, "b", t.u32, 32, 0);
	tn_btf_add_decl_tag(t.b, "tenon:hidden", rec, 1);
	recs = tn_btf_add_array(t.b, rec, t.u32, 2);
	rec_ptr = tn_btf_add_ptr(t.b, rec);
	outer = tn_btf_add_struct(t.b, TN_BTF_STRUCT, "outer", 16);
	tn_btf_add_member(t.b, "recs", recs, 0, 0);
	add_pair(&t, "sized", rec_ptr, t.u32, "tenon:size_is=n");
	add_pair(&t, "deep", tn_btf_add_ptr(t.b, outer), t.u32, "tenon:size_is=n");
	add_pair(&t, "region", rec_ptr, t.vptr, "tenon:end_is=n");
	p = tn_btf_add_func_proto(t.b, 0);
	tn_btf_add_param(t.b, "x", rec_ptr);
	tn_btf_add_param(t.b, "n", t.u32);
	p = tn_btf_add_ptr(t.b, p);
	s = tn_btf_add_struct(t.b, TN_BTF_STRUCT, "ops", 8);
	tn_btf_add_member(t.b, "put", p, 0, 0);
	tn_btf_add_decl_tag(t.b, "tenon:arg1=size_is", s, 0);
	finish(rt, &t, "host");

	assert_int_equal(register_ctx(rt, "sized"), -EINVAL);
	assert_words("'p': what it points to has members that are TENON_HIDDEN");
	assert_int_equal(register_ctx(rt, "deep"), -EINVAL);
	assert_words("TENON_HIDDEN");
	assert_int_equal(register_ctx(rt, "region"), -EINVAL);
	assert_words("TENON_HIDDEN");
	s = tn_host_btf_find(rt, "ops", TN_BTF_STRUCT, &btf);
	assert_ok(tn_proto_of_member(btf, s, 0, &proto));
	assert_int_equal(tn_ctx_type_of_proto(rt, &proto, "ops.put", 0, &type), -EINVAL);
	assert_words("TENON_HIDDEN");
	assert_ok(tenon_runtime_free(rt));
}

static void pointers_to_const_are_only_read_through(void **state)
{
	struct tenon_runtime *rt = new_runtime(NULL);
	struct types t = begin(rt);
	uint32_t obj = tn_btf_add_fwd(t.b, "obj", false), ptr, p, s;
	const struct tn_ctx_type *type;
	const struct tn_btf *btf;
	struct tn_proto proto;
	struct tn_sig sig;
	uint64_t flags;

	(void)state;
	ptr = tn_btf_add_ptr(t.b, tn_btf_add_mod(t.b, TN_BTF_CONST, obj));
	p = tn_btf_add_func_proto(t.b, ptr);
	tn_btf_add_param(t.b, "o", ptr);
	tn_btf_add_func(t.b, "get", p, TN_BTF_EXTERN);
	s = tn_btf_add_func(t.b, "acquire", p, TN_BTF_EXTERN);
	tn_btf_add_decl_tag(t.b, "tenon:acquire", s, -1);
	p = tn_btf_add_ptr(t.b, p);
	s = tn_btf_add_struct(t.b, TN_BTF_STRUCT, "ctx", 16);
	tn_btf_add_member(t.b, "o", ptr, 0, 0);
	tn_btf_add_member(t.b, "visit", p, 64, 0);
	tn_btf_add_decl_tag(t.b, "tenon:trusted", s, 0);
	tn_btf_add_decl_tag(t.b, "tenon:nonnull", s, 0);
	finish(rt, &t, "host");

	assert_ok(tn_ctx_from_btf(rt, "ctx", &type));
	assert_int_equal(field(type, "o")->access, TN_ACC_CONST);
	assert_int_equal(field(tn_struct_find(rt, "ctx"), "o")->access, TN_ACC_CONST);
	s = tn_host_btf_find(rt, "ctx", TN_BTF_STRUCT, &btf);
	assert_ok(tn_proto_of_member(btf, s, 1, &proto));
	assert_ok(tn_ctx_type_of_proto(rt, &proto, "visit", TN_PROTO_RESULT, &type));
	assert_int_equal(field(type, "arg1")->access, TN_ACC_CONST);
	assert_int_equal(field(type, "result")->access, TN_ACC_CONST | TN_ACC_NULLABLE);
	s = tn_host_btf_find(rt, "get", TN_BTF_FUNC, &btf);
	assert_ok(tn_proto_of_func(btf, s, &proto));
	assert_ok(tn_sig_of_proto(rt, &proto, &sig, &flags));
	assert_int_equal(sig.flags, TN_SIG_RET_RDONLY | TN_SIG_RET_NULLABLE);
	assert_true(sig.args[0].rdonly);
	s = tn_host_btf_find(rt, "acquire", TN_BTF_FUNC, &btf);
	assert_ok(tn_proto_of_func(btf, s, &proto));
	assert_ok(tn_sig_of_proto(rt, &proto, &sig, &flags));
	assert_int_equal(sig.flags, TN_SIG_RET_RDONLY | TN_SIG_RET_NULLABLE | TN_SIG_ACQUIRE);
	assert_ok(tenon_runtime_free(rt));
}

static void const_members_are_not_writable(void **state)
{
	struct tenon_runtime *rt = new_runtime(NULL);
	struct types t = begin(rt);
	uint32_t inner = tn_btf_add_struct(t.b, TN_BTF_STRUCT, "inner", 8), fixed, arr, s;
	const struct tn_ctx_type *type;

	(void)state;
	tn_btf_add_member(t.b, "n", t.u32, 0, 0);
	tn_btf_add_member(t.b, "k", t.u32, 32, 0);
	tn_btf_add_decl_tag(t.b, "tenon:writable", inner, 0);
	fixed = tn_btf_add_mod(t.b, TN_BTF_CONST, inner);
	arr = tn_btf_add_array(t.b, tn_btf_add_mod(t.b, TN_BTF_CONST, t.u32), t.u32, 2);
	s = tn_btf_add_struct(t.b, TN_BTF_STRUCT, "ctx", 28);
	tn_btf_add_member(t.b, "fixed", fixed, 0, 0);
	tn_btf_add_member(t.b, "free", inner, 64, 0);
	tn_btf_add_member(t.b, "list", arr, 128, 0);
	tn_btf_add_member(t.b, "last", t.u32, 192, 0);
	tn_btf_add_decl_tag(t.b, "tenon:writable", s, 2);
	tn_btf_add_decl_tag(t.b, "tenon:writable", s, 3);
	finish(rt, &t, "host");

	assert_ok(tn_ctx_from_btf(rt, "ctx", &type));
	assert_int_equal(field(type, "fixed.n")->access, TN_ACC_R);
	assert_int_equal(field(type, "free.n")->access, TN_ACC_R | TN_ACC_W);
	assert_int_equal(field(type, "free.k")->access, TN_ACC_R);
	assert_int_equal(field(type, "list")->access, TN_ACC_R);
	assert_int_equal(field(type, "last")->access, TN_ACC_R | TN_ACC_W);
	assert_ok(tenon_runtime_free(rt));
}

static void memory_ends_at_a_pointer(void **state)
{
	struct tenon_runtime *rt = new_runtime(NULL);
	struct types t = begin(rt);
	uint32_t bytes = tn_btf_add_ptr(t.b, t.u8), s;
	const struct tn_ctx_type *type;
	struct tenon_hook hook = { 0 };
	struct tenon_hook_desc desc = { .sz = sizeof(desc), .name = "span", .ctx_name = "span" };

	(void)state;
	add_pair(&t, "span", bytes, bytes, "tenon:end_is=n");
	s = add_pair(&t, "writable_end", bytes, bytes, "tenon:end_is=n");
	tn_btf_add_decl_tag(t.b, "tenon:writable", s, 1);
	add_pair(&t, "own_end", bytes, bytes, "tenon:end_is=p");
	s = add_pair(&t, "chain", bytes, bytes, "tenon:end_is=n");
	tn_btf_add_decl_tag(t.b, "tenon:end_is=p", s, 1);
	finish(rt, &t, "host");

	assert_ok(tenon_hook_register(rt, &hook, &desc));
	/* Behind a handle both are pointers of their own. */
	type = tn_struct_find(rt, "span");
	assert_field(type, "p", 0, 8, TN_FIELD_HANDLE);
	assert_field(type, "n", 8, 8, TN_FIELD_HANDLE);
	assert_ok(tn_ctx_from_btf(rt, "span", &type));
	assert_field(type, "p", 0, 8, TN_FIELD_REGION);
	assert_field(type, "n", 8, 8, TN_FIELD_REGION_END);
	assert_int_equal(register_ctx(rt, "writable_end"), -EINVAL);
	assert_words("'n': TENON_WRITABLE, but it bounds another member");
	assert_int_equal(register_ctx(rt, "own_end"), -EINVAL);
	assert_int_equal(register_ctx(rt, "chain"), -EINVAL);
	assert_ok(tenon_runtime_free(rt));
}

static int lend(struct tenon_runtime *rt, const char *name)
{
	return tenon_runtime_add_helper(rt, name, NULL, TENON_FN(abort), NULL);
}

static uint32_t add_func(struct types *t, const char *name, uint32_t ret, uint32_t arg,
			 const char *arg_name, const char *tag)
{
	uint32_t proto = tn_btf_add_func_proto(t->b, ret), f;

	if (arg) {
		tn_btf_add_param(t->b, "x", arg);
		tn_btf_add_param(t->b, arg_name, t->u32);
	}
	f = tn_btf_add_func(t->b, name, proto, TN_BTF_EXTERN);
	if (tag)
		tn_btf_add_decl_tag(t->b, tag, f, 0);
	return f;
}

static void what_the_compiler_dropped_is_not_guessed(void **state)
{
	struct tenon_runtime *rt = new_runtime(NULL);
	struct types t = begin(rt);
	uint32_t number, text, conn, f;

	(void)state;
	number = tn_btf_add_ptr(t.b, t.u32);
	text = tn_btf_add_ptr(t.b, tn_btf_add_mod(t.b, TN_BTF_CONST, t.chr));
	conn = tn_btf_add_ptr(t.b, tn_btf_add_fwd(t.b, "conn", false));
	add_func(&t, "untagged_number", 0, number, "y", NULL);
	add_func(&t, "untagged_text", 0, text, "y", NULL);
	add_func(&t, "untagged_object", 0, conn, "y", NULL);
	f = add_func(&t, "said_of_function", 0, text, "y", NULL);
	tn_btf_add_decl_tag(t.b, "tenon:bare_helper", f, -1);
	tn_btf_add_decl_tag(t.b, "tenon:arg1=str", f, -1);
	f = add_func(&t, "wrong_length", 0, text, "flags", "tenon:size_is=len");
	f = add_func(&t, "right_length", 0, text, "len", "tenon:size_is=len");
	add_func(&t, "pointer_to_pointer", 0, tn_btf_add_ptr(t.b, number), "y", NULL);
	add_func(&t, "array", 0, tn_btf_add_array(t.b, t.u32, t.u32, 2), "y", NULL);
	(void)f;
	finish(rt, &t, "host");

	assert_int_equal(lend(rt, "untagged_number"), -EINVAL);
	assert_words("argument 1 ('x')");
	assert_int_equal(lend(rt, "untagged_text"), -EINVAL);
	assert_ok(lend(rt, "untagged_object"));
	assert_ok(lend(rt, "said_of_function"));
	assert_int_equal(lend(rt, "wrong_length"), -EINVAL);
	assert_words("its length 'len' must be the next argument, which is 'flags'");
	assert_ok(lend(rt, "right_length"));
	assert_int_equal(lend(rt, "pointer_to_pointer"), -EINVAL);
	assert_int_equal(lend(rt, "array"), -EINVAL);
	assert_ok(tenon_runtime_free(rt));
}

static void arguments_make_a_context_of_slots(void **state)
{
	struct tenon_runtime *rt = new_runtime(NULL);
	struct types t = begin(rt);
	const struct tn_ctx_type *type;
	struct tn_proto proto;
	const struct tn_btf *btf;
	uint32_t s, p, conn, bytes;

	(void)state;
	conn = tn_btf_add_ptr(t.b, tn_btf_add_fwd(t.b, "conn", false));
	bytes = tn_btf_add_ptr(t.b, tn_btf_add_mod(t.b, TN_BTF_CONST, t.u8));
	p = tn_btf_add_func_proto(t.b, conn);
	tn_btf_add_param(t.b, NULL, t.i32);
	tn_btf_add_param(t.b, NULL, conn);
	tn_btf_add_param(t.b, NULL, conn);
	tn_btf_add_param(t.b, NULL, bytes);
	tn_btf_add_param(t.b, NULL, t.u32);
	tn_btf_add_param(t.b, NULL, t.vptr);
	p = tn_btf_add_ptr(t.b, p);
	s = tn_btf_add_struct(t.b, TN_BTF_STRUCT, "ops", 16);
	tn_btf_add_member(t.b, "pick", p, 0, 0);
	tn_btf_add_member(t.b, "n", t.u32, 64, 0);
	tn_btf_add_decl_tag(t.b, "tenon:arg3=maybe_null", s, 0);
	tn_btf_add_decl_tag(t.b, "tenon:arg4=size_is", s, 0);
	finish(rt, &t, "host");

	s = tn_host_btf_find(rt, "ops", TN_BTF_STRUCT, &btf);
	assert_int_equal(tn_proto_of_member(btf, s, 1, &proto), -EINVAL);
	assert_int_equal(tn_proto_of_member(btf, s, 2, &proto), -EINVAL);
	assert_int_equal(tn_proto_of_func(btf, s, &proto), -EINVAL);
	assert_ok(tn_proto_of_member(btf, s, 0, &proto));
	assert_ok(tn_ctx_type_of_proto(rt, &proto, "ops.pick", TN_PROTO_RESULT, &type));
	assert_int_equal(type->size, 56);
	assert_field(type, "arg1", 0, 8, TN_FIELD_SCALAR);
	assert_field(type, "arg2", 8, 8, TN_FIELD_HANDLE);
	assert_int_equal(field(type, "arg2")->access, 0);
	assert_int_equal(field(type, "arg3")->access, TN_ACC_NULLABLE);
	assert_field(type, "arg4", 24, 8, TN_FIELD_SIZED);
	assert_field(type, "arg5", 32, 8, TN_FIELD_SIZED_LEN);
	assert_int_equal(field(type, "arg6")->access, TN_ACC_UNTRUSTED);
	assert_field(type, "result", 48, 8, TN_FIELD_HANDLE);
	assert_int_equal(field(type, "result")->access, TN_ACC_NULLABLE);
	assert_ok(tn_ctx_type_of_proto(rt, &proto, "any", TN_PROTO_UNTRUSTED, &type));
	assert_int_equal(type->size, 48);
	assert_int_equal(field(type, "arg2")->access, TN_ACC_UNTRUSTED);
	assert_field(type, "arg4", 24, 8, TN_FIELD_HANDLE);
	assert_ok(tenon_runtime_free(rt));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_stand_where_the_type_has_them),
		cmocka_unit_test(structures_of_one_name_that_differ_are_opaque),
		cmocka_unit_test(structures_that_unfold_without_end_end),
		cmocka_unit_test(pairs_that_do_not_fit_are_refused),
		cmocka_unit_test(hidden_members_are_not_shown_through_memory),
		cmocka_unit_test(pointers_to_const_are_only_read_through),
		cmocka_unit_test(const_members_are_not_writable),
		cmocka_unit_test(memory_ends_at_a_pointer),
		cmocka_unit_test(what_the_compiler_dropped_is_not_guessed),
		cmocka_unit_test(arguments_make_a_context_of_slots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
