/* SPDX-License-Identifier: MIT */
/* The part of BTF that objects need: smaller, and each record comes to the same as with the whole.
 * Objects and targets are those of tests/loader. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/rt.h"
#include "host-api/btf_minimize.h"
#include "loader/btf_file.h"
#include "loader/object.h"
#include "vm/btf_builtin.h"

static struct tn_rt rt;

struct bytes {
	unsigned char *data;
	size_t size;
};

static struct bytes read_all(const char *path)
{
	struct bytes b = { malloc(1 << 20), 0 };
	FILE *in = fopen(path, "rb");

	assert_true(in && b.data);
	b.size = fread(b.data, 1, 1 << 20, in);
	fclose(in);
	return b;
}

static struct tn_btf *read_types(const char *path)
{
	struct bytes b = read_all(path);
	struct tn_btf *btf = tn_btf_read_file(&rt, tn_span_make(b.data, b.size), NULL);

	if (!btf)
		fail_msg("%s: %s", path, tn_err_last()->msg);
	free(b.data);
	return btf;
}

static struct tn_image *open_against(const char *object, const struct tn_btf *btf)
{
	const struct tn_load_opts opts = {
		.name = "object", .targets = &btf, .nr_targets = 1, .nr_whole = 1
	};
	struct bytes b = read_all(object);
	struct tn_image *image = tn_loader_open(&rt, tn_span_make(b.data, b.size), &opts);

	free(b.data);
	return image;
}

/* Ids of types are others in the part; poisoned alike, but for the words. */
static bool same_insn(const struct tn_insn *a, const struct tn_insn *b, bool is_id)
{
	return a->code == b->code && a->dst == b->dst && a->src == b->src && a->off == b->off &&
	       (a->imm == b->imm || is_id);
}

static void compare(const char *object, const char *target, const struct tn_image *a,
		    const struct tn_image *b, const char *id_program)
{
	assert_int_equal(a->nr_progs, b->nr_progs);
	for (uint32_t i = 0; i < a->nr_progs; i++) {
		const struct tn_prog *x = a->progs[i], *y = b->progs[i];
		bool has_ids = strstr(x->name, id_program) != NULL;

		if (!x->defect != !y->defect || x->nr_insns != y->nr_insns ||
		    x->nr_cores != y->nr_cores)
			fail_msg("%s on %s: '%s' differs: %s", object, target, x->name,
				 x->defect   ? x->defect
				 : y->defect ? y->defect
					     : "");
		for (uint32_t n = 0; n < x->nr_insns; n++)
			if (!same_insn(&x->insns[n], &y->insns[n], has_ids))
				fail_msg("%s on %s: '%s': instruction %u: %d or %d, off %d or %d",
					 object, target, x->name, n, x->insns[n].imm,
					 y->insns[n].imm, x->insns[n].off, y->insns[n].off);
	}
}

static uint64_t nr_pairs, whole_bytes, part_bytes;

static void try_pair(const char *object, const char *target)
{
	struct tn_btf *whole = read_types(target), *part;
	struct tn_image *a = open_against(object, whole), *b;

	part = tn_btf_minimize(&rt, whole, &object, 1);
	if (!a) {
		assert_null(part);
		tn_btf_free(whole);
		return;
	}
	if (!part)
		fail_msg("%s on %s: %s", object, target, tn_err_last()->msg);
	b = open_against(object, part);
	if (!b)
		fail_msg("%s on the part of %s: %s", object, target, tn_err_last()->msg);
	compare(object, target, a, b, "number");
	nr_pairs++;
	whole_bytes += whole->size;
	part_bytes += part->size;
	tn_image_free(a);
	tn_image_free(b);
	tn_btf_free(part);
	tn_btf_free(whole);
}

static bool is_object(const char *name, const char *prefix)
{
	size_t len = strlen(name);

	return !strncmp(name, prefix, strlen(prefix)) && len > 6 &&
	       !strcmp(name + len - 6, ".bpf.o");
}

static void part_of_btf_resolves_every_record_as_the_whole(void **state)
{
	struct dirent **names;
	int nr = scandir(TN_LOADER_OBJECTS, &names, NULL, alphasort);
	char object[4096], target[4096];

	(void)state;
	assert_true(nr > 0);
	for (int i = 0; i < nr; i++) {
		if (!is_object(names[i]->d_name, "core_") ||
		    is_object(names[i]->d_name, "core_target_"))
			continue;
		snprintf(object, sizeof(object), "%s/%s", TN_LOADER_OBJECTS, names[i]->d_name);
		for (int n = 0; n < nr; n++) {
			if (!is_object(names[n]->d_name, "core_target_"))
				continue;
			snprintf(target, sizeof(target), "%s/%s", TN_LOADER_OBJECTS,
				 names[n]->d_name);
			try_pair(object, target);
		}
	}
	for (int i = 0; i < nr; i++)
		free(names[i]);
	free(names);
	if (!nr_pairs) {
		print_message("skipped: no clang for plugins\n");
		skip();
	}
	print_message("%llu pairs: %llu bytes of %llu\n", (unsigned long long)nr_pairs,
		      (unsigned long long)part_bytes, (unsigned long long)whole_bytes);
	assert_true(part_bytes < whole_bytes);
}

static int setup(void **state)
{
	(void)state;
	return tn_rt_init(&rt, NULL) || !tn_btf_builtin(&rt) ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	tn_rt_fini(&rt);
	return 0;
}

/* The n-th allocation fails, n = 1, 2, ...: an error with words, and nothing is lost. */
static void part_of_btf_survives_failing_allocations(void **state)
{
	const char *object = TN_LOADER_OBJECTS "/core_fields.clang-14.v3.bpf.o";
	FILE *in = fopen(object, "rb");
	struct tn_btf *whole, *part = NULL;
	size_t before;

	(void)state;
	if (!in) {
		print_message("skipped: no clang-14 for plugins\n");
		skip();
	}
	fclose(in);
	whole = read_types(TN_LOADER_OBJECTS "/core_target_BASE.clang-14.bpf.o");
	before = tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_HEAP]);
	for (int64_t n = 1; !part; n++) {
		tn_store_relaxed(&rt.mem.fail_after, n);
		part = tn_btf_minimize(&rt, whole, &object, 1);
		tn_store_relaxed(&rt.mem.fail_after, 0);
		if (part)
			break;
		assert_int_equal(errno, ENOMEM);
		assert_int_equal(tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_HEAP]), before);
		assert_true(n < 10000);
	}
	tn_btf_free(part);
	tn_btf_free(whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(part_of_btf_resolves_every_record_as_the_whole),
		cmocka_unit_test(part_of_btf_survives_failing_allocations),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
