/* SPDX-License-Identifier: MIT */
/* Rows 22 and 25 of the loader's checklist: relocation types; BTF is completed from the ELF file,
 * with and without relocations of its own; what is hidden is static. */
#include "loader/elf.h"
#include "loader/objects.h"

static struct tn_rt rt;

static const struct tn_btf_type *datasec(const struct tn_btf *btf, const char *name)
{
	uint32_t id = tn_btf_find(btf, name, TN_BTF_DATASEC);

	if (!id)
		fail_msg("no DATASEC %s", name);
	return tn_btf_type(btf, id);
}

/* Byte of a global variable in its section; -1: there is none. */
static int64_t place_of(const struct tn_btf *btf, const char *section, const char *name)
{
	const struct tn_btf_type *t = datasec(btf, section);
	const struct tn_btf_var_secinfo *info = tn_btf_extra(t);

	for (uint32_t i = 0; i < tn_btf_vlen(t); i++) {
		const struct tn_btf_type *var = tn_btf_type(btf, info[i].type);

		if (!strcmp(tn_btf_str(btf, var->name_off), name))
			return info[i].offset;
	}
	return -1;
}

static const struct {
	const char *section, *name;
} globals[] = {
	{ ".data", "initialised" }, { ".bss", "zeroed" },      { ".rodata", "limit" },
	{ ".maps", "counts" },	    { ".maps", "jumps" },      { ".data.custom", "custom" },
	{ "license", "_license" },  { "version", "_version" },
};

static void row_25_globals_are_placed_without_relocations_too(void **state)
{
	struct file file = one_object("rich");
	struct tn_image *whole = open_bytes(&rt, file.data, file.size), *image;
	size_t nr_apart = 0;

	(void)state;
	assert_non_null(whole);
	section_header(file, ".rel.BTF")->sh_type = SHT_PROGBITS;
	image = open_bytes(&rt, file.data, file.size);
	if (!image)
		fail_msg("%s", tn_err_last()->msg);
	for (size_t i = 0; i < TN_ARRAY_SIZE(globals); i++) {
		int64_t off = place_of(image->btf, globals[i].section, globals[i].name);

		assert_true(off >= 0);
		assert_int_equal(off, place_of(whole->btf, globals[i].section, globals[i].name));
		nr_apart += off > 0;
	}
	assert_true(nr_apart > 0);
	/* The maps are found, too. */
	assert_int_equal(find_map(image, "counts")->key_size, 8);
	tn_image_free(image);
	tn_image_free(whole);
	free(file.data);
}

static void row_25_sections_have_their_size(void **state)
{
	struct file file = one_object("rich");
	struct tn_image *image = open_bytes(&rt, file.data, file.size);

	(void)state;
	assert_non_null(image);
	assert_int_equal(datasec(image->btf, ".bss")->size_or_type,
			 section_header(file, ".bss")->sh_size);
	assert_int_equal(datasec(image->btf, ".rodata.custom")->size_or_type, 4);
	tn_image_free(image);
	free(file.data);
}

static uint32_t linkage_of(const struct tn_image *image, const char *name)
{
	uint32_t id = tn_btf_find(image->btf, name, TN_BTF_FUNC);

	assert_true(id > 0);
	return tn_btf_vlen(tn_btf_type(image->btf, id));
}

/* global_sub becomes hidden, as __hidden makes it. */
static void hide(struct file file, const char *name)
{
	Elf64_Shdr *table = section_header(file, ".symtab");
	const char *names = (const char *)section_bytes(file, ".strtab");
	Elf64_Sym *sym = (void *)(file.data + table->sh_offset);

	for (size_t i = 0; i < table->sh_size / sizeof(*sym); i++)
		if (!strcmp(names + sym[i].st_name, name))
			sym[i].st_other = STV_HIDDEN;
}

static void row_25_hidden_function_is_static(void **state)
{
	struct file file = one_object("rich");
	struct tn_image *image = open_bytes(&rt, file.data, file.size);

	(void)state;
	assert_non_null(image);
	assert_int_equal(linkage_of(image, "global_sub"), 1);
	assert_int_equal(linkage_of(image, "leaf"), 0);
	tn_image_free(image);
	hide(file, "global_sub");
	image = open_bytes(&rt, file.data, file.size);
	assert_non_null(image);
	assert_int_equal(linkage_of(image, "global_sub"), 0);
	tn_image_free(image);
	free(file.data);
}

/* clang before 13 gave one type to all of 8 bytes, in code and in data. */
static void row_22_old_numbers_of_relocations(void **state)
{
	char path[4096];
	struct tn_image *image;
	struct file file;
	Elf64_Shdr *s;
	Elf64_Rel *rel;

	(void)state;
	snprintf(path, sizeof(path), "%s/variant_INNER_MAP.bpf.o", TN_TEST_OBJECTS);
	file = read_file(path);
	s = section_header(file, ".rel.maps");
	rel = (void *)(file.data + s->sh_offset);
	for (size_t i = 0; i < s->sh_size / sizeof(*rel); i++)
		rel[i].r_info = ELF64_R_INFO(ELF64_R_SYM(rel[i].r_info), TN_R_BPF_64_64);
	image = open_bytes(&rt, file.data, file.size);
	if (!image)
		fail_msg("%s", tn_err_last()->msg);
	assert_int_equal(find_map(image, "outer")->nr_init_maps, 2);
	tn_image_free(image);
	rel[0].r_info = ELF64_R_INFO(ELF64_R_SYM(rel[0].r_info), TN_R_BPF_64_ABS32);
	expect_error(&rt, file, EINVAL, "is of a type that initial values do not have");
	free(file.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(row_25_globals_are_placed_without_relocations_too),
		cmocka_unit_test(row_22_old_numbers_of_relocations),
		cmocka_unit_test(row_25_sections_have_their_size),
		cmocka_unit_test(row_25_hidden_function_is_static),
	};
	int failed;

	if (tn_rt_init(&rt, NULL))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	tn_rt_fini(&rt);
	return failed;
}
