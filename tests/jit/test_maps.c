/* SPDX-License-Identifier: MIT */
/* Map helpers whose map the facts know: array lookups in place, other types through their own
 * functions. Each against the interpreter. */
#include "jit/jit_test.h"

#include "maps/map.h"

enum { ENTRIES = 7, SLOT = 3 };

static struct jit_test *t;
static struct tn_map *map;

static int setup(void **state)
{
	(void)state;
	t = jit_test_new();
	map = NULL;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	jit_test_drop(t);
	tn_map_put(map);
	jit_test_free(t);
	return 0;
}

static void create(uint32_t type, uint32_t value_size)
{
	struct tn_map_attr attr = { .type = type,
				    .key_size = 4,
				    .value_size = value_size,
				    .max_entries = ENTRIES,
				    .name = "map" };

	tn_map_put(map);
	map = tn_map_create(&t->rt, &attr);
	assert_non_null(map);
}

/* `call` is the instruction of the helper call. */
static void load(const struct tn_insn *insns, uint32_t nr, uint32_t call)
{
	uint32_t i;

	jit_test_load(t, insns, nr);
	t->prog->facts = tn_facts_new(&t->rt, nr, 1);
	assert_non_null(t->prog->facts);
	for (i = 0; i < nr; i++)
		t->prog->facts->insns[i].flags = TN_FACT_REACHED;
	t->prog->facts->subprogs[0].stack_bytes = 16;
	t->prog->facts->insns[call].flags |= TN_FACT_MAP_KNOWN;
	t->prog->facts->insns[call].map = map;
}

static uint64_t run(uint64_t (*engine)(struct tn_prog *prog, void *ctx, struct tn_exec *ex),
		    uint32_t key)
{
	jit_test_arm(t);
	t->ex.slot = SLOT;
	return engine(t->prog, &key, &t->ex);
}

static uint64_t interpreted(struct tn_prog *prog, void *ctx, struct tn_exec *ex)
{
	(void)prog;
	return tn_interp_entry(ctx, ex);
}

static uint64_t compiled(struct tn_prog *prog, void *ctx, struct tn_exec *ex)
{
	return prog->entry(ctx, ex);
}

/* r1: the key's address. Returns the address of the value. */
#define LOOKUP                                                                             \
	LOAD(TN_W, TN_R2, TN_R1, 0), STORE(TN_W, TN_R10, -4, TN_R2), MOV_X(TN_R2, TN_R10), \
		ALU64_K(TN_ADD, TN_R2, -4), LDDW(TN_R1, (uintptr_t)map),                   \
		CALL(TN_HELPER_map_lookup_elem), EXIT()
enum { LOOKUP_CALL = 6 };

static void expect_lookups_agree(uint32_t flags, uint32_t nr)
{
	const struct tn_insn insns[] = { LOOKUP };
	uint32_t key;

	load(insns, sizeof(insns) / sizeof(insns[0]), LOOKUP_CALL);
	t->prog->facts->insns[LOOKUP_CALL].flags |= flags;
	jit_test_compile(t);
	for (key = 0; key < nr; key++)
		assert_int_equal(run(compiled, key), run(interpreted, key));
	if (!(flags & TN_FACT_NOT_NULL))
		assert_int_equal(run(compiled, UINT32_MAX), 0);
}

static void array_lookup_gives_address_or_null(void **state)
{
	static const uint32_t sizes[] = { 1, 8, 12, 16, 24, 64, 100 };
	uint32_t i;

	(void)state;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		create(TN_MAP_ARRAY, sizes[i]);
		expect_lookups_agree(0, ENTRIES + 3);
		jit_test_drop(t);
	}
}

static void array_lookup_in_range_needs_no_test(void **state)
{
	(void)state;
	create(TN_MAP_ARRAY, 8);
	expect_lookups_agree(TN_FACT_NOT_NULL, ENTRIES);
}

static void per_slot_array_lookup_gives_own_slot(void **state)
{
	(void)state;
	create(TN_MAP_PERCPU_ARRAY, 20);
	expect_lookups_agree(0, ENTRIES + 3);
}

static void array_lookup_with_constant_key_is_constant(void **state)
{
	static const uint32_t types[] = { TN_MAP_ARRAY, TN_MAP_PERCPU_ARRAY };
	uint32_t i, key;

	(void)state;
	for (i = 0; i < 2; i++) {
		create(types[i], 20);
		for (key = 0; key < ENTRIES + 2; key++) {
			const struct tn_insn insns[] = { LOOKUP };

			load(insns, sizeof(insns) / sizeof(insns[0]), LOOKUP_CALL);
			t->prog->facts->insns[LOOKUP_CALL].flags |= TN_FACT_KEY_CONST;
			t->prog->facts->insns[LOOKUP_CALL].value = key;
			jit_test_compile(t);
			assert_int_equal(run(compiled, key), run(interpreted, key));
			jit_test_drop(t);
		}
	}
}

static void array_lookup_keeps_other_registers(void **state)
{
	struct tn_insn insns[] = { MOV_K(TN_R6, 0),
				   LOAD(TN_DW, TN_R7, TN_R1, 0),
				   MOV_X(TN_R8, TN_R1),
				   LOAD(TN_W, TN_R9, TN_R1, 0),
				   LDDW(TN_R1, 0),
				   MOV_X(TN_R2, TN_R8),
				   CALL(TN_HELPER_map_lookup_elem),
				   JMP_K(TN_JEQ, TN_R0, 0, 4),
				   LOAD(TN_DW, TN_R0, TN_R0, 0),
				   ALU64_X(TN_ADD, TN_R0, TN_R6),
				   ALU64_X(TN_ADD, TN_R0, TN_R7),
				   ALU64_X(TN_ADD, TN_R0, TN_R9),
				   EXIT() };
	uint64_t ctx[2] = { 5, 0 }, value = 1000, r1, r2;
	uint32_t key = 5;

	(void)state;
	create(TN_MAP_ARRAY, 8);
	assert_int_equal(tn_map_host_update(map, &key, &value, 0), 0);
	tn_insn_set_imm64(&insns[4], (uintptr_t)map);
	load(insns, sizeof(insns) / sizeof(insns[0]), 7);
	jit_test_compile(t);
	r1 = jit_test_interp(t, ctx);
	r2 = jit_test_native(t, ctx);
	assert_int_equal(r1, 1010);
	assert_int_equal(r2, 1010);
}

static void hash_operations_reach_the_map(void **state)
{
	uint32_t key = 3;
	uint64_t value = 77;

	(void)state;
	create(TN_MAP_HASH, 8);
	assert_int_equal(tn_map_host_update(map, &key, &value, 0), 0);
	{
		const struct tn_insn insns[] = { LOOKUP };

		load(insns, sizeof(insns) / sizeof(insns[0]), LOOKUP_CALL);
		jit_test_compile(t);
		assert_true(run(compiled, 3) != 0);
		assert_int_equal(run(compiled, 3), run(interpreted, 3));
		assert_int_equal(run(compiled, 4), 0);
		jit_test_drop(t);
	}
	{
		const struct tn_insn insns[] = { MOV_X(TN_R2, TN_R1), LDDW(TN_R1, (uintptr_t)map),
						 CALL(TN_HELPER_map_delete_elem), EXIT() };

		load(insns, sizeof(insns) / sizeof(insns[0]), 3);
		jit_test_compile(t);
		assert_int_equal(run(compiled, 3), 0);
		assert_int_equal(run(compiled, 3), (uint64_t)-ENOENT);
		jit_test_drop(t);
	}
	{
		const struct tn_insn insns[] = { MOV_X(TN_R2, TN_R1),
						 STORE_K(TN_DW, TN_R10, -8, 12),
						 MOV_X(TN_R3, TN_R10),
						 ALU64_K(TN_ADD, TN_R3, -8),
						 MOV_K(TN_R4, TN_MAP_NOEXIST),
						 LDDW(TN_R1, (uintptr_t)map),
						 CALL(TN_HELPER_map_update_elem),
						 EXIT() };

		load(insns, sizeof(insns) / sizeof(insns[0]), 7);
		jit_test_compile(t);
		assert_int_equal(run(compiled, 6), 0);
		assert_int_equal(run(compiled, 6), (uint64_t)-EEXIST);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(array_lookup_gives_address_or_null),
		T(array_lookup_in_range_needs_no_test),
		T(per_slot_array_lookup_gives_own_slot),
		T(array_lookup_with_constant_key_is_constant),
		T(array_lookup_keeps_other_registers),
		T(hash_operations_reach_the_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
