/* SPDX-License-Identifier: MIT */
/* Data as text by its type; where bpf(2) is allowed, beside the kernel's bpf_snprintf_btf() on the
 * kernel's own types. */
#include "vm/testing.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vm/btf_build.h"
#include "vm/btf_ptr.h"
#include "vm/btf_show.h"
#include "vm/helpers.h"

#define TEXT_BYTES 8000u

struct out {
	char text[TEXT_BYTES];
	size_t len;
	const unsigned char *data;
	size_t readable;
};

static int put(void *user, const char *text, size_t len)
{
	struct out *o = user;

	for (size_t i = 0; i < len; i++, o->len++)
		if (o->len < TEXT_BYTES - 1)
			o->text[o->len] = text[i];
	return 0;
}

static int get(void *user, void *to, uint64_t off, size_t size)
{
	struct out *o = user;

	if (off + size > o->readable)
		return -EFAULT;
	memcpy(to, o->data + off, size);
	return 0;
}

static int show(const struct tn_btf *btf, uint32_t type, uint32_t flags, const void *data,
		size_t readable, struct out *o)
{
	struct tn_btf_show s = { btf, type, flags, get, put, o };

	memset(o, 0, sizeof(*o));
	o->data = data;
	o->readable = readable;
	return tn_btf_show(&s);
}

/* ---- Types made here ---- */

struct inner {
	int32_t x;
	char name[8];
};
struct outer {
	struct inner in[2];
	const void *at[2];
	double d;
	float f;
	unsigned char grid[2][2];
};

static uint32_t inner_id, outer_id, empty_id, proto_id;

static struct tn_btf *make_types(struct tn_rt *rt)
{
	struct tn_btf_builder *b = tn_btf_build_new(rt, NULL);
	uint32_t i32, chr, name, in, ptr, at, dbl, flt, grid;
	struct tn_btf *btf;

	assert_non_null(b);
	i32 = tn_btf_add_int(b, "int", 4, TN_BTF_INT_SIGNED);
	chr = tn_btf_add_int(b, "char", 1, TN_BTF_INT_SIGNED);
	name = tn_btf_add_array(b, chr, i32, 8);
	inner_id = tn_btf_add_struct(b, TN_BTF_STRUCT, "inner", sizeof(struct inner));
	tn_btf_add_member(b, "x", i32, 0, 0);
	tn_btf_add_member(b, "name", name, 32, 0);
	in = tn_btf_add_array(b, inner_id, i32, 2);
	ptr = tn_btf_add_ptr(b, inner_id);
	at = tn_btf_add_array(b, ptr, i32, 2);
	dbl = tn_btf_add_float(b, "double", 8);
	flt = tn_btf_add_float(b, "float", 4);
	grid = tn_btf_add_array(b, tn_btf_add_array(b, chr, i32, 2), i32, 2);
	outer_id = tn_btf_add_struct(b, TN_BTF_STRUCT, "outer", sizeof(struct outer));
	tn_btf_add_member(b, "in", in, 8 * offsetof(struct outer, in), 0);
	tn_btf_add_member(b, "at", at, 8 * offsetof(struct outer, at), 0);
	tn_btf_add_member(b, "d", dbl, 8 * offsetof(struct outer, d), 0);
	tn_btf_add_member(b, "f", flt, 8 * offsetof(struct outer, f), 0);
	tn_btf_add_member(b, "grid", grid, 8 * offsetof(struct outer, grid), 0);
	empty_id = tn_btf_add_struct(b, TN_BTF_STRUCT, "empty", 0);
	empty_id = tn_btf_add_array(b, empty_id, i32, 1000000000);
	proto_id = tn_btf_add_func_proto(b, i32);
	btf = tn_btf_build_finish(b);
	if (!btf)
		fail_msg("%s", tn_err_last()->msg);
	return btf;
}

static void arrays_of_structures_and_pointers_are_shown_in_full(void **state)
{
	struct tn_btf *btf = make_types(*state);
	struct outer data = {
		.in = { { -1, "ab\n" }, { 0, "" } },
		.at = { (void *)0x10, (void *)0x20 },
		.d = 0.5,
		.f = 2,
		.grid = { { 1, 0 }, { 'x', 2 } },
	};
	struct out *o = malloc(sizeof(*o));

	assert_int_equal(show(btf, outer_id, TN_BTF_SHOW_COMPACT | TN_BTF_SHOW_PTR_RAW, &data,
			      sizeof(data), o),
			 0);
	assert_string_equal(o->text,
			    "(struct outer){.in = (struct inner[])[{.x = (int)-1,.name = "
			    "(char[])['a','b',10,],},],.at = (struct inner *[])[0x0000000000000010,"
			    "0x0000000000000020,],.d = (double)0.5,.f = (float)2,.grid = "
			    "(char[][])[[1,],['x',2,],],}");
	assert_int_equal(o->len, strlen(o->text));
	assert_int_equal(show(btf, inner_id, TN_BTF_SHOW_NONAME | TN_BTF_SHOW_ZERO, &data.in[1],
			      sizeof(data.in[1]), o),
			 0);
	assert_string_equal(o->text, "{\n 0,\n [\n ],\n}\n");
	free(o);
	tn_btf_free(btf);
}

static void addresses_are_scrambled_the_same_way_each_time(void **state)
{
	struct tn_btf *btf = make_types(*state);
	struct outer data = { .at = { (void *)0x123456789a, (void *)0x123456789a } };
	struct out *o = malloc(sizeof(*o));
	const char *first, *second;

	assert_int_equal(show(btf, outer_id, TN_BTF_SHOW_COMPACT, &data, sizeof(data), o), 0);
	assert_null(strstr(o->text, "123456789a"));
	first = strchr(o->text, '[') + 4;
	second = first + 19;
	assert_memory_equal(first, "0x", 2);
	assert_memory_equal(first, second, 18);
	free(o);
	tn_btf_free(btf);
}

static void what_cannot_be_shown_is_an_error(void **state)
{
	struct tn_btf *btf = make_types(*state);
	struct out *o = malloc(sizeof(*o));
	struct inner data = { 1, "" };

	assert_int_equal(show(btf, 0, 0, &data, sizeof(data), o), -EINVAL);
	assert_int_equal(show(btf, proto_id, 0, &data, sizeof(data), o), -EINVAL);
	assert_int_equal(show(btf, UINT32_MAX, 0, &data, sizeof(data), o), -EINVAL);
	assert_int_equal(show(btf, inner_id, 0, &data, 4, o), -EFAULT);
	/* A thousand million of nothing. */
	assert_int_equal(show(btf, empty_id, 0, &data, sizeof(data), o), -E2BIG);
	free(o);
	tn_btf_free(btf);
}

/* ---- The helpers ---- */

static int64_t call(struct tn_rt *rt, struct tn_btf *btf, char *to, uint32_t size,
		    struct tn_btf_ptr p, uint32_t p_size, uint64_t flags)
{
	struct tn_image image = { .rt = rt, .btf = btf };
	struct tn_prog prog = { .rt = rt, .image = &image };
	struct tn_exec ex = { .prog = &prog, .rt = rt };

	return (int64_t)tn_helper_by_id(TN_HELPER_snprintf_btf)
		->fn((uintptr_t)to, size, (uintptr_t)&p, p_size, flags, &ex);
}

static void snprintf_btf_fills_its_buffer_and_gives_the_length(void **state)
{
	struct tn_btf *btf = make_types(*state);
	struct inner data = { 7, "q" };
	struct tn_btf_ptr p = { (uintptr_t)&data, inner_id | TN_BTF_LOCAL, 0 };
	char text[64];

	memset(text, 'Z', sizeof(text));
	assert_int_equal(call(*state, btf, text, sizeof(text), p, 16, TN_BTF_SHOW_COMPACT), 51);
	assert_string_equal(text, "(struct inner){.x = (int)7,.name = (char[])['q',],}");
	for (size_t i = strlen(text); i < sizeof(text); i++)
		assert_int_equal(text[i], 0);
	assert_int_equal(call(*state, btf, text, 8, p, 16, TN_BTF_SHOW_COMPACT), 51);
	assert_string_equal(text, "(struct");
	tn_btf_free(btf);
}

static void snprintf_btf_gives_the_kernels_errors(void **state)
{
	struct tn_btf *btf = make_types(*state);
	struct inner data = { 7, "q" };
	struct tn_btf_ptr p = { (uintptr_t)&data, inner_id | TN_BTF_LOCAL, 0 };
	char text[64] = "ZZZZ";

	assert_int_equal(call(*state, btf, text, 64, p, 16, 16), -EINVAL);
	assert_int_equal(text[0], 0);
	assert_int_equal(call(*state, btf, text, 64, p, 8, 0), -EINVAL);
	p.type_id = 0;
	assert_int_equal(call(*state, btf, text, 64, p, 16, 0), -EINVAL);
	p.type_id = 12345 | TN_BTF_LOCAL;
	assert_int_equal(call(*state, btf, text, 64, p, 16, 0), -ENOENT);
	p.type_id = inner_id; /* of the host, which has none */
	assert_int_equal(call(*state, btf, text, 64, p, 16, 0), -ENOENT);
	assert_int_equal(call(*state, NULL, text, 64, p, 16, 0), -ENOENT);
	p = (struct tn_btf_ptr){ 1, inner_id | TN_BTF_LOCAL, 0 };
	assert_int_equal(call(*state, btf, text, 64, p, 16, 0), -EFAULT);
	tn_btf_free(btf);
}

static int write_out(void *user, const void *data, size_t size)
{
	return put(user, data, size);
}

static void seq_printf_btf_writes_to_the_iterators_output(void **state)
{
	struct tn_btf *btf = make_types(*state);
	struct tn_image image = { .rt = *state, .btf = btf };
	struct tn_prog prog = { .rt = *state, .image = &image };
	struct tn_exec ex = { .prog = &prog, .rt = *state };
	struct outer data = { .in = { { 7, "q" }, { 8, "abcdefg" } }, .d = 1 };
	struct tn_btf_ptr p = { (uintptr_t)&data, outer_id | TN_BTF_LOCAL, 0 };
	struct out *o = calloc(1, sizeof(*o)), *want = malloc(sizeof(*want));
	struct tn_seq_host seq = { .write = write_out, .user = o };
	tn_helper_fn fn = tn_helper_by_id(TN_HELPER_seq_printf_btf)->fn;

	assert_int_equal(fn((uintptr_t)&seq, (uintptr_t)&p, 16, TN_BTF_SHOW_ZERO, 0, &ex), 0);
	assert_int_equal(show(btf, outer_id, TN_BTF_SHOW_ZERO, &data, sizeof(data), want), 0);
	assert_string_equal(o->text, want->text);
	seq.write = NULL;
	assert_int_equal((int64_t)fn((uintptr_t)&seq, (uintptr_t)&p, 16, 0, 0, &ex), -EINVAL);
	free(o);
	free(want);
	tn_btf_free(btf);
}

/* ---- The kernel ---- */

#define OUT_OFF	  8192
#define DATA_OFF  64
#define MAX_DATA  4096
#define MAX_TYPES 1500

static int sys_bpf(int cmd, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

#define I(c, d, s, o, i)                                                            \
	{                                                                           \
		.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) \
	}

struct kernel {
	int map, prog;
	unsigned char value[16384];
};

/* The value of the map is the type's number, flags, the result, data and text. */
static bool open_kernel(struct kernel *k)
{
	union bpf_attr a = { .map_type = BPF_MAP_TYPE_ARRAY,
			     .key_size = 4,
			     .value_size = sizeof(k->value),
			     .max_entries = 1 };

	k->map = sys_bpf(BPF_MAP_CREATE, &a);
	if (k->map < 0)
		return false;
	struct bpf_insn insns[] = {
		I(0x62, 10, 0, -4, 0),	   I(0x18, 1, 1, 0, k->map),	 I(0, 0, 0, 0, 0),
		I(0xbf, 2, 10, 0, 0),	   I(0x07, 2, 0, 0, -4),	 I(0x85, 0, 0, 0, 1),
		I(0x55, 0, 0, 2, 0),	   I(0xb7, 0, 0, 0, 0),		 I(0x95, 0, 0, 0, 0),
		I(0xbf, 6, 0, 0, 0),	   I(0xbf, 1, 6, 0, 0),		 I(0x07, 1, 0, 0, DATA_OFF),
		I(0x7b, 10, 1, -16, 0),	   I(0x61, 1, 6, 0, 0),		 I(0x63, 10, 1, -8, 0),
		I(0x62, 10, 0, -4, 0),	   I(0x79, 5, 6, 8, 0),		 I(0xbf, 1, 6, 0, 0),
		I(0x07, 1, 0, 0, OUT_OFF), I(0xb7, 2, 0, 0, TEXT_BYTES), I(0xbf, 3, 10, 0, 0),
		I(0x07, 3, 0, 0, -16),	   I(0xb7, 4, 0, 0, 16),	 I(0x85, 0, 0, 0, 149),
		I(0x7b, 6, 0, 16, 0),	   I(0xb7, 0, 0, 0, 0),		 I(0x95, 0, 0, 0, 0),
	};

	memset(&a, 0, sizeof(a));
	a.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
	a.insns = (uintptr_t)insns;
	a.insn_cnt = sizeof(insns) / sizeof(insns[0]);
	a.license = (uintptr_t) "GPL";
	k->prog = sys_bpf(BPF_PROG_LOAD, &a);
	if (k->prog >= 0)
		return true;
	close(k->map);
	return false;
}

static bool ask_kernel(struct kernel *k, uint32_t type, uint64_t flags, const void *data,
		       size_t size)
{
	unsigned char frame[64] = { 0 };
	uint32_t key = 0;
	union bpf_attr a = { .map_fd = (uint32_t)k->map,
			     .key = (uintptr_t)&key,
			     .value = (uintptr_t)k->value };

	memset(k->value, 0, sizeof(k->value));
	memcpy(k->value, &type, sizeof(type));
	memcpy(k->value + 8, &flags, sizeof(flags));
	memcpy(k->value + DATA_OFF, data, size);
	if (sys_bpf(BPF_MAP_UPDATE_ELEM, &a))
		return false;
	memset(&a, 0, sizeof(a));
	a.test.prog_fd = (uint32_t)k->prog;
	a.test.data_in = (uintptr_t)frame;
	a.test.data_size_in = sizeof(frame);
	if (sys_bpf(BPF_PROG_TEST_RUN, &a))
		return false;
	a = (union bpf_attr){ .map_fd = (uint32_t)k->map,
			      .key = (uintptr_t)&key,
			      .value = (uintptr_t)k->value };
	return !sys_bpf(BPF_MAP_LOOKUP_ELEM, &a);
}

/* Where the kernel's text is not to be followed: see btf_show.c; and long names, which it cuts. */
static bool differs(const struct tn_btf *btf, uint32_t id, bool element, int depth)
{
	const struct tn_btf_type *t = tn_btf_type(btf, tn_btf_skip_mods(btf, id));
	const struct tn_btf_member *m = tn_btf_extra(t);

	/* The kernel does not name what is behind a qualifier. */
	switch ((int)tn_btf_kind(tn_btf_type(btf, id))) {
	case TN_BTF_CONST:
	case TN_BTF_VOLATILE:
	case TN_BTF_RESTRICT:
	case TN_BTF_TYPE_TAG:
		return true;
	default:
		break;
	}
	if (depth > 12)
		return true;
	switch ((int)tn_btf_kind(t)) {
	case TN_BTF_INT:
	case TN_BTF_ENUM:
	case TN_BTF_ENUM64:
		return false;
	case TN_BTF_PTR:
		return element;
	case TN_BTF_ARRAY:
		return element || differs(btf, ((const struct tn_btf_array *)tn_btf_extra(t))->type,
					  true, depth + 1);
	case TN_BTF_STRUCT:
	case TN_BTF_UNION:
		for (uint32_t i = 0; i < tn_btf_vlen(t); i++) {
			if (strlen(tn_btf_str(btf, m[i].name_off)) +
					    strlen(tn_btf_name(btf, m[i].type)) >
				    40 ||
			    differs(btf, m[i].type, false, depth + 1))
				return true;
		}
		return element;
	default:
		return true;
	}
}

static struct tn_btf *read_kernel_types(struct tn_rt *rt)
{
	int fd = open("/sys/kernel/btf/vmlinux", O_RDONLY | O_CLOEXEC);
	size_t size = 0, room = 32u << 20;
	unsigned char *blob = malloc(room);
	struct tn_btf *btf;
	ssize_t got;

	if (fd < 0) {
		free(blob);
		return NULL;
	}
	while ((got = read(fd, blob + size, room - size)) > 0)
		size += (size_t)got;
	close(fd);
	btf = tn_btf_parse(rt, tn_span_make(blob, size));
	free(blob);
	return btf;
}

static void random_bytes(unsigned char *data, size_t size, uint64_t *seed)
{
	for (size_t i = 0; i < size; i++) {
		*seed = *seed * 6364136223846793005u + 1442695040888963407u;
		/* The kernel takes letters for printable that are none in ASCII. */
		data[i] = *seed >> 60 < 8 ? 0 : (unsigned char)(*seed >> 56) & 0x7f;
	}
}

static void compare(const struct tn_btf *btf, struct kernel *k, uint32_t id, uint64_t flags,
		    uint64_t *seed, struct out *o)
{
	unsigned char data[MAX_DATA];
	size_t size = (size_t)tn_btf_size_of(btf, id);
	int64_t want;
	int err;

	random_bytes(data, size, seed);
	if (!ask_kernel(k, id, flags, data, size))
		fail_msg("the kernel does not answer: %s", strerror(errno));
	memcpy(&want, k->value + 16, sizeof(want));
	err = show(btf, id, (uint32_t)flags, data, size, o);
	if (err == -E2BIG)
		return;
	if (err || want != (int64_t)o->len ||
	    memcmp(k->value + OUT_OFF, o->text, TN_MIN(o->len, TEXT_BYTES - 1)))
		fail_msg("%s, flags %d: kernel %lld\n%.2000s\nhere %d, %zu\n%.2000s",
			 tn_btf_name(btf, id), (int)flags, (long long)want, k->value + OUT_OFF, err,
			 o->len, o->text);
}

static void kernel_types_are_shown_as_by_the_kernel(void **state)
{
	struct kernel *k = malloc(sizeof(*k));
	struct out *o = malloc(sizeof(*o));
	uint32_t compared = 0;
	uint64_t seed = 1;
	struct tn_btf *btf;

	if (!open_kernel(k)) {
		print_message("skipped: bpf(2): %s\n", strerror(errno));
		free(k);
		free(o);
		skip();
	}
	btf = read_kernel_types(*state);
	for (uint32_t id = 1; btf && id < btf->nr_types && compared < MAX_TYPES; id += 1 + id % 7) {
		int64_t size = tn_btf_size_of(btf, id);

		if (size <= 0 || size > MAX_DATA || differs(btf, id, false, 0))
			continue;
		compare(btf, k, id, TN_BTF_SHOW_PTR_RAW | compared % 16, &seed, o);
		compared++;
	}
	close(k->prog);
	close(k->map);
	tn_btf_free(btf);
	free(o);
	free(k);
	if (!compared) {
		print_message("skipped: the kernel shows no types\n");
		skip();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(arrays_of_structures_and_pointers_are_shown_in_full),
		TEST(addresses_are_scrambled_the_same_way_each_time),
		TEST(what_cannot_be_shown_is_an_error),
		TEST(snprintf_btf_fills_its_buffer_and_gives_the_length),
		TEST(snprintf_btf_gives_the_kernels_errors),
		TEST(seq_printf_btf_writes_to_the_iterators_output),
		TEST(kernel_types_are_shown_as_by_the_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
