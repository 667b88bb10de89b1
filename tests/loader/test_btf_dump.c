/* SPDX-License-Identifier: MIT */
/*
 * Round trips: BTF is dumped as C, clang compiles that for eBPF, and the BTF of the result must
 * have the same layouts. And the raw form, line by line beside bpftool's.
 */
#include "objects.h"

#include <unistd.h>

#include "loader/btf_file.h"
#include "vm/btf_build.h"
#include "vm/btf_builtin.h"
#include "vm/btf_dump.h"

static struct tn_rt rt;
static char dir[] = "/tmp/tenon-btf-XXXXXX";

static int remove_dir(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static const char *in_dir(const char *name)
{
	static char paths[4][128];
	static int n;

	n = (n + 1) % 4;
	snprintf(paths[n], sizeof(paths[n]), "%s/%s", dir, name);
	return paths[n];
}

/* Compile for eBPF in the test's directory; skip where there is no clang. */
static struct tn_btf *compile(const char *source)
{
	char command[512];
	struct file file;
	struct tn_btf *btf;

	snprintf(command, sizeof(command), "%s -target bpf -O2 -g -w -c %s -o %s/out.o",
		 TN_TEST_CLANG, source, dir);
	if (!*TN_TEST_CLANG)
		skip();
	if (system(command))
		fail_msg("'%s' failed", command);
	file = read_file(in_dir("out.o"));
	btf = tn_btf_read_file(&rt, tn_span_make(file.data, file.size), NULL);
	if (!btf)
		fail_msg("%s", tn_err_last()->msg);
	free(file.data);
	return btf;
}

static struct tn_btf *open_btf(const char *path)
{
	FILE *in = fopen(path, "rb");
	size_t cap = 16 << 20;
	struct tn_btf *btf = NULL;
	struct file file = { .data = malloc(cap) };

	assert_non_null(file.data);
	if (in) {
		file.size = fread(file.data, 1, cap, in);
		fclose(in);
		btf = tn_btf_read_file(&rt, tn_span_make(file.data, file.size), NULL);
		if (!btf)
			fail_msg("%s: %s", path, tn_err_last()->msg);
	}
	free(file.data);
	return btf;
}

/* Each line of the dump; behind it a pointer to every struct, union and enum that it defines. */
struct writer {
	FILE *out, *keep;
	unsigned int nr;
};

static int write_line(void *user, const char *line)
{
	struct writer *w = user;
	char tag[16], name[512];

	fprintf(w->out, "%s\n", line);
	if (sscanf(line, "%15[a-z] %511[A-Za-z0-9_] {", tag, name) == 2 && strchr(line, '{') &&
	    (!strcmp(tag, "struct") || !strcmp(tag, "union")))
		fprintf(w->keep, "%s %s *tenon_keep_%u;\n", tag, name, w->nr++);
	return 0;
}

static struct tn_btf *dump_and_compile(const struct tn_btf *btf)
{
	char command[512];
	struct writer w = { fopen(in_dir("dump.h"), "w"), fopen(in_dir("keep.c"), "w"), 0 };

	assert_true(w.out && w.keep);
	fprintf(w.keep, "#include \"dump.h\"\n");
	if (tn_btf_dump_c(btf, NULL, 0, NULL, write_line, &w))
		fail_msg("%s", tn_err_last()->msg);
	fclose(w.out);
	fclose(w.keep);
	snprintf(command, sizeof(command), "%s/keep.c", dir);
	return compile(command);
}

/* Size in bits of a member, by the old and the new form of bit fields. */
static uint64_t member_bits(const struct tn_btf *btf, const struct tn_btf_type *t,
			    const struct tn_btf_member *m, uint64_t *off)
{
	uint32_t inside = 0, bits = tn_btf_member_bit_size(t, m);

	*off = tn_btf_member_bit_off(t, m);
	if (!bits && (bits = tn_btf_old_bit_field(btf, m->type, &inside)))
		*off += inside;
	return bits ? bits : (uint64_t)tn_btf_size_of(btf, m->type) * 8;
}

static bool same_layout(const struct tn_btf *a, uint32_t a_id, const struct tn_btf *b,
			uint32_t b_id)
{
	const struct tn_btf_type *ta = tn_btf_type(a, a_id), *tb = tn_btf_type(b, b_id);
	const struct tn_btf_member *ma = tn_btf_extra(ta), *mb = tn_btf_extra(tb);
	uint32_t j = 0;

	if (ta->size_or_type != tb->size_or_type || tn_btf_kind(ta) != tn_btf_kind(tb))
		return false;
	for (uint32_t i = 0; i < tn_btf_vlen(ta); i++, j++) {
		const char *name = tn_btf_str(a, ma[i].name_off), *other;
		uint64_t off_a, off_b, bits_a = member_bits(a, ta, &ma[i], &off_a), bits_b;

		while (j < tn_btf_vlen(tb) &&
		       !strncmp(tn_btf_str(b, mb[j].name_off), "__tenon_pad", 11))
			j++;
		if (j == tn_btf_vlen(tb))
			return false;
		other = tn_btf_str(b, mb[j].name_off);
		bits_b = member_bits(b, tb, &mb[j], &off_b);
		if ((strcmp(name, other) && *name) || off_a != off_b || bits_a != bits_b)
			return false;
		if (!*name && tn_btf_is_composite(tn_btf_type(a, ma[i].type)) &&
		    !same_layout(a, ma[i].type, b, mb[j].type))
			return false;
	}
	return true;
}

/* Some type of that name, flavours included, has the layout. */
static bool has_layout(const struct tn_btf *want, uint32_t id, const struct tn_btf *have)
{
	const char *name = tn_btf_name(want, id);
	uint32_t other = 0;

	while ((other = tn_btf_next_named(have, name, tn_btf_essential_len(name), other)))
		if (tn_btf_is_composite(tn_btf_type(have, other)) &&
		    same_layout(want, id, have, other))
			return true;
	return false;
}

static void expect_round_trip(const struct tn_btf *btf, uint32_t at_least)
{
	struct tn_btf *back = dump_and_compile(btf);
	uint32_t nr = 0, bad = 0;

	for (uint32_t id = 1; id < btf->nr_types; id++) {
		if (!tn_btf_is_composite(tn_btf_type(btf, id)) || !*tn_btf_name(btf, id))
			continue;
		nr++;
		if (!has_layout(btf, id, back)) {
			print_error("type %u '%s' came back different\n", id, tn_btf_name(btf, id));
			bad++;
		}
	}
	assert_int_equal(bad, 0);
	assert_true(nr >= at_least);
	tn_btf_free(back);
}

static void dump_c_of_hard_layouts_compiles_to_the_same(void **state)
{
	struct tn_btf *btf = compile(TN_TEST_LAYOUTS);

	(void)state;
	expect_round_trip(btf, 12);
	tn_btf_free(btf);
}

static void dump_c_of_the_builtin_types_compiles_to_the_same(void **state)
{
	(void)state;
	assert_non_null(tn_btf_builtin(&rt));
	expect_round_trip(tn_btf_builtin(&rt), 30);
}

static void dump_c_of_the_kernel_compiles_to_the_same(void **state)
{
	struct tn_btf *btf = open_btf("/sys/kernel/btf/vmlinux");

	(void)state;
	if (!btf) {
		print_message("no /sys/kernel/btf/vmlinux\n");
		skip();
	}
	expect_round_trip(btf, 1000);
	tn_btf_free(btf);
}

/* ---- Beside bpftool ---- */

static int write_plain(void *user, const char *line)
{
	fprintf(user, "%s\n", line);
	return 0;
}

static bool have_bpftool(void)
{
	return system("bpftool version >/dev/null 2>&1") == 0;
}

static void expect_raw_as_bpftool(const char *path)
{
	char command[600];
	struct tn_btf *btf = open_btf(path);
	FILE *out = fopen(in_dir("raw"), "w");

	assert_non_null(btf);
	assert_int_equal(tn_btf_dump_raw(btf, 1, UINT32_MAX, false, write_plain, out), 0);
	fclose(out);
	snprintf(command, sizeof(command), "bpftool btf dump file %s | cmp - %s/raw", path, dir);
	if (system(command))
		fail_msg("'%s' found a difference", command);
	out = fopen(in_dir("json"), "w");
	fprintf(out, "{\"types\":[");
	for (uint32_t id = 1; id < btf->nr_types && btf->nr_types < 2000; id++) {
		fprintf(out, id > 1 ? ",\n" : "\n");
		assert_int_equal(tn_btf_dump_raw(btf, id, id + 1, true, write_plain, out), 0);
	}
	fprintf(out, "]}\n");
	fclose(out);
	snprintf(command, sizeof(command),
		 "bpftool -j btf dump file %s | tr -d '\\n' >%s/theirs; "
		 /* It extends the sign of unsigned values. */
		 "grep -q 'val\":18446744' %s/theirs || tr -d '\\n' <%s/json | cmp - %s/theirs",
		 path, dir, dir, dir, dir);
	if (btf->nr_types < 2000 && system(command))
		fail_msg("'%s' found a difference", command);
	tn_btf_free(btf);
}

static void dump_raw_of_test_objects_is_bpftools(void **state)
{
	struct dirent *entry;
	DIR *objects;

	(void)state;
	if (!have_bpftool()) {
		print_message("no bpftool\n");
		skip();
	}
	objects = opendir(TN_TEST_OBJECTS);
	assert_non_null(objects);
	while ((entry = readdir(objects))) {
		char path[512];

		if (!strstr(entry->d_name, ".v3.bpf.o") || strstr(entry->d_name, "bpf.o.d"))
			continue;
		snprintf(path, sizeof(path), "%s/%.200s", TN_TEST_OBJECTS, entry->d_name);
		expect_raw_as_bpftool(path);
	}
	closedir(objects);
}

static void dump_raw_of_the_kernel_is_bpftools(void **state)
{
	(void)state;
	if (!have_bpftool() || access("/sys/kernel/btf/vmlinux", R_OK)) {
		print_message("no bpftool or no /sys/kernel/btf/vmlinux\n");
		skip();
	}
	expect_raw_as_bpftool("/sys/kernel/btf/vmlinux");
}

/* ---- Text ---- */

static char text[8192];

static int collect(void *user, const char *line)
{
	size_t used = strlen(text);

	(void)user;
	snprintf(text + used, sizeof(text) - used, "%s\n", line);
	return 0;
}

static const char *dump(const struct tn_btf *btf, const uint32_t *ids, uint32_t nr,
			const char *suffix)
{
	text[0] = 0;
	if (tn_btf_dump_c(btf, ids, nr, suffix, collect, NULL))
		fail_msg("%s", tn_err_last()->msg);
	return text;
}

static void dump_c_of_one_type_writes_what_it_needs(void **state)
{
	struct tn_btf_builder *b = tn_btf_build_new(&rt, NULL);
	uint32_t i = tn_btf_add_int(b, "int", 4, TN_BTF_INT_SIGNED), in, other, s, proto, fn;
	struct tn_btf *btf;

	(void)state;
	tn_btf_add_struct(b, TN_BTF_STRUCT, "unrelated", 4);
	tn_btf_add_member(b, "x", i, 0, 0);
	in = tn_btf_add_struct(b, TN_BTF_STRUCT, "inner", 4);
	tn_btf_add_member(b, "x", i, 0, 0);
	other = tn_btf_add_struct(b, TN_BTF_STRUCT, "pointed_to", 4);
	tn_btf_add_member(b, "x", i, 0, 0);
	other = tn_btf_add_ptr(b, other);
	s = tn_btf_add_struct(b, TN_BTF_STRUCT, "outer", 24);
	tn_btf_add_member(b, "in", in, 0, 0);
	tn_btf_add_member(b, "to", other, 64, 0);
	tn_btf_add_member(b, "me", tn_btf_build_next_id(b), 128, 0);
	s = tn_btf_add_ptr(b, s) - 1;
	proto = tn_btf_add_func_proto(b, i);
	tn_btf_add_param(b, "o", s + 1);
	tn_btf_add_param(b, NULL, i);
	fn = tn_btf_add_func(b, "host_fn", proto, TN_BTF_GLOBAL);
	btf = tn_btf_build_finish(b);
	assert_non_null(btf);
	assert_string_equal(dump(btf, &s, 1, NULL), "struct inner {\n"
						    "\tint x;\n"
						    "};\n"
						    "\n"
						    "struct pointed_to;\n"
						    "\n"
						    "struct outer {\n"
						    "\tstruct inner in;\n"
						    "\tstruct pointed_to *to;\n"
						    "\tstruct outer *me;\n"
						    "};\n"
						    "\n");
	assert_string_equal(dump(btf, &fn, 1, " __ksym"),
			    "struct outer;\n"
			    "\n"
			    "extern int host_fn(struct outer *o, int) __ksym;\n"
			    "\n");
	assert_string_equal(tn_btf_format_func(btf, fn, "", text, sizeof(text)),
			    "int host_fn(struct outer *o, int)");
	assert_string_equal(tn_btf_format_func(btf, fn, "", text, 10), "int host_");
	tn_btf_free(btf);
}

static void dump_c_numbers_names_that_come_twice(void **state)
{
	struct tn_btf_builder *b = tn_btf_build_new(&rt, NULL);
	uint32_t i = tn_btf_add_int(b, "u32", 4, 0);
	struct tn_btf *btf;

	(void)state;
	for (uint32_t n = 1; n <= 2; n++) {
		tn_btf_add_struct(b, TN_BTF_STRUCT, "same", 4 * n);
		tn_btf_add_member(b, "x", i, 0, 0);
	}
	tn_btf_add_fwd(b, "same", false);
	tn_btf_add_typedef(b, "same", 4);
	tn_btf_add_struct(b, TN_BTF_UNION, "Vec<u8>", 4);
	tn_btf_add_member(b, "for", i, 0, 0);
	tn_btf_add_enum(b, TN_BTF_ENUM, "e", 4, true);
	tn_btf_add_enum_value(b, "same", (uint64_t)-1);
	btf = tn_btf_build_finish(b);
	assert_non_null(btf);
	assert_string_equal(dump(btf, NULL, 0, NULL), "struct same {\n"
						      "\tunsigned int x;\n"
						      "};\n"
						      "\n"
						      "struct same___2 {\n"
						      "\tunsigned int x;\n"
						      "\tint : 32;\n"
						      "};\n"
						      "\n"
						      "typedef struct same same;\n"
						      "\n"
						      "union Vec_u8_ {\n"
						      "\tunsigned int for_;\n"
						      "};\n"
						      "\n"
						      "enum e {\n"
						      "\tsame___2 = -1,\n"
						      "};\n"
						      "\n");
	tn_btf_free(btf);
}

/* Members that overlap, as C++ lays them out. */
static void dump_c_keeps_the_size_of_what_c_cannot_express(void **state)
{
	struct tn_btf_builder *b = tn_btf_build_new(&rt, NULL);
	uint32_t i = tn_btf_add_int(b, "long", 8, TN_BTF_INT_SIGNED);
	struct tn_btf *btf;

	(void)state;
	tn_btf_add_struct(b, TN_BTF_STRUCT, "overlap", 16);
	tn_btf_add_member(b, "x", i, 0, 0);
	tn_btf_add_member(b, "y", i, 0, 0);
	btf = tn_btf_build_finish(b);
	assert_non_null(btf);
	assert_string_equal(dump(btf, NULL, 0, NULL), "struct overlap {\n"
						      "\tunsigned char __tenon_bytes[16];\n"
						      "} __attribute__((aligned(8)));\n"
						      "\n");
	tn_btf_free(btf);
}

static int ignore(void *user, const char *line)
{
	(void)user;
	(void)line;
	return 0;
}

static void expect_dump_refused(struct tn_btf_builder *b, const char *words)
{
	struct tn_btf *btf = tn_btf_build_finish(b);

	if (!btf)
		fail_msg("%s", tn_err_last()->msg);
	assert_int_equal(tn_btf_dump_c(btf, NULL, 0, NULL, ignore, NULL), -EINVAL);
	if (!strstr(tn_err_last()->msg, words))
		fail_msg("error is '%s', expected '%s'", tn_err_last()->msg, words);
	tn_btf_free(btf);
}

static void dump_c_refuses_types_that_c_cannot_order(void **state)
{
	struct tn_btf_builder *b = tn_btf_build_new(&rt, NULL);

	(void)state;
	tn_btf_add_typedef(b, "t", 2);
	tn_btf_add_struct(b, TN_BTF_STRUCT, NULL, 8);
	tn_btf_add_member(b, "next", 3, 0, 0);
	tn_btf_add_ptr(b, 1);
	expect_dump_refused(b, "type 1 (typedef 't') has no form in C: it needs itself");
}

static void dump_c_bounds_depth_and_length(void **state)
{
	struct tn_btf_builder *b = tn_btf_build_new(&rt, NULL);
	uint32_t i = tn_btf_add_int(b, "int", 4, 0), last = i;

	(void)state;
	/* Each has the one before it inside, by name. */
	for (int n = 0; n < 3000; n++) {
		char name[16];

		snprintf(name, sizeof(name), "s%d", n);
		/* The outermost first, so that the walk goes down at once. */
		tn_btf_add_struct(b, TN_BTF_STRUCT, name, 4);
		tn_btf_add_member(b, "m", n == 2999 ? i : tn_btf_build_next_id(b), 0, 0);
	}
	expect_dump_refused(b, "nests too deep");
	b = tn_btf_build_new(&rt, NULL);
	i = last = tn_btf_add_int(b, "int", 4, 0);
	for (int n = 0; n < 3000; n++)
		last = tn_btf_add_ptr(b, last);
	tn_btf_add_typedef(b, "deep", last);
	expect_dump_refused(b, "nests too deep");
	/* Twice the one before, without a name: 2^40 lines. */
	b = tn_btf_build_new(&rt, NULL);
	last = tn_btf_add_int(b, "int", 4, 0);
	for (uint32_t n = 0; n < 40; n++) {
		uint32_t id = tn_btf_add_struct(b, TN_BTF_UNION, NULL, 4);

		tn_btf_add_member(b, "a", last, 0, 0);
		tn_btf_add_member(b, "b", last, 0, 0);
		last = id;
	}
	tn_btf_add_typedef(b, "wide", last);
	expect_dump_refused(b, "out of proportion");
	/* The same of parameters, on one line. */
	b = tn_btf_build_new(&rt, NULL);
	last = tn_btf_add_int(b, "int", 4, 0);
	for (uint32_t n = 0; n < 25; n++) {
		uint32_t id = tn_btf_add_func_proto(b, last);

		tn_btf_add_param(b, "a", last);
		tn_btf_add_param(b, "b", last);
		last = tn_btf_add_ptr(b, id);
	}
	tn_btf_add_typedef(b, "wide", last);
	expect_dump_refused(b, "out of proportion");
}

static int stop_at_once(void *user, const char *line)
{
	(void)line;
	++*(int *)user;
	return -EPIPE;
}

static void dump_stops_when_told(void **state)
{
	const struct tn_btf *btf = tn_btf_builtin(&rt);
	int lines = 0;

	(void)state;
	assert_int_equal(tn_btf_dump_c(btf, NULL, 0, NULL, stop_at_once, &lines), -EPIPE);
	assert_int_equal(lines, 1);
	assert_int_equal(tn_btf_dump_raw(btf, 0, UINT32_MAX, false, stop_at_once, &lines), -EPIPE);
	assert_int_equal(lines, 2);
}

static void dump_leaks_nothing_when_an_allocation_fails(void **state)
{
	const struct tn_btf *btf = tn_btf_builtin(&rt);
	/* Few names, all kinds of output. */
	const uint32_t ids[] = { tn_btf_find(btf, "iphdr", TN_BTF_STRUCT),
				 tn_btf_find(btf, "trace_event_raw_sys_enter", TN_BTF_STRUCT) };
	size_t before = tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_HEAP]);
	int err = -ENOMEM;

	(void)state;
	for (int64_t n = 1; err; n++) {
		tn_store_relaxed(&rt.mem.fail_after, n);
		err = tn_btf_dump_c(btf, ids, 2, " __ksym", ignore, NULL);
		if (!err)
			err = tn_btf_dump_raw(btf, 1, 10, true, ignore, NULL);
		tn_store_relaxed(&rt.mem.fail_after, 0);
		assert_true(err == 0 || err == -ENOMEM);
		assert_int_equal(tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_HEAP]), before);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dump_c_of_hard_layouts_compiles_to_the_same),
		cmocka_unit_test(dump_c_of_the_builtin_types_compiles_to_the_same),
		cmocka_unit_test(dump_c_of_the_kernel_compiles_to_the_same),
		cmocka_unit_test(dump_raw_of_test_objects_is_bpftools),
		cmocka_unit_test(dump_raw_of_the_kernel_is_bpftools),
		cmocka_unit_test(dump_c_of_one_type_writes_what_it_needs),
		cmocka_unit_test(dump_c_numbers_names_that_come_twice),
		cmocka_unit_test(dump_c_keeps_the_size_of_what_c_cannot_express),
		cmocka_unit_test(dump_c_refuses_types_that_c_cannot_order),
		cmocka_unit_test(dump_c_bounds_depth_and_length),
		cmocka_unit_test(dump_stops_when_told),
		cmocka_unit_test(dump_leaks_nothing_when_an_allocation_fails),
	};
	int failed;

	if (tn_rt_init(&rt, NULL))
		return 1;
	failed = cmocka_run_group_tests(tests, make_dir, remove_dir);
	tn_rt_fini(&rt);
	return failed;
}
