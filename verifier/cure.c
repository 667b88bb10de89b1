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

#include "verifier/trace.h"

typedef long long ll;

/* Another sentence of the advice. */
static void advise(struct tn_trace *t, const char *fmt, ...) TN_PRINTF(2, 3);
static void advise(struct tn_trace *t, const char *fmt, ...)
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

static void advise_anew(struct tn_trace *t)
{
	t->vf->diag.advice[0] = '\0';
}

static uint32_t last_step(const struct tn_trace *t)
{
	return t->nr_steps - 1;
}

static const struct tn_reg *failed_reg(const struct tn_trace *t)
{
	return tn_vf_reg(t->vf, (uint32_t)t->vf->diag.reg);
}

static bool is_call(const struct tn_trace *t)
{
	return tn_vf_insn(t->vf)->code == (TN_JMP | TN_CALL);
}

static bool text_has(const struct tn_trace *t, uint32_t step, const char *what)
{
	const struct tn_line *line = tn_trace_line(t, step);

	return line && line->text && strstr(line->text, what);
}

static void rewrite(struct tn_trace *t, int code, const char *fmt, ...) TN_PRINTF(3, 4);
static void rewrite(struct tn_trace *t, int code, const char *fmt, ...)
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
	const char *name = is_call(t) ? NULL : tn_trace_variable(t, last_step(t));
	const char *here = tn_trace_place(t, last_step(t));

	if (v && v->op == TN_VAL_LOAD && tn_trace_words(t, root))
		name = tn_trace_words(t, root);
	if (is_call(t))
		rewrite(t, E_NULL, "argument %d of %s is %s, which may be NULL here",
			t->vf->diag.reg, tn_callee_name(t->vf, t->vf->s.insn),
			tn_reg_words(t->vf, failed_reg(t)));
	advise_anew(t);
	advise(t, "add `if (!%s) return ...;` before %s", name ? name : "pointer", here);
	if (!v || v->op != TN_VAL_CALL)
		return;
	if (!name)
		advise(t, "the pointer is %s at %s", tn_trace_words(t, root),
		       tn_trace_place(t, v->step));
	for (uint32_t i = t->nr_tests; i-- > 0;) {
		const struct tn_test *x = &t->tests[i];
		const struct tn_val *a = tn_trace_val(t, tn_trace_root(t, x->a));

		if (x->b != TN_NONE || x->imm || !a || a->op != TN_VAL_CALL || a == v ||
		    t->steps[a->step].insn == t->steps[v->step].insn)
			continue;
		advise(t, "%s tests another pointer, that of %s", tn_trace_place(t, x->step),
		       tn_trace_place(t, a->step));
		return;
	}
}

/* ---- Indices into memory of a known size ---- */

struct index {
	struct tn_linear at;
	const char *name;
	int64_t max; /* largest index that fits; -1: none does */
	int64_t lo, hi;
	bool bounded;
	uint32_t line_step;
};

/* What the test says the value is at most; false: nothing, or no constant. */
static bool upper_bound(const struct tn_test *x, int64_t *max)
{
	if (x->b != TN_NONE)
		return false;
	switch (x->op) {
	case TN_JLT:
	case TN_JSLT:
		*max = x->imm - 1;
		return true;
	case TN_JLE:
	case TN_JSLE:
	case TN_JEQ:
		*max = x->imm;
		return true;
	default:
		return false;
	}
}

/* The same place of memory, read at another time. */
static bool is_other_read(const struct tn_trace *t, uint32_t a, uint32_t b)
{
	const struct tn_val *x = tn_trace_val(t, a), *y = tn_trace_val(t, b);

	return x && y && a != b && x->op == TN_VAL_LOAD && y->op == TN_VAL_LOAD && x->a == y->a &&
	       x->imm == y->imm && x->size == y->size && !tn_trace_is_ctx_pointer(t, x) &&
	       tn_trace_val(t, x->a) && tn_trace_val(t, x->a)->op != TN_VAL_CTX;
}

/* The last sum with a constant between the tested value and the one that is used. */
static uint32_t changed_at(const struct tn_trace *t, uint32_t v, uint32_t tested)
{
	uint32_t step = TN_NONE;

	for (uint32_t n = 0; v != TN_NONE && v != tested && n < t->nr_steps; n++) {
		const struct tn_val *x = tn_trace_val(t, v);

		if (x->op != TN_VAL_ALU)
			return TN_NONE;
		if ((x->alu == TN_ADD || x->alu == TN_SUB) && x->b == TN_NONE)
			step = x->step;
		v = x->b != TN_NONE && x->alu == TN_ADD ? x->b : x->a;
	}
	return v == tested ? step : TN_NONE;
}

/* Is a test of a part: of 32 bits, while the number has more? */
static bool is_of_lower_half(const struct tn_trace *t, const struct tn_test *x, uint32_t root)
{
	const struct tn_val *v = tn_trace_val(t, root), *a = tn_trace_val(t, x->a);

	if (!v || v->op != TN_VAL_LOAD || v->size != 8)
		return false;
	return x->half || (x->a != root && a->op == TN_VAL_ALU &&
			   ((a->alu == TN_MOV && a->half) || a->alu == TN_RSH));
}

static bool judge_test(struct tn_trace *t, const struct index *ix, const struct tn_test *x)
{
	uint32_t root = tn_trace_root(t, x->a), v = tn_trace_reg(t, (uint32_t)t->vf->diag.reg);
	const char *line = tn_trace_place(t, x->step);
	int64_t max;
	uint32_t changed;

	if (root == TN_NONE || !upper_bound(x, &max))
		return false;
	if (root != ix->at.root) {
		if (!tn_trace_words(t, root) || max < 0 || max > ix->max)
			return false;
		advise(t, "%s tests %s, which is another number", line, tn_trace_words(t, root));
		return true;
	}
	changed = changed_at(t, v, x->a);
	if (is_of_lower_half(t, x, root)) {
		advise(t, "%s tests the lower 32 bits alone: test all 64 bits", line);
	} else if (changed != TN_NONE && changed > x->step) {
		advise(t, "%s changes it after %s tested it: test what comes out",
		       tn_trace_place(t, changed), line);
	} else if (max == ix->max + 1 && ix->max >= 0) {
		advise(t, "%s lets it reach %lld, the last one is %lld%s", line, (ll)max,
		       (ll)ix->max, text_has(t, x->step, "<=") ? ": use `<` there" : "");
	} else if (ix->lo < 0 && (x->op == TN_JSLT || x->op == TN_JSLE)) {
		advise(t, "%s is a signed compare, which lets negative numbers through", line);
	} else {
		return false;
	}
	return true;
}

static bool is_read_again(struct tn_trace *t, const struct index *ix)
{
	for (uint32_t i = t->nr_tests; i-- > 0;) {
		const struct tn_test *x = &t->tests[i];

		if (!is_other_read(t, tn_trace_root(t, x->a), ix->at.root))
			continue;
		advise(t,
		       "%s tests it as it was read before, here it is read again and may have "
		       "changed: read it once into a variable",
		       tn_trace_place(t, x->step));
		return true;
	}
	return false;
}

static void judge_tests(struct tn_trace *t, const struct index *ix)
{
	for (uint32_t i = t->nr_tests; i-- > 0;)
		if (judge_test(t, ix, &t->tests[i]))
			return;
}

/* The bounds of the index from those of the pointer; or from a register that still holds it. */
static void find_range(struct tn_trace *t, struct index *ix)
{
	const struct tn_scalar *v = &failed_reg(t)->v;
	const struct tn_frame *f = tn_state_top(&t->vf->s);

	for (uint32_t r = 0; r < TN_R10; r++) {
		if (tn_trace_reg(t, r) != ix->at.root || f->r[r].kind != TN_REG_SCALAR)
			continue;
		ix->lo = f->r[r].v.umin <= INT64_MAX && f->r[r].v.umax <= INT64_MAX
				 ? (int64_t)f->r[r].v.umin
				 : f->r[r].v.smin;
		ix->hi = f->r[r].v.smax;
		ix->bounded = ix->lo > INT64_MIN && ix->hi < INT64_MAX;
		return;
	}
	ix->bounded = v->smin > -TN_OFFSET_MAX && v->smax < TN_OFFSET_MAX;
	if (!ix->bounded)
		return;
	ix->lo = (v->smin - ix->at.offset) / ix->at.scale;
	ix->hi = (v->smax - ix->at.offset) / ix->at.scale;
}

/* Map, record, fixed memory, stack: `end` is the first offset behind it. */
static void find_max(struct tn_trace *t, struct index *ix, int64_t end)
{
	const struct tn_diag_access *acc = &t->vf->diag.access;
	const struct tn_reg *r = failed_reg(t);
	int64_t first = ix->at.offset + acc->off;
	struct tn_member m;

	ix->max = -1;
	if (end - (int64_t)acc->size >= first)
		ix->max = (end - (int64_t)acc->size - first) / ix->at.scale;
	if (r->kind != TN_REG_VALUE || first < 0 ||
	    !tn_member_at(t->vf, tn_map_number(t->vf, r->obj), (uint64_t)first, &m))
		return;
	if (m.nr_elems && m.elem_bytes == ix->at.scale)
		ix->max = TN_MIN(ix->max, (int64_t)m.nr_elems - 1 -
						  (first - (int64_t)m.offset) / ix->at.scale);
	advise(t, "'%s' of map '%s'%s", m.name, ((const struct tn_map *)r->obj)->name,
	       m.nr_elems ? "" : " is no array");
	if (m.nr_elems) {
		size_t len = strlen(t->vf->diag.advice);

		snprintf(t->vf->diag.advice + len, sizeof(t->vf->diag.advice) - len,
			 " has %u elements", m.nr_elems);
	}
}

/* A mask of one bit less than a power of two that is too wide. */
static bool cure_mask(struct tn_trace *t, const struct index *ix)
{
	const struct tn_val *v = tn_trace_val(t, ix->at.root);

	if (!v || v->op != TN_VAL_ALU || v->alu != TN_AND || v->b != TN_NONE || ix->max < 0 ||
	    (ix->max & (ix->max + 1)))
		return false;
	advise(t, "the mask lets %lld through: use `& %lld`", (ll)v->imm, (ll)ix->max);
	return true;
}

static void cure_index(struct tn_trace *t, const struct tn_linear *at, int64_t end)
{
	struct index ix = { .at = *at };
	const char *here = tn_trace_place(t, last_step(t));

	advise_anew(t);
	find_range(t, &ix);
	find_max(t, &ix, end);
	ix.name = tn_trace_words(t, at->root);
	if (!ix.name)
		ix.name = "the index";
	if (ix.max < 0) {
		advise(t, "nothing fits there: the access begins at offset %lld",
		       (ll)(at->offset + t->vf->diag.access.off));
		return;
	}
	if (ix.bounded && ix.lo == ix.hi)
		advise(t, "need %s in 0..%lld, have %lld", ix.name, (ll)ix.max, (ll)ix.lo);
	else if (ix.bounded)
		advise(t, "need %s in 0..%lld, have %lld..%lld", ix.name, (ll)ix.max, (ll)ix.lo,
		       (ll)ix.hi);
	else
		advise(t, "need %s in 0..%lld, nothing bounds it", ix.name, (ll)ix.max);
	if (cure_mask(t, &ix))
		return;
	if (is_read_again(t, &ix))
		return;
	if (ix.bounded && ix.lo < 0)
		advise(t,
		       "it may be negative: make it unsigned or add `if (%s < 0 || %s > %lld) "
		       "return ...;` before %s",
		       ix.name, ix.name, (ll)ix.max, here);
	else
		advise(t, "add `if (%s > %lld) return ...;` before %s", ix.name, (ll)ix.max, here);
	judge_tests(t, &ix);
}

/* A constant offset that a loop's last round brings. */
static void cure_constant(struct tn_trace *t, int64_t end)
{
	const struct tn_diag_access *acc = &t->vf->diag.access;
	const struct tn_reg *r = failed_reg(t);
	int64_t over = r->v.smax + acc->off + (int64_t)acc->size - end;

	for (uint32_t i = t->nr_tests; i-- > 0 && over > 0;) {
		const struct tn_test *x = &t->tests[i];

		if (x->b != TN_NONE || !text_has(t, x->step, "<="))
			continue;
		advise(t,
		       "the loop goes one round too far: `<=` at %s lets the index reach the "
		       "end, use `<`",
		       tn_trace_place(t, x->step));
		return;
	}
	for (uint32_t i = t->nr_tests; i-- > 0 && over > 0 && r->kind == TN_REG_STACK;) {
		const struct tn_test *x = &t->tests[i];
		const struct tn_val *b = tn_trace_val(t, tn_trace_root(t, x->b));
		bool is_read = b && b->op == TN_VAL_LOAD;
		const char *by = tn_trace_words(t, is_read ? x->b : x->a);

		/* The number that the index is compared with was read from somewhere. */
		if (x->b == TN_NONE || !by)
			continue;
		advise(t,
		       "%s bounds the index by %s alone: test it against the size of the local "
		       "buffer too",
		       tn_trace_place(t, x->step), by);
		return;
	}
	if (r->kind == TN_REG_RECORD)
		advise(t, "reserve %lld bytes or more: sizeof(*record), not sizeof(record)",
		       (ll)(end + over));
	else if (r->kind == TN_REG_VALUE && over > 0)
		advise(t,
		       "a value of map '%s' ends at byte %lld: make its type larger, or use the "
		       "struct that the map was declared with",
		       ((const struct tn_map *)r->obj)->name, (ll)end);
	else if (r->kind == TN_REG_STACK && r->v.smin + acc->off < -512)
		advise(t, "a frame has 512 bytes: put large buffers into the value of a map (an "
			  "array of one element per CPU)");
}

/* ---- Regions: memory with a length or an end in the context ---- */

struct bound_names {
	const char *ctx;
	const struct tn_field *field, *peer;
};

static bool is_field_load(const struct tn_trace *t, uint32_t v, const struct tn_field *f)
{
	const struct tn_val *x = tn_trace_val(t, tn_trace_root(t, v));
	const struct tn_val *base = x ? tn_trace_val(t, x->a) : NULL;

	return x && x->op == TN_VAL_LOAD && base && base->op == TN_VAL_CTX &&
	       x->imm == (int64_t)f->offset;
}

static const char *field_words(struct tn_trace *t, const struct tn_field *f)
{
	char *buf = t->text[t->next_text++ % TN_ARRAY_SIZE(t->text)];

	snprintf(buf, sizeof(t->text[0]), "%.40s->%.40s", tn_context_name(t->vf), f->name);
	return buf;
}

/* Which other field's length was tested instead? */
static void judge_other_length(struct tn_trace *t, const struct tn_field *field)
{
	const struct tn_ctx_type *ctx = t->vf->ctx;

	for (uint32_t i = t->nr_tests; i-- > 0;) {
		const struct tn_test *x = &t->tests[i];

		for (uint32_t f = 0; f < ctx->nr_fields; f++) {
			const struct tn_field *len = &ctx->fields[f];

			if (len->kind != TN_FIELD_SIZED_LEN || len->peer < 0 ||
			    &ctx->fields[len->peer] == field ||
			    !(is_field_load(t, x->a, len) || is_field_load(t, x->b, len)))
				continue;
			advise(t, "%s tests %s, which is the length of '%s'",
			       tn_trace_place(t, x->step), field_words(t, len),
			       ctx->fields[len->peer].name);
			return;
		}
	}
}

/* i <= len, or i < len - c on the path. */
static bool judge_length_test(struct tn_trace *t, uint32_t root, const struct tn_field *len)
{
	for (uint32_t i = t->nr_tests; i-- > 0;) {
		const struct tn_test *x = &t->tests[i];
		bool here = is_field_load(t, x->b, len) && tn_trace_root(t, x->a) == root;
		bool swapped = is_field_load(t, x->a, len) && tn_trace_root(t, x->b) == root;
		const struct tn_val *b = tn_trace_val(t, here ? x->b : swapped ? x->a : TN_NONE);

		if (!b)
			continue;
		if (b->op == TN_VAL_ALU && (b->alu == TN_ADD || b->alu == TN_SUB)) {
			advise(t,
			       "%s computes with %s, which wraps below 0 where that is small: "
			       "test it first, or add to the other side",
			       tn_trace_place(t, x->step), field_words(t, len));
			return true;
		}
		if ((here && (x->op == TN_JLE || x->op == TN_JSLE)) ||
		    (swapped && (x->op == TN_JGE || x->op == TN_JSGE))) {
			advise(t, "`<=` at %s lets the index reach %s: use `<`",
			       tn_trace_place(t, x->step), field_words(t, len));
			return true;
		}
	}
	return false;
}

/* The first round of a loop has tested nothing yet: what its lines say of the length. */
static bool judge_loop_lines(struct tn_trace *t, const struct tn_field *len)
{
	const struct tn_structure *s = t->vf->structure;
	uint32_t loop = s->sites[t->vf->s.insn].loop;

	if (loop == TN_NONE)
		return false;
	for (uint32_t i = 0; i < s->loops[loop].nr_members; i++) {
		const struct tn_block *b = &s->blocks[s->members[s->loops[loop].first_member + i]];
		const struct tn_line *line = tn_prog_line(t->vf->prog, b->end - 1);
		const char *at = line && line->text ? strstr(line->text, len->name) : NULL;

		if (!at || !tn_insn_is_jump(&t->vf->prog->insns[b->end - 1]))
			continue;
		at += strlen(len->name);
		if (at[strspn(at, " ")] == '-') {
			advise(t,
			       "line %u computes with %s, which wraps below 0 where that is small: "
			       "test it first, or add to the other side",
			       line->line, field_words(t, len));
			return true;
		}
		if (strstr(line->text, "<=")) {
			advise(t, "`<=` at line %u lets the index reach %s: use `<`", line->line,
			       field_words(t, len));
			return true;
		}
	}
	advise(t, "in each round of the loop, compare the index with %s before %s",
	       field_words(t, len), tn_trace_place(t, last_step(t)));
	return true;
}

static void cure_sized(struct tn_trace *t, const struct tn_field *f, const struct tn_linear *at)
{
	const struct tn_diag_access *acc = &t->vf->diag.access;
	const struct tn_field *len = &t->vf->ctx->fields[f->peer];
	uint64_t unit = TN_MAX(f->mem_size, 1u);
	const char *here = tn_trace_place(t, last_step(t)), *name;
	int64_t need = at->offset + acc->off + (int64_t)acc->size;

	advise_anew(t);
	name = at->root == TN_NONE ? NULL : tn_trace_words(t, at->root);
	if (at->root != TN_NONE && judge_length_test(t, at->root, len))
		return;
	if (at->root == TN_NONE && judge_loop_lines(t, len))
		return;
	if (at->root == TN_NONE && failed_reg(t)->v.smin == failed_reg(t)->v.smax) {
		need = failed_reg(t)->v.smax + acc->off + (int64_t)acc->size;
		need = (need + (int64_t)unit - 1) / (int64_t)unit;
		advise(t, "need %s to be at least %lld: add `if (%s < %lld) return ...;` before %s",
		       field_words(t, len), (ll)need, field_words(t, len), (ll)need, here);
	} else if (at->root == TN_NONE) {
		advise(t, "compare the pointer with the end, %s + %s, before %s", field_words(t, f),
		       field_words(t, len), here);
	} else if (need > 1) {
		advise(t, "add `if (%s + %lld > %s) return ...;` before %s", name ? name : "index",
		       (ll)need, field_words(t, len), here);
	} else {
		advise(t, "add `if (%s >= %s) return ...;` before %s", name ? name : "index",
		       field_words(t, len), here);
	}
	judge_other_length(t, f);
}

static bool derives_from(const struct tn_trace *t, uint32_t v, const struct tn_field *f)
{
	struct tn_linear at = tn_trace_linear(t, v);

	return at.base != TN_NONE && is_field_load(t, at.base, f);
}

/* The frame was found too short, and is read all the same. */
static bool is_reversed(const struct tn_test *x, bool end_is_b)
{
	return end_is_b ? x->op == TN_JGT || x->op == TN_JGE : x->op == TN_JLT || x->op == TN_JLE;
}

static void judge_end_tests(struct tn_trace *t, const struct tn_field *f,
			    const struct tn_field *end)
{
	for (uint32_t i = t->nr_tests; i-- > 0;) {
		const struct tn_test *x = &t->tests[i];
		bool end_is_b = x->b != TN_NONE && is_field_load(t, x->b, end);

		if (!end_is_b && !is_field_load(t, x->a, end))
			continue;
		if (x->b == TN_NONE || !derives_from(t, end_is_b ? x->a : x->b, f))
			continue;
		if (is_reversed(x, end_is_b))
			advise(t,
			       "%s goes on where the data is too short: the test is the wrong "
			       "way round",
			       tn_trace_place(t, x->step));
		else
			advise(t, "%s tests less, or another pointer", tn_trace_place(t, x->step));
		return;
	}
}

static void cure_ended(struct tn_trace *t, const struct tn_field *f, const struct tn_linear *at)
{
	const struct tn_diag_access *acc = &t->vf->diag.access;
	const struct tn_field *end = &t->vf->ctx->fields[f->peer];
	const char *here = tn_trace_place(t, last_step(t));
	const char *name = tn_trace_variable(t, last_step(t));
	int64_t need = (at->root == TN_NONE ? failed_reg(t)->v.smax : 0) + acc->off +
		       (int64_t)acc->size;

	advise_anew(t);
	if (at->root == TN_NONE && failed_reg(t)->v.smin == failed_reg(t)->v.smax)
		advise(t, "add `if (%s + %lld > %s) return ...;` before %s", f->name, (ll)need,
		       end->name, here);
	else
		advise(t,
		       "add `if ((void *)%s + %lld > %s) return ...;` behind where it is moved, "
		       "before %s",
		       name ? name : "pointer", (ll)acc->off + (ll)acc->size, end->name, here);
	judge_end_tests(t, f, end);
}

/* ---- Bounds of every kind ---- */

static void cure_bounds(struct tn_trace *t)
{
	const struct tn_reg *r = failed_reg(t);
	struct tn_linear at = tn_trace_linear(t, tn_trace_reg(t, (uint32_t)t->vf->diag.reg));
	const struct tn_field *f;
	int64_t end;

	if (!t->vf->diag.access.known)
		return;
	f = r->kind == TN_REG_REGION ? &t->vf->ctx->fields[t->vf->regions[r->region].field] : NULL;
	if (f && f->kind == TN_FIELD_SIZED && f->peer >= 0) {
		cure_sized(t, f, &at);
		return;
	}
	if (f && f->kind == TN_FIELD_REGION && f->peer >= 0) {
		cure_ended(t, f, &at);
		return;
	}
	end = r->kind == TN_REG_STACK ? 0 : (int64_t)t->vf->diag.access.total;
	if (at.root != TN_NONE && at.base != TN_NONE && at.scale > 0)
		cure_index(t, &at, end);
	else if (r->v.smin == r->v.smax)
		cure_constant(t, end);
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

	advise_anew(t);
	if ((arg->kind == TN_ARG_MAP_KEY || arg->kind == TN_ARG_MAP_VALUE) && map &&
	    map->op == TN_VAL_MAP && (uint64_t)map->imm < t->vf->prog->nr_maps) {
		const struct tn_map *m = t->vf->prog->maps[map->imm];
		bool key = arg->kind == TN_ARG_MAP_KEY;

		advise(t, "a %s of map '%s' has %u bytes%s: give a variable of its type",
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
		advise(t, "%s is told %lld bytes, at most %lld are there: pass sizeof(buffer)",
		       callee, (ll)size->v.umax, (ll)room);
	else
		advise(t,
		       "need %s in 0..%lld, have %llu..%llu: add `if (%s > %lld) return ...;` "
		       "before %s",
		       name ? name : "the size", (ll)room, (unsigned long long)size->v.umin,
		       (unsigned long long)size->v.umax, name ? name : "size", (ll)room,
		       tn_trace_place(t, last_step(t)));
}

static void cure_size(struct tn_trace *t, uint32_t reg)
{
	const char *name = tn_trace_words(t, tn_trace_reg(t, reg));
	const struct tn_reg *r = tn_vf_reg(t->vf, reg);
	int64_t room = argument_room(t, reg - 1);

	if (r->kind != TN_REG_SCALAR || r->v.umin == r->v.umax)
		return;
	advise_anew(t);
	if (!name)
		name = "size";
	if (room > 0 && r->v.umin > 0)
		advise(t, "add `if (%s > %lld) return ...;` before %s", name, (ll)room,
		       tn_trace_place(t, last_step(t)));
	else if (room > 0)
		advise(t, "add `if (%s < 1 || %s > %lld) return ...;` before %s", name, name,
		       (ll)room, tn_trace_place(t, last_step(t)));
	else
		advise(t, "add `if (%s < 1) return ...;` and an upper bound before %s", name,
		       tn_trace_place(t, last_step(t)));
}

static void cure_kind(struct tn_trace *t, uint32_t reg, const struct tn_arg *arg)
{
	const struct tn_reg *r = tn_vf_reg(t->vf, reg);
	const struct tn_val *v = tn_trace_val(t, tn_trace_reg(t, reg));
	const char *name = tn_trace_words(t, tn_trace_reg(t, reg));

	switch ((enum tn_arg_kind)arg->kind) {
	case TN_ARG_MAP:
		advise(t, "give the address of a map, &map, as the first argument");
		break;
	case TN_ARG_CTX:
		advise(t, "give `%s` itself, as the program got it", tn_context_name(t->vf));
		break;
	case TN_ARG_CONST_SIZE:
		advise(t, "use sizeof or a constant; for records of different sizes use "
			  "bpf_ringbuf_output()");
		break;
	case TN_ARG_STR:
		if (strstr(t->vf->diag.text, "reads memory"))
			advise(t, "print numbers alone: %%d, %%u, %%llx");
		else
			advise(t, "declare the text as `static const char text[] = \"...\";`");
		break;
	default:
		if (r->kind == TN_REG_MAP)
			advise(t, "a map is no memory: look up an element with "
				  "bpf_map_lookup_elem() and give that");
		else if (r->kind == TN_REG_SCALAR && v && v->op == TN_VAL_CONST && !v->imm)
			advise(t, "NULL is not allowed here: give a buffer");
		else if (r->kind == TN_REG_SCALAR)
			advise(t, "give the address of a variable, &name, that holds %s",
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
	advise_anew(t);
	if (goes_to_release(t) || (arg && (arg->release || arg->kind == TN_ARG_RINGBUF_RECORD))) {
		rewrite(t, E_REFERENCE,
			"this would release a second time what was released at %s by %s", line, by);
		advise(t, "release it once: submit or discard, on each path");
	} else {
		rewrite(t, E_REFERENCE,
			"r%u is used here, but what it points to was released at "
			"%s by %s",
			reg, line, by);
		advise(t, "do this before %s, or copy what is needed to a variable", line);
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
	rewrite(t, E_UNINIT, "r%u holds %s as it was before %s at %s, which may have moved it", reg,
		name ? name : "a pointer of the context",
		tn_callee_name(t->vf, t->steps[t->invalidated].insn), line);
	advise_anew(t);
	advise(t, "read %s again after %s, and test its length again", name ? name : "the pointer",
	       line);
	return true;
}

static void cure_uninit(struct tn_trace *t)
{
	uint32_t reg = (uint32_t)t->vf->diag.reg, v = tn_trace_reg(t, reg);
	const struct tn_val *x = tn_trace_val(t, v);
	bool exits = tn_vf_insn(t->vf)->code == (TN_JMP | TN_EXIT);

	if (cure_released(t, reg, v) || cure_stale(t, reg, v))
		return;
	if (exits && reg == TN_R0 && (!x || x->op == TN_VAL_CLEARED)) {
		rewrite(t, E_UNINIT, "the function ends here without a result: r0 was never set");
		advise(t, "return a number on every path: `return 0;`");
	} else if (x && x->op == TN_VAL_CLEARED) {
		rewrite(t, E_UNINIT, "r%u is read here, but %s at %s left nothing in r1 to r5", reg,
			tn_callee_name(t->vf, t->steps[x->step].insn), tn_trace_place(t, x->step));
		advise(t, "keep what is needed after a call in r6 to r9 or on the stack");
	} else if (reg >= TN_R6 && t->vf->s.nr_frames > 1) {
		advise(t, "a function sees the registers of its caller in r1 to r5 alone: pass it "
			  "as an argument");
	} else {
		advise(t, "give the variable a value on every path that leads here");
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
	const struct tn_line *at = tn_trace_line(t, last_step(t)), *line;
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
		advise(t, "return a number that is allowed here");
	else
		advise(t, "%s is returned as it is: test it and return a constant",
		       name ? name : "a computed number");
}

static void cure_pointer_math(struct tn_trace *t)
{
	const struct tn_insn *i = tn_vf_insn(t->vf);

	if (tn_insn_is_jump(i))
		advise(t, "pointers can be compared with NULL and with others into the same "
			  "object: compare keys, indices or lengths instead");
	else if (TN_CLASS(i->code) == TN_ALU ||
		 ((TN_OP(i->code) == TN_LSH || TN_OP(i->code) == TN_RSH) && i->imm == 32))
		advise(t,
		       "an address has 64 bits: keep it in a pointer or a __u64, not in 32 bits");
	else
		advise(t,
		       "compute with the index first, then add it to the pointer: &array[index]");
}

static void cure_type(struct tn_trace *t)
{
	const struct tn_reg *r = t->vf->diag.reg >= 0 ? failed_reg(t) : NULL;

	if (!r)
		return;
	if (r->kind == TN_REG_SCALAR)
		advise(t, "only pointers from the context, a map, the stack or a helper can be "
			  "used; a number, even one that was an address once, can not");
	else if (r->kind == TN_REG_HANDLE)
		advise(t, "a handle is opaque: call a function of the host that takes it");
	else if (r->kind == TN_REG_MAP)
		advise(t, "look up an element with bpf_map_lookup_elem() first");
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
		advise(t, "the host lets plugins write these fields alone: %s", names);
	else
		advise(t, "the host lets plugins read this context alone");
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
		advise(t, "compile with the header of this host, where '%s' has %u bytes",
		       ctx->name, ctx->size);
	else if (f && tn_insn_bytes(i->code) > f->elem_size && f->kind == TN_FIELD_SCALAR)
		advise(t, "'%s' has %u byte%s: access it as such, `%s->%s`", f->name, f->elem_size,
		       f->elem_size == 1 ? "" : "s", tn_context_name(t->vf), f->name);
	else if (TN_CLASS(i->code) != TN_LDX)
		advise_writable(t);
	else
		advise(t, "access one field, with its own size, through `%s->field`",
		       tn_context_name(t->vf));
}

static void cure_map(struct tn_trace *t)
{
	const struct tn_arg *arg = t->vf->diag.reg >= 0 && is_call(t)
					   ? argument(t, (uint32_t)t->vf->diag.reg)
					   : NULL;
	char names[160] = "";
	size_t len = 0;

	for (uint32_t type = 0; arg && type < 32; type++) {
		const char *name = arg->map_types >> type & 1 ? tn_map_type_words(type) : NULL;

		if (name && len + strlen(name) + 3 < sizeof(names))
			len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s",
						len ? ", " : "", name);
	}
	if (len)
		advise(t, "%s takes a map of type %s", tn_callee_name(t->vf, t->vf->s.insn), names);
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
		    failed_reg(t)->kind != TN_REG_REGION)
			cure_argument(t);
		else if (has_reg)
			cure_bounds(t);
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
