/* SPDX-License-Identifier: MIT */
/* CO-RE without libbpf beside it: words, hosts of every degree of knowledge, malformed records, and
 * memory that runs out. */
#include "loader/objects.h"

#include "loader/btf_file.h"
#include "loader/core.h"
#include "vm/btf_build.h"
#include "vm/btf_builtin.h"

static struct tn_rt rt;

static struct file read_named(const char *format, const char *name)
{
	char path[4096];

	snprintf(path, sizeof(path), format, TN_TEST_OBJECTS, name);
	return read_file(path);
}

static struct tn_btf *target(const char *name)
{
	static const char *const clangs[] = { "clang-19", "clang-14", "clang" };
	struct file file = { 0 };
	struct tn_btf *btf;

	for (size_t i = 0; i < 3 && !file.data; i++) {
		char path[4096];
		FILE *in;

		snprintf(path, sizeof(path), "%s/core_target_%s.%s.bpf.o", TN_TEST_OBJECTS, name,
			 clangs[i]);
		in = fopen(path, "rb");
		if (!in)
			continue;
		fclose(in);
		file = read_file(path);
	}
	btf = tn_btf_read_file(&rt, tn_span_make(file.data, file.size), NULL);
	if (!btf)
		fail_msg("%s: %s", name, tn_err_last()->msg);
	free(file.data);
	return btf;
}

/* Open plugin `name` on a host with these types; the last of them are declared field by field. */
static struct tn_image *open_on(struct file file, const struct tn_btf *const *targets, uint32_t nr,
				uint32_t nr_whole)
{
	static const char *const names[] = { "host", "library", "third" };
	const struct tn_load_opts opts = {
		.name = "plugin",
		.targets = targets,
		.target_names = names,
		.nr_targets = nr,
		.nr_whole = nr_whole,
	};

	return tn_loader_open(&rt, tn_span_make(file.data, file.size), &opts);
}

static const struct tn_core_site *poison_of(const struct tn_prog *prog)
{
	for (uint32_t i = 0; i < prog->nr_cores; i++)
		if (prog->cores[i].poison)
			return &prog->cores[i];
	return NULL;
}

static void assert_poison(struct tn_image *image, const char *name, const char *words)
{
	const struct tn_prog *prog = find_prog(image, name);
	const struct tn_core_site *site = poison_of(prog);

	if (prog->defect)
		fail_msg("%s: %s", name, prog->defect);
	if (!site)
		fail_msg("%s is not poisoned", name);
	if (!strstr(site->poison, words))
		fail_msg("'%s' is not in: %s", words, site->poison);
	assert_int_equal(prog->insns[site->insn].code, TN_JMP | TN_CALL);
	assert_int_equal(prog->insns[site->insn].imm, TN_CORE_POISON);
}

static void row_44_poison_names_type_field_and_both_layouts(void **state)
{
	struct file file = one_object("core_fields");
	const struct tn_btf *btf = target("RENAMED");
	struct tn_image *image = open_on(file, &btf, 1, 1);

	(void)state;
	assert_non_null(image);
	assert_null(poison_of(find_prog(image, "read_id")));
	assert_poison(image, "read_len",
		      "CO-RE: conn.len: the plugin has it at offset 8, 4 bytes (u32); host type "
		      "'conn' (host, type ");
	assert_poison(image, "read_len",
		      "has no field 'len': it has new_name at 0, extra at 4, next at 8, door at "
		      "16, id at 24");
	assert_poison(image, "read_peer", "CO-RE: conn.peer: ");
	assert_poison(image, "read_missing",
		      "CO-RE: missing.field: the plugin has it at offset 0, 4 bytes (u32); the "
		      "host has no type of this name and kind");
	tn_image_free(image);
	tn_btf_free((struct tn_btf *)(uintptr_t)btf);
	free(file.data);
}

static void row_30_widths_that_lose_a_sign_are_poisoned(void **state)
{
	struct file file = one_object("core_fields");
	const struct tn_btf *btf = target("WIDENED");
	struct tn_image *image = open_on(file, &btf, 1, 1);

	(void)state;
	assert_non_null(image);
	assert_null(poison_of(find_prog(image, "read_len")));
	assert_int_equal(find_prog(image, "read_len")->insns[0].code, TN_LDX | TN_MEM | TN_DW);
	assert_poison(image, "read_delta",
		      "CO-RE: conn.delta: 4 bytes in the plugin; host type 'conn' (host, type ");
	assert_poison(image, "read_delta", "has it at offset 16, 8 bytes (s64)");
	tn_image_free(image);
	tn_btf_free((struct tn_btf *)(uintptr_t)btf);
	free(file.data);
}

static void row_29_types_of_two_libraries_must_agree(void **state)
{
	struct file file = one_object("core_fields");
	const struct tn_btf *both[] = { target("BASE"), target("MOVED") };
	const struct tn_btf *same[] = { both[0], both[0] };
	struct tn_image *image = open_on(file, both, 2, 2);
	const struct tn_prog *prog;

	(void)state;
	assert_non_null(image);
	prog = find_prog(image, "read_id");
	assert_int_equal(prog->defect_code, -ENOTUNIQ);
	assert_non_null(strstr(prog->defect, "CO-RE: conn.id: types of the host disagree: host "
					     "type 'conn' (host, type "));
	assert_non_null(strstr(prog->defect, ", host type 'conn' (library, type "));
	tn_image_free(image);
	image = open_on(file, same, 2, 2);
	assert_non_null(image);
	assert_null(find_prog(image, "read_id")->defect);
	tn_image_free(image);
	tn_btf_free((struct tn_btf *)(uintptr_t)both[0]);
	tn_btf_free((struct tn_btf *)(uintptr_t)both[1]);
	free(file.data);
}

static void host_without_types_leaves_the_plugins_own(void **state)
{
	struct file file = one_object("core_fields"),
		    builtin = read_named("%s/%s.bpf.o", "variant_CORE_MOVED");
	struct tn_image *image = open_on(file, NULL, 0, 0);

	(void)state;
	assert_non_null(image);
	assert_null(poison_of(find_prog(image, "read_len")));
	assert_int_equal(find_prog(image, "read_len")->insns[0].off, 8);
	assert_false(find_prog(image, "read_len")->cores[0].is_offset);
	assert_poison(image, "guarded", "the host gives no BTF, so nobody knows whether it has it");
	tn_image_free(image);
	/* Of packet headers Tenon knows the places: the plugin has this one at offset 0. */
	image = open_on(builtin, NULL, 0, 0);
	assert_non_null(image);
	assert_int_equal(image->progs[0]->insns[0].off, 12);
	assert_true(image->progs[0]->cores[0].is_offset);
	tn_image_free(image);
	free(file.data);
	free(builtin.data);
}

/* struct conn as a host declares it: places and sizes, no types. */
static const struct tn_btf *declared(void)
{
	struct tn_btf_builder *b = tn_btf_build_new(&rt, NULL);
	uint32_t byte = tn_btf_add_int(b, "unsigned char", 1, 0);
	uint32_t word = tn_btf_add_int(b, "unsigned int", 4, 0);
	uint32_t bytes = tn_btf_add_array(b, byte, word, 16);
	uint32_t quad = tn_btf_add_int(b, "unsigned long", 8, 0);

	tn_btf_add_struct(b, TN_BTF_STRUCT, "conn", 64);
	tn_btf_add_member(b, "v6", bytes, 0, 0);
	tn_btf_add_member(b, "state", word, 256, 0);
	tn_btf_add_member(b, "len", quad, 320, 0);
	tn_btf_add_member(b, "peer", quad, 384, 0);
	return tn_btf_build_finish(b);
}

static void fields_declared_one_by_one_are_places_without_types(void **state)
{
	struct file file = one_object("core_fields");
	const struct tn_btf *btf = declared();
	struct tn_image *image = open_on(file, &btf, 1, 0);

	(void)state;
	assert_non_null(btf);
	assert_non_null(image);
	assert_int_equal(find_prog(image, "read_len")->insns[0].off, 40);
	assert_int_equal(find_prog(image, "read_len")->insns[0].code, TN_LDX | TN_MEM | TN_DW);
	assert_int_equal(find_prog(image, "read_peer")->insns[0].off, 48);
	assert_poison(image, "read_id",
		      "host type 'conn' (as the host declares it) has no field 'id': it has v6 at "
		      "0");
	tn_image_free(image);
	tn_btf_free((struct tn_btf *)(uintptr_t)btf);
	free(file.data);
}

/* ---- Malformed records ---- */

/* The 16 bytes of CO-RE record `n`, counted through all sections. */
static unsigned char *record(struct file file, uint32_t n)
{
	unsigned char *ext = section_bytes(file, ".BTF.ext"), *at;
	uint32_t hdr_len, off, size, head[2];

	memcpy(&hdr_len, ext + 4, 4);
	memcpy(&off, ext + 24, 4);
	at = ext + hdr_len + off;
	memcpy(&size, at, 4);
	assert_int_equal(size, 16);
	for (at += 4;; at += 8 + (size_t)head[1] * 16) {
		memcpy(head, at, 8);
		if (n < head[1])
			return at + 8 + (size_t)n * 16;
		n -= head[1];
	}
}

/* Give record 0 an access string of the file's own: one that is long enough is overwritten. */
static void set_access(struct file file, const char *access)
{
	unsigned char *btf = section_bytes(file, ".BTF"), *strs;
	uint32_t hdr_len, str_off, str_len, at;
	size_t size = section_header(file, ".BTF")->sh_size;

	memcpy(&hdr_len, btf + 4, 4);
	memcpy(&str_off, btf + 16, 4);
	memcpy(&str_len, btf + 20, 4);
	assert_true(hdr_len + str_off + str_len <= size);
	strs = btf + hdr_len + str_off;
	/* The last string, whatever it was. */
	for (at = str_len - 2; at > 0 && (strs[at] || str_len - at < 100); at--)
		;
	at++;
	assert_true(strlen(access) < str_len - at);
	memcpy(strs + at, access, strlen(access) + 1);
	memcpy(record(file, 0) + 8, &at, 4);
}

static void hostile_access_strings_are_refused(void **state)
{
	static const char *const strings[] = {
		"",	      ":",	"0:",	   ":0",	 "0::1",
		"a",	      "0:a",	"-1",	   "+1",	 " 0",
		"0 ",	      "0x1",	"0:0:0",   "0:99",	 "0:-1",
		"4294967296", "0:1;",	"0:14",	   "2147483648", "99999999999999999999",
		"2147483647", "0:5:99", "0:5:0:0",
	};
	const struct tn_btf *btf = target("BASE");

	(void)state;
	for (size_t i = 0; i < TN_ARRAY_SIZE(strings); i++) {
		struct file file = one_object("core_fields");
		struct tn_image *image;

		set_access(file, strings[i]);
		image = open_on(file, &btf, 1, 1);
		if (image && !strcmp(strings[i], "0:14")) {
			tn_image_free(image); /* another field of it */
		} else if (image) {
			fail_msg("'%s' was accepted", strings[i]);
		} else {
			assert_int_equal(errno, EINVAL);
		}
		free(file.data);
	}
	tn_btf_free((struct tn_btf *)(uintptr_t)btf);
}

static void deep_access_string_is_refused(void **state)
{
	struct file file = one_object("core_fields");
	const struct tn_btf *btf = target("BASE");
	char deep[100];

	(void)state;
	for (int i = 0; i < 49; i++)
		memcpy(deep + (size_t)2 * i, "0:", 2);
	memcpy(deep + 98, "0", 2);
	set_access(file, deep);
	assert_null(open_on(file, &btf, 1, 1));
	assert_int_equal(errno, EINVAL);
	tn_btf_free((struct tn_btf *)(uintptr_t)btf);
	free(file.data);
}

static void unknown_kind_is_a_defect_of_its_program(void **state)
{
	struct file file = one_object("core_fields");
	const struct tn_btf *btf = target("BASE");
	struct tn_image *image;
	uint32_t kind = 13;
	int defects = 0;

	(void)state;
	memcpy(record(file, 0) + 12, &kind, 4);
	image = open_on(file, &btf, 1, 1);
	assert_non_null(image);
	for (uint32_t i = 0; i < image->nr_progs; i++) {
		defects += image->progs[i]->defect != NULL;
		assert_true(!image->progs[i]->defect ||
			    strstr(image->progs[i]->defect, "unknown kind 13"));
	}
	assert_int_equal(defects, 1);
	tn_image_free(image);
	tn_btf_free((struct tn_btf *)(uintptr_t)btf);
	free(file.data);
}

static uint32_t unnamed_struct(struct file file, const struct tn_btf *btf)
{
	struct tn_image *image = open_on(file, &btf, 1, 1);
	uint32_t id = 0;

	assert_non_null(image);
	for (uint32_t i = 1; i < image->btf->nr_types && !id; i++)
		if (tn_btf_kind(tn_btf_type(image->btf, i)) == TN_BTF_STRUCT &&
		    !*tn_btf_name(image->btf, i) && tn_btf_vlen(tn_btf_type(image->btf, i)))
			id = i;
	tn_image_free(image);
	return id;
}

static void unnamed_type_is_refused_with_its_field(void **state)
{
	struct file file = one_object("core_fields");
	const struct tn_btf *btf = target("BASE");
	uint32_t id = unnamed_struct(file, btf), kind = 0, defects = 0;
	struct tn_image *image;

	(void)state;
	assert_int_not_equal(id, 0);
	set_access(file, "0:0");
	memcpy(record(file, 0) + 4, &id, 4);
	memcpy(record(file, 0) + 12, &kind, 4);
	image = open_on(file, &btf, 1, 1);
	assert_non_null(image);
	for (uint32_t i = 0; i < image->nr_progs; i++) {
		const char *words = image->progs[i]->defect;

		defects += words && !strncmp(words, "CO-RE: (unnamed struct).", 24) &&
			   strstr(words, ": the struct has no name");
	}
	assert_int_equal(defects, 1);
	tn_image_free(image);
	tn_btf_free((struct tn_btf *)(uintptr_t)btf);
	free(file.data);
}

static char logged[1024];

static void keep_line(void *user, int level, const char *line)
{
	(void)user;
	(void)level;
	snprintf(logged, sizeof(logged), "%s", line);
}

static void row_30_instruction_that_its_record_does_not_describe_is_poisoned(void **state)
{
	struct file file = one_object("core_fields");
	const struct tn_btf *btf = target("BASE");
	struct tn_image *image;
	int16_t off = 24;

	(void)state;
	/* read_id is the first function: its load is moved. */
	memcpy(section_bytes(file, "core") + 2, &off, 2);
	rt.log = (struct tn_log){ .fn = keep_line, .level = TN_LOG_WARN };
	image = open_on(file, &btf, 1, 1);
	rt.log = (struct tn_log){ 0 };
	assert_non_null(image);
	assert_poison(image, "read_id",
		      "the instruction holds 24, but by the plugin's own types it is 0");
	assert_non_null(
		strstr(logged, "object 'plugin': CO-RE: conn.id: the instruction holds 24"));
	tn_image_free(image);
	tn_btf_free((struct tn_btf *)(uintptr_t)btf);
	free(file.data);
}

/* ---- Single instructions ---- */

static void row_30_width_changes_are_those_that_keep_the_value(void **state)
{
	static const struct {
		struct tn_insn insn;
		uint32_t from, to;
		enum tn_core_fault fault;
	} rows[] = {
		{ { TN_LDX | TN_MEM | TN_W, 0, 1, 0, 0 }, 4, 8, TN_CORE_FITS },
		{ { TN_LDX | TN_MEM | TN_DW, 0, 1, 0, 0 }, 8, 1, TN_CORE_FITS },
		{ { TN_STX | TN_MEM | TN_W, 0, 1, 0, 0 }, 4, 2, TN_CORE_FITS },
		{ { TN_LDX | TN_MEM | TN_W, 0, 1, 0, 0 }, 4, 3, TN_CORE_WIDTH },
		{ { TN_LDX | TN_MEM | TN_B, 0, 1, 0, 0 }, 4, 8, TN_CORE_WIDTH },
		{ { TN_LDX | TN_MEMSX | TN_W, 0, 1, 0, 0 }, 4, 8, TN_CORE_WIDTH },
		{ { TN_ST | TN_MEM | TN_W, 0, 1, 0, 7 }, 4, 8, TN_CORE_FITS },
		{ { TN_ST | TN_MEM | TN_W, 0, 1, 0, -1 }, 4, 8, TN_CORE_WIDTH },
		{ { TN_STX | TN_ATOMIC | TN_W, 0, 1, 0, 0 }, 4, 8, TN_CORE_FITS },
		{ { TN_STX | TN_ATOMIC | TN_W, 0, 1, 0, 0 }, 4, 2, TN_CORE_WIDTH },
	};

	(void)state;
	for (size_t i = 0; i < TN_ARRAY_SIZE(rows); i++) {
		struct tn_core_value from = { .size = rows[i].from, .exact = true };
		struct tn_core_value to = { .size = rows[i].to, .value = 16 };
		struct tn_insn insn = rows[i].insn;

		assert_int_equal(tn_core_patch(&insn, false, &from, &to, true), rows[i].fault);
		if (rows[i].fault != TN_CORE_FITS)
			continue;
		assert_int_equal(tn_insn_bytes(insn.code), rows[i].to);
		assert_int_equal(TN_MODE(insn.code), TN_MODE(rows[i].insn.code));
		assert_int_equal(insn.off, 16);
	}
}

static void row_30_constants_take_32_bits_and_no_more(void **state)
{
	static const struct {
		uint64_t value;
		enum tn_core_fault fault;
	} rows[] = {
		{ 0, TN_CORE_FITS },
		{ UINT32_MAX, TN_CORE_FITS },
		{ (uint64_t)INT32_MIN, TN_CORE_FITS },
		{ 1ull << 32, TN_CORE_RANGE },
		{ (uint64_t)INT32_MIN - 1, TN_CORE_RANGE },
	};

	(void)state;
	for (size_t i = 0; i < TN_ARRAY_SIZE(rows); i++) {
		struct tn_core_value from = { .value = 5, .exact = true };
		struct tn_core_value to = { .value = rows[i].value };
		struct tn_insn insn = { .code = TN_ALU64 | TN_MOV | TN_K, .imm = 5 };

		assert_int_equal(tn_core_patch(&insn, false, &from, &to, true), rows[i].fault);
	}
}

/* ---- Memory ---- */

static void open_survives_every_failing_allocation(void **state)
{
	const char *const plugins[] = { "core_fields", "core_types", "core_enums" };
	const struct tn_btf *btf = target("RENAMED");

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct file file = one_object(plugins[i]);
		struct tn_image *image = NULL;
		size_t before = tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_HEAP]);

		for (int64_t n = 1; !image; n++) {
			tn_store_relaxed(&rt.mem.fail_after, n);
			image = open_on(file, &btf, 1, 1);
			if (!image)
				assert_int_equal(errno, ENOMEM);
			if (!image)
				assert_int_equal(tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_HEAP]),
						 before);
		}
		tn_store_relaxed(&rt.mem.fail_after, 0);
		tn_image_free(image);
		assert_int_equal(tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_HEAP]), before);
		free(file.data);
	}
	tn_btf_free((struct tn_btf *)(uintptr_t)btf);
}

static int set_up(void **state)
{
	(void)state;
	/* The built-in types are made once and stay. */
	return tn_rt_init(&rt, NULL) || !tn_btf_builtin(&rt);
}

static int tear_down(void **state)
{
	(void)state;
	tn_rt_fini(&rt);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(row_44_poison_names_type_field_and_both_layouts),
		cmocka_unit_test(row_30_widths_that_lose_a_sign_are_poisoned),
		cmocka_unit_test(row_29_types_of_two_libraries_must_agree),
		cmocka_unit_test(host_without_types_leaves_the_plugins_own),
		cmocka_unit_test(fields_declared_one_by_one_are_places_without_types),
		cmocka_unit_test(hostile_access_strings_are_refused),
		cmocka_unit_test(deep_access_string_is_refused),
		cmocka_unit_test(unnamed_type_is_refused_with_its_field),
		cmocka_unit_test(unknown_kind_is_a_defect_of_its_program),
		cmocka_unit_test(row_30_instruction_that_its_record_does_not_describe_is_poisoned),
		cmocka_unit_test(row_30_width_changes_are_those_that_keep_the_value),
		cmocka_unit_test(row_30_constants_take_32_bits_and_no_more),
		cmocka_unit_test(open_survives_every_failing_allocation),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
