/* SPDX-License-Identifier: MIT */
/* What surrounds the instructions: frames, fuel, aborts, tail calls, packets. The instructions
 * themselves are tested by the vectors of tests/isa. */
#include "vm/testing.h"

#include "maps/map.h"
#include "maps/prog_array.h"
#include "vm/ctx_type.h"

static uint64_t run_with(struct tn_prog *prog, struct tn_exec *ex)
{
	uint64_t r0;

	assert_int_equal(tn_rewrite(prog), 0);
	ex->prog = prog;
	tn_epoch_enter(ex->thread);
	r0 = tn_interp_entry(ex->ctx, ex);
	tn_epoch_leave(ex->thread);
	return r0;
}

static void entry_gets_context_and_size(void **state)
{
	struct tn_prog *prog = make_prog(*state, "r0 = *(u32 *)(r1 +0)\n r0 += r2\n exit\n");
	struct tn_exec ex = make_exec(prog);
	uint32_t ctx = 100;

	prog->r2_is_ctx_size = true;
	ex.ctx = &ctx;
	ex.ctx_size = 4;
	assert_int_equal(run_with(prog, &ex), 104);
	tn_prog_free(prog);
}

static void frame_is_cleared_where_the_facts_say_so(void **state)
{
	struct tn_rt *rt = *state;
	struct tn_prog *dirty = make_prog(rt, "r1 = -1\n *(u64 *)(r10 -8) = r1\n"
					      "*(u64 *)(r10 -24) = r1\n r0 = 0\n exit\n");
	struct tn_prog *prog = make_prog(rt, "r0 = *(u64 *)(r10 -8)\n r1 = *(u64 *)(r10 -24)\n"
					     "r0 |= r1\n exit\n");
	struct tn_exec ex = make_exec(prog);

	add_facts(dirty);
	add_facts(prog);
	prog->facts->subprogs[0].zero_slots[0] = 1u << 0 | 1u << 2;
	run_with(dirty, &ex);
	assert_int_equal(run_with(prog, &ex), 0);
	tn_prog_free(dirty);
	tn_prog_free(prog);
}

static void fuel_is_charged_at_taken_jumps_only(void **state)
{
	struct tn_prog *prog = make_prog(*state, "r0 = 10\n"
						 "again: r0 -= 1\n"
						 "if r0 != 0 goto again\n"
						 "exit\n");
	struct tn_exec ex = make_exec(prog);

	add_facts(prog);
	prog->facts->has_fuel = 1;
	prog->facts->insns[2].fuel = 3;
	ex.fuel = 27; /* nine jumps are taken */
	assert_int_equal(run_with(prog, &ex), 0);
	assert_int_equal(ex.abort, 0);
	assert_int_equal(ex.fuel, 0);
	ex.fuel = 26;
	assert_int_equal(run_with(prog, &ex), 0);
	assert_int_equal(ex.abort, TN_ABORT_FUEL);
	tn_prog_free(prog);
}

static void endless_loop_in_a_callee_ends_every_frame(void **state)
{
	struct tn_prog *prog = make_prog(*state,
					 "r6 = r1\n call f\n *(u32 *)(r6 +0) = 1\n r0 = 7\n exit\n"
					 "f: goto pc-1\n");
	struct tn_exec ex = make_exec(prog);
	uint32_t reached = 0;

	add_facts(prog);
	prog->facts->has_fuel = 1;
	prog->facts->insns[5].fuel = 1;
	ex.fuel = 1000;
	ex.ctx = &reached;
	assert_int_equal(run_with(prog, &ex), 0);
	assert_int_equal(ex.abort, TN_ABORT_FUEL);
	assert_int_equal(reached, 0);
	tn_prog_free(prog);
}

static void bpf_loop_charges_each_round(void **state)
{
	struct tn_prog *prog = make_prog(*state, "r1 = 100\n r2 = func f ll\n r3 = 0\n r4 = 0\n"
						 "call bpf_loop\n exit\n"
						 "f: r0 = 0\n exit\n");
	struct tn_exec ex = make_exec(prog);

	add_facts(prog);
	prog->facts->insns[5].fuel = 5;
	prog->facts->insns[5].flags |= TN_FACT_FUEL_CALLBACK | TN_FACT_MAY_ABORT;
	ex.fuel = 500;
	assert_int_equal(run_with(prog, &ex), 100);
	assert_int_equal(ex.fuel, 0);
	assert_int_equal(ex.abort, 0);
	ex.fuel = 499;
	assert_int_equal(run_with(prog, &ex), 0);
	assert_int_equal(ex.abort, TN_ABORT_FUEL);
	tn_prog_free(prog);
}

static void nested_bpf_loop_charges_both_levels(void **state)
{
	struct tn_prog *prog = make_prog(*state,
					 "r1 = 10\n r2 = func outer ll\n r3 = 0\n r4 = 0\n"
					 "call bpf_loop\n exit\n"
					 "outer: r1 = 10\n r2 = func inner ll\n r3 = 0\n r4 = 0\n"
					 "call bpf_loop\n r0 = 0\n exit\n"
					 "inner: r0 = 0\n exit\n");
	struct tn_exec ex = make_exec(prog);

	add_facts(prog);
	prog->facts->insns[5].fuel = 7;
	prog->facts->insns[12].fuel = 2;
	ex.fuel = 1000;
	assert_int_equal(run_with(prog, &ex), 10);
	assert_int_equal(ex.fuel, 1000 - 10 * 7 - 100 * 2);
	tn_prog_free(prog);
}

static uint64_t abort_now(const struct tn_host_helper *self, const uint64_t args[5],
			  struct tn_exec *ex)
{
	(void)self;
	ex->abort = TN_ABORT_HOST;
	return args[0];
}

static void helper_that_aborts_ends_callbacks_and_program(void **state)
{
	struct tn_rt *rt = *state;
	static const struct tn_host_helper helper = { .name = (char *)"stop",
						      .sig.flags = TN_SIG_MAY_ABORT,
						      .invoke = abort_now };
	struct tn_prog *prog = make_prog(rt,
					 "r6 = r1\n r1 = 100\n r2 = func f ll\n r3 = r6\n r4 = 0\n"
					 "call bpf_loop\n *(u32 *)(r6 +0) = 100\n r0 = 1\n exit\n"
					 "f: r6 = r2\n r3 = *(u32 *)(r6 +0)\n r3 += 1\n"
					 "*(u32 *)(r6 +0) = r3\n call extern[0]\n r0 = 0\n exit\n");
	struct tn_exec ex = make_exec(prog);
	uint32_t rounds = 0;

	prog->externs = tn_alloc_array(rt, 1, sizeof(*prog->externs));
	prog->nr_externs = 1;
	prog->externs[0].helper = &helper;
	ex.ctx = &rounds;
	assert_int_equal(run_with(prog, &ex), 0);
	assert_int_equal(ex.abort, TN_ABORT_HOST);
	assert_int_equal(rounds, 1);
	tn_prog_free(prog);
}

/* ---- Tail calls: a prog array whose elements are programs of this file ---- */

static struct tn_prog *targets[4];

static void *get_target(struct tn_rt *rt, uint32_t id)
{
	(void)rt;
	return targets[id];
}

static void put_target(void *prog)
{
	(void)prog;
}

static uint32_t target_id(const void *prog)
{
	return ((const struct tn_prog *)prog)->id;
}

static int target_fits(const void *prog, const void *owner)
{
	(void)prog;
	(void)owner;
	return 0;
}

static const struct tn_prog_array_host array_host = {
	.get = get_target, .put = put_target, .id = target_id, .fits = target_fits
};

static struct tn_map *make_array(struct tn_rt *rt)
{
	const struct tn_map_attr attr = { .type = TN_MAP_PROG_ARRAY,
					  .key_size = 4,
					  .value_size = 4,
					  .max_entries = 4,
					  .name = "jumps" };
	struct tn_map *map = tn_map_create(rt, &attr);
	static int owner;

	assert_non_null(map);
	tn_prog_array_set_host(map, &array_host);
	assert_int_equal(tn_prog_array_bind(map, &owner), 0);
	return map;
}

static void set_target(struct tn_map *map, uint32_t index, struct tn_prog *prog)
{
	targets[index] = prog;
	assert_int_equal(tn_map_host_update(map, &index, &index, 0), 0);
}

static void use_map(struct tn_prog *prog, struct tn_map *map)
{
	prog->maps = tn_alloc_array(prog->rt, 1, sizeof(*prog->maps));
	prog->nr_maps = 1;
	prog->maps[0] = tn_map_get(map);
}

static void free_all(struct tn_map *map, struct tn_prog *a, struct tn_prog *b)
{
	tn_prog_array_clear(map);
	tn_prog_free(a);
	tn_prog_free(b);
	tn_map_put(map);
	assert_int_equal(tn_epoch_drain(), 0);
}

static void tail_call_replaces_the_program_with_its_own_context(void **state)
{
	struct tn_rt *rt = *state;
	struct tn_map *map = make_array(rt);
	struct tn_prog *first = make_prog(rt, "r2 = map[0] ll\n r3 = 2\n call bpf_tail_call\n"
					      "r0 = 1\n exit\n");
	struct tn_prog *second = make_prog(rt, "r0 = *(u32 *)(r1 +0)\n exit\n");
	struct tn_exec ex = make_exec(first);
	uint32_t ctx = 77;

	use_map(first, map);
	assert_int_equal(tn_rewrite(second), 0);
	set_target(map, 2, second);
	ex.ctx = &ctx;
	assert_int_equal(run_with(first, &ex), 77);
	assert_ptr_equal(ex.prog, second);
	assert_int_equal(ex.tail_calls, 1);
	free_all(map, first, second);
}

static void tail_call_gives_the_target_the_size_of_the_context(void **state)
{
	struct tn_rt *rt = *state;
	struct tn_map *map = make_array(rt);
	struct tn_prog *first = make_prog(rt, "r2 = map[0] ll\n r3 = 0\n call bpf_tail_call\n"
					      "r0 = 1\n exit\n");
	struct tn_prog *second = make_prog(rt, "r0 = r2\n exit\n");
	struct tn_exec ex = make_exec(first);

	use_map(first, map);
	second->r2_is_ctx_size = true;
	assert_int_equal(tn_rewrite(second), 0);
	set_target(map, 0, second);
	ex.ctx_size = 24;
	assert_int_equal(run_with(first, &ex), 24);
	free_all(map, first, second);
}

static void tail_call_miss_falls_through(void **state)
{
	struct tn_rt *rt = *state;
	struct tn_map *map = make_array(rt);
	struct tn_prog *empty = make_prog(rt, "r2 = map[0] ll\n r3 = 1\n call bpf_tail_call\n"
					      "exit\n");
	struct tn_prog *outside = make_prog(rt, "r2 = map[0] ll\n r3 = 4\n call bpf_tail_call\n"
						"r0 = 5\n exit\n");
	struct tn_exec ex = make_exec(empty);

	use_map(empty, map);
	use_map(outside, map);
	assert_int_equal(run_with(empty, &ex), TN_TAIL_CALL_MISS);
	assert_int_equal(run_with(outside, &ex), 5);
	free_all(map, empty, outside);
}

static void tail_call_to_itself_ends_after_33(void **state)
{
	struct tn_rt *rt = *state;
	struct tn_map *map = make_array(rt);
	struct tn_prog *prog = make_prog(rt,
					 "r2 = *(u32 *)(r1 +0)\n r2 += 1\n *(u32 *)(r1 +0) = r2\n"
					 "r2 = map[0] ll\n r3 = 0\n call bpf_tail_call\n"
					 "r0 = 9\n exit\n");
	struct tn_exec ex = make_exec(prog);
	uint32_t runs = 0;

	use_map(prog, map);
	set_target(map, 0, prog);
	ex.ctx = &runs;
	assert_int_equal(run_with(prog, &ex), 9);
	assert_int_equal(runs, 34);
	free_all(map, prog, NULL);
}

static void tail_call_from_a_subprogram_returns_to_its_caller(void **state)
{
	struct tn_rt *rt = *state;
	struct tn_map *map = make_array(rt);
	struct tn_prog *first = make_prog(rt, "r6 = 100\n call f\n r0 += r6\n exit\n"
					      "f: r2 = map[0] ll\n r3 = 0\n call bpf_tail_call\n"
					      "r0 = 1\n exit\n");
	struct tn_prog *second = make_prog(rt, "r6 = 5\n r0 = 42\n exit\n");
	struct tn_exec ex = make_exec(first);

	use_map(first, map);
	assert_int_equal(tn_rewrite(second), 0);
	set_target(map, 0, second);
	assert_int_equal(run_with(first, &ex), 142);
	free_all(map, first, second);
}

static void tail_call_charges_what_the_target_was_proved_to_cost(void **state)
{
	struct tn_rt *rt = *state;
	struct tn_map *map = make_array(rt);
	struct tn_prog *first = make_prog(rt, "r2 = map[0] ll\n r3 = 0\n call bpf_tail_call\n"
					      "r0 = 1\n exit\n");
	struct tn_prog *second = make_prog(rt, "r0 = 2\n exit\n");
	struct tn_exec ex = make_exec(first);

	use_map(first, map);
	add_facts(second);
	second->facts->proved_cost = 50;
	assert_int_equal(tn_rewrite(second), 0);
	set_target(map, 0, second);
	ex.fuel = 50;
	assert_int_equal(run_with(first, &ex), 2);
	assert_int_equal(ex.fuel, 0);
	ex.fuel = 49;
	assert_int_equal(run_with(first, &ex), 0);
	assert_int_equal(ex.abort, TN_ABORT_FUEL);
	free_all(map, first, second);
}

static uint64_t native_target(void *ctx, struct tn_exec *ex)
{
	return *(uint32_t *)ctx + ex->tail_calls;
}

static void tail_call_enters_compiled_programs_natively(void **state)
{
	struct tn_rt *rt = *state;
	struct tn_map *map = make_array(rt);
	struct tn_prog *first = make_prog(rt,
					  "r2 = map[0] ll\n r3 = 0\n call bpf_tail_call\n exit\n");
	struct tn_prog *second = make_prog(rt, "r0 = 0\n exit\n");
	struct tn_exec ex = make_exec(first);
	uint32_t ctx = 10;

	use_map(first, map);
	second->entry = native_target;
	set_target(map, 0, second);
	ex.ctx = &ctx;
	assert_int_equal(run_with(first, &ex), 11);
	free_all(map, first, second);
}

/* ---- Packets ---- */

static uint64_t run_packet(struct tn_rt *rt, const char *text)
{
	static const unsigned char bytes[] = { 0x01, 0x82, 0x03, 0x84, 0x05 };
	struct tn_xdp_host ctx = { .data = (void *)bytes, .data_end = (void *)(bytes + 5) };
	struct tn_prog *prog = make_prog(rt, text);
	struct tn_exec ex = make_exec(prog);
	uint64_t r0;

	prog->ctx_type = tn_ctx_builtin("xdp_md");
	ex.ctx = &ctx;
	r0 = run_with(prog, &ex);
	tn_prog_free(prog);
	return r0;
}

static void packet_loads_give_host_order(void **state)
{
	assert_int_equal(run_packet(*state, "r6 = r1\n r0 = *(u8 *)skb[1]\n exit\n"), 0x82);
	assert_int_equal(run_packet(*state, "r6 = r1\n r0 = *(u16 *)skb[1]\n exit\n"), 0x8203);
	assert_int_equal(run_packet(*state, "r6 = r1\n r0 = *(u32 *)skb[1]\n exit\n"), 0x82038405);
	assert_int_equal(run_packet(*state, "r6 = r1\n r7 = 2\n r0 = *(u16 *)skb[r7 + 1]\n exit\n"),
			 0x8405);
	assert_int_equal(run_packet(*state, "r6 = r1\n r7 = 2\n r0 = *(u8 *)skb[r7 + -2]\n exit\n"),
			 1);
}

static void packet_load_outside_ends_the_program_with_0(void **state)
{
	static const char *const texts[] = {
		"r6 = r1\n r0 = *(u32 *)skb[2]\n r0 = 1\n exit\n",
		"r6 = r1\n r0 = *(u8 *)skb[5]\n r0 = 1\n exit\n",
		"r6 = r1\n r0 = *(u8 *)skb[-1]\n r0 = 1\n exit\n",
		"r6 = r1\n r7 = 0x7fffffff\n r0 = *(u8 *)skb[r7 + 0x7fffffff]\n r0 = 1\n exit\n",
		"r6 = r1\n r7 = -1\n r0 = *(u8 *)skb[r7 + 0]\n r0 = 1\n exit\n",
	};

	for (size_t i = 0; i < TN_ARRAY_SIZE(texts); i++)
		assert_int_equal(run_packet(*state, texts[i]), 0);
}

static void func_call_runs_one_subprogram(void **state)
{
	struct tn_prog *prog = make_prog(*state, "call f\n exit\n"
						 "f: r0 = r1\n r0 += r2\n r0 += r5\n exit\n");
	struct tn_exec ex = make_exec(prog);

	assert_int_equal(tn_rewrite(prog), 0);
	assert_int_equal(tn_func_call(&prog->funcs[1], &ex, 1, 20, 0, 0, 300), 321);
	tn_prog_free(prog);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(entry_gets_context_and_size),
		TEST(frame_is_cleared_where_the_facts_say_so),
		TEST(fuel_is_charged_at_taken_jumps_only),
		TEST(endless_loop_in_a_callee_ends_every_frame),
		TEST(bpf_loop_charges_each_round),
		TEST(nested_bpf_loop_charges_both_levels),
		TEST(helper_that_aborts_ends_callbacks_and_program),
		TEST(tail_call_replaces_the_program_with_its_own_context),
		TEST(tail_call_gives_the_target_the_size_of_the_context),
		TEST(tail_call_miss_falls_through),
		TEST(tail_call_to_itself_ends_after_33),
		TEST(tail_call_from_a_subprogram_returns_to_its_caller),
		TEST(tail_call_charges_what_the_target_was_proved_to_cost),
		TEST(tail_call_enters_compiled_programs_natively),
		TEST(packet_loads_give_host_order),
		TEST(packet_load_outside_ends_the_program_with_0),
		TEST(func_call_runs_one_subprogram),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
