/* SPDX-License-Identifier: MIT */
/* Rows 37 and 38 of the checklist: what sections of probes name, and where functions stand. */
#include "objects.h"
#include "probed.h"

#include <dlfcn.h>
#include <unistd.h>

#include "base/compiler.h"
#include "loader/probe_target.h"
#include "loader/symbol.h"

static bool is(struct tn_span text, const char *expected)
{
	return text.size == strlen(expected) &&
	       (!text.size || !memcmp(text.data, expected, text.size));
}

static const struct {
	const char *section;
	enum tn_probe_kind kind;
	const char *path, *func, *version;
	uint64_t off;
	bool at_return;
} forms[] = {
	{ "uprobe//bin/sh:main", TN_PROBE_FUNC, "/bin/sh", "main", "", 0, false },
	{ "?uprobe/libc.so.6:malloc", TN_PROBE_FUNC, "libc.so.6", "malloc", "", 0, false },
	{ "uprobe.s/sh:f+12", TN_PROBE_FUNC, "sh", "f", "", 12, false },
	{ "uprobe/a/b:f.part.0+0x1F", TN_PROBE_FUNC, "a/b", "f.part.0", "", 31, false },
	{ "uprobe/libc.so.6:memcpy@GLIBC_2.14", TN_PROBE_FUNC, "libc.so.6", "memcpy", "GLIBC_2.14",
	  0, false },
	{ "uprobe/libc.so.6:memcpy@@GLIBC_2.14+4", TN_PROBE_FUNC, "libc.so.6", "memcpy",
	  "GLIBC_2.14", 4, false },
	{ "uprobe/sh:0x1040", TN_PROBE_FUNC, "sh", "", "", 0x1040, false },
	{ "uprobe/sh:64", TN_PROBE_FUNC, "sh", "", "", 64, false },
	{ "uprobe/sh:f+9223372036854775807", TN_PROBE_FUNC, "sh", "f", "", INT64_MAX, false },
	{ "uretprobe/sh:_ZN3foo3barEi", TN_PROBE_FUNC, "sh", "_ZN3foo3barEi", "", 0, true },
	{ "uretprobe.s/sh:f+0", TN_PROBE_FUNC, "sh", "f", "", 0, true },
	{ "uprobe.multi/sh:ssl_*_r?ad", TN_PROBE_PATTERN, "sh", "ssl_*_r?ad", "", 0, false },
	{ "uretprobe.multi.s/sh:*", TN_PROBE_PATTERN, "sh", "*", "", 0, true },
	{ "uprobe.session/sh:f", TN_PROBE_PATTERN, "sh", "f", "", 0, false },
	/* A name, and no target. */
	{ "uprobe", TN_PROBE_NONE, "", "", "", 0, false },
	{ "uprobe/readline", TN_PROBE_NONE, "", "", "", 0, false },
	{ "usdt", TN_PROBE_NONE, "", "", "", 0, false },
	{ "usdt/any", TN_PROBE_NONE, "", "", "", 0, false },
	/* Other sections. */
	{ "kprobe/sh:f+g", TN_PROBE_NONE, "", "", "", 0, false },
	{ "hook/uprobe/sh:", TN_PROBE_NONE, "", "", "", 0, false },
	{ "", TN_PROBE_NONE, "", "", "", 0, false },
};

static void row_38_targets_of_every_form(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_ARRAY_SIZE(forms); i++) {
		struct tn_probe_target t;

		if (tn_probe_target_parse(forms[i].section, &t))
			fail_msg("%s: %s", forms[i].section, tn_err_last()->msg);
		if (t.kind != forms[i].kind || !is(t.path, forms[i].path) ||
		    !is(t.func, forms[i].func) || !is(t.version, forms[i].version) ||
		    t.off != forms[i].off || t.at_return != forms[i].at_return)
			fail_msg("%s: read as kind %d, '%.*s', '%.*s'", forms[i].section,
				 (int)t.kind, (int)t.path.size, (const char *)t.path.data,
				 (int)t.func.size, (const char *)t.func.data);
	}
}

static const struct {
	const char *section, *words;
} bad[] = {
	{ "uprobe/:f", "section 'uprobe/:f': no file in front of ':'" },
	{ "uprobe/sh:", "function is empty" },
	{ "uprobe/sh:+4", "function is empty" },
	{ "uprobe/sh:@V", "function is empty" },
	{ "uprobe/sh:f@", "version is empty" },
	{ "uprobe/sh:f@@@V", "version '@V' is no name" },
	{ "uprobe/sh:f g", "function 'f g' is no name" },
	{ "uprobe/sh:f*", "function 'f*' is no name" },
	{ "uprobe/sh:f+", "no offset behind '+'" },
	{ "uprobe/sh:f+0x", "offset '0x' is no number" },
	{ "uprobe/sh:f+0xg", "offset '0xg' is no number" },
	{ "uprobe/sh:f+1a", "offset '1a' is no number" },
	{ "uprobe/sh:f+-1", "offset '-1' is no number" },
	{ "uprobe/sh:f+9223372036854775808", "exceeds 2^63 - 1" },
	{ "uprobe/sh:f+99999999999999999999999", "exceeds 2^63 - 1" },
	{ "uretprobe/sh:f+4", "a probe of returns takes no offset" },
	{ "uretprobe/sh:0x10", "a probe of returns needs a function" },
	{ "uprobe.multi/sh:", "pattern of functions is empty" },
	{ "uprobe.multi/sh:f+4", "pattern of functions 'f+4' is no name" },
	{ "usdt/sh:provider", "expected usdt/PATH:PROVIDER:NAME" },
	{ "usdt/sh::name", "provider is empty" },
	{ "usdt/sh:provider:", "probe is empty" },
	{ "usdt/sh:a:b:c", "probe 'b:c' is no name" },
	{ "usdt.s/:a:b", "no file in front of ':'" },
};

static void row_38_targets_that_are_none_are_refused_by_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_ARRAY_SIZE(bad); i++) {
		struct tn_probe_target t;

		assert_int_equal(tn_probe_target_parse(bad[i].section, &t), -EINVAL);
		if (!strstr(tn_err_last()->msg, bad[i].words) ||
		    !strstr(tn_err_last()->msg, bad[i].section))
			fail_msg("%s: %s; expected %s", bad[i].section, tn_err_last()->msg,
				 bad[i].words);
	}
}

static void row_37_targets_name_provider_and_probe(void **state)
{
	struct tn_probe_target t;

	(void)state;
	assert_int_equal(tn_probe_target_parse("usdt/libc.so.6:libc:setjmp", &t), 0);
	assert_int_equal(t.kind, TN_PROBE_USDT);
	assert_true(is(t.path, "libc.so.6") && is(t.provider, "libc") && is(t.name, "setjmp"));
	assert_int_equal(tn_probe_target_parse("?usdt.s//a/b:my-app:my-probe", &t), 0);
	assert_true(is(t.path, "/a/b") && is(t.provider, "my-app") && is(t.name, "my-probe"));
}

static void expect_file(const char *section, int code, char *path, size_t size)
{
	struct tn_probe_target t;

	assert_int_equal(tn_probe_target_parse(section, &t), 0);
	assert_int_equal(tn_probe_target_file(&t, path, size), code);
}

static void row_38_files_are_looked_for_where_the_system_does(void **state)
{
	char path[4096], section[4200];

	(void)state;
	expect_file("uprobe/libc.so.6:malloc", 0, path, sizeof(path));
	assert_true(path[0] == '/' && strstr(path, "/libc.so.6"));
	expect_file("uprobe/sh:main", 0, path, sizeof(path));
	assert_true(path[0] == '/' && strstr(path, "/sh"));
	expect_file("uprobe//proc/self/exe:main", 0, path, sizeof(path));
	assert_string_equal(path, "/proc/self/exe");
	expect_file("uprobe//proc/self/exe:main", -ENAMETOOLONG, path, 14);
	expect_file("uprobe//nowhere/at/all:main", -ENOENT, path, sizeof(path));
	assert_non_null(strstr(tn_err_last()->msg, "cannot read '/nowhere/at/all'"));
	expect_file("uprobe/libnowhere.so.1:f", -ENOENT, path, sizeof(path));
	assert_non_null(strstr(tn_err_last()->msg, "library 'libnowhere.so.1' is not in LD_LIB"));
	expect_file("uprobe/nowhere-at-all:f", -ENOENT, path, sizeof(path));
	assert_non_null(strstr(tn_err_last()->msg, "program 'nowhere-at-all' is not in PATH"));
	assert_int_equal(setenv("LD_LIBRARY_PATH", "/nowhere::" TN_TEST_OBJECTS, 1), 0);
	if (access(TN_TEST_OBJECTS "/libprobed.so", R_OK) == 0) {
		expect_file("uprobe/libprobed.so:plain", 0, path, sizeof(path));
		snprintf(section, sizeof(section), "%s/libprobed.so", TN_TEST_OBJECTS);
		assert_string_equal(path, section);
	}
	unsetenv("LD_LIBRARY_PATH");
}

/* ---- Functions in files ---- */

static int find(const char *section, struct tn_symbol_place *out)
{
	struct tn_probe_target t;

	assert_int_equal(tn_probe_target_parse(section, &t), 0);
	return tn_symbol_find(tn_span_make(probed.data, probed.size), &t, out);
}

static uint64_t found(const char *section)
{
	struct tn_symbol_place place;

	if (find(section, &place))
		fail_msg("%s: %s", section, tn_err_last()->msg);
	/* What stands there is the function: the library is mapped as it is in the file. */
	assert_true(place.file_off < probed.size);
	return place.file_off;
}

static void refuse(const char *section, int code, const char *words)
{
	struct tn_symbol_place place;

	assert_int_equal(find(section, &place), code);
	if (!strstr(tn_err_last()->msg, words))
		fail_msg("%s: %s; expected %s", section, tn_err_last()->msg, words);
}

/* The bytes of the first instruction tell the functions of probed.c apart: x * 3 and x * 5. */
static void row_38_functions_are_found_by_name_and_version(void **state)
{
	uint64_t one, two;

	(void)state;
	need_probed();
	one = found("uprobe/x:work@VER_1");
	two = found("uprobe/x:work@VER_2");
	assert_int_not_equal(one, two);
	assert_int_equal(found("uprobe/x:work"), two);
	assert_int_equal(found("uprobe/x:work@@VER_2"), two);
	assert_int_equal(found("uprobe/x:work_1"), one); /* .symtab alone has that name */
	assert_int_equal(found("uprobe/x:work_2"), two);
	assert_int_equal(found("uprobe/x:plain+2"), found("uprobe/x:plain") + 2);
	found("uprobe/x:inner");
	found("uprobe/x:weak_one@VER_1");
	refuse("uprobe/x:work@VER_3", -ENOENT, "function 'work' has no version 'VER_3'");
	refuse("uprobe/x:plain@VER_2", -ENOENT, "function 'plain' has no version 'VER_2'");
	refuse("uprobe/x:nothing", -ENOENT, "no function 'nothing'");
	refuse("uprobe/x:counter", -ENOENT, "no function 'counter'");
	refuse("uprobe/x:plai", -ENOENT, "no function 'plai'");
	refuse("uprobe/x:plain+4096", -ENOENT, "bytes, none at 4096");
	refuse("uprobe/x:chosen", -ENOTSUP, "is chosen at run time (IFUNC)");
}

static void row_38_places_in_the_file_are_in_segments(void **state)
{
	struct tn_symbol_place place;

	(void)state;
	need_probed();
	assert_int_equal(find("uprobe/x:0x1000", &place), 0);
	assert_int_equal(place.file_off, 0x1000);
	refuse("uprobe/x:0x7fffffff", -ENOENT, "byte 2147483647 of the file is in no loaded");
}

static Elf64_Sym *symbol_of(const char *name)
{
	Elf64_Shdr *symtab = section_header(probed, ".symtab");
	Elf64_Sym *sym = (void *)(probed.data + symtab->sh_offset);
	const char *names = (const char *)section_bytes(probed, ".strtab");

	for (size_t i = 0; i < symtab->sh_size / sizeof(*sym); i++)
		if (!strcmp(names + sym[i].st_name, name))
			return &sym[i];
	fail_msg("no symbol %s", name);
	return NULL;
}

static void row_38_functions_of_one_name_are_ambiguous(void **state)
{
	(void)state;
	need_probed();
	found("uprobe/x:twin");
	symbol_of("twin_other")->st_name = symbol_of("twin")->st_name;
	refuse("uprobe/x:twin", -EADDRNOTAVAIL, "several functions are named 'twin'");
}

static void row_38_symbols_outside_of_what_is_loaded_are_refused(void **state)
{
	(void)state;
	need_probed();
	symbol_of("inner")->st_value = 0x7fffffff;
	refuse("uprobe/x:inner", -EINVAL, "function 'inner' at 0x7fffffff is not in a loaded");
	symbol_of("inner")->st_value = UINT64_MAX;
	symbol_of("inner")->st_size = UINT64_MAX;
	refuse("uprobe/x:inner+8", -EINVAL, "is not in a loaded segment");
}

static void row_38_files_that_are_no_programs_are_refused(void **state)
{
	Elf64_Ehdr *h;

	(void)state;
	need_probed();
	h = (void *)probed.data;
	h->e_type = ET_REL;
	refuse("uprobe/x:plain", -ENOEXEC, "ELF type is 1, expected an executable");
	h->e_type = ET_DYN;
	h->e_machine = 247;
	refuse("uprobe/x:plain", -ENOEXEC, "ELF machine is 247, expected this one");
	h->e_machine = EM_386;
	refuse("uprobe/x:plain", -ENOEXEC, "ELF machine is 3");
	h->e_machine = EM_X86_64;
	section_header(probed, ".dynsym")->sh_link = 1000;
	refuse("uprobe/x:plain", -EINVAL, "section '.dynsym': its names stand in section 1000");
}

/* Whatever is cut off or changed: found, or refused with words; never read outside. */
static void row_38_search_survives_truncation_and_changed_bytes(void **state)
{
	struct tn_probe_target t;
	struct tn_symbol_place place;

	(void)state;
	need_probed();
	assert_int_equal(tn_probe_target_parse("uprobe/x:work@VER_1", &t), 0);
	for (size_t size = 0; size < probed.size; size++) {
		/* Of its own, so that a sanitizer sees what is read behind it. */
		void *copy = malloc(size ? size : 1);

		assert_non_null(copy);
		memcpy(copy, probed.data, size);
		assert_true(tn_symbol_find(tn_span_make(copy, size), &t, &place) < 0);
		free(copy);
	}
	for (size_t i = 0; i < probed.size; i++) {
		unsigned char was = probed.data[i];
		int rc;

		probed.data[i] = was ^ 0xff;
		rc = tn_symbol_find(tn_span_make(probed.data, probed.size), &t, &place);
		assert_true(rc <= 0 && (rc || place.file_off < probed.size));
		probed.data[i] = was;
	}
}

/* A file that nobody here made: what the dynamic linker says is what is found. */
static void row_38_function_of_libc_is_where_the_linker_put_it(void **state)
{
	struct tn_probe_target t;
	struct tn_symbol_place place;
	struct file libc;
	char path[4096];
	void *handle;
	Dl_info info;

	(void)state;
	assert_int_equal(tn_probe_target_parse("uprobe/libc.so.6:qsort_r", &t), 0);
	handle = dlopen("libc.so.6", RTLD_NOW);
	if (!handle || tn_probe_target_file(&t, path, sizeof(path))) {
		print_message("skipped: there is no libc.so.6\n");
		skip();
	}
	libc = read_file(path);
	assert_int_equal(tn_symbol_find(tn_span_make(libc.data, libc.size), &t, &place), 0);
	assert_int_not_equal(dladdr(dlsym(handle, "qsort_r"), &info), 0);
	assert_int_equal(place.addr,
			 (uintptr_t)dlsym(handle, "qsort_r") - (uintptr_t)info.dli_fbase);
	assert_memory_equal(libc.data + place.file_off, dlsym(handle, "qsort_r"), 16);
	free(libc.data);
	dlclose(handle);
}

#define PROBED(test) cmocka_unit_test_setup_teardown(test, load_probed, free_probed)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(row_38_targets_of_every_form),
		cmocka_unit_test(row_38_targets_that_are_none_are_refused_by_name),
		cmocka_unit_test(row_37_targets_name_provider_and_probe),
		cmocka_unit_test(row_38_files_are_looked_for_where_the_system_does),
		PROBED(row_38_functions_are_found_by_name_and_version),
		PROBED(row_38_places_in_the_file_are_in_segments),
		PROBED(row_38_functions_of_one_name_are_ambiguous),
		PROBED(row_38_symbols_outside_of_what_is_loaded_are_refused),
		PROBED(row_38_files_that_are_no_programs_are_refused),
		PROBED(row_38_search_survives_truncation_and_changed_bytes),
		cmocka_unit_test(row_38_function_of_libc_is_where_the_linker_put_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
