/* SPDX-License-Identifier: MIT */
/*
 * Liveness written out for the patterns that compilers make, then against its definition: run a
 * random program twice, the second time with everything scrambled that is said to be dead at some
 * moment, in the running frame and in those that wait for it. Both runs must take the same way and
 * give the same result.
 */
#include "tests/vm/testing.h"

#include "tests/verifier/scalar_oracle.h"
#include "verifier/liveness.h"

struct fixture {
	struct tn_prog *prog;
	struct tn_structure *s;
	struct tn_liveness *live;
};

static struct fixture analyse(struct tn_prog *prog, tn_live_sig_fn sig_of)
{
	struct fixture f = { .prog = prog };

	f.s = tn_structure_new(prog->rt, prog);
	if (!f.s)
		fail_msg("%s", tn_err_last()->msg);
	f.live = tn_liveness_new(f.s, sig_of, prog);
	if (!f.live)
		fail_msg("%s", tn_err_last()->msg);
	return f;
}

static void drop(struct fixture *f)
{
	tn_liveness_free(f->live);
	tn_structure_free(f->s);
	tn_prog_free(f->prog);
}

static void liveness_register_dies_at_its_last_use(void **state)
{
	struct fixture f = analyse(make_prog(*state, "r6 = r1\n"
						     "r2 = 5\n"
						     "r0 = r6\n"
						     "r0 += r2\n"
						     "exit\n"),
				   NULL);

	assert_int_equal(tn_live_regs(f.live, 0), 1 << 1);
	assert_int_equal(tn_live_regs(f.live, 2), 1 << 6 | 1 << 2);
	assert_int_equal(tn_live_regs(f.live, 3), 1 << 0 | 1 << 2);
	assert_int_equal(tn_live_regs(f.live, 4), 1 << 0);
	drop(&f);
}

static void liveness_helper_arguments_end_with_its_arity(void **state)
{
	/* get_prandom_u32 takes nothing: r1 to r5 are dead before it. */
	struct fixture f = analyse(make_prog(*state, "r6 = 1\n"
						     "call 7\n"
						     "r0 += r6\n"
						     "exit\n"),
				   NULL);

	assert_int_equal(tn_live_regs(f.live, 1), 1 << 6);
	drop(&f);
}

static void liveness_local_call_uses_what_the_callee_reads(void **state)
{
	struct fixture f = analyse(make_prog(*state, "r1 = 1\n"
						     "r2 = 2\n"
						     "call f\n"
						     "exit\n"
						     "f: r0 = r2\n"
						     "exit\n"),
				   NULL);

	assert_int_equal(tn_live_regs(f.live, 2), 1 << 2);
	drop(&f);
}

static void liveness_loop_keeps_what_the_next_round_reads(void **state)
{
	struct fixture f = analyse(make_prog(*state, "r6 = 0\n"
						     "r7 = 9\n"
						     "loop: r6 += 1\n"
						     "if r6 < r7 goto loop\n"
						     "r0 = 0\n"
						     "exit\n"),
				   NULL);

	assert_int_equal(tn_live_regs(f.live, 3), 1 << 6 | 1 << 7);
	assert_int_equal(tn_live_regs(f.live, 4), 0);
	drop(&f);
}

static void liveness_slot_is_dead_before_it_is_overwritten(void **state)
{
	struct fixture f = analyse(make_prog(*state, "*(u64 *)(r10 - 8) = r1\n"
						     "r0 = 0\n"
						     "*(u64 *)(r10 - 8) = r0\n"
						     "r0 = *(u64 *)(r10 - 8)\n"
						     "exit\n"),
				   NULL);

	assert_int_equal(tn_live_slot(f.live, 1, 0), 0);
	assert_int_equal(tn_live_slot(f.live, 2, 0), 0);
	assert_int_equal(tn_live_slot(f.live, 3, 0), 0xff);
	assert_int_equal(tn_live_slot(f.live, 4, 0), 0);
	drop(&f);
}

static void liveness_halves_of_a_slot_are_apart(void **state)
{
	struct fixture f = analyse(make_prog(*state, "r0 = *(u32 *)(r10 - 4)\n"
						     "r1 = *(u16 *)(r10 - 14)\n"
						     "exit\n"),
				   NULL);

	/* r10 - 4 is the upper half, in address order, of the first slot. */
	assert_int_equal(tn_live_slot(f.live, 0, 0), 0xf0);
	assert_int_equal(tn_live_slot(f.live, 0, 1), 0x0f);
	assert_int_equal(tn_live_slot(f.live, 1, 0), 0);
	drop(&f);
}

static void liveness_follows_copies_of_the_frame_pointer(void **state)
{
	struct fixture f = analyse(make_prog(*state, "r2 = r10\n"
						     "r2 += -16\n"
						     "*(u64 *)(r2 + 0) = r1\n"
						     "r0 = *(u64 *)(r2 + 0)\n"
						     "exit\n"),
				   NULL);

	assert_int_equal(tn_live_slot(f.live, 2, 1), 0);
	assert_int_equal(tn_live_slot(f.live, 3, 1), 0xff);
	assert_int_equal(tn_live_slot(f.live, 3, 0), 0);
	drop(&f);
}

static void liveness_address_to_a_subprogram_makes_the_frame_live(void **state)
{
	struct fixture f = analyse(make_prog(*state, "r1 = r10\n"
						     "r1 += -8\n"
						     "call f\n"
						     "r0 = 0\n"
						     "exit\n"
						     "f: r0 = *(u64 *)(r1 - 32)\n"
						     "exit\n"),
				   NULL);

	assert_int_equal(tn_live_slot(f.live, 2, 0), 0xff);
	assert_int_equal(tn_live_slot(f.live, 2, 4), 0xff);
	assert_int_equal(tn_live_slot(f.live, 3, 4), 0);
	drop(&f);
}

static void liveness_address_that_went_to_memory_comes_back(void **state)
{
	struct fixture f = analyse(make_prog(*state, "r1 = r10\n"
						     "r1 += -16\n"
						     "*(u64 *)(r10 - 8) = r1\n"
						     "r0 = 0\n"
						     "r2 = *(u64 *)(r10 - 8)\n"
						     "r0 = *(u64 *)(r2 + 0)\n"
						     "exit\n"),
				   NULL);

	assert_int_equal(tn_live_slot(f.live, 5, 1), 0xff);
	assert_int_equal(tn_live_slot(f.live, 3, 1), 0xff);
	assert_int_equal(tn_live_slot(f.live, 6, 1), 0);
	drop(&f);
}

static void liveness_address_that_went_to_a_subprogram_comes_back(void **state)
{
	struct fixture f = analyse(make_prog(*state, "r1 = r10\n"
						     "r1 += -16\n"
						     "call f\n"
						     "r0 = *(u64 *)(r0 + 0)\n"
						     "exit\n"
						     "f: r0 = r1\n"
						     "exit\n"),
				   NULL);

	assert_int_equal(tn_live_slot(f.live, 3, 1), 0xff);
	assert_int_equal(tn_live_slot(f.live, 4, 1), 0);
	drop(&f);
}

static void liveness_survives_every_allocation_failure(void **state)
{
	struct tn_rt *rt = *state;
	struct tn_prog *prog = make_prog(rt, "r1 = r10\n"
					     "r1 += -8\n"
					     "call f\n"
					     "r0 = *(u64 *)(r10 - 64)\n"
					     "exit\n"
					     "f: r0 = *(u64 *)(r1 - 32)\n"
					     "exit\n");
	struct tn_structure *s = tn_structure_new(rt, prog);
	size_t before = tn_load_relaxed(&rt->mem.bytes[TN_CHARGE_HEAP]);
	struct tn_liveness *live = NULL;

	assert_non_null(s);
	for (int64_t n = 1; n < 100 && !live; n++) {
		tn_store_relaxed(&rt->mem.fail_after, n);
		live = tn_liveness_new(s, NULL, NULL);
		tn_store_relaxed(&rt->mem.fail_after, 0);
		if (!live) {
			assert_int_equal(tn_err_last()->code, -ENOMEM);
			assert_int_equal(tn_load_relaxed(&rt->mem.bytes[TN_CHARGE_HEAP]), before);
		}
	}
	assert_non_null(live);
	tn_liveness_free(live);
	tn_structure_free(s);
	tn_prog_free(prog);
}

/* ---- Random programs ---- */

#define MAIN_INSNS  40
#define SUB_INSNS   20
#define FRAME_BYTES 32
#define NR_FRAMES   2
#define MAX_STEPS   200

/* Helper 1 hashes (r1, r2 bytes); helper 2 has no signature and hashes what it can reach. */
static const struct tn_sig *sig_of_random(void *user, uint32_t insn)
{
	static const struct tn_sig hash = { .ret = TN_RET_SCALAR,
					    .nr_args = 2,
					    .args = { { .kind = TN_ARG_MEM },
						      { .kind = TN_ARG_SIZE } } };
	const struct tn_prog *prog = user;

	return prog->insns[insn].imm == 1 ? &hash : NULL;
}

struct frame {
	uint64_t r[10];
	uint32_t pc;
	uint8_t memory[FRAME_BYTES];
};

struct machine {
	const struct tn_prog *prog;
	struct frame frames[NR_FRAMES];
	uint32_t depth; /* frames in use */
	uint64_t result;
	bool done;
};

/* Addresses that no arithmetic of the random programs comes near by chance. */
static uint64_t top_of_frame(uint32_t depth)
{
	return 0x5a5a000000000000u + ((uint64_t)depth << 32);
}

/* The bytes at `address` in any frame, or NULL. */
static uint8_t *locate(struct machine *m, uint64_t address, uint32_t size)
{
	for (uint32_t d = 0; d < m->depth; d++) {
		uint64_t below = top_of_frame(d) - address;

		if (below >= size && below <= FRAME_BYTES)
			return &m->frames[d].memory[FRAME_BYTES - below];
	}
	return NULL;
}

static uint64_t hash_bytes(const uint8_t *p, uint32_t n)
{
	uint64_t h = 7;

	for (uint32_t i = 0; i < n; i++)
		h = h * 31 + p[i];
	return h & 0xff;
}

static uint64_t reg(const struct machine *m, uint8_t r)
{
	return r == TN_R10 ? top_of_frame(m->depth - 1) : m->frames[m->depth - 1].r[r];
}

static uint64_t call_helper(struct machine *m, const struct tn_insn *insn)
{
	struct frame *f = &m->frames[m->depth - 1];
	uint64_t left = top_of_frame(m->depth - 1) - f->r[1];
	uint8_t *p;

	if (insn->imm == 1) {
		uint32_t size = (uint32_t)TN_MIN(f->r[2] & 15, left);

		p = size ? locate(m, f->r[1], size) : NULL;
		return p ? hash_bytes(p, size) : 0;
	}
	p = locate(m, f->r[3], 1);
	return p ? hash_bytes(m->frames[m->depth - 1].memory, FRAME_BYTES) : f->r[5] & 3;
}

static void memory_step(struct machine *m, const struct tn_insn *insn)
{
	struct frame *f = &m->frames[m->depth - 1];
	uint32_t size = tn_insn_bytes(insn->code);
	bool load = TN_CLASS(insn->code) == TN_LDX;
	uint64_t value = 0;
	uint8_t *p = locate(m, reg(m, load ? insn->src : insn->dst) + (uint64_t)insn->off, size);

	if (load) {
		if (p)
			memcpy(&value, p, size);
		f->r[insn->dst] = value;
		return;
	}
	value = TN_CLASS(insn->code) == TN_ST ? (uint64_t)insn->imm : reg(m, insn->src);
	if (p)
		memcpy(p, &value, size);
}

static void call_step(struct machine *m, const struct tn_insn *insn)
{
	struct frame *f = &m->frames[m->depth - 1], *to;

	if (insn->src == TN_CALL_HELPER) {
		f->r[0] = call_helper(m, insn);
		memset(&f->r[1], 0, 5 * sizeof(f->r[1]));
		f->pc++;
		return;
	}
	to = &m->frames[m->depth++];
	memset(to, 0, sizeof(*to));
	memcpy(&to->r[1], &f->r[1], 5 * sizeof(f->r[1]));
	to->pc = (uint32_t)((int32_t)f->pc + 1 + insn->imm);
}

static void exit_step(struct machine *m)
{
	uint64_t value = m->frames[m->depth - 1].r[0];
	struct frame *f;

	if (--m->depth == 0) {
		m->result = value;
		m->done = true;
		return;
	}
	f = &m->frames[m->depth - 1];
	f->r[0] = value;
	memset(&f->r[1], 0, 5 * sizeof(f->r[1]));
	f->pc++;
}

static void step(struct machine *m)
{
	struct frame *f = &m->frames[m->depth - 1];
	const struct tn_insn *insn = &m->prog->insns[f->pc];

	switch (TN_CLASS(insn->code)) {
	case TN_ALU64:
		if (TN_OP(insn->code) == TN_MOV)
			f->r[insn->dst] = TN_SRC(insn->code) ? reg(m, insn->src)
							     : (uint64_t)(int64_t)insn->imm;
		else
			f->r[insn->dst] += (uint64_t)(int64_t)insn->imm;
		f->pc++;
		return;
	case TN_JMP:
		if (insn->code == (TN_JMP | TN_EXIT))
			exit_step(m);
		else if (insn->code == (TN_JMP | TN_CALL))
			call_step(m, insn);
		else if (f->r[insn->dst] & (uint64_t)insn->imm)
			f->pc = (uint32_t)((int32_t)f->pc + 1 + insn->off);
		else
			f->pc++;
		return;
	default:
		memory_step(m, insn);
		f->pc++;
	}
}

static void random_memory_insn(struct oracle_rng *rng, struct tn_insn *insn, uint8_t a, uint8_t b)
{
	static const uint8_t sizes[] = { TN_DW, TN_DW, TN_DW, TN_W, TN_W, TN_H, TN_B };
	uint8_t size = sizes[rng_below(rng, TN_ARRAY_SIZE(sizes))];
	uint32_t bytes = tn_insn_bytes(size);
	uint8_t base = rng_below(rng, 3) ? TN_R10 : a;
	uint64_t slots = FRAME_BYTES / bytes;
	int16_t off = (int16_t)(-(int64_t)((1 + rng_below(rng, slots)) * bytes));

	if (base != TN_R10)
		off = (int16_t)((int64_t)(rng_below(rng, 3) * bytes) - bytes);
	switch (rng_below(rng, 3)) {
	case 0:
		*insn = (struct tn_insn){
			.code = TN_LDX | TN_MEM | size, .dst = b, .src = base, .off = off
		};
		break;
	case 1:
		*insn = (struct tn_insn){
			.code = TN_STX | TN_MEM | size, .dst = base, .src = b, .off = off
		};
		break;
	default:
		*insn = (struct tn_insn){ .code = TN_ST | TN_MEM | size,
					  .dst = base,
					  .off = off,
					  .imm = (int32_t)rng_below(rng, 8) };
	}
}

static void random_insn(struct oracle_rng *rng, struct tn_insn *insn, uint32_t at, uint32_t start,
			uint32_t end, uint32_t callee)
{
	uint8_t a = (uint8_t)rng_below(rng, 10), b = (uint8_t)rng_below(rng, 10);
	uint32_t target = start + (uint32_t)rng_below(rng, end - start);

	switch (rng_below(rng, 14)) {
	case 12: /* one slot that addresses often pass through */
		*insn = (struct tn_insn){
			.code = TN_STX | TN_MEM | TN_DW, .dst = TN_R10, .src = a, .off = -8
		};
		break;
	case 13:
		*insn = (struct tn_insn){
			.code = TN_LDX | TN_MEM | TN_DW, .dst = a, .src = TN_R10, .off = -8
		};
		break;
	case 0:
		*insn = (struct tn_insn){ .code = TN_ALU64 | TN_MOV | TN_X,
					  .dst = a,
					  .src = TN_R10 };
		break;
	case 1:
		*insn = (struct tn_insn){ .code = TN_ALU64 | TN_MOV | TN_X, .dst = a, .src = b };
		break;
	case 2:
		*insn = (struct tn_insn){ .code = TN_ALU64 | TN_ADD | TN_K,
					  .dst = a,
					  .imm = -8 * (int32_t)(1 + rng_below(rng, 3)) };
		break;
	case 3:
		*insn = (struct tn_insn){ .code = TN_ALU64 | TN_MOV | TN_K,
					  .dst = a,
					  .imm = (int32_t)rng_below(rng, 16) };
		break;
	case 4:
	case 5:
		*insn = (struct tn_insn){ .code = TN_JMP | TN_JSET | TN_K,
					  .dst = a,
					  .off = (int16_t)((int32_t)target - (int32_t)at - 1),
					  .imm = (int32_t)(1u << rng_below(rng, 4)) };
		break;
	case 6:
		if (callee) {
			*insn = (struct tn_insn){ .code = TN_JMP | TN_CALL,
						  .src = TN_CALL_LOCAL,
						  .imm = (int32_t)(callee - at - 1) };
			break;
		}
		/* fallthrough */
	case 7:
		*insn = (struct tn_insn){ .code = TN_JMP | TN_CALL,
					  .imm = 1 + (int32_t)rng_below(rng, 2) };
		break;
	default:
		random_memory_insn(rng, insn, a, b);
	}
}

static struct tn_prog *random_prog(struct tn_rt *rt, struct oracle_rng *rng)
{
	struct tn_insn insns[MAIN_INSNS + SUB_INSNS];
	struct tn_prog *prog = tn_prog_new(rt, "main");

	assert_non_null(prog);
	prog->subprogs = tn_alloc_array(rt, 2, sizeof(*prog->subprogs));
	assert_non_null(prog->subprogs);
	prog->nr_subprogs = 2;
	prog->subprogs[0].end = prog->subprogs[1].start = MAIN_INSNS;
	prog->subprogs[1].end = MAIN_INSNS + SUB_INSNS;
	for (uint32_t i = 0; i < MAIN_INSNS; i++)
		random_insn(rng, &insns[i], i, 0, MAIN_INSNS, MAIN_INSNS);
	for (uint32_t i = MAIN_INSNS; i < MAIN_INSNS + SUB_INSNS; i++)
		random_insn(rng, &insns[i], i, MAIN_INSNS, MAIN_INSNS + SUB_INSNS, 0);
	insns[MAIN_INSNS - 1] = insns[MAIN_INSNS + SUB_INSNS - 1] =
		(struct tn_insn){ .code = TN_JMP | TN_EXIT };
	assert_int_equal(tn_prog_set_insns(prog, insns, MAIN_INSNS + SUB_INSNS), 0);
	return prog;
}

/* Scramble all that is dead, in every frame. Returns how much that was. */
static uint32_t scramble(struct machine *m, const struct tn_liveness *live, struct oracle_rng *rng)
{
	uint32_t nr = 0;

	for (uint32_t d = 0; d < m->depth; d++) {
		struct frame *f = &m->frames[d];
		uint32_t regs = tn_live_regs(live, f->pc);

		for (unsigned r = 0; r < 10; r++) {
			/* r0 to r5 of a waiting frame are the callee's business. */
			if (regs >> r & 1 || (d + 1 < m->depth && r < 6))
				continue;
			f->r[r] = rng_next(rng) & 15;
			nr++;
		}
		for (uint32_t byte = 0; byte < FRAME_BYTES; byte++) {
			uint32_t slot = (FRAME_BYTES - 1 - byte) / 8;

			if (tn_live_slot(live, f->pc, slot) >> byte % 8 & 1)
				continue;
			f->memory[byte] = (uint8_t)rng_next(rng);
			nr++;
		}
	}
	return nr;
}

static void compare_runs(const struct machine *start, const struct machine *changed)
{
	struct machine a = *start, b = *changed;

	for (uint32_t steps = 0; steps < MAX_STEPS && !a.done; steps++) {
		step(&a);
		step(&b);
		assert_int_equal(a.done, b.done);
		assert_int_equal(a.depth, b.depth);
		if (!a.done)
			assert_int_equal(a.frames[a.depth - 1].pc, b.frames[b.depth - 1].pc);
	}
	if (a.done)
		assert_int_equal(a.result, b.result);
}

static void dead_state_never_matters(void **state)
{
	struct oracle_rng rng = { 21 };
	uint64_t scrambled = 0, moments = 0;

	for (unsigned round = 0; round < 4000; round++) {
		struct fixture f = analyse(random_prog(*state, &rng), sig_of_random);
		struct machine m = { .prog = f.prog, .depth = 1 };

		for (unsigned r = 0; r < 10; r++)
			m.frames[0].r[r] = rng_next(&rng) & 15;
		for (uint32_t steps = 0; steps < MAX_STEPS && !m.done; steps++) {
			struct machine changed = m;

			if (rng_below(&rng, 4) == 0) {
				scrambled += scramble(&changed, f.live, &rng);
				moments++;
				compare_runs(&m, &changed);
			}
			step(&m);
		}
		drop(&f);
	}
	/* The test has teeth: much was dead. */
	assert_true(scrambled > 8 * moments);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(liveness_register_dies_at_its_last_use),
		TEST(liveness_helper_arguments_end_with_its_arity),
		TEST(liveness_local_call_uses_what_the_callee_reads),
		TEST(liveness_loop_keeps_what_the_next_round_reads),
		TEST(liveness_slot_is_dead_before_it_is_overwritten),
		TEST(liveness_halves_of_a_slot_are_apart),
		TEST(liveness_follows_copies_of_the_frame_pointer),
		TEST(liveness_address_to_a_subprogram_makes_the_frame_live),
		TEST(liveness_address_that_went_to_memory_comes_back),
		TEST(liveness_address_that_went_to_a_subprogram_comes_back),
		TEST(liveness_survives_every_allocation_failure),
		TEST(dead_state_never_matters),
	};

	return cmocka_run_group_tests_name("liveness", tests, NULL, NULL);
}
