/* SPDX-License-Identifier: MIT */
/* Row 37 of the checklist: the notes of probed.c and of sys/sdt.h, and arguments of all forms. */
#include "objects.h"
#include "probed.h"

#include <unistd.h>

#if __has_include(<sys/sdt.h>)
#include <sys/sdt.h>
#define HAVE_SDT 1
#else
#define HAVE_SDT 0
#endif

#include "base/compiler.h"
#include "loader/usdt.h"

/* ---- Arguments ---- */

#define NONE TN_USDT_NO_REG

static const struct {
	const char *text;
	struct tn_usdt_arg arg;
	const char *symbol;
} forms[] = {
	{ "4@$5", { TN_USDT_CONST, 4, false, false, NONE, NONE, 1, 5, { 0 } }, "" },
	{ "-4@$-5", { TN_USDT_CONST, 4, true, false, NONE, NONE, 1, -5, { 0 } }, "" },
	{ "8@$0x10", { TN_USDT_CONST, 8, false, false, NONE, NONE, 1, 16, { 0 } }, "" },
	{ "8@$18446744073709551615",
	  { TN_USDT_CONST, 8, false, false, NONE, NONE, 1, -1, { 0 } },
	  "" },
	{ "-8@$-9223372036854775808",
	  { TN_USDT_CONST, 8, true, false, NONE, NONE, 1, INT64_MIN, { 0 } },
	  "" },
	{ "-4@%eax", { TN_USDT_REG, 4, true, false, 0, NONE, 1, 0, { 0 } }, "" },
	{ "8@%r15", { TN_USDT_REG, 8, false, false, 15, NONE, 1, 0, { 0 } }, "" },
	{ "2@%r9w", { TN_USDT_REG, 2, false, false, 9, NONE, 1, 0, { 0 } }, "" },
	{ "1@%sil", { TN_USDT_REG, 1, false, false, 6, NONE, 1, 0, { 0 } }, "" },
	{ "-1@%bh", { TN_USDT_REG, 1, true, true, 3, NONE, 1, 0, { 0 } }, "" },
	{ "8@(%rbx)", { TN_USDT_MEMORY, 8, false, false, 3, NONE, 1, 0, { 0 } }, "" },
	{ "8@-16(%rbp)", { TN_USDT_MEMORY, 8, false, false, 5, NONE, 1, -16, { 0 } }, "" },
	{ "-2@0x20(%rsp)", { TN_USDT_MEMORY, 2, true, false, 4, NONE, 1, 32, { 0 } }, "" },
	{ "8@8(%rax,%rdx,4)", { TN_USDT_MEMORY, 8, false, false, 0, 2, 4, 8, { 0 } }, "" },
	{ "1@(%r8,%r9)", { TN_USDT_MEMORY, 1, false, false, 8, 9, 1, 0, { 0 } }, "" },
	{ "4@8(,%rcx,8)", { TN_USDT_MEMORY, 4, false, false, NONE, 1, 8, 8, { 0 } }, "" },
	{ "8@global(%rip)",
	  { TN_USDT_MEMORY, 8, false, false, TN_USDT_RIP, NONE, 1, 0, { 0 } },
	  "global" },
	{ "-4@a.b+12(%rip)",
	  { TN_USDT_MEMORY, 4, true, false, TN_USDT_RIP, NONE, 1, 12, { 0 } },
	  "a.b" },
	{ "4@4+name(%rip)",
	  { TN_USDT_MEMORY, 4, false, false, TN_USDT_RIP, NONE, 1, 4, { 0 } },
	  "name" },
	{ "4@name-4(%rip)",
	  { TN_USDT_MEMORY, 4, false, false, TN_USDT_RIP, NONE, 1, -4, { 0 } },
	  "name" },
	{ "8@64(%rip)", { TN_USDT_MEMORY, 8, false, false, TN_USDT_RIP, NONE, 1, 64, { 0 } }, "" },
};

static void row_37_arguments_of_every_form(void **state)
{
	struct tn_usdt_arg got[TN_USDT_MAX_ARGS];
	uint32_t nr;

	(void)state;
	for (size_t i = 0; i < TN_ARRAY_SIZE(forms); i++) {
		const struct tn_usdt_arg *want = &forms[i].arg;

		if (tn_usdt_args(forms[i].text, got, &nr))
			fail_msg("%s: %s", forms[i].text, tn_err_last()->msg);
		assert_int_equal(nr, 1);
		if (got->place != want->place || got->size != want->size ||
		    got->is_signed != want->is_signed || got->high_byte != want->high_byte ||
		    got->base != want->base || got->index != want->index ||
		    got->scale != want->scale || got->value != want->value ||
		    got->symbol.size != strlen(forms[i].symbol) ||
		    (got->symbol.size &&
		     memcmp(got->symbol.data, forms[i].symbol, got->symbol.size) != 0))
			fail_msg("'%s' is read as place %d, base %u, index %u, scale %u, %lld",
				 forms[i].text, (int)got->place, got->base, got->index, got->scale,
				 (long long)got->value);
	}
}

static const struct {
	const char *text;
	int code;
	const char *words;
} bad[] = {
	{ "%eax", -EINVAL, "argument 1 '%eax': expected its size" },
	{ "@%eax", -EINVAL, "expected its size" },
	{ "-@%eax", -EINVAL, "expected its size" },
	{ "4%eax", -EINVAL, "argument 1 '4%eax': expected '@' behind its size" },
	{ "4", -EINVAL, "expected '@'" },
	{ "3@%eax", -EINVAL, "its size is none of 1, 2, 4, 8" },
	{ "-3@%eax", -EINVAL, "its size is none of 1, 2, 4, 8" },
	{ "-6@%eax", -EINVAL, "its size is none of 1, 2, 4, 8" },
	{ "0@%eax", -EINVAL, "its size is none of" },
	{ "16@%xmm0", -EINVAL, "its size is none of" },
	{ "-9223372036854775808@%eax", -EINVAL, "its size is none of" },
	{ "8f@%xmm0", -ENOTSUP, "argument 1 '8f@%xmm0' is a floating point number" },
	{ "4@", -EINVAL, "operand is none that is known" },
	{ "4@5", -EINVAL, "operand" },
	{ "4@$", -EINVAL, "operand" },
	{ "4@$x", -EINVAL, "operand" },
	{ "8@$18446744073709551616", -EINVAL, "operand" },
	{ "8@$-9223372036854775809", -EINVAL, "operand" },
	{ "4@%", -EINVAL, "operand" },
	{ "4@%eaxx", -EINVAL, "operand" },
	{ "4@%xmm0", -EINVAL, "operand" },
	{ "4@%rip", -EINVAL, "operand" },
	{ "4@%eax,", -EINVAL, "operand" },
	{ "4@(%eax)", -EINVAL, "operand" },
	{ "4@8(%rax", -EINVAL, "operand" },
	{ "4@8(%rax,", -EINVAL, "operand" },
	{ "4@8(%rax,%rdx,3)", -EINVAL, "operand" },
	{ "4@8(%rax,%rdx,)", -EINVAL, "operand" },
	{ "4@(%rax,%rsp)", -EINVAL, "operand" },
	{ "4@(%rip,%rax)", -EINVAL, "operand" },
	{ "4@()", -EINVAL, "operand" },
	{ "4@name(%rax)", -EINVAL, "operand" },
	{ "4@name", -EINVAL, "operand" },
	{ "4@a+b(%rip)", -EINVAL, "operand" },
	{ "4@4+4(%rip)", -EINVAL, "operand" },
	{ "4@-name(%rip)", -EINVAL, "operand" },
	{ "4@%fs:8(%rax)", -EINVAL, "operand" },
	{ "4@$1 8@%rax 4@what", -EINVAL, "argument 3 '4@what'" },
	{ "1@$1 1@$1 1@$1 1@$1 1@$1 1@$1 1@$1 1@$1 1@$1 1@$1 1@$1 1@$1 1@$1", -E2BIG,
	  "more than 12 arguments" },
};

static void row_37_arguments_that_are_not_known_are_refused_by_name(void **state)
{
	struct tn_usdt_arg got[TN_USDT_MAX_ARGS];
	uint32_t nr;

	(void)state;
	for (size_t i = 0; i < TN_ARRAY_SIZE(bad); i++) {
		int rc = tn_usdt_args(bad[i].text, got, &nr);

		if (rc != bad[i].code || !strstr(tn_err_last()->msg, bad[i].words))
			fail_msg("'%s': %d: %s; expected %s", bad[i].text, rc, tn_err_last()->msg,
				 bad[i].words);
	}
}

static void row_37_arguments_are_read_in_their_order(void **state)
{
	struct tn_usdt_arg got[TN_USDT_MAX_ARGS];
	uint32_t nr = 99;

	(void)state;
	assert_int_equal(tn_usdt_args("", got, &nr), 0);
	assert_int_equal(nr, 0);
	assert_int_equal(tn_usdt_args("  4@$1   8@%rdi ", got, &nr), 0);
	assert_int_equal(nr, 2);
	assert_true(got[0].place == TN_USDT_CONST && got[1].place == TN_USDT_REG);
}

/* ---- Notes ---- */

struct seen {
	struct tn_usdt_probe probes[4];
	uint32_t nr;
};

static int note(void *user, const struct tn_usdt_probe *probe)
{
	struct seen *seen = user;

	if (seen->nr < TN_ARRAY_SIZE(seen->probes))
		seen->probes[seen->nr] = *probe;
	seen->nr++;
	return 0;
}

static int each(struct seen *seen)
{
	seen->nr = 0;
	return tn_usdt_each(tn_span_make(probed.data, probed.size), note, seen);
}

static void row_37_probes_of_a_library_are_listed(void **state)
{
	struct tn_usdt_arg args[TN_USDT_MAX_ARGS];
	uint32_t nr;
	struct seen seen;

	(void)state;
	need_probed();
	assert_int_equal(each(&seen), 0);
	assert_int_equal(seen.nr, 3);
	for (uint32_t i = 0; i < 3; i++) {
		assert_string_equal(seen.probes[i].provider, "tenon");
		assert_string_equal(seen.probes[i].name, i == 1 ? "none" : "forms");
		assert_int_equal(probed.data[seen.probes[i].file_off], 0x90); /* nop */
	}
	assert_int_equal(seen.probes[1].addr, seen.probes[0].addr + 1);
	assert_int_equal(seen.probes[1].semaphore, 0);
	assert_int_not_equal(seen.probes[0].semaphore, 0);
	assert_int_equal(seen.probes[0].semaphore, seen.probes[2].semaphore);
	assert_int_equal(tn_usdt_args(seen.probes[0].args, args, &nr), 0);
	assert_int_equal(nr, 6);
	assert_true(args[4].symbol.size == 7 && args[4].value == 8);
}

/* prelink moves sections, and leaves notes as they are. */
static void row_37_moved_sections_move_the_probes(void **state)
{
	struct seen before, after;
	Elf64_Phdr *p;

	(void)state;
	need_probed();
	assert_int_equal(each(&before), 0);
	section_header(probed, ".stapsdt.base")->sh_addr += 0x10000;
	p = (void *)(probed.data + ((Elf64_Ehdr *)(void *)probed.data)->e_phoff);
	for (int i = 0; i < ((Elf64_Ehdr *)(void *)probed.data)->e_phnum; i++)
		p[i].p_vaddr += 0x10000;
	assert_int_equal(each(&after), 0);
	assert_int_equal(after.probes[0].addr, before.probes[0].addr + 0x10000);
	assert_int_equal(after.probes[0].semaphore, before.probes[0].semaphore + 0x10000);
	assert_int_equal(after.probes[0].file_off, before.probes[0].file_off);
}

static void refuse(int code, const char *words)
{
	struct seen seen;
	int rc = each(&seen);

	if (rc != code || !strstr(tn_err_last()->msg, words))
		fail_msg("%d: %s; expected %s", rc, tn_err_last()->msg, words);
}

static void row_37_bad_notes_are_named(void **state)
{
	Elf64_Shdr *s;
	unsigned char *data;
	uint32_t was;

	(void)state;
	need_probed();
	s = section_header(probed, ".note.stapsdt");
	data = section_bytes(probed, ".note.stapsdt");
	s->sh_size -= 8;
	refuse(-EINVAL, "section '.note.stapsdt': note 2: it is longer than the section");
	s->sh_size = 14;
	refuse(-EINVAL, "note 0: it is longer than the section");
	s->sh_size = 8;
	refuse(-EINVAL, "note 0: its header is cut off");
	s->sh_size = probed.size;
	refuse(-EINVAL, "lie outside the file");
	free_probed(NULL);
	load_probed(NULL);
	data = section_bytes(probed, ".note.stapsdt");
	memcpy(&was, data + 4, 4);
	memset(data + 4, 0xff, 4);
	refuse(-EINVAL, "note 0: it is longer than the section");
	memcpy(data + 4, "\x17\0\0\0", 4);
	refuse(-EINVAL, "note 0: its addresses are cut off");
	memcpy(data + 4, "\x1b\0\0\0", 4);
	refuse(-EINVAL, "note 0: its provider is cut off");
	memcpy(data + 4, "\x20\0\0\0", 4);
	refuse(-EINVAL, "note 0: its name is cut off");
	memcpy(data + 4, "\x24\0\0\0", 4);
	refuse(-EINVAL, "note 0: its arguments are cut off");
	memcpy(data + 4, &was, 4);
	data[20 + 24] = 0; /* the provider */
	refuse(-EINVAL, "note 0: its provider or name is empty");
	data[20 + 24] = 't';
	memset(data + 20, 0x7f, 8);
	refuse(-EINVAL, "probe 'tenon:forms' at 0x7f7f7f7f7f7f7f7f is in no loaded segment");
}

static void row_37_file_without_probes_says_so(void **state)
{
	(void)state;
	need_probed();
	section_header(probed, ".note.stapsdt")->sh_type = SHT_PROGBITS;
	refuse(-ENOENT, "the file has no USDT probes");
}

static void row_37_notes_survive_truncation_and_changed_bytes(void **state)
{
	struct tn_usdt_arg args[TN_USDT_MAX_ARGS];
	struct seen seen;
	uint32_t nr;

	(void)state;
	need_probed();
	for (size_t size = 0; size < probed.size; size++) {
		void *copy = malloc(size ? size : 1);

		assert_non_null(copy);
		memcpy(copy, probed.data, size);
		seen.nr = 0;
		assert_true(tn_usdt_each(tn_span_make(copy, size), note, &seen) < 0);
		free(copy);
	}
	for (size_t i = 0; i < probed.size; i++) {
		probed.data[i] ^= 0xff;
		if (!each(&seen))
			for (uint32_t n = 0; n < seen.nr && n < 4; n++)
				tn_usdt_args(seen.probes[n].args, args, &nr);
		probed.data[i] ^= 0xff;
	}
}

/* ---- What sys/sdt.h leaves in this very program ---- */

#if HAVE_SDT
static int find_fired(void *user, const struct tn_usdt_probe *probe)
{
	struct seen *seen = user;

	return !strcmp(probe->provider, "tenon_test") && !strcmp(probe->name, "fired")
		       ? note(seen, probe)
		       : 0;
}
#endif

static void row_37_probe_of_sys_sdt_h_is_found_with_its_arguments(void **state)
{
#if HAVE_SDT
	struct file self = read_file("/proc/self/exe");
	struct tn_usdt_arg args[TN_USDT_MAX_ARGS];
	struct seen seen = { .nr = 0 };
	volatile int number = 7;
	uint32_t nr = 0;

	DTRACE_PROBE3(tenon_test, fired, number, &seen, (uint16_t)9);
	if (tn_usdt_each(tn_span_make(self.data, self.size), find_fired, &seen))
		fail_msg("%s", tn_err_last()->msg);
	assert_int_equal(seen.nr, 1);
	assert_int_equal(self.data[seen.probes[0].file_off], 0x90);
	if (tn_usdt_args(seen.probes[0].args, args, &nr))
		fail_msg("'%s': %s", seen.probes[0].args, tn_err_last()->msg);
	assert_int_equal(nr, 3);
	assert_true(args[0].size == 4 && args[0].is_signed);
	assert_true(args[1].size == 8);
	assert_true(args[2].size == 2 && !args[2].is_signed);
	assert_true(args[2].place != TN_USDT_CONST || args[2].value == 9);
	free(self.data);
#else
	print_message("skipped: sys/sdt.h is not installed (systemtap-sdt-dev)\n");
	skip();
#endif
	(void)state;
}

#define PROBED(test) cmocka_unit_test_setup_teardown(test, load_probed, free_probed)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(row_37_arguments_of_every_form),
		cmocka_unit_test(row_37_arguments_that_are_not_known_are_refused_by_name),
		cmocka_unit_test(row_37_arguments_are_read_in_their_order),
		PROBED(row_37_probes_of_a_library_are_listed),
		PROBED(row_37_moved_sections_move_the_probes),
		PROBED(row_37_bad_notes_are_named),
		PROBED(row_37_file_without_probes_says_so),
		PROBED(row_37_notes_survive_truncation_and_changed_bytes),
		cmocka_unit_test(row_37_probe_of_sys_sdt_h_is_found_with_its_arguments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
