/* SPDX-License-Identifier: MIT */
/*
 * From the failing path to what would mend the program: which test is missing, which one is off by
 * one, which one looks at something else. Where nothing certain can be said the advice that the
 * check gave stays. Verdicts are made before; a code changes only from "holds no value" to the
 * reason why it holds none.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "verifier/cure.h"

typedef long long ll;

void tn_cure_add(struct tn_trace *t, const char *fmt, ...)
{
	struct tn_diag *d = &t->vf->diag;
	size_t len = strlen(d->advice);
	va_list ap;

	if (len && len + 3 < sizeof(d->advice))
		len += (size_t)snprintf(d->advice + len, sizeof(d->advice) - len, "; ");
	va_start(ap, fmt);
	vsnprintf(d->advice + len, sizeof(d->advice) - len, fmt, ap);
	va_end(ap);
}

void tn_cure_anew(struct tn_trace *t)
{
	t->vf->diag.advice[0] = '\0';
}

static bool is_call(const struct tn_trace *t)
{
	return tn_vf_insn(t->vf)->code == (TN_JMP | TN_CALL);
}

void tn_cure_text(struct tn_trace *t, int code, const char *fmt, ...)
{
	va_list ap;

	t->vf->diag.code = code;
	va_start(ap, fmt);
	vsnprintf(t->vf->diag.text, sizeof(t->vf->diag.text), fmt, ap);
	va_end(ap);
}

/* ---- NULL ---- */

static void cure_null(struct tn_trace *t)
{
	uint32_t root = tn_trace_root(t, tn_trace_reg(t, (uint32_t)t->vf->diag.reg));
	const struct tn_val *v = tn_trace_val(t, root);
	const char *name = is_call(t) ? NULL : tn_trace_variable(t, tn_cure_last(t));
	const char *here = tn_trace_place(t, tn_cure_last(t));

	if (v && v->op == TN_VAL_LOAD && tn_trace_words(t, root))
		name = tn_trace_words(t, root);
	if (is_call(t))
		tn_cure_text(t, E_NULL, "argument %d of %s is %s, which may be NULL here",
			     t->vf->diag.reg, tn_callee_name(t->vf, t->vf->s.insn),
			     tn_reg_words(t->vf, tn_cure_reg(t)));
	tn_cure_anew(t);
	tn_cure_add(t, "add `if (!%s) return ...;` before %s", name ? name : "pointer", here);
	if (!is_call(t) && tn_cure_reg(t)->kind == TN_REG_MEM && tn_state_top(&t->vf->s)->subprog &&
	    t->vf->s.nr_frames == 1)
		tn_cure_add(t, "or declare the argument __arg_nonnull: then callers test it");
	if (!v || v->op != TN_VAL_CALL)
		return;
	if (!name)
		tn_cure_add(t, "the pointer is %s at %s", tn_trace_words(t, root),
			    tn_trace_place(t, v->step));
	for (uint32_t i = t->nr_tests; i-- > 0;) {
		const struct tn_test *x = &t->tests[i];
		const struct tn_val *a = tn_trace_val(t, tn_trace_root(t, x->a));

		if (x->b != TN_NONE || x->imm || !a || a->op != TN_VAL_CALL || a == v ||
		    t->steps[a->step].insn == t->steps[v->step].insn)
			continue;
		tn_cure_add(t, "%s tests another pointer, that of %s", tn_trace_place(t, x->step),
			    tn_trace_place(t, a->step));
		return;
	}
}

/* ---- Arguments of calls ---- */

/* Memory of an argument: bytes from its start to its end; -1: not known. */
static int64_t argument_room(struct tn_trace *t, uint32_t reg)
{
	const struct tn_reg *r = tn_vf_reg(t->vf, reg);
	uint64_t at;

	if (!tn_scalar_is_const(&r->v, &at))
		return -1;
	switch (r->kind) {
	case TN_REG_STACK:
		return -(int64_t)at;
	case TN_REG_VALUE:
		return (int64_t)((const struct tn_map *)r->obj)->value_size - (int64_t)at;
	case TN_REG_RECORD:
		return (int64_t)r->size - (int64_t)at;
	default:
		return -1;
	}
}

static const struct tn_arg *argument(struct tn_trace *t, uint32_t reg)
{
	const struct tn_sig *sig = tn_vf_sig(t->vf, t->vf->s.insn);

	return sig && reg >= TN_R1 && reg < TN_R1 + (uint32_t)sig->nr_args ? &sig->args[reg - TN_R1]
									   : NULL;
}

/* Key, value or buffer in memory that is too short for the callee. */
static void cure_short_argument(struct tn_trace *t, uint32_t reg, const struct tn_arg *arg)
{
	const char *callee = tn_callee_name(t->vf, t->vf->s.insn);
	const struct tn_reg *size = tn_vf_reg(t->vf, reg + 1);
	const struct tn_val *map = tn_trace_val(t, tn_trace_reg(t, TN_R1));
	int64_t room = argument_room(t, reg);
	const char *name;

	tn_cure_anew(t);
	if ((arg->kind == TN_ARG_MAP_KEY || arg->kind == TN_ARG_MAP_VALUE ||
	     arg->kind == TN_ARG_MAP_VALUE_OUT) &&
	    map && map->op == TN_VAL_MAP && (uint64_t)map->imm < t->vf->prog->nr_maps &&
	    t->vf->prog->maps[map->imm]) {
		const struct tn_map *m = t->vf->prog->maps[map->imm];
		bool key = arg->kind == TN_ARG_MAP_KEY;

		tn_cure_add(t, "a %s of map '%s' has %u bytes%s: give a variable of its type",
			    key ? "key" : "value", m->name, key ? m->key_size : m->value_size,
			    room > 0 && tn_vf_reg(t->vf, reg)->kind == TN_REG_STACK
				    ? ", which reach out of the stack"
				    : "");
		return;
	}
	if (room < 0 || size->kind != TN_REG_SCALAR)
		return;
	name = tn_trace_words(t, tn_trace_reg(t, reg + 1));
	if (size->v.umin == size->v.umax)
		tn_cure_add(t, "%s is told %lld bytes, at most %lld are there: pass sizeof(buffer)",
			    callee, (ll)size->v.umax, (ll)room);
	else
		tn_cure_add(t,
			    "need %s in 0..%lld, have %llu..%llu: add `if (%s > %lld) return ...;` "
			    "before %s",
			    name ? name : "the size", (ll)room, (unsigned long long)size->v.umin,
			    (unsigned long long)size->v.umax, name ? name : "size", (ll)room,
			    tn_trace_place(t, tn_cure_last(t)));
}

static void cure_size(struct tn_trace *t, uint32_t reg)
{
	const char *name = tn_trace_words(t, tn_trace_reg(t, reg));
	const struct tn_reg *r = tn_vf_reg(t->vf, reg);
	int64_t room = argument_room(t, reg - 1);

	if (r->kind != TN_REG_SCALAR || r->v.umin == r->v.umax)
		return;
	tn_cure_anew(t);
	if (!name)
		name = "size";
	if (room > 0 && r->v.umin > 0)
		tn_cure_add(t, "add `if (%s > %lld) return ...;` before %s", name, (ll)room,
			    tn_trace_place(t, tn_cure_last(t)));
	else if (room > 0)
		tn_cure_add(t, "add `if (%s < 1 || %s > %lld) return ...;` before %s", name, name,
			    (ll)room, tn_trace_place(t, tn_cure_last(t)));
	else
		tn_cure_add(t, "add `if (%s < 1) return ...;` and an upper bound before %s", name,
			    tn_trace_place(t, tn_cure_last(t)));
}

static void cure_kind(struct tn_trace *t, uint32_t reg, const struct tn_arg *arg)
{
	const struct tn_reg *r = tn_vf_reg(t->vf, reg);
	const struct tn_val *v = tn_trace_val(t, tn_trace_reg(t, reg));
	const char *name = tn_trace_words(t, tn_trace_reg(t, reg));

	switch ((enum tn_arg_kind)arg->kind) {
	case TN_ARG_MAP:
		tn_cure_add(t, "give the address of a map, &map, as the first argument");
		break;
	case TN_ARG_CTX:
		tn_cure_add(t, "give `%s` itself, as the program got it", tn_context_name(t->vf));
		break;
	case TN_ARG_CONST_SIZE:
		tn_cure_add(t, "use sizeof or a constant; for records of different sizes use "
			       "bpf_ringbuf_output()");
		break;
	case TN_ARG_STR:
		if (strstr(t->vf->diag.text, "reads memory"))
			tn_cure_add(t, "print numbers alone: %%d, %%u, %%llx");
		else
			tn_cure_add(t, "declare the text as `static const char text[] = \"...\";`");
		break;
	default:
		if (r->kind == TN_REG_MAP)
			tn_cure_add(t, "a map is no memory: look up an element with "
				       "bpf_map_lookup_elem() and give that");
		else if (r->kind == TN_REG_SCALAR && v && v->op == TN_VAL_CONST && !v->imm)
			tn_cure_add(t, "NULL is not allowed here: give a buffer");
		else if (r->kind == TN_REG_SCALAR)
			tn_cure_add(t, "give the address of a variable, &name, that holds %s",
				    name ? name : "the number");
	}
}

static void cure_argument(struct tn_trace *t)
{
	uint32_t reg = (uint32_t)t->vf->diag.reg;
	const struct tn_arg *arg = argument(t, reg);

	if (!arg || t->vf->diag.reg < 0)
		return;
	if (t->vf->diag.access.known)
		cure_short_argument(t, reg, arg);
	else if (arg->kind == TN_ARG_SIZE || arg->kind == TN_ARG_SIZE_OR_ZERO)
		cure_size(t, reg);
	else if (!t->vf->diag.advice[0])
		cure_kind(t, reg, arg);
}

/* ---- Registers without a value ---- */

/* Is the register moved to an argument that the next call releases? */
static bool goes_to_release(const struct tn_trace *t)
{
	const struct tn_prog *prog = t->vf->prog;
	const struct tn_insn *mov = tn_vf_insn(t->vf);
	uint32_t end = TN_MIN(t->vf->s.insn + 8, prog->nr_insns);

	if (TN_CLASS(mov->code) != TN_ALU64 || mov->dst < TN_R1 || mov->dst > TN_R5)
		return false;
	for (uint32_t i = t->vf->s.insn + 1; i < end; i++) {
		const struct tn_sig *sig;

		if (prog->insns[i].code != (TN_JMP | TN_CALL))
			continue;
		sig = tn_vf_sig(t->vf, i);
		return sig && mov->dst - TN_R1 < sig->nr_args &&
		       (sig->args[mov->dst - TN_R1].release ||
			sig->args[mov->dst - TN_R1].kind == TN_ARG_RINGBUF_RECORD);
	}
	return false;
}

static bool cure_released(struct tn_trace *t, uint32_t reg, uint32_t v)
{
	const struct tn_val *x = tn_trace_val(t, v), *root = tn_trace_val(t, tn_trace_root(t, v));
	const struct tn_arg *arg = is_call(t) ? argument(t, reg) : NULL;
	const char *by, *line;

	if (x && x->gone == TN_NONE)
		x = root;
	if (!x || x->gone == TN_NONE)
		return false;
	by = tn_callee_name(t->vf, t->steps[x->gone].insn);
	line = tn_trace_place(t, x->gone);
	tn_cure_anew(t);
	if (goes_to_release(t) || (arg && (arg->release || arg->kind == TN_ARG_RINGBUF_RECORD))) {
		tn_cure_text(t, E_REFERENCE,
			     "this would release a second time what was released at %s by %s", line,
			     by);
		tn_cure_add(t, "release it once: submit or discard, on each path");
	} else {
		tn_cure_text(t, E_REFERENCE,
			     "r%u is used here, but what it points to was released at "
			     "%s by %s",
			     reg, line, by);
		tn_cure_add(t, "do this before %s, or copy what is needed to a variable", line);
	}
	return true;
}

static bool cure_stale(struct tn_trace *t, uint32_t reg, uint32_t v)
{
	struct tn_linear at = tn_trace_linear(t, v);
	const struct tn_val *x = tn_trace_val(t, at.base);
	const char *name, *line;

	if (!x || x->op != TN_VAL_LOAD || t->invalidated == TN_NONE || x->step > t->invalidated)
		return false;
	name = tn_trace_words(t, at.base);
	line = tn_trace_place(t, t->invalidated);
	tn_cure_text(t, E_UNINIT, "r%u holds %s as it was before %s at %s, which may have moved it",
		     reg, name ? name : "a pointer of the context",
		     tn_callee_name(t->vf, t->steps[t->invalidated].insn), line);
	tn_cure_anew(t);
	tn_cure_add(t, "read %s again after %s, and test its length again",
		    name ? name : "the pointer", line);
	return true;
}

/* A slice of a dynptr that was submitted or discarded since. */
static bool cure_slice(struct tn_trace *t, uint32_t reg, uint32_t v)
{
	const struct tn_val *x = tn_trace_val(t, tn_trace_root(t, v));
	const struct tn_sig *sig;

	if (!x || x->op != TN_VAL_CALL)
		return false;
	sig = tn_vf_sig(t->vf, t->steps[x->step].insn);
	for (uint32_t i = t->nr_steps; sig && sig->ret == TN_RET_SLICE && i-- > x->step + 1;) {
		uint32_t insn = t->steps[i].insn;
		const char *by, *line;

		if (t->vf->prog->insns[insn].code != (TN_JMP | TN_CALL))
			continue;
		by = tn_callee_name(t->vf, insn);
		if (strcmp(by, "bpf_ringbuf_submit_dynptr") &&
		    strcmp(by, "bpf_ringbuf_discard_dynptr"))
			continue;
		line = tn_trace_place(t, i);
		tn_cure_text(t, E_REFERENCE,
			     "r%u is used here, but what it points to was released at %s by %s",
			     reg, line, by);
		tn_cure_anew(t);
		tn_cure_add(t, "do this before %s, or copy what is needed to a variable", line);
		return true;
	}
	return false;
}

static void cure_uninit(struct tn_trace *t)
{
	uint32_t reg = (uint32_t)t->vf->diag.reg, v = tn_trace_reg(t, reg);
	const struct tn_val *x = tn_trace_val(t, v);
	bool exits = tn_vf_insn(t->vf)->code == (TN_JMP | TN_EXIT);

	if (cure_released(t, reg, v) || cure_slice(t, reg, v) || cure_stale(t, reg, v))
		return;
	if (exits && reg == TN_R0 && (!x || x->op == TN_VAL_CLEARED)) {
		tn_cure_text(t, E_UNINIT,
			     "the function ends here without a result: r0 was never set");
		tn_cure_add(t, "return a number on every path: `return 0;`");
	} else if (x && x->op == TN_VAL_CLEARED) {
		tn_cure_text(t, E_UNINIT, "r%u is read here, but %s at %s left nothing in r1 to r5",
			     reg, tn_callee_name(t->vf, t->steps[x->step].insn),
			     tn_trace_place(t, x->step));
		tn_cure_add(t, "keep what is needed after a call in r6 to r9 or on the stack");
	} else if (reg >= TN_R6 && t->vf->s.nr_frames > 1) {
		tn_cure_add(
			t, "a function sees the registers of its caller in r1 to r5 alone: pass it "
			   "as an argument");
	} else {
		tn_cure_add(t, "give the variable a value on every path that leads here");
	}
}

/* ---- Results, references, everything else ---- */

static bool ends_block(const struct tn_line *line)
{
	const char *text = line && line->text ? line->text + strspn(line->text, " \t") : "";

	return *text == '}';
}

/* A function's closing brace says little: name the line that made the result, or that decided to
 * leave. */
static void move_place(struct tn_trace *t)
{
	const struct tn_line *at = tn_trace_line(t, tn_cure_last(t)), *line;
	const struct tn_val *v = tn_trace_val(t, tn_trace_reg(t, TN_R0));
	uint32_t step = TN_NONE;

	if (!ends_block(at) || tn_vf_insn(t->vf)->code != (TN_JMP | TN_EXIT))
		return;
	if (t->vf->diag.reg == TN_R0) {
		step = v ? v->step : TN_NONE;
	} else {
		for (uint32_t i = t->nr_steps; i-- > 0 && step == TN_NONE;)
			if (t->steps[i].outcome != TN_NO_DECISION &&
			    !ends_block(tn_trace_line(t, i)))
				step = i;
	}
	line = step == TN_NONE ? NULL : tn_trace_line(t, step);
	if (line && line->file && !strcmp(line->file, at->file))
		t->vf->diag.insn = t->steps[step].insn;
}

static void cure_return(struct tn_trace *t)
{
	const struct tn_val *v = tn_trace_val(t, tn_trace_root(t, tn_trace_reg(t, TN_R0)));
	const char *name = tn_trace_words(t, tn_trace_reg(t, TN_R0));

	if (v && v->op == TN_VAL_CONST)
		tn_cure_add(t, "return a number that is allowed here");
	else
		tn_cure_add(t, "%s is returned as it is: test it and return a constant",
			    name ? name : "a computed number");
}

static void cure_pointer_math(struct tn_trace *t)
{
	const struct tn_insn *i = tn_vf_insn(t->vf);

	if (TN_CLASS(i->code) == TN_JMP32 && !TN_SRC(i->code) && !i->imm && t->vf->diag.reg >= 0) {
		tn_cure_text(
			t, E_POINTER_MATH,
			"r%d is %s, of which 32 bits are compared with 0: only all 64 bits tell "
			"whether it is NULL",
			t->vf->diag.reg, tn_reg_words(t->vf, tn_cure_reg(t)));
		tn_cure_add(t, "test the pointer itself, `if (!pointer)`, not a 32-bit copy of it");
	} else if (tn_insn_is_jump(i))
		tn_cure_add(t, "pointers can be compared with NULL and with others into the same "
			       "object: compare keys, indices or lengths instead");
	else if (TN_CLASS(i->code) == TN_ALU ||
		 ((TN_OP(i->code) == TN_LSH || TN_OP(i->code) == TN_RSH) && i->imm == 32))
		tn_cure_add(
			t,
			"an address has 64 bits: keep it in a pointer or a __u64, not in 32 bits");
	else
		tn_cure_add(
			t,
			"compute with the index first, then add it to the pointer: &array[index]");
}

/* A pointer on the way where it was found to be NULL. */
static bool cure_known_null(struct tn_trace *t, const struct tn_reg *r)
{
	uint32_t v = tn_trace_reg(t, (uint32_t)t->vf->diag.reg);
	const struct tn_val *x = tn_trace_val(t, v);
	uint64_t c;

	if (!x || (x->op != TN_VAL_CALL && x->op != TN_VAL_LOAD) ||
	    !tn_scalar_is_const(&r->v, &c) || c)
		return false;
	for (uint32_t i = t->nr_tests; i-- > 0;) {
		const struct tn_test *test = &t->tests[i];

		if (test->a != v || test->b != TN_NONE || test->imm || test->op != TN_JEQ)
			continue;
		tn_cure_text(t, E_TYPE, "r%d is %s, which %s found to be NULL on this path",
			     t->vf->diag.reg,
			     tn_trace_words(t, v) ? tn_trace_words(t, v) : "a pointer",
			     tn_trace_place(t, test->step));
		tn_cure_add(t, "the test is the wrong way round: leave where it is NULL");
		return true;
	}
	return false;
}

/* NULL is walked on a path of its own where a call has two outcomes. */
static bool cure_null_outcome(struct tn_trace *t, const struct tn_reg *r)
{
	uint32_t v = tn_trace_reg(t, (uint32_t)t->vf->diag.reg);
	const struct tn_val *x = tn_trace_val(t, v);
	const struct tn_sig *sig;
	uint64_t c;

	if (!x || x->op != TN_VAL_CALL || !tn_scalar_is_const(&r->v, &c) || c)
		return false;
	sig = tn_vf_sig(t->vf, t->steps[x->step].insn);
	if (!sig || (sig->ret != TN_RET_SLICE && sig->ret != TN_RET_ITER_ELEM))
		return false;
	tn_cure_text(t, E_NULL, "r%d is %s, which may be NULL here", t->vf->diag.reg,
		     tn_trace_words(t, v) ? tn_trace_words(t, v) : "a pointer");
	cure_null(t);
	return true;
}

static void cure_type(struct tn_trace *t)
{
	const struct tn_reg *r = t->vf->diag.reg >= 0 ? tn_cure_reg(t) : NULL;

	if (!r)
		return;
	if (r->kind == TN_REG_SCALAR && (cure_known_null(t, r) || cure_null_outcome(t, r)))
		return;
	if (TN_MODE(tn_vf_insn(t->vf)->code) == TN_ATOMIC &&
	    TN_CLASS(tn_vf_insn(t->vf)->code) == TN_STX)
		tn_cure_add(t, "atomics are for numbers in the stack, in values of maps and in "
			       "records; elsewhere use a plain operation");
	else if (r->kind == TN_REG_SCALAR)
		tn_cure_add(t,
			    "only pointers from the context, a map, the stack or a helper can be "
			    "used; a number, even one that was an address once, can not");
	else if (r->kind == TN_REG_HANDLE)
		tn_cure_add(t, "a handle is opaque: call a function of the host that takes it");
	else if (r->kind == TN_REG_MAP)
		tn_cure_add(t, "look up an element with bpf_map_lookup_elem() first");
}

/* Fields that a plugin may write. */
static void advise_writable(struct tn_trace *t)
{
	char names[160] = "";
	size_t len = 0;

	for (uint32_t i = 0; i < t->vf->ctx->nr_fields; i++) {
		const struct tn_field *f = &t->vf->ctx->fields[i];

		if (f->kind == TN_FIELD_SCALAR && f->access & TN_ACC_W &&
		    len + strlen(f->name) + 3 < sizeof(names))
			len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s",
						len ? ", " : "", f->name);
	}
	if (len)
		tn_cure_add(t, "the host lets plugins write these fields alone: %s", names);
	else
		tn_cure_add(t, "the host lets plugins read this context alone");
}

static void cure_ctx(struct tn_trace *t)
{
	const struct tn_insn *i = tn_vf_insn(t->vf);
	const struct tn_ctx_type *ctx = t->vf->ctx;
	const struct tn_field *f;

	if (TN_CLASS(i->code) != TN_LDX && TN_CLASS(i->code) != TN_STX &&
	    TN_CLASS(i->code) != TN_ST)
		return;
	f = i->off >= 0 ? tn_ctx_field_at(ctx, (uint32_t)i->off, 1) : NULL;
	if (i->off >= 0 && (uint32_t)i->off >= ctx->size)
		tn_cure_add(t, "compile with the header of this host, where '%s' has %u bytes",
			    ctx->name, ctx->size);
	else if (f && tn_insn_bytes(i->code) > f->elem_size && f->kind == TN_FIELD_SCALAR)
		tn_cure_add(t, "'%s' has %u byte%s: access it as such, `%s->%s`", f->name,
			    f->elem_size, f->elem_size == 1 ? "" : "s", tn_context_name(t->vf),
			    f->name);
	else if (TN_CLASS(i->code) != TN_LDX)
		advise_writable(t);
	else
		tn_cure_add(t, "access one field, with its own size, through `%s->field`",
			    tn_context_name(t->vf));
}

static void cure_map(struct tn_trace *t)
{
	const struct tn_arg *arg = t->vf->diag.reg >= 0 && is_call(t)
					   ? argument(t, (uint32_t)t->vf->diag.reg)
					   : NULL;
	char names[160] = "";
	size_t len = 0;

	for (uint32_t type = 1; arg && type < 32; type++) {
		const char *name = arg->map_types >> type & 1 ? tn_map_type_words(type) : NULL;

		if (name && len + strlen(name) + 3 < sizeof(names))
			len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s",
						len ? ", " : "", name);
	}
	if (len)
		tn_cure_add(t, "%s takes a map of type %s", tn_callee_name(t->vf, t->vf->s.insn),
			    names);
}

void tn_cure_in_general(struct tn_vf *vf)
{
	static const struct {
		int code;
		const char *words;
	} advice[] = {
		{ E_LEAK, "keep addresses inside of the program: store or return an index, a key "
			  "or the value" },
		{ E_READONLY, "copy it to a variable and change the copy" },
		{ E_LICENSE, "declare a license that fits, `char _license[] SEC(\"license\") = "
			     "\"GPL\";`, or do without" },
		{ E_HELPER, "`tenon feature probe` lists the helpers; the host's own are declared "
			    "`extern ... __ksym`" },
		{ E_LOOP, "give the loop a way out that can happen: a counter that reaches its "
			  "bound, a break, or can_loop of tenon/plugin.h" },
		{ E_TERMINATION, "count the rounds up to a constant, `for (i = 0; i < 1000; i++)` "
				 "with a break inside, or use bpf_loop()" },
		{ E_STRUCTURE, "a function may not call itself, also not through others: write a "
			       "loop" },
		{ E_CALL, "merge functions or make them `static __always_inline`" },
		{ E_MAP, "use a map of another type, or another helper" },
		{ E_LOCK, "take one lock at a time, unlock it on every path, and call nothing that "
			  "waits in between" },
		{ E_UNSUPPORTED, "write it another way: docs/verifier.md says what is proved" },
		{ E_STACK, "let the caller pass a pointer to a variable of its own" },
		{ E_POLICY, "the host's owner decides what plugins may call" },
		{ E_ALIGN, "access it at a multiple of its size, or copy it byte by byte" },
		{ E_ENCODING, "compile it again with a clang that knows this -mcpu" },
		{ E_LIMIT, "split the program, or raise the host's limit" },
	};

	for (size_t i = 0; i < TN_ARRAY_SIZE(advice) && !vf->diag.advice[0]; i++)
		if (advice[i].code == vf->diag.code)
			tn_advise(vf, "%s", advice[i].words);
}

void tn_cure(struct tn_trace *t)
{
	struct tn_diag *d = &t->vf->diag;
	bool has_reg = d->reg >= 0;

	switch (d->code) {
	case E_NULL:
		if (has_reg)
			cure_null(t);
		break;
	case E_BOUNDS:
	case E_STACK:
		if (has_reg && is_call(t) && argument(t, (uint32_t)d->reg) &&
		    tn_cure_reg(t)->kind != TN_REG_REGION)
			cure_argument(t);
		else if (has_reg)
			tn_cure_bounds(t);
		break;
	case E_ARG:
		cure_argument(t);
		break;
	case E_UNINIT:
		if (has_reg)
			cure_uninit(t);
		break;
	case E_RETURN:
		if (!d->advice[0] && has_reg)
			cure_return(t);
		move_place(t);
		break;
	case E_REFERENCE:
		move_place(t);
		break;
	case E_POINTER_MATH:
		if (!d->advice[0])
			cure_pointer_math(t);
		break;
	case E_TYPE:
		if (!d->advice[0])
			cure_type(t);
		break;
	case E_CTX:
		if (!d->advice[0])
			cure_ctx(t);
		break;
	case E_LEAK:
		move_place(t);
		break;
	case E_MAP:
		if (!d->advice[0])
			cure_map(t);
		break;
	default:
		break;
	}
}
