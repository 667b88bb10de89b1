/* SPDX-License-Identifier: MIT */
/*
 * Shapes that are easy to get wrong, written out; then random programs, reducible and not, against
 * definitions: dominators by removal, loops by walking, fuel by executing: what a run executes
 * never exceeds what is proved and charged.
 */
#include "tests/vm/testing.h"

#include "tests/verifier/scalar_oracle.h"
#include "verifier/structure.h"

static struct tn_structure *structure_of(struct tn_prog *prog)
{
	struct tn_structure *s = tn_structure_new(prog->rt, prog);

	if (!s)
		fail_msg("%s", tn_err_last()->msg);
	return s;
}

static void drop(struct tn_structure *s, struct tn_prog *prog)
{
	tn_structure_free(s);
	tn_prog_free(prog);
}

static void assert_refused(struct tn_prog *prog, int code, const char *words)
{
	assert_null(tn_structure_new(prog->rt, prog));
	assert_int_equal(tn_err_last()->code, code);
	assert_int_equal(errno, -code);
	assert_words(words);
	tn_prog_free(prog);
}

static void structure_finds_loop_with_exit_and_back_edge(void **state)
{
	struct tn_prog *prog = make_prog(*state, "r1 = 0\n"
						 "loop: r1 += 1\n"
						 "if r1 < 10 goto loop\n"
						 "r0 = 0\n"
						 "exit\n");
	struct tn_structure *s = structure_of(prog);
	const struct tn_loop *loop = &s->loops[0];

	assert_int_equal(s->nr_loops, 1);
	assert_int_equal(loop->head_insn, 1);
	assert_int_equal(loop->nr_backs, 1);
	assert_int_equal(s->back_edges[loop->first_back].insn, 2);
	assert_true(s->back_edges[loop->first_back].jump);
	assert_int_equal(loop->nr_exits, 1);
	assert_int_equal(s->exits[loop->first_exit].target, 3);
	assert_false(loop->irreducible);
	assert_true(s->sites[1].flags & TN_SITE_LOOP_HEAD);
	assert_true(s->sites[1].flags & TN_SITE_MERGE);
	assert_int_equal(s->sites[3].loop, TN_NONE);
	drop(s, prog);
}

static void structure_thresholds_surround_compared_constants(void **state)
{
	static const int64_t wanted[] = { -1, 0, 1, 9, 10, 11, 99, 100, 101 };
	struct tn_prog *prog = make_prog(*state, "r3 = 100\n"
						 "r1 = 0\n"
						 "loop: r1 += 1\n"
						 "if r1 == 10 goto out\n"
						 "if r1 < r3 goto loop\n"
						 "out: r0 = 0\n"
						 "exit\n");
	struct tn_structure *s = structure_of(prog);
	const struct tn_loop *loop = &s->loops[0];

	assert_int_equal(loop->nr_thresholds, TN_ARRAY_SIZE(wanted));
	assert_memory_equal(&s->thresholds[loop->first_threshold], wanted, sizeof(wanted));
	drop(s, prog);
}

static void structure_nests_loops_that_share_blocks(void **state)
{
	struct tn_prog *prog = make_prog(*state, "r1 = 0\n"
						 "outer: r2 = 0\n"
						 "inner: r2 += 1\n"
						 "if r2 < 5 goto inner\n"
						 "r1 += 1\n"
						 "if r1 < 5 goto outer\n"
						 "r0 = 0\n"
						 "exit\n");
	struct tn_structure *s = structure_of(prog);

	assert_int_equal(s->nr_loops, 2);
	assert_int_equal(s->loops[0].depth, 1);
	assert_int_equal(s->loops[1].depth, 2);
	assert_int_equal(s->loops[1].parent, 0);
	assert_int_equal(s->sites[2].loop, 1);
	assert_int_equal(s->sites[4].loop, 0);
	assert_true(tn_structure_loop_within(s, 1, 0));
	assert_false(tn_structure_loop_within(s, 0, 1));
	drop(s, prog);
}

static void structure_flags_loop_with_two_entries(void **state)
{
	struct tn_prog *prog = make_prog(*state, "if r1 == 0 goto b\n"
						 "a: r2 += 1\n"
						 "b: r2 += 2\n"
						 "if r2 != 7 goto a\n"
						 "r0 = 0\n"
						 "exit\n");
	struct tn_structure *s = structure_of(prog);

	assert_int_equal(s->nr_loops, 1);
	assert_true(s->loops[0].irreducible);
	drop(s, prog);
}

static void structure_endless_loop_has_no_exit(void **state)
{
	struct tn_prog *prog = make_prog(*state, "r0 = 0\n"
						 "loop: r0 += 1\n"
						 "goto loop\n");
	struct tn_structure *s = structure_of(prog);

	assert_int_equal(s->nr_loops, 1);
	assert_int_equal(s->loops[0].nr_exits, 0);
	drop(s, prog);
}

static void structure_marks_dead_code(void **state)
{
	struct tn_prog *prog = make_prog(*state, "r0 = 0\n"
						 "goto out\n"
						 "r0 = 1\n"
						 "r0 = 2\n"
						 "out: exit\n");
	struct tn_structure *s = structure_of(prog);

	assert_int_equal(s->nr_dead, 2);
	assert_false(s->sites[2].flags & TN_SITE_REACHABLE);
	/* Its edge to `out` does not make a merge. */
	assert_false(s->sites[4].flags & TN_SITE_MERGE);
	drop(s, prog);
}

static void structure_lddw_is_one_instruction(void **state)
{
	struct tn_prog *prog = make_prog(*state, "r0 = 0x123456789 ll\n"
						 "exit\n");
	struct tn_structure *s = structure_of(prog);

	assert_true(s->sites[1].flags & TN_SITE_LDDW_HIGH);
	drop(s, prog);
}

static void structure_refuses_recursion_and_names_it(void **state)
{
	assert_refused(make_prog(*state, "call f\n"
					 "exit\n"
					 "f: call g\n"
					 "exit\n"
					 "g: call f\n"
					 "exit\n"),
		       -EINVAL, "recursive call");
}

static void structure_refuses_callback_that_takes_itself(void **state)
{
	assert_refused(make_prog(*state, "call f\n"
					 "exit\n"
					 "f: r2 = func f ll\n"
					 "r0 = 0\n"
					 "exit\n"),
		       -EINVAL, "recursive call");
}

static void structure_tail_call_reaches_callers(void **state)
{
	struct tn_prog *prog = make_prog(*state, "call f\n"
						 "exit\n"
						 "f: call g\n"
						 "exit\n"
						 "g: call 12\n"
						 "r0 = 0\n"
						 "exit\n");
	struct tn_structure *s = structure_of(prog);

	assert_true(s->calls[0].may_tail_call && s->calls[1].may_tail_call);
	assert_false(s->calls[1].has_tail_call);
	assert_true(s->calls[2].has_tail_call);
	drop(s, prog);
}

/* ---- Stack ---- */

#define THREE_DEEP     \
	"call f\n"     \
	"exit\n"       \
	"f: call g\n"  \
	"exit\n"       \
	"g: call 12\n" \
	"r0 = 0\n"     \
	"exit\n"

static void stack_sums_the_deepest_path(void **state)
{
	struct tn_prog *prog = make_prog(*state, THREE_DEEP);
	struct tn_structure *s = structure_of(prog);
	const uint32_t frames[3] = { 100, 60, 8 };
	uint32_t bytes, nr;

	assert_int_equal(tn_structure_stack(s, frames, NULL, 0, 0, &bytes, &nr), 0);
	assert_int_equal(bytes, 104 + 64 + 8);
	assert_int_equal(nr, 3);
	drop(s, prog);
}

static void stack_refuses_tail_call_under_big_callers(void **state)
{
	struct tn_prog *prog = make_prog(*state, THREE_DEEP);
	struct tn_structure *s = structure_of(prog);
	const uint32_t frames[3] = { 200, 56, 8 };
	uint32_t bytes, nr;

	assert_int_equal(tn_structure_stack(s, frames, NULL, 0, 0, &bytes, &nr), -EINVAL);
	assert_words("tail call");
	assert_words("256");
	drop(s, prog);
}

static void stack_refuses_too_many_frames(void **state)
{
	struct tn_rt *rt = *state;
	struct tn_prog *prog = make_prog(rt, THREE_DEEP);
	struct tn_structure *s = structure_of(prog);
	const uint32_t frames[3] = { 8, 8, 8 };
	uint32_t bytes, nr, before = rt->limits.max_frames;

	rt->limits.max_frames = 2;
	assert_int_equal(tn_structure_stack(s, frames, NULL, 0, 0, &bytes, &nr), -EINVAL);
	assert_words("nested 3 deep");
	rt->limits.max_frames = before;
	drop(s, prog);
}

static void stack_refuses_callback_that_reaches_itself(void **state)
{
	struct tn_prog *prog = make_prog(*state, "r2 = func f ll\n"
						 "call g\n"
						 "exit\n"
						 "f: call g\n"
						 "exit\n"
						 "g: call 181\n"
						 "exit\n");
	struct tn_structure *s = structure_of(prog);
	const uint32_t frames[3] = { 8, 8, 8 };
	const struct tn_callback_site site = { prog->subprogs[2].start, 1, 10 };
	uint32_t bytes, nr;

	assert_int_equal(tn_structure_stack(s, frames, &site, 1, 0, &bytes, &nr), -EINVAL);
	assert_words("recursive call");
	drop(s, prog);
}

/* ---- Fuel, written out ---- */

static void charge_free_loops_count_in_full(void **state)
{
	struct tn_prog *prog = make_prog(*state, "r1 = 0\n"
						 "outer: r2 = 0\n"
						 "inner: r2 += 1\n"
						 "if r2 < 5 goto inner\n"
						 "r1 += 1\n"
						 "if r1 < 4 goto outer\n"
						 "r0 = 0\n"
						 "exit\n");
	struct tn_structure *s = structure_of(prog);
	const uint64_t trips[2] = { 4, 5 };
	const struct tn_charge_input in = { .trips = trips, .budget = 1000 };
	struct tn_charges c;

	assert_int_equal(tn_structure_charge(s, &in, &c), 0);
	assert_true(c.fits);
	assert_false(c.has_fuel);
	assert_int_equal(c.proved_cost, 1 + 4 * (1 + 5 * 2 + 2) + 2);
	tn_charges_free(prog->rt, &c);
	drop(s, prog);
}

static void charge_outermost_loop_pays_first(void **state)
{
	struct tn_prog *prog = make_prog(*state, "r1 = 0\n"
						 "outer: r2 = 0\n"
						 "inner: r2 += 1\n"
						 "if r2 < 5 goto inner\n"
						 "r1 += 1\n"
						 "if r1 < 4 goto outer\n"
						 "r0 = 0\n"
						 "exit\n");
	struct tn_structure *s = structure_of(prog);
	const uint64_t trips[2] = { 1000, 5 };
	const struct tn_charge_input in = { .trips = trips, .budget = 100 };
	struct tn_charges c;

	assert_int_equal(tn_structure_charge(s, &in, &c), 0);
	assert_true(c.fits && c.loop_charged[0]);
	assert_false(c.loop_charged[1]);
	assert_int_equal(c.fuel[5], 1 + 5 * 2 + 2);
	assert_int_equal(c.fuel[3], 0);
	assert_int_equal(c.proved_cost, 1 + 13 + 2);
	tn_charges_free(prog->rt, &c);
	drop(s, prog);
}

static void charge_inner_loop_pays_its_own_rounds(void **state)
{
	struct tn_prog *prog = make_prog(*state, "r1 = 0\n"
						 "outer: r2 = 0\n"
						 "inner: r2 += 1\n"
						 "if r2 < r5 goto inner\n"
						 "r1 += 1\n"
						 "if r1 < r4 goto outer\n"
						 "r0 = 0\n"
						 "exit\n");
	struct tn_structure *s = structure_of(prog);
	const uint64_t trips[2] = { TN_TRIPS_UNKNOWN, TN_TRIPS_UNKNOWN };
	const struct tn_charge_input in = { .trips = trips, .budget = 100 };
	struct tn_charges c;

	assert_int_equal(tn_structure_charge(s, &in, &c), 0);
	assert_int_equal(c.fuel[3], 2);
	assert_int_equal(c.fuel[5], 1 + 2 + 2);
	tn_charges_free(prog->rt, &c);
	drop(s, prog);
}

/* The loop's test stands first: its body falls through into it, and the jump back is inside. */
static void charge_falls_through_to_head_pays_at_the_jump(void **state)
{
	struct tn_prog *prog = make_prog(*state, "r1 = 0\n"
						 "goto test\n"
						 "body: r1 += 1\n"
						 "r2 += 1\n"
						 "test: if r1 != r3 goto body\n"
						 "r0 = 0\n"
						 "exit\n");
	struct tn_structure *s = structure_of(prog);
	const uint64_t trips[1] = { TN_TRIPS_UNKNOWN };
	const struct tn_charge_input in = { .trips = trips, .budget = 100 };
	struct tn_charges c;

	assert_int_equal(s->loops[0].head_insn, 4);
	assert_int_equal(tn_structure_charge(s, &in, &c), 0);
	assert_int_equal(c.fuel[4], 3);
	assert_true(c.has_fuel);
	tn_charges_free(prog->rt, &c);
	drop(s, prog);
}

static void charge_callback_counts_or_pays_each_round(void **state)
{
	struct tn_prog *prog = make_prog(*state, "r1 = 10\n"
						 "r2 = func f ll\n"
						 "r3 = 0\n"
						 "r4 = 0\n"
						 "call 181\n"
						 "r0 = 0\n"
						 "exit\n"
						 "f: r0 = 0\n"
						 "exit\n");
	struct tn_structure *s = structure_of(prog);
	struct tn_callback_site site = { 5, 1, 10 };
	struct tn_charge_input in = { .callbacks = &site, .nr_callbacks = 1, .budget = 100 };
	struct tn_charges c;

	assert_int_equal(tn_structure_charge(s, &in, &c), 0);
	assert_int_equal(c.proved_cost, 7 + 10 * 2);
	assert_false(c.has_fuel);
	tn_charges_free(prog->rt, &c);

	in.budget = 20;
	assert_int_equal(tn_structure_charge(s, &in, &c), 0);
	assert_true(c.callback_charged[0] && c.fits);
	assert_int_equal(c.fuel[5], 2);
	assert_int_equal(c.proved_cost, 7);
	tn_charges_free(prog->rt, &c);

	site.trips = TN_TRIPS_UNKNOWN;
	in.budget = 1000;
	assert_int_equal(tn_structure_charge(s, &in, &c), 0);
	assert_true(c.callback_charged[0]);
	tn_charges_free(prog->rt, &c);
	drop(s, prog);
}

static void charge_straight_code_above_budget_does_not_fit(void **state)
{
	struct tn_prog *prog = make_prog(*state, "r0 = 0\nr0 = 1\nr0 = 2\nexit\n");
	struct tn_structure *s = structure_of(prog);
	const struct tn_charge_input in = { .budget = 3 };
	struct tn_charges c;

	assert_int_equal(tn_structure_charge(s, &in, &c), 0);
	assert_false(c.fits);
	assert_int_equal(c.proved_cost, 4);
	tn_charges_free(prog->rt, &c);
	drop(s, prog);
}

static void structure_survives_every_allocation_failure(void **state)
{
	struct tn_rt *rt = *state;
	struct tn_prog *prog = make_prog(rt, "r1 = 0\n"
					     "loop: r1 += 1\n"
					     "call f\n"
					     "if r1 < 10 goto loop\n"
					     "r0 = 0\n"
					     "exit\n"
					     "f: r0 = 0\n"
					     "exit\n");
	const uint64_t trips[1] = { 10 };
	const struct tn_charge_input in = { .trips = trips, .budget = 100 };
	size_t before = tn_load_relaxed(&rt->mem.bytes[TN_CHARGE_HEAP]);

	for (int64_t n = 1; n < 200; n++) {
		struct tn_structure *s;
		struct tn_charges c;
		int err = -ENOMEM;

		tn_store_relaxed(&rt->mem.fail_after, n);
		s = tn_structure_new(rt, prog);
		if (s)
			err = tn_structure_charge(s, &in, &c);
		tn_store_relaxed(&rt->mem.fail_after, 0);
		if (!err)
			tn_charges_free(rt, &c);
		else
			assert_int_equal(tn_err_last()->code, -ENOMEM);
		tn_structure_free(s);
		assert_int_equal(tn_load_relaxed(&rt->mem.bytes[TN_CHARGE_HEAP]), before);
		if (!err) {
			assert_true(n > 10);
			tn_prog_free(prog);
			return;
		}
	}
	fail_msg("never succeeded");
}

/* ---- Random programs ---- */

#define MAX_INSNS    48
#define MAX_SUBPROGS 3

static void random_insn(struct oracle_rng *rng, struct tn_insn *insn, uint32_t at, uint32_t start,
			uint32_t end, uint32_t callee)
{
	uint32_t target = start + (uint32_t)rng_below(rng, end - start);
	int16_t off = (int16_t)((int32_t)target - (int32_t)at - 1);

	*insn = (struct tn_insn){ .code = TN_ALU64 | TN_MOV | TN_K, .dst = 1 };
	switch (rng_below(rng, 10)) {
	case 0:
	case 1:
	case 2:
	case 3:
		*insn = (struct tn_insn){ .code = TN_JMP | TN_JNE | TN_K, .dst = 1, .off = off };
		break;
	case 4:
		*insn = (struct tn_insn){ .code = TN_JMP | TN_JA, .off = off };
		break;
	case 5:
		if (callee)
			*insn = (struct tn_insn){ .code = TN_JMP | TN_CALL,
						  .src = TN_CALL_LOCAL,
						  .imm = (int32_t)(callee - at - 1) };
		break;
	case 6:
		if (rng_below(rng, 3) == 0)
			*insn = (struct tn_insn){ .code = TN_JMP | TN_EXIT };
		break;
	default:
		break;
	}
}

static struct tn_prog *random_prog(struct tn_rt *rt, struct oracle_rng *rng)
{
	struct tn_insn insns[MAX_INSNS * MAX_SUBPROGS];
	uint32_t nr_subprogs = 1 + (uint32_t)rng_below(rng, MAX_SUBPROGS), starts[MAX_SUBPROGS + 1];
	struct tn_prog *prog = tn_prog_new(rt, "main");

	assert_non_null(prog);
	starts[0] = 0;
	for (uint32_t p = 0; p < nr_subprogs; p++)
		starts[p + 1] = starts[p] + 3 + (uint32_t)rng_below(rng, MAX_INSNS - 3);
	prog->subprogs = tn_alloc_array(rt, nr_subprogs, sizeof(*prog->subprogs));
	assert_non_null(prog->subprogs);
	prog->nr_subprogs = nr_subprogs;
	for (uint32_t p = 0; p < nr_subprogs; p++) {
		uint32_t callee = p + 1 < nr_subprogs ? starts[p + 1] : 0;

		for (uint32_t i = starts[p]; i < starts[p + 1]; i++)
			random_insn(rng, &insns[i], i, starts[p], starts[p + 1], callee);
		insns[starts[p + 1] - 1] = (struct tn_insn){ .code = TN_JMP | TN_EXIT };
		prog->subprogs[p].start = starts[p];
		prog->subprogs[p].end = starts[p + 1];
	}
	assert_int_equal(tn_prog_set_insns(prog, insns, starts[nr_subprogs]), 0);
	return prog;
}

static bool reaches(const struct tn_structure *s, uint32_t from, uint32_t to, uint32_t without)
{
	bool seen[MAX_INSNS * MAX_SUBPROGS] = { false };
	uint32_t stack[MAX_INSNS * MAX_SUBPROGS * 2], nr = 0;

	if (from != without)
		stack[nr++] = from;
	while (nr) {
		uint32_t b = stack[--nr];

		if (b == to)
			return true;
		if (seen[b])
			continue;
		seen[b] = true;
		for (unsigned e = 0; e < 2; e++) {
			uint32_t succ = s->blocks[b].succ[e];

			if (succ != TN_NONE && succ != without && !seen[succ])
				stack[nr++] = succ;
		}
	}
	return false;
}

static void dominators_agree_with_removal(void **state)
{
	struct oracle_rng rng = { 11 };

	for (unsigned round = 0; round < 300; round++) {
		struct tn_prog *prog = random_prog(*state, &rng);
		struct tn_structure *s = structure_of(prog);

		for (uint32_t a = 0; a < s->nr_blocks; a++) {
			uint32_t sub = s->blocks[a].subprog;
			uint32_t entry = s->sites[prog->subprogs[sub].start].block;

			for (uint32_t b = 0; b < s->nr_blocks; b++) {
				if (s->blocks[b].subprog != sub || s->blocks[a].rpo == TN_NONE ||
				    s->blocks[b].rpo == TN_NONE)
					continue;
				assert_int_equal(tn_structure_dominates(s, a, b),
						 a == b || !reaches(s, entry, b, a));
			}
		}
		drop(s, prog);
	}
}

/* One activation of a subprogram on the way of a random run. */
struct activation {
	uint32_t pc, block;
	uint64_t visits[MAX_INSNS]; /* per loop of the whole program, since it was entered */
	uint32_t last_seen[MAX_INSNS * MAX_SUBPROGS]; /* per block: step */
	uint32_t head_seen[MAX_INSNS];		      /* per loop: step */
};

struct run {
	struct oracle_rng *rng;
	const struct tn_structure *s;
	const uint64_t *trips;
	const struct tn_charges *c;
	struct activation stack[MAX_SUBPROGS + 1];
	uint32_t depth, step;
	uint64_t executed, paid;
};

/* A block begins. False: a proof about trips would be broken; such a run does not exist. */
static bool enter_block(struct run *run, struct activation *act, uint32_t b)
{
	const struct tn_structure *s = run->s;
	bool passed_head = act->last_seen[b] == 0;

	for (uint32_t l = s->blocks[b].loop; l != TN_NONE; l = s->loops[l].parent) {
		bool inside = act->block != TN_NONE &&
			      tn_structure_loop_within(s, s->blocks[act->block].loop, l);

		if (!inside)
			act->visits[l] = 0;
		if (s->loops[l].head == b) {
			act->head_seen[l] = run->step;
			if (++act->visits[l] > run->trips[l])
				return false;
		}
		passed_head |= act->head_seen[l] > act->last_seen[b];
	}
	/* Coming back to a block goes through the head of one of its loops. */
	assert_true(passed_head);
	act->last_seen[b] = run->step;
	act->block = b;
	return true;
}

static void push(struct run *run, uint32_t pc)
{
	struct activation *act = &run->stack[run->depth++];

	memset(act, 0, sizeof(*act));
	act->pc = pc;
	act->block = TN_NONE;
}

static bool step(struct run *run)
{
	const struct tn_structure *s = run->s;
	struct activation *act = &run->stack[run->depth - 1];
	const struct tn_insn *insn = &s->prog->insns[act->pc];
	const struct tn_site *site = &s->sites[act->pc];

	run->step++;
	assert_true(site->flags & TN_SITE_REACHABLE);
	if (site->flags & TN_SITE_BLOCK && !enter_block(run, act, site->block))
		return false;
	run->executed++;
	if (run->executed > run->c->proved_cost + run->paid)
		fail_msg("executed %llu, proved %llu, paid %llu", (unsigned long long)run->executed,
			 (unsigned long long)run->c->proved_cost, (unsigned long long)run->paid);
	if (insn->code == (TN_JMP | TN_EXIT)) {
		run->depth--;
		return run->depth > 0;
	}
	if (site->callee != TN_NONE) {
		act->pc++;
		push(run, s->prog->subprogs[site->callee].start);
		return true;
	}
	if (site->target != TN_NONE && (tn_insn_is_ja(insn) || rng_below(run->rng, 2))) {
		run->paid += run->c->fuel[act->pc];
		act->pc = site->target;
	} else {
		act->pc++;
	}
	return true;
}

static void runs_never_exceed_what_is_proved_and_charged(void **state)
{
	struct oracle_rng rng = { 12 };
	uint64_t trips[MAX_INSNS * MAX_SUBPROGS];
	static struct run run;

	for (unsigned round = 0; round < 3000; round++) {
		struct tn_prog *prog = random_prog(*state, &rng);
		struct tn_structure *s = structure_of(prog);
		struct tn_charge_input in = { .trips = trips };
		struct tn_charges c;

		assert_true(s->nr_loops < MAX_INSNS);
		for (uint32_t l = 0; l < s->nr_loops; l++)
			trips[l] = rng_below(&rng, 3) ? 1 + rng_below(&rng, 6) : TN_TRIPS_UNKNOWN;
		in.budget = rng_below(&rng, 3) ? rng_below(&rng, 300) : 1000000;
		assert_int_equal(tn_structure_charge(s, &in, &c), 0);
		assert_true(c.fits == (c.proved_cost <= in.budget));
		for (unsigned i = 0; i < 20; i++) {
			run = (struct run){ .rng = &rng, .s = s, .trips = trips, .c = &c };
			push(&run, 0);
			while (run.executed < 3000 && step(&run))
				;
		}
		tn_charges_free(prog->rt, &c);
		drop(s, prog);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(structure_finds_loop_with_exit_and_back_edge),
		TEST(structure_thresholds_surround_compared_constants),
		TEST(structure_nests_loops_that_share_blocks),
		TEST(structure_flags_loop_with_two_entries),
		TEST(structure_endless_loop_has_no_exit),
		TEST(structure_marks_dead_code),
		TEST(structure_lddw_is_one_instruction),
		TEST(structure_refuses_recursion_and_names_it),
		TEST(structure_refuses_callback_that_takes_itself),
		TEST(structure_tail_call_reaches_callers),
		TEST(stack_sums_the_deepest_path),
		TEST(stack_refuses_tail_call_under_big_callers),
		TEST(stack_refuses_too_many_frames),
		TEST(stack_refuses_callback_that_reaches_itself),
		TEST(charge_free_loops_count_in_full),
		TEST(charge_outermost_loop_pays_first),
		TEST(charge_inner_loop_pays_its_own_rounds),
		TEST(charge_falls_through_to_head_pays_at_the_jump),
		TEST(charge_callback_counts_or_pays_each_round),
		TEST(charge_straight_code_above_budget_does_not_fit),
		TEST(structure_survives_every_allocation_failure),
		TEST(dominators_agree_with_removal),
		TEST(runs_never_exceed_what_is_proved_and_charged),
	};

	return cmocka_run_group_tests_name("structure", tests, NULL, NULL);
}
