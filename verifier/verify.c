/* SPDX-License-Identifier: MIT */
/*
 * The entry point: structure and liveness, then attempts of the walk, then what the walk proved as
 * facts.
 *
 * The first attempt forgets numbers that decide nothing, see forget.c. An attempt may widen loops
 * and join states; both only add states. When a check then fails on a path that came through such a
 * place, the next attempt walks that place round by round instead. Either proof is sound, so one
 * that succeeds is enough; facts come from that one alone.
 */
#include "verifier/verify.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "verifier/engine.h"
#include "verifier/summary.h"
#include "verifier/global.h"
#include "verifier/throw.h"
#include "verifier/timer.h"
#include "verifier/mutant.h"

#define MAX_ATTEMPTS 9

static const struct tn_ctx_type no_ctx = { .name = (char *)"none" };

/* ---- Setting up ---- */

const struct tn_host_helper *tn_vf_host(const struct tn_vf *vf, uint32_t at)
{
	const struct tn_insn *insn = &vf->prog->insns[at];

	if (insn->src == TN_CALL_EXTERN)
		return (uint32_t)insn->imm < vf->prog->nr_externs
			       ? vf->prog->externs[insn->imm].helper
			       : NULL;
	if (insn->src == TN_CALL_HELPER && vf->env->helper_by_id)
		return vf->env->helper_by_id(vf->env->user, (uint32_t)insn->imm);
	return NULL;
}

const struct tn_sig *tn_vf_sig(const struct tn_vf *vf, uint32_t at)
{
	const struct tn_insn *insn = &vf->prog->insns[at];
	const struct tn_host_helper *host = tn_vf_host(vf, at);
	const struct tn_helper *h;

	if (host)
		return &host->sig;
	if (insn->src != TN_CALL_HELPER)
		return NULL;
	h = tn_helper_by_id((uint32_t)insn->imm);
	return h ? &h->sig : NULL;
}

static const struct tn_sig *sig_of(void *user, uint32_t at)
{
	return tn_vf_sig(user, at);
}

/* Words of a lower pass become the diagnosis. */
static int adopt(struct tn_vf *vf, int err, enum tn_verr code)
{
	int32_t insn = tn_err_last()->insn;

	if (err == -ENOMEM)
		return err;
	vf->s.insn = insn < 0 ? 0 : (uint32_t)insn;
	return tn_reject(vf, err == -E2BIG ? E_LIMIT : code, -1, "%s", tn_err_last()->msg);
}

static bool is_identity(const struct tn_ctx_type *type)
{
	for (uint32_t i = 0; i < type->nr_fields; i++)
		if (type->fields[i].offset != type->fields[i].host_offset ||
		    type->fields[i].size != type->fields[i].host_size)
			return false;
	return true;
}

static int prepare_code(struct tn_vf *vf)
{
	struct tn_prog *prog = vf->prog;
	int err;

	if (prog->nr_insns > vf->rt->limits.max_insns)
		return tn_reject(vf, E_LIMIT, -1, "%u instructions, the limit is %u",
				 prog->nr_insns, vf->rt->limits.max_insns);
	tn_err_last()->insn = -1;
	err = tn_insns_check_form(prog->insns, prog->nr_insns);
	if (!err && !prog->nr_subprogs)
		err = tn_prog_find_subprogs(prog);
	if (!err && prog->exception_callback >= prog->nr_subprogs)
		err = tn_err(-EINVAL, "there is no function for the exception callback");
	if (err)
		return adopt(vf, err, E_ENCODING);
	errno = 0;
	vf->structure = tn_structure_new(vf->rt, prog);
	if (!vf->structure)
		return adopt(vf, errno == ENOMEM ? -ENOMEM : tn_err_last()->code, E_STRUCTURE);
	vf->live = tn_liveness_new(vf->structure, sig_of, vf);
	vf->counters = vf->live ? tn_counters_new(vf->rt, vf->structure, vf->live) : NULL;
	return vf->counters ? 0 : -ENOMEM;
}

static int prepare_tables(struct tn_vf *vf)
{
	const struct tn_structure *s = vf->structure;
	uint32_t nr = vf->prog->nr_insns;

	vf->loop_of = tn_alloc_array(vf->rt, nr, sizeof(vf->loop_of[0]));
	/* Not zeroed: begin() fills it in. */
	vf->seen = tn_realloc_array(vf->rt, NULL, nr, sizeof(vf->seen[0]));
	vf->saved = tn_alloc_array(vf->rt, nr, sizeof(vf->saved[0]));
	vf->meets = tn_realloc_array(vf->rt, NULL, nr, sizeof(vf->meets[0]));
	vf->frame_bytes = tn_alloc_array(vf->rt, vf->prog->nr_subprogs, sizeof(vf->frame_bytes[0]));
	vf->visits = tn_alloc_array(vf->rt, nr, sizeof(vf->visits[0]));
	vf->throws = tn_alloc_array(vf->rt, vf->prog->nr_subprogs, sizeof(vf->throws[0]));
	if (vf->env->explain)
		vf->summary = tn_summary_new(vf);
	if (!vf->loop_of || !vf->seen || !vf->saved || !vf->meets || !vf->frame_bytes ||
	    tn_global_alloc(vf))
		return -ENOMEM;
	if (!vf->visits || !vf->throws || (vf->env->explain && !vf->summary))
		return -ENOMEM;
	tn_throw_prepare(vf);
	for (uint32_t i = 0; i < nr; i++)
		vf->loop_of[i] = TN_NONE;
	for (uint32_t i = 0; i < s->nr_loops; i++)
		vf->loop_of[s->loops[i].head_insn] = i;
	return 0;
}

static int prepare_states(struct tn_vf *vf)
{
	const struct tn_limits *l = &vf->rt->limits;
	int nr = tn_regions_find(vf->ctx, vf->regions);
	int err;

	if (nr < 0)
		return tn_reject(vf, E_LIMIT, -1,
				 "the context '%s' has more than %d pointer fields", vf->ctx->name,
				 TN_MAX_REGIONS);
	vf->nr_regions = (uint32_t)nr;
	vf->senv.rt = vf->rt;
	vf->senv.structure = vf->structure;
	vf->senv.live = vf->live;
	vf->senv.max_frames = TN_MIN(l->max_frames, TN_MAX_FRAMES);
	vf->senv.max_slots = TN_MIN(l->frame_bytes, TN_MAX_FRAME_BYTES) / 8;
	vf->has_arena = tn_prog_arena(vf->prog) != NULL;
	/* Behind them: the names of the maps' first values, see lddw_map(). */
	vf->senv.fixed_ids = 1 + 2 * vf->nr_regions + vf->prog->nr_maps;
	vf->senv.regions = vf->regions;
	vf->senv.places = &vf->places;
	vf->senv.pool.max_bytes = l->max_verifier_bytes;
	err = tn_state_init(&vf->senv, &vf->s);
	if (!err)
		err = tn_state_init(&vf->senv, &vf->scratch);
	if (!err)
		err = tn_state_init(&vf->senv, &vf->merged);
	return err;
}

static void fini(struct tn_vf *vf)
{
	tn_walk_free(vf);
	tn_pending_fini(vf);
	tn_vec_free(vf->rt, &vf->callbacks);
	tn_vec_free(vf->rt, &vf->iters);
	tn_global_free(vf);
	tn_timer_free(vf);
	tn_state_fini(&vf->senv, &vf->s);
	tn_state_fini(&vf->senv, &vf->scratch);
	tn_state_fini(&vf->senv, &vf->merged);
	tn_free(vf->rt, vf->loop_of);
	tn_free(vf->rt, vf->seen);
	tn_free(vf->rt, vf->saved);
	tn_free(vf->rt, vf->meets);
	tn_free(vf->rt, vf->frame_bytes);
	tn_free(vf->rt, vf->visits);
	tn_free(vf->rt, vf->throws);
	tn_free(vf->rt, vf->trips);
	tn_free(vf->rt, vf->pays);
	tn_summary_free(vf->rt, vf->summary);
	tn_free(vf->rt, vf->log.text);
	tn_counters_free(vf->rt, vf->counters);
	tn_vec_free(vf->rt, &vf->acquires);
	tn_vec_free(vf->rt, &vf->handle_names);
	tn_liveness_free(vf->live);
	tn_structure_free(vf->structure);
	tn_facts_free(vf->rt, vf->facts);
}

/* ---- Attempts ---- */

void tn_vf_begin(struct tn_vf *vf)
{
	vf->s.insn = 0;
	vf->s.trail = NULL;
	vf->s.nr_frames = vf->s.nr_refs = 0;
	vf->s.locked = false;
	memset(&vf->s.lock, 0, sizeof(vf->s.lock));
	vf->s.nr_regions = vf->nr_regions;
	tn_regions_reset(vf->regions, &vf->s);
}

static int begin(struct tn_vf *vf)
{
	struct tn_frame *f;

	tn_walk_free(vf);
	tn_facts_free(vf->rt, vf->facts);
	vf->facts = tn_facts_new(vf->rt, vf->prog->nr_insns, vf->prog->nr_subprogs);
	if (!vf->facts)
		return -ENOMEM;
	tn_counters_reset(vf->counters);
	vf->acquires.nr = 0;
	vf->most_refs = vf->most_refs_at_ends = 0;
	memset(vf->frame_bytes, 0, vf->prog->nr_subprogs * sizeof(vf->frame_bytes[0]));
	for (uint32_t i = 0; i < vf->prog->nr_insns; i++) {
		struct tn_insn_seen *s = &vf->seen[i];
		uint32_t site = vf->structure->sites[i].flags;

		vf->meets[i] = (site & (TN_SITE_MERGE | TN_SITE_LOOP_HEAD) ? TN_MEETS_CHECKPOINT
									   : 0) |
			       (site & TN_SITE_BLOCK ? TN_MEETS_BLOCK : 0);
		*s = (struct tn_insn_seen){ .callback = TN_NONE,
					    .unroll = vf->again && s->unroll,
					    .no_join = vf->again && s->no_join };
	}
	for (uint32_t p = 0; p < vf->prog->nr_subprogs; p++)
		vf->meets[vf->prog->subprogs[p].start] |= TN_MEETS_SUBPROG;
	vf->again = true;
	vf->callbacks.nr = vf->iters.nr = vf->timers.nr = 0;
	vf->in_timer = vf->exception_walked = false;
	vf->iters_foreign = false;
	memset(vf->visits, 0, vf->prog->nr_insns * sizeof(vf->visits[0]));
	vf->forgot = false;
	vf->ret_seen = false;
	vf->log.len = 0;
	vf->senv.next_id = vf->senv.fixed_ids;
	tn_global_reset(vf);
	tn_vf_begin(vf);
	f = tn_state_push_frame(&vf->s, 0, TN_NONE);
	if (vf->ctx != &no_ctx) {
		tn_reg_set_const(&f->r[TN_R1], 0);
		f->r[TN_R1].kind = TN_REG_CTX;
	}
	if (vf->prog->r2_is_ctx_size)
		tn_reg_set_const(&f->r[TN_R2], vf->ctx->size);
	return 0;
}

static bool set_flag(bool *flag)
{
	bool was = *flag;

	*flag = true;
	return !was;
}

/* Walk a loop round by round: its rounds must not be joined with each other either. */
static bool unroll(struct tn_vf *vf, uint32_t insn)
{
	uint32_t loop = vf->loop_of[insn];
	const struct tn_structure *s = vf->structure;

	for (uint32_t i = 0; loop != TN_NONE && i < s->loops[loop].nr_members; i++) {
		const struct tn_block *b = &s->blocks[s->members[s->loops[loop].first_member + i]];

		vf->seen[b->start].no_join = true;
	}
	return set_flag(&vf->seen[insn].unroll);
}

/* Places on the failing path where states were added: walk them as they are next time. */
static bool refine(struct tn_vf *vf)
{
	bool any = false;

	for (const struct tn_trail *t = vf->s.trail; t; t = t->prev) {
		if (t->kind == TN_TRAIL_WIDEN)
			any |= unroll(vf, t->insn);
		if (t->kind == TN_TRAIL_JOIN)
			any |= set_flag(&vf->seen[t->insn].no_join);
	}
	return any;
}

static int attempt_all(struct tn_vf *vf)
{
	struct tn_diag first;
	bool walked, too_much = false;
	int err = 0;

	memset(&first, 0, sizeof(first));
	for (int i = 0; i < MAX_ATTEMPTS; i++) {
		err = begin(vf);
		if (!err)
			err = tn_walk(vf);
		walked = !err;
		if (!err)
			err = tn_loop_finish(vf);
		if (!err || err != -EACCES)
			break;
		/* To forget nothing may exceed the limits: then it is forgotten again, and what was
		 * added is walked apart as it would be without. */
		if (vf->diag.code == E_LIMIT && vf->exact && !too_much) {
			too_much = true;
			vf->exact = false;
			continue;
		}
		/* Walking round by round may exceed the limits: the first finding counts then. */
		if (vf->diag.code == E_LIMIT && first.code) {
			vf->diag = first;
			break;
		}
		/* What is found after the walk is on no path. */
		if (!walked)
			tn_explain_path(vf);
		if (!first.code)
			first = vf->diag;
		if (vf->forgot && !too_much)
			vf->exact = true;
		else if (!refine(vf))
			break;
	}
	return err;
}

/* ---- Facts ---- */

static void fill_facts(struct tn_vf *vf)
{
	struct tn_facts *f = vf->facts;

	for (uint32_t i = 0; i < vf->prog->nr_insns; i++) {
		const struct tn_insn_seen *s = &vf->seen[i];
		const struct tn_insn *insn = &vf->prog->insns[i];
		struct tn_insn_fact *fact = &f->insns[i];

		if (tn_insn_is_jump(insn) && !tn_insn_is_ja(insn)) {
			if ((!(s->flags & TN_SEEN_FALL) || TN_MUT(BRANCH_FACT)) &&
			    s->flags & TN_SEEN_TAKEN)
				fact->flags |= TN_FACT_BRANCH_ALWAYS;
			if (!(s->flags & TN_SEEN_TAKEN) && s->flags & TN_SEEN_FALL)
				fact->flags |= TN_FACT_BRANCH_NEVER;
		}
		if (!(s->flags & TN_SEEN_CALL) || !s->map || s->map_varies)
			continue;
		fact->flags |= TN_FACT_MAP_KNOWN;
		fact->map = (struct tn_map *)s->map;
		if (s->flags & TN_SEEN_KEY && !s->key_varies) {
			fact->flags |= TN_FACT_KEY_CONST;
			fact->value = s->key;
			if (insn->imm == TN_HELPER_map_lookup_elem && !s->may_miss)
				fact->flags |= TN_FACT_NOT_NULL;
		}
	}
	f->ret_min = vf->ret_seen ? vf->ret_min : INT64_MIN;
	f->ret_max = vf->ret_seen ? vf->ret_max : INT64_MAX;
	f->int_min = vf->ret_seen ? vf->int_min : INT32_MIN;
	f->int_max = vf->ret_seen ? vf->int_max : INT32_MAX;
}

static int run(struct tn_vf *vf)
{
	int err = prepare_code(vf);

	if (!err)
		err = prepare_tables(vf);
	if (!err)
		err = prepare_states(vf);
	if (!err)
		err = attempt_all(vf);
	if (!err)
		fill_facts(vf);
	return err;
}

int tn_verify(struct tn_prog *prog, const struct tn_verify_env *env, struct tn_verdict *verdict)
{
	uint64_t start = tn_clock_ns();
	struct tn_verify_env explaining = *env;
	struct tn_vf *vf;
	int err;

	memset(verdict, 0, sizeof(*verdict));
	verdict->insn = -1;
	vf = tn_new(prog->rt, struct tn_vf);
	if (!vf)
		return tn_err_nomem("verifier");
	vf->rt = prog->rt;
	vf->prog = prog;
	vf->env = env;
	vf->ctx = prog->ctx_type ? prog->ctx_type : &no_ctx;
	vf->ctx_identity = is_identity(vf->ctx);
	vf->prev = vf->shifted_at = TN_NONE;
	vf->given = env;
	if (env->explain) {
		explaining.observe = tn_summary_observe;
		explaining.observe_user = vf;
		vf->env = &explaining;
	}
	err = run(vf);
	vf->accepted = !err;
	verdict->steps = vf->steps;
	verdict->states = vf->nr_states;
	verdict->work = tn_walk_work(vf);
	verdict->peak_bytes = vf->senv.pool.peak_bytes;
	if (err == -ENOMEM || tn_explain(vf, verdict))
		err = tn_err_nomem("verifier");
	else if (err && verdict->code == E_LIMIT)
		err = -E2BIG;
	if (err == -E2BIG)
		verdict->work = TN_MAX(verdict->work,
				       (uint64_t)prog->rt->limits.max_verifier_steps);
	if (!err) {
		tn_facts_free(prog->rt, prog->facts);
		prog->facts = vf->facts;
		vf->facts = NULL;
	}
	verdict->ns = tn_clock_ns() - start;
	if (err == -ENOMEM)
		tn_verdict_free(prog->rt, verdict);
	fini(vf);
	tn_free(prog->rt, vf);
	return err;
}

void tn_verdict_free(struct tn_rt *rt, struct tn_verdict *verdict)
{
	tn_free(rt, verdict->msg);
	tn_free(rt, verdict->log);
	tn_free(rt, verdict->json);
	tn_free(rt, verdict->listing);
	tn_free(rt, verdict->graph);
	verdict->msg = verdict->log = verdict->json = NULL;
	verdict->listing = verdict->graph = NULL;
}
