/* SPDX-License-Identifier: MIT */
/* rich.bpf.c as every clang and -mcpu compiles it: what must stand in the image. */
#include "loader/objects.h"

#include "maps/map.h"

static struct tn_rt rt;

/* Runs `check` on the image of every object. */
static void (*check)(struct tn_image *image);

static void open_and_check(const char *path, struct file file)
{
	struct tn_image *image = open_bytes(&rt, file.data, file.size);

	if (!image)
		fail_msg("%s: %s", path, tn_err_last()->msg);
	memset(file.data, 0xaa, file.size); /* nothing may be borrowed from the file */
	check(image);
	tn_image_free(image);
}

static void check_all(void (*fn)(struct tn_image *image))
{
	size_t before = tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_HEAP]);

	check = fn;
	for_each_object("rich", open_and_check);
	assert_int_equal(tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_HEAP]), before);
}

static void check_programs(struct tn_image *image)
{
	assert_int_equal(image->nr_progs, 5);
	assert_string_equal(image->license, "Dual MIT/GPL");
	assert_string_equal(find_prog(image, "first")->section, "xdp");
	assert_string_equal(find_prog(image, "second")->section, "xdp");
	assert_string_equal(find_prog(image, "tail_target")->section, "xdp/tail");
	assert_string_equal(find_prog(image, "optional")->section, "hook/named");
	assert_string_equal(find_prog(image, "configured")->section, "tc/ingress");
	assert_true(find_prog(image, "first")->autoload);
	assert_false(find_prog(image, "optional")->autoload);
	for (uint32_t i = 0; i < image->nr_progs; i++) {
		struct tn_prog *prog = image->progs[i];

		assert_ptr_equal(prog->image, image);
		if (tn_insns_check(prog->insns, prog->nr_insns))
			fail_msg("%s: %s", prog->name, tn_err_last()->msg);
	}
}

static void row_04_programs_come_from_sections_and_subprograms_from_text(void **state)
{
	(void)state;
	check_all(check_programs);
}

static uint32_t find_subprog(struct tn_prog *prog, const char *name)
{
	for (uint32_t i = 0; i < prog->nr_subprogs; i++)
		if (!strcmp(prog->subprogs[i].name, name))
			return i;
	fail_msg("no subprogram %s in %s", name, prog->name);
	return 0;
}

/* Every local call of `prog` must reach the beginning of a subprogram. */
static void check_calls(struct tn_prog *prog)
{
	for (uint32_t i = 0; i < prog->nr_insns; i++) {
		const struct tn_insn *insn = &prog->insns[i];
		bool is_call = insn->code == (TN_JMP | TN_CALL) && insn->src == TN_CALL_LOCAL;
		bool is_func = tn_insn_is_lddw(insn) && insn->src == TN_LDDW_FUNC;

		if (is_call || is_func) {
			uint32_t to = (uint32_t)((int32_t)i + insn->imm + 1);
			uint32_t sub = tn_prog_subprog_at(prog, to);

			assert_int_equal(prog->subprogs[sub].start, to);
		}
		i += tn_insn_is_lddw(insn);
	}
}

static void check_subprograms(struct tn_image *image)
{
	struct tn_prog *first = find_prog(image, "first"), *second = find_prog(image, "second");
	uint32_t callback;

	assert_int_equal(first->nr_subprogs, 5);
	assert_string_equal(first->subprogs[0].name, "first");
	assert_true(first->subprogs[find_subprog(first, "global_sub")].is_global);
	assert_true(first->subprogs[find_subprog(first, "weak_sub")].is_global);
	assert_false(first->subprogs[find_subprog(first, "middle")].is_global);
	assert_false(first->subprogs[find_subprog(first, "leaf")].is_callback);
	assert_int_equal(second->nr_subprogs, 3);
	callback = find_subprog(second, "callback");
	assert_true(second->subprogs[callback].is_callback);
	assert_false(second->subprogs[callback].is_global);
	assert_int_equal(find_prog(image, "tail_target")->nr_subprogs, 1);
	for (uint32_t i = 0; i < image->nr_progs; i++) {
		struct tn_prog *prog = image->progs[i];
		uint32_t at = 0;

		for (uint32_t s = 0; s < prog->nr_subprogs; s++) {
			const struct tn_btf_type *t;

			assert_int_equal(prog->subprogs[s].start, at);
			at = prog->subprogs[s].end;
			t = tn_btf_type(image->btf, prog->subprogs[s].btf_func_id);
			assert_int_equal(tn_btf_kind(t), TN_BTF_FUNC);
			assert_string_equal(tn_btf_str(image->btf, t->name_off),
					    prog->subprogs[s].name);
		}
		assert_int_equal(at, prog->nr_insns);
		check_calls(prog);
	}
}

static void subprograms_are_appended_once(void **state)
{
	(void)state;
	check_all(check_subprograms);
}

static void check_maps(struct tn_image *image)
{
	struct tn_map_decl *d = find_map(image, "counts");

	assert_int_equal(d->type, TN_MAP_HASH);
	assert_int_equal(d->key_size, 8);
	assert_int_equal(d->value_size, 8);
	assert_int_equal(d->max_entries, 64);
	assert_int_equal(tn_btf_size_of(image->btf, d->btf_key_id), 8);
	assert_string_equal(d->section, ".maps");
	assert_false(d->is_data);
	d = find_map(image, "hidden_array");
	assert_int_equal(d->type, TN_MAP_ARRAY);
	assert_int_equal(d->value_size, 24);
	assert_int_equal(d->flags, TN_MAP_F_MMAPABLE);
	assert_int_equal(d->pinning, 1);
	d = find_map(image, "jumps");
	assert_int_equal(d->type, TN_MAP_PROG_ARRAY);
	assert_int_equal(d->value_size, 4);
	assert_int_equal(d->nr_init_progs, 2);
	assert_int_equal(d->init_progs[0], -1);
	assert_ptr_equal(image->progs[d->init_progs[1]], find_prog(image, "tail_target"));
}

static void row_09_maps_come_from_btf(void **state)
{
	(void)state;
	check_all(check_maps);
}

static void check_data(struct tn_image *image)
{
	struct tn_map_decl *d = find_map(image, "rich.data");
	int value;

	assert_true(d->is_data);
	assert_false(d->is_rodata);
	assert_int_equal(d->value_size, 8);
	memcpy(&value, d->data, 4);
	assert_int_equal(value, 42);
	d = find_map(image, "rich.rodata");
	assert_true(d->is_rodata);
	assert_int_equal(d->flags, TN_MAP_F_MMAPABLE | TN_MAP_F_RDONLY_PROG);
	d = find_map(image, "rich.bss");
	assert_null(d->data);
	assert_int_equal(d->value_size, 20);
	assert_int_equal(tn_btf_size_of(image->btf, d->btf_value_id), 20);
	assert_true(find_map(image, ".rodata.str1.1")->is_rodata);
	assert_memory_equal(find_map(image, ".rodata.str1.1")->data, "text", 5);
	memcpy(&value, find_map(image, ".data.custom")->data, 4);
	assert_int_equal(value, 5);
	memcpy(&value, find_map(image, ".rodata.custom")->data, 4);
	assert_int_equal(value, 6);
}

static void data_sections_become_maps(void **state)
{
	(void)state;
	check_all(check_data);
}

/* The bytes that an lddw of variable `name` of .kconfig points to. */
static const unsigned char *config_value(struct tn_image *image, uint32_t insn_of_reloc)
{
	struct tn_prog *prog = find_prog(image, "configured");
	const struct tn_insn *insn = &prog->insns[insn_of_reloc];
	const struct tn_map_decl *d = &image->maps[prog->map_decls[insn->imm]];

	assert_int_equal(insn->src, TN_LDDW_MAP_VALUE);
	assert_string_equal(d->name, "rich.kconfig");
	assert_true(insn[1].imm >= 0 && (uint32_t)insn[1].imm < d->value_size);
	return d->data + insn[1].imm;
}

static void check_config(struct tn_image *image)
{
	int nr = 0;

	for (uint32_t i = 0; i < image->nr_relocs; i++) {
		const struct tn_reloc_info *r = &image->relocs[i];
		const unsigned char *value;
		uint64_t n = 0;

		if (strcmp(r->section, "tc/ingress") != 0 || strcmp(r->type, "R_BPF_64_64") != 0)
			continue;
		nr++;
		value = config_value(image, (uint32_t)(r->off / 8));
		memcpy(&n, value, 4);
		if (!strcmp(r->symbol, "LINUX_KERNEL_VERSION"))
			assert_int_equal(n, 0x060c00);
		else if (!strcmp(r->symbol, "CONFIG_FEATURE"))
			assert_int_equal(*value, 1);
		else if (!strcmp(r->symbol, "CONFIG_ABSENT"))
			assert_int_equal(*value, 0);
		else if (!strcmp(r->symbol, "CONFIG_MODULE"))
			assert_int_equal(n, 2);
		else if (!strcmp(r->symbol, "CONFIG_LETTER"))
			assert_int_equal(*value, 'n');
		else if (!strcmp(r->symbol, "CONFIG_NAME"))
			assert_string_equal((const char *)value, "hello");
		else if (!strcmp(r->symbol, "CONFIG_BIG"))
			assert_memory_equal(value, "\xab\x89\x67\x45\x23\x01\0\0", 8);
		else
			fail_msg("unexpected symbol %s", r->symbol);
	}
	assert_int_equal(nr, 7);
}

static void configuration_values_come_from_the_load_option(void **state)
{
	(void)state;
	check_all(check_config);
}

static void check_externs(struct tn_image *image)
{
	struct tn_prog *prog = find_prog(image, "optional");
	bool has_maybe = false, has_typed = false;

	for (uint32_t i = 0; i < prog->nr_externs; i++) {
		const struct tn_extern *e = &prog->externs[i];

		if (!strcmp(e->name, "host_maybe")) {
			has_maybe = true;
			assert_true(e->is_func && e->is_weak);
		} else if (!strcmp(e->name, "host_typed")) {
			has_typed = true;
			assert_false(e->is_func || e->is_weak);
		}
	}
	assert_true(has_maybe && has_typed);
	prog = find_prog(image, "second");
	assert_int_equal(prog->nr_externs, 1);
	assert_string_equal(prog->externs[0].name, "host_add");
	assert_true(prog->externs[0].is_func);
	assert_false(prog->externs[0].is_weak);
	for (uint32_t i = 0; i < prog->nr_insns; i++)
		if (prog->insns[i].code == (TN_JMP | TN_CALL) &&
		    prog->insns[i].src == TN_CALL_EXTERN)
			assert_int_equal(prog->insns[i].imm, 0);
}

static void externs_are_listed_per_program(void **state)
{
	(void)state;
	check_all(check_externs);
}

static void check_lines(struct tn_image *image)
{
	for (uint32_t i = 0; i < image->nr_progs; i++) {
		struct tn_prog *prog = image->progs[i];

		assert_true(prog->nr_lines > 0);
		for (uint32_t n = 0; n < prog->nr_lines; n++) {
			const struct tn_line *line = &prog->lines[n];

			assert_true(line->insn < prog->nr_insns);
			assert_true(n == 0 || line[-1].insn < line->insn);
			assert_non_null(strstr(line->file, "rich.bpf.c"));
			assert_true(line->line < 200); /* 0: the compiler's own code */
		}
		/* Each subprogram has lines of its own. */
		for (uint32_t s = 0; s < prog->nr_subprogs; s++)
			assert_int_equal(tn_prog_line(prog, prog->subprogs[s].start)->insn,
					 prog->subprogs[s].start);
	}
}

static void lines_follow_the_appended_subprograms(void **state)
{
	(void)state;
	check_all(check_lines);
}

/* ---- .BTF.ext of a newer compiler, missing .BTF.ext, other names ---- */

static void row_26_longer_line_records_are_read_by_their_beginning(void **state)
{
	struct file file = one_object("rich");
	Elf64_Shdr *s = section_header(file, ".BTF.ext");
	uint32_t *h = (void *)section_bytes(file, ".BTF.ext");
	unsigned char *part = (unsigned char *)h + h[1] + h[4];
	uint32_t len = h[5], out = 4, record = 16, wide = 24;
	struct tn_image *image;
	unsigned char *grown = calloc(1, file.size + 4 * len);
	Elf64_Shdr *moved;

	(void)state;
	assert_non_null(grown);
	memcpy(grown, file.data, file.size);
	/* The new line part stands behind the file; header and other parts move there too. */
	moved = (void *)(grown + ((unsigned char *)s - file.data));
	moved->sh_offset = file.size;
	memcpy(grown + file.size, h, s->sh_size);
	h = (uint32_t *)(grown + file.size);
	h[4] = (uint32_t)s->sh_size - h[1];
	unsigned char *to = grown + file.size + s->sh_size;

	memcpy(to, &wide, 4);
	for (uint32_t in = 4; in < len;) {
		uint32_t count;

		memcpy(&count, part + in + 4, 4);
		memcpy(to + out, part + in, 8);
		in += 8, out += 8;
		for (uint32_t i = 0; i < count; i++, in += record, out += wide)
			memcpy(to + out, part + in, record);
	}
	h[5] = out;
	moved->sh_size = s->sh_size + out;
	image = open_bytes(&rt, grown, file.size + 4 * len);
	if (!image)
		fail_msg("%s", tn_err_last()->msg);
	check_lines(image);
	tn_image_free(image);
	free(grown);
	free(file.data);
}

static void row_26_object_without_btf_ext_has_no_lines(void **state)
{
	struct file file = one_object("rich");
	struct tn_image *image;

	(void)state;
	section_header(file, ".BTF.ext")->sh_size = 0;
	section_header(file, ".rel.BTF.ext")->sh_size = 0;
	image = open_bytes(&rt, file.data, file.size);
	if (!image)
		fail_msg("%s", tn_err_last()->msg);
	assert_int_equal(find_prog(image, "first")->nr_lines, 0);
	assert_int_equal(find_prog(image, "first")->subprogs[0].btf_func_id, 0);
	check_maps(image);
	tn_image_free(image);
	free(file.data);
}

static void data_map_names_are_cut_and_cleaned(void **state)
{
	struct file file = one_object("rich");
	struct tn_load_opts opts = { .name = "a-very.long", .config = TEST_CONFIG };
	struct tn_image *image;

	(void)state;
	image = tn_loader_open(&rt, tn_span_make(file.data, file.size), &opts);
	assert_non_null(image);
	find_map(image, "a_very.bss");
	tn_image_free(image);
	opts.name = "abcdefghijklm";
	image = tn_loader_open(&rt, tn_span_make(file.data, file.size), &opts);
	assert_non_null(image);
	find_map(image, "abcdefgh.bss");
	find_map(image, "abcdefgh.rodata");
	find_map(image, "abcdefg.kconfig");
	tn_image_free(image);
	free(file.data);
}

static void sections_and_relocations_are_described(void **state)
{
	struct file file = one_object("rich");
	struct tn_image *image = open_bytes(&rt, file.data, file.size);
	bool has_xdp = false;

	(void)state;
	assert_non_null(image);
	for (uint32_t i = 0; i < image->nr_sections; i++)
		if (!strcmp(image->sections[i].name, "xdp")) {
			has_xdp = true;
			assert_string_equal(image->sections[i].what, "programs");
			assert_true(image->sections[i].nr_relocs > 5);
		}
	assert_true(has_xdp);
	assert_true(image->nr_relocs > 20);
	tn_image_free(image);
	free(file.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(row_04_programs_come_from_sections_and_subprograms_from_text),
		cmocka_unit_test(subprograms_are_appended_once),
		cmocka_unit_test(row_09_maps_come_from_btf),
		cmocka_unit_test(data_sections_become_maps),
		cmocka_unit_test(configuration_values_come_from_the_load_option),
		cmocka_unit_test(externs_are_listed_per_program),
		cmocka_unit_test(lines_follow_the_appended_subprograms),
		cmocka_unit_test(row_26_longer_line_records_are_read_by_their_beginning),
		cmocka_unit_test(row_26_object_without_btf_ext_has_no_lines),
		cmocka_unit_test(data_map_names_are_cut_and_cleaned),
		cmocka_unit_test(sections_and_relocations_are_described),
	};
	int failed;

	if (tn_rt_init(&rt, NULL))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	tn_rt_fini(&rt);
	return failed;
}
