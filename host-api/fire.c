/* SPDX-License-Identifier: MIT */
/*
 * The hot path: tenon_hook_run() with what is attached, and the same for a single program outside
 * a hook.
 *
 * Fuel. The whole firing draws on one budget. A program is charged its proved cost when it is
 * entered and its loops pay as they run; what the programs behind it need is kept back from it
 * (tn_chain_entry.reserve), so that one that runs out of fuel does not starve the others. A firing
 * inside a helper draws on what the outer one has left.
 */
#include "host-api/fire.h"

#include "base/clock.h"
#include "host-api/timer.h"
#include "maps/timer.h"
#include "vm/held.h"

/* Return addresses in this file's code are none of the host's, see vm/stack_helpers.c. */
#define TN_FIRE_CODE __attribute__((section("tn_fire_code")))

/* Deeper nesting is refused: every level takes host stack. */
#define MAX_NESTING 8

/* Is the program on this thread's stack already, or the stack too deep? Then it is skipped. */
static TN_COLD bool is_recursion(const struct tn_exec *outer, const struct tn_prog *prog)
{
	uint32_t depth = 0;

	for (; outer; outer = outer->outer) {
		if (outer->first == prog || outer->prog == prog || ++depth >= MAX_NESTING)
			return true;
	}
	return false;
}

TN_FIRE_CODE static TN_NOINLINE uint64_t run_counted(tn_native_fn fn, struct tenon_program *program,
						     void *ctx, struct tn_exec *ex)
{
	struct tn_run_cell *cell = &program->cells[ex->slot];
	uint64_t start = tn_clock_ns(), ret = fn(ctx, ex);

	/* The slot is this thread's alone (the shared one runs under its lock): no atomic add. */
	tn_store_relaxed(&cell->ns, tn_load_relaxed(&cell->ns) + (tn_clock_ns() - start));
	tn_store_relaxed(&cell->runs, tn_load_relaxed(&cell->runs) + 1);
	return ret;
}

/* Fuel for entry `e`, when `left` is there for it and the `behind` entries after it. */
static TN_ALWAYS_INLINE int64_t share_of(const struct tn_chain_entry *e, int64_t left,
					 uint32_t behind)
{
	int64_t fuel = left - e->reserve;

	/* A nested firing may begin with less than the reserves add up to. */
	return tn_likely(fuel >= e->cost) ? fuel : left / (int64_t)(behind + 1);
}

/* Firings on several threads share the line, so it is written only where the result is new. */
static void remember(struct tenon_link *link, uint64_t ret)
{
	if (tn_load_relaxed(&link->last_good) != ret)
		tn_store_relaxed(&link->last_good, ret);
}

/* One program of a chain, and what it counts as. `whole`: the firing began with all its fuel. */
static TN_ALWAYS_INLINE uint64_t run_entry(const struct tn_chain *chain, uint32_t idx, void *ctx,
					   struct tn_exec *ex, int64_t *left, bool whole)
{
	const struct tn_chain_entry *e = &chain->entries[idx];
	int64_t kept;
	uint64_t ret;

	if (tn_unlikely(ex->outer != NULL) && is_recursion(ex->outer, e->prog)) {
		tn_add_relaxed(&e->program->recursion, 1);
		return chain->fallback;
	}
	ex->fuel = share_of(e, *left, chain->nr - 1 - idx);
	kept = *left - ex->fuel;
	ex->fuel -= e->cost;
	ex->prog = e->prog;
	ex->first = e->prog;
	ex->cookie = e->cookie;
	ex->tail_calls = 0;
	if (tn_unlikely(ex->fuel < 0)) {
		*left = kept;
		ex->abort = TN_ABORT_FUEL;
		return tn_ended_early(chain, e, ex, false);
	}
	if (tn_unlikely(chain->stats))
		ret = run_counted(e->fn, e->program, ctx, ex);
	else
		ret = e->fn(ctx, ex);
	*left = kept + TN_MAX(ex->fuel, 0);
	if (tn_unlikely(ex->abort))
		return tn_ended_early(chain, e, ex, whole);
	if (chain->early_end == TENON_EARLY_END_LAST_GOOD)
		remember(e->link, ret);
	return ret;
}

/* Results combine without asking for the rule: a chain ends early where a bit of `until` is set
 * that tells the result from the fallback, and of the last result `keep` stays and `instead` is
 * added. */
static TN_ALWAYS_INLINE bool is_decided(const struct tn_chain *chain, uint64_t ret)
{
	return (ret ^ chain->fallback) & chain->until;
}

static TN_ALWAYS_INLINE uint64_t result_of(const struct tn_chain *chain, uint64_t ret)
{
	return (ret & chain->keep) | chain->instead;
}

static TN_ALWAYS_INLINE uint64_t run_chain(const struct tn_chain *chain, void *ctx,
					   struct tn_exec *ex, int64_t *left)
{
	bool whole = *left == chain->fuel;
	uint64_t ret = chain->fallback;
	uint32_t i;

	for (i = 0; i < chain->nr; i++) {
		ret = run_entry(chain, i, ctx, ex, left, whole);
		if (is_decided(chain, ret))
			break;
	}
	return result_of(chain, ret);
}

/* The members that compiled code and helpers read; the rest is written before it is read. */
static TN_ALWAYS_INLINE void begin(struct tn_exec *ex, struct tn_rt *rt, struct tn_thread *t,
				   void *ctx, uint64_t ctx_size)
{
	ex->abort = TN_ABORT_NONE;
	ex->abort_reason = 0;
	ex->ctx_size = ctx_size;
	ex->rt = rt;
	ex->thread = t;
	ex->ctx = ctx;
	ex->held = NULL;
	ex->can_abort = 0;
	ex->caller = NULL;
	ex->slot = tn_slot(rt, t);
}

/* Inside an epoch section. `left`: fuel, in and out. */
TN_FIRE_CODE static uint64_t fire(const struct tn_chain *chain, struct tn_thread *t, void *ctx,
				  int64_t *left, void *caller)
{
	struct tn_exec ex;
	uint64_t ret;
	bool shared;

	begin(&ex, &chain->rt->rt, t, ctx, chain->ctx_size);
	ex.caller = caller;
	ex.outer = t->exec;
	shared = ex.slot == chain->last_slot;
	if (tn_unlikely(shared))
		tn_slot_lock_shared(ex.rt);
	t->exec = &ex;
	ret = run_chain(chain, ctx, &ex, left);
	t->exec = ex.outer;
	if (tn_unlikely(shared))
		tn_slot_unlock_shared(ex.rt);
	return ret;
}

/* Everything: statistics, the shared slot, and firings inside a helper, which draw on the fuel of
 * the outer one. */
TN_FIRE_CODE static TN_NOINLINE uint64_t fire_any(const struct tn_chain *chain, struct tn_thread *t,
						  void *ctx, void *caller)
{
	struct tn_exec *outer = t->exec;
	int64_t start = chain->fuel, left;
	uint64_t ret;

	if (chain->settles_meta)
		tn_packet_settle_meta(ctx);
	if (outer)
		start = TN_MAX(TN_MIN(outer->fuel, start), 0);
	left = start;
	ret = fire(chain, t, ctx, &left, caller);
	if (outer)
		outer->fuel -= start - left;
	return ret;
}

/* Walk `e` to `end`. A call site that calls the same function at every firing is predicted better
 * than one that calls all of a chain in turn: so the first links have sites of their own. */
#define RUN_LINK(ret, call)                       \
	ret = (call);                             \
	if (is_decided(chain, ret) || ++e == end) \
	break
#define FOR_EACH_LINK(ret, call)     \
	for (;;) {                   \
		RUN_LINK(ret, call); \
		RUN_LINK(ret, call); \
		RUN_LINK(ret, call); \
		RUN_LINK(ret, call); \
	}

/* One entry of a plain chain. Leaves look at nothing but their context; what those before an entry
 * cost stands in its charge. */
static TN_ALWAYS_INLINE uint64_t run_plain_entry(const struct tn_chain *chain,
						 const struct tn_chain_entry *e, void *ctx,
						 struct tn_exec *ex, int64_t *left)
{
	uint64_t ret;

	if (e->leaf)
		return e->fn(ctx, ex);
	ex->fuel = *left - e->charge;
	ex->prog = e->prog;
	ex->first = e->prog;
	ex->cookie = e->cookie;
	ex->tail_calls = 0;
	ret = e->fn(ctx, ex);
	*left = e->reserve + TN_MAX(ex->fuel, 0);
	if (tn_likely(!ex->abort))
		return ret;
	return tn_ended_early(chain, e, ex, true);
}

/* The links behind the first, which gave `ret`. */
static TN_NOINLINE uint64_t run_plain_rest(const struct tn_chain *chain, void *ctx,
					   struct tn_exec *ex, uint64_t ret)
{
	const struct tn_chain_entry *e = chain->entries, *end = e + chain->nr;
	int64_t left = e->leaf ? chain->fuel : e->reserve + TN_MAX(ex->fuel, 0);

	if (is_decided(chain, ret))
		return ret;
	e++;
	FOR_EACH_LINK(ret, run_plain_entry(chain, e, ctx, ex, &left));
	return ret;
}

/* Not nested, a slot of its own, nothing counted, every proved cost within an equal share of the
 * fuel, so that no entry can lack the fuel to begin. The same as fire() does, without what cannot
 * be; the exec comes from a template, in wide moves. */
static TN_ALWAYS_INLINE uint64_t fire_plain(const struct tn_chain *chain, struct tn_thread *t,
					    void *ctx)
{
	struct tn_exec ex;
	uint64_t ret;

	if (tn_unlikely(t->slot_rt_id != chain->rt_id || t->slot == chain->last_slot))
		return fire_any(chain, t, ctx, NULL);
	ex = chain->first;
	ex.slot = t->slot;
	ex.thread = t;
	ex.ctx = ctx;
	t->exec = &ex;
	ret = chain->entries[0].fn(ctx, &ex);
	if (tn_unlikely(ex.abort))
		ret = tn_ended_early(chain, &chain->entries[0], &ex, true);
	if (chain->path == TN_PATH_PLAIN)
		ret = run_plain_rest(chain, ctx, &ex, ret);
	t->exec = NULL;
	return result_of(chain, ret);
}

TN_FIRE_CODE static TN_NOINLINE uint64_t run_more_leaves(const struct tn_chain *chain,
							 uint32_t from, void *ctx)
{
	const struct tn_chain_entry *e = chain->entries + from, *end = chain->entries + chain->nr;
	struct tn_exec unused;
	uint64_t ret;

	FOR_EACH_LINK(ret, e->fn(ctx, &unused));
	return ret;
}

/* Programs that call nothing and cannot end early: they need no state of the firing. */
static TN_ALWAYS_INLINE uint64_t fire_leaves(const struct tn_chain *chain, void *ctx)
{
	const struct tn_chain_entry *e = chain->entries;
	struct tn_exec unused;
	uint64_t ret = e[0].fn(ctx, &unused);

	if (is_decided(chain, ret))
		return result_of(chain, ret);
	ret = e[1].fn(ctx, &unused);
	if (is_decided(chain, ret) || chain->nr == 2)
		return result_of(chain, ret);
	ret = e[2].fn(ctx, &unused);
	if (is_decided(chain, ret) || chain->nr == 3)
		return result_of(chain, ret);
	ret = e[3].fn(ctx, &unused);
	if (!is_decided(chain, ret) && chain->nr > 4)
		ret = run_more_leaves(chain, 4, ctx);
	return result_of(chain, ret);
}

/* The end of every firing from outside. The depth is what it is: said again so that leaving need
 * not wait for the load of what entering and the call stored, a chain that would run through all
 * firings of a loop. */
static TN_ALWAYS_INLINE uint64_t end_firing(struct tn_thread *t, uint64_t ret)
{
	t->depth = 1;
	tn_epoch_leave(t);
	return ret;
}

/* What is attached is not a single leaf. A tail call of the function below, so that its registers
 * need not be saved for the leaf alone. */
TN_FIRE_CODE static TN_ALIGNED(64) TN_NOINLINE uint64_t
	run_several(const struct tn_chain *chain, struct tn_thread *t, void *ctx)
{
	uint64_t ret;

	if (tn_likely(chain->path == TN_PATH_LEAVES))
		ret = fire_leaves(chain, ctx);
	else if (chain->path != TN_PATH_ANY)
		ret = fire_plain(chain, t, ctx);
	else
		ret = fire_any(chain, t, ctx, __builtin_return_address(0));
	return end_firing(t, ret);
}

TN_FIRE_CODE static TN_NOINLINE uint64_t run_nested(struct tenon_hook *hook, struct tn_thread *t,
						    void *ctx)
{
	const struct tn_chain *chain;
	uint64_t ret;

	if (!t)
		return __atomic_load_n(&hook->fallback, __ATOMIC_RELAXED);
	tn_epoch_enter(t);
	chain = __atomic_load_n(&hook->chain, __ATOMIC_ACQUIRE);
	ret = chain ? fire_any(chain, t, ctx, __builtin_return_address(0))
		    : __atomic_load_n(&hook->fallback, __ATOMIC_RELAXED);
	tn_epoch_leave(t);
	return ret;
}

/* Aligned, since some nanoseconds hang on where its branches fall. */
TN_FIRE_CODE TN_ALIGNED(64) uint64_t tenon_hook_run(struct tenon_hook *hook, void *ctx)
{
	struct tn_thread *t = tn_thread_tls;
	const struct tn_chain *chain;

	if (tn_unlikely(!t || t->depth))
		return run_nested(hook, t ? t : tn_thread_register(), ctx);
	tn_epoch_enter(t);
	/* Pairs with the release in publish(): the entries are filled before. */
	chain = __atomic_load_n(&hook->chain, __ATOMIC_ACQUIRE);
	if (tn_unlikely(!chain))
		return end_firing(t, __atomic_load_n(&hook->fallback, __ATOMIC_RELAXED));
	if (tn_unlikely(chain->path != TN_PATH_LEAF))
		return run_several(chain, t, ctx);
	/* A leaf has no use for an exec. */
	return end_firing(t, result_of(chain, chain->entries[0].fn(ctx, NULL)));
}

/* One run outside any hook, inside an epoch section. */
TN_FIRE_CODE static void run_one(const struct tn_run *run, struct tn_thread *t, struct tn_exec *ex,
				 struct tn_run_result *out)
{
	struct tn_prog *prog = run->program->prog;
	struct tn_exec *outer = t->exec;
	int64_t budget = tn_fuel(run->fuel);

	begin(ex, prog->rt, t, run->ctx, run->ctx_size);
	ex->outer = outer;
	if (outer)
		budget = TN_MAX(TN_MIN(outer->fuel, budget), 0);
	ex->prog = ex->first = prog;
	ex->cookie = 0;
	ex->tail_calls = 0;
	ex->fuel = budget - (prog->facts ? (int64_t)prog->facts->proved_cost : 0);
	out->ret = 0;
	if (outer && is_recursion(outer, prog)) {
		tn_add_relaxed(&run->program->recursion, 1);
		out->abort = TN_ABORT_NONE;
		out->skipped = true;
		return;
	}
	t->exec = ex;
	if (tn_program_wants_meta(run->program))
		tn_packet_settle_meta(run->ctx);
	if (ex->fuel < 0)
		ex->abort = TN_ABORT_FUEL;
	else if (run->program->cells)
		out->ret = run_counted(run->entry, run->program, run->ctx, ex);
	else
		out->ret = run->entry(run->ctx, ex);
	t->exec = outer;
	if (outer)
		outer->fuel -= budget - TN_MAX(ex->fuel, 0);
	out->abort = ex->abort;
	out->abort_reason = ex->abort_reason;
	if (ex->abort) {
		tn_count_early_end(run->program, ex);
		out->ret = 0;
	}
}

TN_FIRE_CODE int tn_run(const struct tn_run *run, uint32_t repeat, struct tn_run_result *out)
{
	/* Long series let updaters through now and then. */
	const uint32_t batch = 1024;
	struct tn_thread *t = tn_thread_self();
	struct tn_rt *rt = run->program->prog->rt;
	struct tn_exec ex;
	uint64_t start;

	*out = (struct tn_run_result){ 0 };
	if (!t)
		return tn_err_nomem("thread record");
	start = tn_clock_ns();
	while (repeat) {
		uint32_t nr = TN_MIN(repeat, batch), i;
		bool shared;

		tn_epoch_enter(t);
		shared = tn_slot_is_shared(rt, tn_slot(rt, t));
		if (shared)
			tn_slot_lock_shared(rt);
		for (i = 0; i < nr; i++)
			run_one(run, t, &ex, out);
		if (shared)
			tn_slot_unlock_shared(rt);
		tn_epoch_leave(t);
		repeat -= nr;
	}
	out->ns = tn_clock_ns() - start;
	return 0;
}

TN_FIRE_CODE void tn_run_timer(struct tenon_program *program, const struct tn_timer_call *call,
			       const void *key)
{
	struct tn_thread *t = tn_thread_tls;
	struct tn_prog *prog = program->prog;
	struct tn_exec ex;
	bool shared;

	begin(&ex, prog->rt, t, NULL, 0);
	ex.outer = NULL;
	ex.prog = ex.first = prog;
	ex.cookie = 0;
	ex.tail_calls = 0;
	ex.callback_fuel = 0;
	ex.entry_sp = NULL;
	ex.fuel = tn_fuel(program->fuel) - (prog->facts ? (int64_t)prog->facts->timer_cost : 0);
	if (ex.fuel < 0) {
		ex.abort = TN_ABORT_FUEL;
		tn_count_early_end(program, &ex);
		return;
	}
	shared = tn_slot_is_shared(ex.rt, ex.slot);
	if (shared)
		tn_slot_lock_shared(ex.rt);
	t->exec = &ex;
	tn_held_call(call->func, &ex, (uintptr_t)call->map, (uintptr_t)key, (uintptr_t)call->value);
	t->exec = NULL;
	if (shared)
		tn_slot_unlock_shared(ex.rt);
	if (ex.abort)
		tn_count_early_end(program, &ex);
}

void tenon_abort(uint32_t reason)
{
	struct tn_thread *t = tn_thread_tls;

	if (!t || !t->exec || !t->exec->can_abort)
		return;
	t->exec->abort = TN_ABORT_HOST;
	t->exec->abort_reason = reason;
}
