/* SPDX-License-Identifier: MIT */
/*
 * Programs as the API sees them: lifetime, attributes, reports, statistics.
 */
#include "host-api/program.h"

#include <errno.h>
#include <string.h>

#include "host-api/object.h"
#include "jit/jit.h"

/* ---- Lifetime ---- */

void tn_unit_get(struct tn_unit *unit)
{
	tn_add_relaxed(&unit->refs, 1);
}

void tn_unit_put(struct tn_unit *unit)
{
	struct tn_rt *rt;

	if (!unit || tn_sub_acq_rel(&unit->refs, 1) != 1)
		return;
	rt = &unit->rt->rt;
	tn_jit_code_free(rt, unit->code);
	tn_image_free(unit->image);
	tn_ctx_type_free(rt, unit->raw_ctx);
	tn_free(rt, unit);
}

static void program_free(struct tenon_program *program)
{
	struct tn_rt *rt = &program->rt->rt;

	tn_verdict_free(rt, &program->verdict);
	tn_free(rt, program->source);
	tn_free(rt, program->failure);
	tn_free(rt, program->hook);
	tn_free(rt, program->insns);
	tn_free(rt, program->cells);
	tn_prog_free(program->prog);
	tn_unit_put(program->unit);
	tn_free(rt, program);
}

static void program_reclaim(struct tn_deferred *d)
{
	struct tn_prog *prog = TN_CONTAINER_OF(d, struct tn_prog, deferred);
	struct tenon_program *program = prog->host;
	struct tenon_runtime *rt = program->rt;

	program_free(program);
	tn_sub_acq_rel(&rt->nr_pending, 1);
}

/* The last reference is gone: no new run begins, those under way end within an epoch. */
static void program_release(struct tn_prog *prog)
{
	struct tenon_program *program = prog->host;

	tn_add_relaxed(&program->rt->nr_pending, 1);
	tn_epoch_defer(&prog->deferred, program_reclaim);
}

void tn_program_get(struct tenon_program *program)
{
	tn_add_relaxed(&program->prog->refs, 1);
}

void tn_program_put(struct tenon_program *program)
{
	struct tn_prog *prog = program->prog;

	if (tn_sub_acq_rel(&prog->refs, 1) == 1)
		prog->release(prog);
}

static bool alloc_cells(struct tenon_program *program)
{
	struct tenon_runtime *rt = program->rt;

	if (!rt->stats)
		return true;
	program->cells = tn_alloc_array(&rt->rt, rt->rt.max_slots, sizeof(program->cells[0]));
	return program->cells != NULL;
}

struct tenon_program *tn_program_new(struct tenon_runtime *rt, struct tn_unit *unit,
				     struct tn_prog *prog)
{
	struct tenon_program *program = tn_new(&rt->rt, struct tenon_program);

	if (!program)
		return NULL;
	program->rt = rt;
	if (!alloc_cells(program)) {
		tn_free(&rt->rt, program);
		return NULL;
	}
	program->prog = prog;
	program->unit = unit;
	tn_unit_get(unit);
	prog->host = program;
	prog->release = program_release;
	tn_store_relaxed(&prog->refs, 1);
	return program;
}

/* ---- For prog arrays ---- */

void *tn_program_get_by_id(struct tn_rt *base, uint32_t id)
{
	struct tenon_runtime *rt = TN_CONTAINER_OF(base, struct tenon_runtime, rt);
	struct tenon_object *obj;
	struct tn_prog *found = NULL;
	uint32_t i;

	tn_lock(rt);
	for (obj = rt->objects; obj && !found; obj = obj->next) {
		for (i = 0; i < obj->nr_programs; i++) {
			if (obj->programs[i]->prog->id == id && obj->programs[i]->ready)
				found = obj->programs[i]->prog;
		}
	}
	if (found)
		tn_add_relaxed(&found->refs, 1);
	tn_unlock(rt);
	if (!found)
		return tn_err_null(-ENOENT, "no loaded program has id %u", id);
	return found;
}

void tn_program_put_opaque(void *prog)
{
	tn_program_put(((struct tn_prog *)prog)->host);
}

uint32_t tn_program_id_of(const void *prog)
{
	return ((const struct tn_prog *)prog)->id;
}

int tn_program_fits(const void *opaque, const void *owner_sig)
{
	const struct tn_prog *prog = opaque;
	const struct tenon_program *program = prog->host;
	const struct tn_prog_sig *want = owner_sig;
	const struct tn_facts *f = prog->facts;
	int64_t min = want->ret_int ? f->int_min : f->ret_min;
	int64_t max = want->ret_int ? f->int_max : f->ret_max;

	if (program->tail_calls) {
		min = program->sig.ret_min;
		max = program->sig.ret_max;
	}

	if (!tn_prog_sig_same_ctx(&program->sig, want))
		return tn_err(-EINVAL,
			      "program '%s' has another context than the programs of this "
			      "prog array",
			      prog->name);
	if (!want->ret_checked)
		return 0;
	if ((program->tail_calls &&
	     (!program->sig.ret_checked || program->sig.ret_int != want->ret_int)) ||
	    min < want->ret_min || max > want->ret_max)
		return tn_err(-EINVAL,
			      "program '%s' may return %lld to %lld, the programs of this "
			      "prog array %lld to %lld",
			      prog->name, (long long)min, (long long)max, (long long)want->ret_min,
			      (long long)want->ret_max);
	return 0;
}

/* ---- Attributes ---- */

const char *tenon_program_name(const struct tenon_program *program)
{
	return program ? program->prog->name : NULL;
}

const char *tenon_program_section(const struct tenon_program *program)
{
	return program ? program->prog->section : NULL;
}

const char *tenon_program_hook(const struct tenon_program *program)
{
	return program ? program->hook : NULL;
}

uint32_t tenon_program_id(const struct tenon_program *program)
{
	return program ? program->prog->id : 0;
}

int tenon_program_set_autoload(struct tenon_program *program, bool load)
{
	if (!program)
		return tn_err(-EINVAL, "tenon_program_set_autoload: no program");
	if (!program->obj || program->obj->state != TN_OBJECT_OPEN)
		return tn_err(-EALREADY, "program '%s': its object is loaded already",
			      program->prog->name);
	program->prog->autoload = load;
	return 0;
}

int tenon_program_report(const struct tenon_program *program, struct tenon_report *report)
{
	const struct tn_verdict *v;
	struct tenon_report out;
	int rc;

	if (!program || !report)
		return tn_err(-EINVAL, "tenon_program_report: an argument is NULL");
	rc = tn_opts_read("tenon_report", report, &out, sizeof(out));
	if (rc)
		return rc;
	if (!program->verified)
		return tn_err(-ENOENT, "program '%s': %s", program->prog->name,
			      program->failure ? program->failure : "not verified yet");
	v = &program->verdict;
	out = (struct tenon_report){
		.code = v->code,
		.code_name = v->code_name ? v->code_name : "",
		.insn = v->insn,
		.source = program->source,
		.msg = v->msg ? v->msg : "",
		.log = v->log ? v->log : "",
		.json = v->json ? v->json : "",
		.steps = v->steps,
		.states = v->states,
		.peak_bytes = v->peak_bytes,
		.listing = v->listing ? v->listing : "",
		.graph = v->graph ? v->graph : "",
	};
	tn_opts_write(report, &out, sizeof(out));
	return 0;
}

int tenon_program_stats(const struct tenon_program *program, struct tenon_program_stats *stats)
{
	struct tenon_program_stats out;
	uint32_t i;
	int rc;

	if (!program || !stats)
		return tn_err(-EINVAL, "tenon_program_stats: an argument is NULL");
	rc = tn_opts_read("tenon_program_stats", stats, &out, sizeof(out));
	if (rc)
		return rc;
	out = (struct tenon_program_stats){
		.recursion = tn_load_relaxed(&program->recursion),
		.aborted = tn_load_relaxed(&program->aborted),
		.last_reason = tn_load_relaxed(&program->last_reason),
		.insns = program->prog->nr_insns,
		.verified_steps = (uint32_t)program->verdict.steps,
		.code_bytes = program->prog->code_bytes,
		.verify_ns = program->verify_ns,
		.compile_ns = program->compile_ns,
	};
	for (i = 0; program->cells && i < program->rt->rt.max_slots; i++) {
		out.runs += tn_load_relaxed(&program->cells[i].runs);
		out.run_ns += tn_load_relaxed(&program->cells[i].ns);
	}
	tn_opts_write(stats, &out, sizeof(out));
	return 0;
}
