/* SPDX-License-Identifier: MIT */
/*
 * Objects that were not made by a compiler: cut, changed in one byte, with absurd numbers. Each
 * must open or give an error with words; the sanitizers watch the rest. And objects that are fine
 * while memory is not.
 */
#include "loader/objects.h"

static struct tn_rt rt;

/* Opens a copy of exactly `size` bytes, so that one byte too far is seen; 0 or the errno. */
static int try_open(const unsigned char *data, size_t size)
{
	unsigned char *copy = malloc(size ? size : 1);
	struct tn_image *image;
	int err = 0;

	assert_non_null(copy);
	memcpy(copy, data, size);
	tn_err(0, "%s", "");
	image = open_bytes(&rt, copy, size);
	if (!image) {
		err = errno;
		assert_true(err > 0);
		assert_int_equal(tn_err_last()->code, -err);
		assert_true(strlen(tn_err_last()->msg) > 5);
	}
	tn_image_free(image);
	free(copy);
	return err;
}

static size_t heap(void)
{
	return tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_HEAP]);
}

static void truncate_everywhere(const char *name)
{
	struct file file = one_object(name);
	size_t before = heap();

	for (size_t size = 0; size < file.size; size++)
		assert_int_not_equal(try_open(file.data, size), 0);
	assert_int_equal(try_open(file.data, file.size), 0);
	assert_int_equal(heap(), before);
	free(file.data);
}

static void row_01_open_refuses_each_truncation(void **state)
{
	(void)state;
	truncate_everywhere("rich");
	truncate_everywhere("small");
}

/* A fixed sequence, so that a failure can be repeated. */
static uint32_t next_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

static void row_45_open_survives_single_byte_changes(void **state)
{
	static const unsigned char values[] = { 0x00, 0x01, 0x7f, 0x80, 0xff };
	struct file file = one_object("small");
	size_t before = heap();
	int opened = 0;

	(void)state;
	for (size_t i = 0; i < file.size; i++) {
		unsigned char was = file.data[i];

		for (size_t v = 0; v < sizeof(values); v++) {
			file.data[i] = values[v];
			opened += try_open(file.data, file.size) == 0;
		}
		file.data[i] = was;
	}
	assert_true(opened > 0);
	assert_int_equal(heap(), before);
	free(file.data);
}

/* Bytes of sections that the loader reads; debug sections would only dilute the changes. */
static void row_45_open_survives_random_changes_of_what_it_reads(void **state)
{
	static const char *const names[] = { ".BTF",	".BTF.ext",  ".symtab",
					     ".relxdp", ".rel.maps", ".maps",
					     "xdp",	".rel.text", ".rel.BTF" };
	struct file file = one_object("rich");
	unsigned char *copy = malloc(file.size);
	size_t before = heap();
	uint32_t seed = 1;

	(void)state;
	assert_non_null(copy);
	for (int round = 0; round < 20000; round++) {
		uint32_t changes = next_random(&seed) % 3 + 1;

		memcpy(copy, file.data, file.size);
		for (uint32_t i = 0; i < changes; i++) {
			const char *name = names[next_random(&seed) % TN_ARRAY_SIZE(names)];
			Elf64_Shdr *s = section_header(file, name);
			size_t at = s->sh_offset + next_random(&seed) % s->sh_size;

			copy[at] = (unsigned char)next_random(&seed);
		}
		try_open(copy, file.size);
	}
	assert_int_equal(heap(), before);
	free(copy);
	free(file.data);
}

static void row_45_open_survives_random_section_headers(void **state)
{
	struct file file = one_object("small");
	Elf64_Ehdr *h = (void *)file.data;
	unsigned char *copy = malloc(file.size);
	uint32_t seed = 7;

	(void)state;
	assert_non_null(copy);
	for (int round = 0; round < 20000; round++) {
		Elf64_Shdr *s;
		uint64_t value = next_random(&seed);

		memcpy(copy, file.data, file.size);
		s = (Elf64_Shdr *)(void *)(copy + h->e_shoff) + next_random(&seed) % h->e_shnum;
		value >>= next_random(&seed) % 32;
		if (next_random(&seed) % 4 == 0)
			value <<= 32;
		switch (next_random(&seed) % 7) {
		case 0:
			s->sh_offset = value;
			break;
		case 1:
			s->sh_size = value;
			break;
		case 2:
			s->sh_type = (uint32_t)value % 20;
			break;
		case 3:
			s->sh_link = (uint32_t)value;
			break;
		case 4:
			s->sh_info = (uint32_t)value % 64;
			break;
		case 5:
			s->sh_name = (uint32_t)value % 1024;
			break;
		case 6:
			s->sh_flags = value;
			break;
		}
		try_open(copy, file.size);
	}
	free(copy);
	free(file.data);
}

/* ---- Single wrong numbers, and the words they must be answered with ---- */

static struct file rich;

static int setup_rich(void **state)
{
	(void)state;
	rich = one_object("rich");
	return 0;
}

static int teardown_rich(void **state)
{
	(void)state;
	free(rich.data);
	return 0;
}

static void row_01_header_of_another_machine_is_refused(void **state)
{
	Elf64_Ehdr *h = (void *)rich.data;

	(void)state;
	h->e_machine = EM_X86_64;
	expect_error(&rt, rich, ENOEXEC, "ELF machine is 62, expected eBPF (247)");
	h->e_machine = EM_BPF;
	h->e_type = ET_EXEC;
	expect_error(&rt, rich, ENOEXEC, "expected a relocatable object");
	h->e_type = ET_REL;
	h->e_ident[EI_DATA] = ELFDATA2MSB;
	expect_error(&rt, rich, ENOEXEC, "big-endian object");
	h->e_ident[EI_DATA] = ELFDATA2LSB;
	h->e_ident[EI_CLASS] = ELFCLASS32;
	expect_error(&rt, rich, ENOEXEC, "ELF class is 1");
	h->e_ident[EI_CLASS] = ELFCLASS64;
	h->e_ident[0] = 0;
	expect_error(&rt, rich, ENOEXEC, "not an ELF file");
}

static void section_headers_outside_are_refused(void **state)
{
	Elf64_Ehdr *h = (void *)rich.data;

	(void)state;
	h->e_shoff = UINT64_MAX - 7;
	expect_error(&rt, rich, EINVAL, "section headers at byte");
	h->e_shoff = rich.size - 64;
	expect_error(&rt, rich, EINVAL, "ELF section");
}

static void section_names_outside_are_refused(void **state)
{
	(void)state;
	section_header(rich, "xdp")->sh_name = 0x7fffffff;
	expect_error(&rt, rich, EINVAL, "lies outside the names");
}

/* Moves the names behind the file's end and adds one of `len` letters; its offset. */
static uint32_t add_long_name(struct file *file, size_t len)
{
	Elf64_Shdr *s = section_header(*file, ".strtab");
	size_t at = file->size, old = s->sh_size;
	unsigned char *grown = calloc(1, file->size + old + len + 1);

	assert_non_null(grown);
	memcpy(grown, file->data, file->size);
	memcpy(grown + at, file->data + s->sh_offset, old);
	memset(grown + at + old, 'x', len);
	s = (void *)(grown + ((unsigned char *)s - file->data));
	s->sh_offset = at;
	s->sh_size = old + len + 1;
	free(file->data);
	file->data = grown;
	file->size += old + len + 1;
	return (uint32_t)old;
}

static void names_without_bound_are_refused(void **state)
{
	uint32_t name = add_long_name(&rich, 600);
	Elf64_Sym *sym = (void *)section_bytes(rich, ".symtab");
	Elf64_Shdr *xdp = section_header(rich, "xdp");
	uint32_t was = xdp->sh_name;

	(void)state;
	xdp->sh_name = name;
	expect_error(&rt, rich, EINVAL, "its name is longer than 511");
	xdp->sh_name = was;
	while (ELF64_ST_TYPE(sym->st_info) != STT_FUNC)
		sym++;
	sym->st_name = name;
	expect_error(&rt, rich, EINVAL, "has a name longer than 511");
}

static void names_without_end_are_refused(void **state)
{
	(void)state;
	section_header(rich, ".strtab")->sh_size -= 1;
	expect_error(&rt, rich, EINVAL, "lies outside the names");
}

static void overlapping_sections_are_refused(void **state)
{
	(void)state;
	section_header(rich, ".rodata")->sh_offset = section_header(rich, "xdp")->sh_offset + 8;
	expect_error(&rt, rich, EINVAL, "overlap");
}

static void sections_outside_are_refused(void **state)
{
	(void)state;
	section_header(rich, ".data")->sh_size = UINT64_MAX;
	expect_error(&rt, rich, EINVAL, "lie outside the file");
}

static void absurd_bss_is_refused(void **state)
{
	(void)state;
	section_header(rich, ".bss")->sh_size = UINT64_C(1) << 60;
	expect_error(&rt, rich, EINVAL, "section '.bss': 1152921504606846976 bytes are more");
}

static void missing_symbol_table_is_refused(void **state)
{
	(void)state;
	section_header(rich, ".symtab")->sh_type = SHT_PROGBITS;
	expect_error(&rt, rich, EINVAL, "no symbol table; was it stripped?");
}

static void relocations_with_wrong_symbols_are_refused(void **state)
{
	Elf64_Rel *rel = (void *)section_bytes(rich, ".relxdp");

	(void)state;
	rel[3].r_info = ELF64_R_INFO(0xffffff, 1);
	expect_error(&rt, rich, EINVAL, "section '.relxdp': relocation 3: symbol 16777215 of");
}

static void relocations_outside_are_refused(void **state)
{
	Elf64_Rel *rel = (void *)section_bytes(rich, ".relxdp");

	(void)state;
	rel[2].r_offset = UINT64_MAX;
	expect_error(&rt, rich, EINVAL, "section '.relxdp': relocation 2: byte");
}

static void relocations_at_one_place_are_refused(void **state)
{
	Elf64_Rel *rel = (void *)section_bytes(rich, ".relxdp");

	(void)state;
	rel[2].r_offset = rel[1].r_offset;
	expect_error(&rt, rich, EINVAL, "section '.relxdp': relocations 1 and 2 are both at byte");
}

static void relocations_within_an_instruction_are_refused(void **state)
{
	Elf64_Rel *rel = (void *)section_bytes(rich, ".relxdp");

	(void)state;
	rel[0].r_offset += 3;
	expect_error(&rt, rich, EINVAL, "section 'xdp': relocation 0 at byte");
}

static void relocations_of_other_instructions_are_refused(void **state)
{
	Elf64_Rel *rel = (void *)section_bytes(rich, ".relxdp");

	(void)state;
	rel[0].r_offset = 0;
	expect_error(&rt, rich, EINVAL, "it applies to neither a call nor an lddw");
}

static void relocations_of_unknown_type_are_refused(void **state)
{
	Elf64_Rel *rel = (void *)section_bytes(rich, ".relxdp");

	(void)state;
	rel[0].r_info = ELF64_R_INFO(ELF64_R_SYM(rel[0].r_info), 77);
	expect_error(&rt, rich, EINVAL, "R_BPF_unknown");
}

static void map_references_without_relocation_are_refused(void **state)
{
	Elf64_Rel *rel = (void *)section_bytes(rich, ".relxdp");
	struct tn_insn *insn = (void *)section_bytes(rich, "xdp");
	struct tn_image *image;
	uint32_t nr = 0;

	(void)state;
	/* The compiler would not write this: an index of the file's own. */
	insn[rel[0].r_offset / 8].src = TN_LDDW_MAP;
	expect_error(&rt, rich, EINVAL, "relocated already");
	section_header(rich, ".relxdp")->sh_type = SHT_PROGBITS;
	section_header(rich, ".relxdp")->sh_flags = 0;
	image = open_bytes(&rt, rich.data, rich.size);
	assert_non_null(image);
	for (uint32_t i = 0; i < image->nr_progs; i++)
		nr += image->progs[i]->defect &&
		      strstr(image->progs[i]->defect, "has no relocation") != NULL;
	assert_true(nr > 0);
	tn_image_free(image);
}

static void code_that_ends_in_half_an_instruction_is_refused(void **state)
{
	(void)state;
	section_header(rich, "xdp")->sh_size -= 4;
	expect_error(&rt, rich, EINVAL, "are not a number of instructions");
}

static void license_without_end_is_refused(void **state)
{
	(void)state;
	section_header(rich, "license")->sh_size = 4;
	expect_error(&rt, rich, EINVAL, "section 'license'");
}

static void maps_without_types_are_refused(void **state)
{
	(void)state;
	section_header(rich, ".BTF")->sh_size = 0;
	section_header(rich, ".rel.BTF")->sh_size = 0;
	section_header(rich, ".BTF.ext")->sh_size = 0;
	expect_error(&rt, rich, EINVAL, "section '.maps' is not described by BTF");
}

static void program_larger_than_the_limit_is_refused(void **state)
{
	(void)state;
	rt.limits.max_insns = 20;
	expect_error(&rt, rich, E2BIG, "has more than 20 instructions");
	tn_limits_default(&rt.limits);
	rt.limits.max_programs = 2;
	expect_error(&rt, rich, E2BIG, "has more than 2 programs");
	tn_limits_default(&rt.limits);
}

/* ---- Out of memory ---- */

static void open_leaks_nothing_when_an_allocation_fails(void **state)
{
	size_t before = heap();
	int64_t n = 0;

	(void)state;
	for (;;) {
		struct tn_image *image;

		tn_store_relaxed(&rt.mem.fail_after, ++n);
		image = open_bytes(&rt, rich.data, rich.size);
		tn_store_relaxed(&rt.mem.fail_after, 0);
		if (image) {
			tn_image_free(image);
			break;
		}
		assert_int_equal(errno, ENOMEM);
		assert_non_null(strstr(tn_err_last()->msg, "out of memory"));
		assert_int_equal(heap(), before);
	}
	assert_true(n > 100);
	assert_int_equal(heap(), before);
}

#define WITH_RICH(test) cmocka_unit_test_setup_teardown(test, setup_rich, teardown_rich)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(row_01_open_refuses_each_truncation),
		cmocka_unit_test(row_45_open_survives_single_byte_changes),
		cmocka_unit_test(row_45_open_survives_random_changes_of_what_it_reads),
		cmocka_unit_test(row_45_open_survives_random_section_headers),
		WITH_RICH(row_01_header_of_another_machine_is_refused),
		WITH_RICH(section_headers_outside_are_refused),
		WITH_RICH(section_names_outside_are_refused),
		WITH_RICH(names_without_bound_are_refused),
		WITH_RICH(names_without_end_are_refused),
		WITH_RICH(overlapping_sections_are_refused),
		WITH_RICH(sections_outside_are_refused),
		WITH_RICH(absurd_bss_is_refused),
		WITH_RICH(missing_symbol_table_is_refused),
		WITH_RICH(relocations_with_wrong_symbols_are_refused),
		WITH_RICH(relocations_outside_are_refused),
		WITH_RICH(relocations_at_one_place_are_refused),
		WITH_RICH(relocations_within_an_instruction_are_refused),
		WITH_RICH(relocations_of_other_instructions_are_refused),
		WITH_RICH(relocations_of_unknown_type_are_refused),
		WITH_RICH(map_references_without_relocation_are_refused),
		WITH_RICH(code_that_ends_in_half_an_instruction_is_refused),
		WITH_RICH(license_without_end_is_refused),
		WITH_RICH(maps_without_types_are_refused),
		WITH_RICH(program_larger_than_the_limit_is_refused),
		WITH_RICH(open_leaks_nothing_when_an_allocation_fails),
	};
	int failed;

	if (tn_rt_init(&rt, NULL))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	tn_rt_fini(&rt);
	return failed;
}
