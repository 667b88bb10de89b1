/* SPDX-License-Identifier: MIT */
/* Accesses that leave their memory: which index, length or end should have been tested, and what
 * was tested instead. */
#include <stdio.h>
#include <string.h>

#include "verifier/cure.h"

typedef long long ll;

static bool text_has(const struct tn_trace *t, uint32_t step, const char *what)
{
	const struct tn_line *line = tn_trace_line(t, step);

	return line && line->text && strstr(line->text, what);
}

/* ---- Indices into memory of a known size ---- */

struct index {
	struct tn_linear at;
	const char *name;
	int64_t min; /* smallest index that fits */
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
		tn_cure_add(t, "%s tests %s, which is another number", line,
			    tn_trace_words(t, root));
		return true;
	}
	changed = changed_at(t, v, x->a);
	if (is_of_lower_half(t, x, root)) {
		tn_cure_add(t, "%s tests the lower 32 bits alone: test all 64 bits", line);
	} else if (changed != TN_NONE && changed > x->step) {
		tn_cure_add(t, "%s changes it after %s tested it: test what comes out",
			    tn_trace_place(t, changed), line);
	} else if (max == ix->max + 1 && ix->max >= 0) {
		tn_cure_add(t, "%s lets it reach %lld, the last one is %lld%s", line, (ll)max,
			    (ll)ix->max, text_has(t, x->step, "<=") ? ": use `<` there" : "");
	} else if (ix->lo < 0 && (x->op == TN_JSLT || x->op == TN_JSLE)) {
		tn_cure_add(t, "%s is a signed compare, which lets negative numbers through", line);
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
		tn_cure_add(t,
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
	const struct tn_scalar *v = &tn_cure_reg(t)->v;
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
	const struct tn_reg *r = tn_cure_reg(t);
	int64_t first = ix->at.offset + acc->off;
	int64_t start = r->kind == TN_REG_STACK ? -512 : 0;
	struct tn_member m;

	ix->max = -1;
	/* Where the constant part alone lies before the memory. */
	ix->min = first < start ? (start - first + ix->at.scale - 1) / ix->at.scale : 0;
	if (end - (int64_t)acc->size >= first)
		ix->max = (end - (int64_t)acc->size - first) / ix->at.scale;
	if (r->kind != TN_REG_VALUE || first < 0 ||
	    !tn_member_at(t->vf, tn_map_number(t->vf, r->obj), (uint64_t)first, &m))
		return;
	if (m.nr_elems && m.elem_bytes == ix->at.scale)
		ix->max = TN_MIN(ix->max, (int64_t)m.nr_elems - 1 -
						  (first - (int64_t)m.offset) / ix->at.scale);
	tn_cure_add(t, "'%s' of map '%s'%s", m.name, ((const struct tn_map *)r->obj)->name,
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
	tn_cure_add(t, "the mask lets %lld through: use `& %lld`", (ll)v->imm, (ll)ix->max);
	return true;
}

/* Can it stand in a condition, or does it describe? */
static bool is_code_words(const char *words)
{
	return strncmp(words, "the ", 4) != 0 && strncmp(words, "a number", 8) != 0;
}

static void cure_index(struct tn_trace *t, const struct tn_linear *at, int64_t end)
{
	struct index ix = { .at = *at };
	const char *here = tn_trace_place(t, tn_cure_last(t));
	bool is_code;

	tn_cure_anew(t);
	find_range(t, &ix);
	find_max(t, &ix, end);
	ix.name = tn_trace_words(t, at->root);
	is_code = ix.name && is_code_words(ix.name);
	if (!ix.name)
		ix.name = "the index";
	if (ix.max < ix.min) {
		tn_cure_add(t, "nothing fits there: the access begins at offset %lld",
			    (ll)(at->offset + t->vf->diag.access.off));
		return;
	}
	if (ix.bounded && ix.lo == ix.hi)
		tn_cure_add(t, "need %s in %lld..%lld, have %lld", ix.name, (ll)ix.min, (ll)ix.max,
			    (ll)ix.lo);
	else if (ix.bounded)
		tn_cure_add(t, "need %s in %lld..%lld, have %lld..%lld", ix.name, (ll)ix.min,
			    (ll)ix.max, (ll)ix.lo, (ll)ix.hi);
	else
		tn_cure_add(t, "need %s in %lld..%lld, nothing bounds it", ix.name, (ll)ix.min,
			    (ll)ix.max);
	if (cure_mask(t, &ix))
		return;
	if (is_read_again(t, &ix))
		return;
	if (!is_code && (ix.min > 0 || (ix.bounded && ix.lo < 0)))
		tn_cure_add(t, "before %s, return where it is < %lld or > %lld", here, (ll)ix.min,
			    (ll)ix.max);
	else if (!is_code)
		tn_cure_add(t, "before %s, return where it is > %lld", here, (ll)ix.max);
	else if (ix.min > 0)
		tn_cure_add(t, "add `if (%s < %lld || %s > %lld) return ...;` before %s", ix.name,
			    (ll)ix.min, ix.name, (ll)ix.max, here);
	else if (ix.bounded && ix.lo < 0)
		tn_cure_add(t,
			    "it may be negative: make it unsigned or add `if (%s < 0 || %s > %lld) "
			    "return ...;` before %s",
			    ix.name, ix.name, (ll)ix.max, here);
	else
		tn_cure_add(t, "add `if (%s > %lld) return ...;` before %s", ix.name, (ll)ix.max,
			    here);
	judge_tests(t, &ix);
}

/* A constant offset that a loop's last round brings. */
static void cure_constant(struct tn_trace *t, int64_t end)
{
	const struct tn_diag_access *acc = &t->vf->diag.access;
	const struct tn_reg *r = tn_cure_reg(t);
	int64_t over = r->v.smax + acc->off + (int64_t)acc->size - end;

	for (uint32_t i = t->nr_tests; i-- > 0 && over > 0;) {
		const struct tn_test *x = &t->tests[i];

		if (x->b != TN_NONE || !text_has(t, x->step, "<="))
			continue;
		tn_cure_add(t,
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
		tn_cure_add(
			t,
			"%s bounds the index by %s alone: test it against the size of the local "
			"buffer too",
			tn_trace_place(t, x->step), by);
		return;
	}
	if (r->kind == TN_REG_RECORD)
		tn_cure_add(t, "reserve %lld bytes or more: sizeof(*record), not sizeof(record)",
			    (ll)(end + over));
	else if (r->kind == TN_REG_VALUE && over > 0)
		tn_cure_add(
			t,
			"a value of map '%s' ends at byte %lld: make its type larger, or use the "
			"struct that the map was declared with",
			((const struct tn_map *)r->obj)->name, (ll)end);
	else if (r->kind == TN_REG_STACK && r->v.smin + acc->off < -512)
		tn_cure_add(t,
			    "a frame has 512 bytes: put large buffers into the value of a map (an "
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
	char buf[TN_TRACE_TEXT];

	snprintf(buf, sizeof(buf), "%.40s->%.40s", tn_context_name(t->vf), f->name);
	return tn_trace_keep(t, buf);
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
			tn_cure_add(t, "%s tests %s, which is the length of '%s'",
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
			tn_cure_add(t,
				    "%s computes with %s, which wraps below 0 where that is small: "
				    "test it first, or add to the other side",
				    tn_trace_place(t, x->step), field_words(t, len));
			return true;
		}
		if ((here && (x->op == TN_JLE || x->op == TN_JSLE)) ||
		    (swapped && (x->op == TN_JGE || x->op == TN_JSGE))) {
			tn_cure_add(t, "`<=` at %s lets the index reach %s: use `<`",
				    tn_trace_place(t, x->step), field_words(t, len));
			return true;
		}
	}
	return false;
}

/* The loop of the failing line. Compilers put the first round before the loop itself. */
static uint32_t loop_of_line(const struct tn_trace *t)
{
	const struct tn_structure *s = t->vf->structure;
	const struct tn_line *here = tn_trace_line(t, tn_cure_last(t)), *line;

	if (s->sites[t->vf->s.insn].loop != TN_NONE || !here)
		return s->sites[t->vf->s.insn].loop;
	for (uint32_t i = 0; i < t->vf->prog->nr_insns; i++) {
		if (s->sites[i].loop == TN_NONE)
			continue;
		line = tn_prog_line(t->vf->prog, i);
		if (line && line->line == here->line && line->file && here->file &&
		    !strcmp(line->file, here->file))
			return s->sites[i].loop;
	}
	return TN_NONE;
}

/* The first round of a loop has tested nothing yet: what its lines say of the length. */
static bool judge_loop_lines(struct tn_trace *t, const struct tn_field *len)
{
	const struct tn_structure *s = t->vf->structure;
	uint32_t loop = loop_of_line(t);

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
			tn_cure_add(
				t,
				"line %u computes with %s, which wraps below 0 where that is small: "
				"test it first, or add to the other side",
				line->line, field_words(t, len));
			return true;
		}
		if (strstr(line->text, "<=")) {
			tn_cure_add(t, "`<=` at line %u lets the index reach %s: use `<`",
				    line->line, field_words(t, len));
			return true;
		}
	}
	tn_cure_add(t, "in each round of the loop, compare how far it is with %s before %s",
		    field_words(t, len), tn_trace_place(t, tn_cure_last(t)));
	return true;
}

/* Where a test can stand: in an inlined function that comes before the place where the pointer was
 * read, the fields have no name. */
static const char *place_of_test(struct tn_trace *t, const struct tn_linear *at)
{
	const struct tn_val *base = tn_trace_val(t, at->base);
	const struct tn_line *here = tn_trace_line(t, tn_cure_last(t));
	const struct tn_line *read = base ? tn_trace_line(t, base->step) : NULL;

	if (here && read && here->file && read->file &&
	    (strcmp(here->file, read->file) != 0 || here->line < read->line))
		return tn_trace_place(t, base->step);
	return tn_trace_place(t, tn_cure_last(t));
}

/* path[path_len - 32 + i]: the length itself is the index, and may be less than what is taken off
 * it. */
static bool judge_length_as_index(struct tn_trace *t, const struct tn_linear *at,
				  const struct tn_field *len, const char *here)
{
	int64_t off = at->offset + t->vf->diag.access.off;

	if (at->root == TN_NONE || at->scale != 1 || !is_field_load(t, at->root, len))
		return false;
	if (off + (int64_t)t->vf->diag.access.size <= 0)
		tn_cure_add(t,
			    "%s - %lld wraps below 0 where %s is small: add `if (%s < %lld) return "
			    "...;` before %s",
			    field_words(t, len), -(ll)off, field_words(t, len), field_words(t, len),
			    -(ll)off, here);
	else
		tn_cure_add(t, "%s elements are there: the last index is %s - 1",
			    field_words(t, len), field_words(t, len));
	return true;
}

static void cure_sized(struct tn_trace *t, const struct tn_field *f, const struct tn_linear *at)
{
	const struct tn_diag_access *acc = &t->vf->diag.access;
	const struct tn_field *len = &t->vf->ctx->fields[f->peer];
	uint64_t unit = TN_MAX(f->mem_size, 1u);
	const char *here = place_of_test(t, at), *name;
	int64_t need = at->offset + acc->off + (int64_t)acc->size;

	tn_cure_anew(t);
	name = at->root == TN_NONE ? NULL : tn_trace_words(t, at->root);
	if (judge_length_as_index(t, at, len, here))
		return;
	if (at->root != TN_NONE && judge_length_test(t, at->root, len))
		return;
	if (at->root == TN_NONE && judge_loop_lines(t, len))
		return;
	if (at->root == TN_NONE && tn_cure_reg(t)->v.smin == tn_cure_reg(t)->v.smax) {
		need = tn_cure_reg(t)->v.smax + acc->off + (int64_t)acc->size;
		need = (need + (int64_t)unit - 1) / (int64_t)unit;
		tn_cure_add(
			t,
			"need %s to be at least %lld: add `if (%s < %lld) return ...;` before %s",
			field_words(t, len), (ll)need, field_words(t, len), (ll)need, here);
	} else if (at->root == TN_NONE) {
		tn_cure_add(t, "compare the pointer with the end, %s + %s, before %s",
			    field_words(t, f), field_words(t, len), here);
	} else if (need > 1) {
		tn_cure_add(t, "add `if (%s + %lld > %s) return ...;` before %s",
			    name ? name : "index", (ll)need, field_words(t, len), here);
	} else {
		tn_cure_add(t, "add `if (%s >= %s) return ...;` before %s", name ? name : "index",
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
			tn_cure_add(t,
				    "%s goes on where the data is too short: the test is the wrong "
				    "way round",
				    tn_trace_place(t, x->step));
		else
			tn_cure_add(t, "%s tests less, or another pointer",
				    tn_trace_place(t, x->step));
		return;
	}
}

static void cure_ended(struct tn_trace *t, const struct tn_field *f, const struct tn_linear *at)
{
	const struct tn_diag_access *acc = &t->vf->diag.access;
	const struct tn_field *end = &t->vf->ctx->fields[f->peer];
	const char *here = tn_trace_place(t, tn_cure_last(t));
	const char *name = tn_trace_variable(t, tn_cure_last(t));
	int64_t need = (at->root == TN_NONE ? tn_cure_reg(t)->v.smax : 0) + acc->off +
		       (int64_t)acc->size;

	tn_cure_anew(t);
	if (at->root == TN_NONE && tn_cure_reg(t)->v.smin == tn_cure_reg(t)->v.smax)
		tn_cure_add(t, "add `if (%s + %lld > %s) return ...;` before %s", f->name, (ll)need,
			    end->name, here);
	else
		/* One object from where it is: what the compiler added to the pointer and what to
		 * the access is not the source's. */
		tn_cure_add(t,
			    "add `if ((void *)(%s + 1) > %s) return ...;` behind where it is "
			    "moved, before %s",
			    name ? name : "pointer", end->name, here);
	judge_end_tests(t, f, end);
}

/* ---- Bounds of every kind ---- */

void tn_cure_bounds(struct tn_trace *t)
{
	const struct tn_reg *r = tn_cure_reg(t);
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
