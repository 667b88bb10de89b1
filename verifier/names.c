/* SPDX-License-Identifier: MIT */
/* What things are called in the plugin's source: as BTF, the context's description and the source
 * lines say. Where they say nothing there is no name, and messages use the register's. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "verifier/trace.h"
#include "vm/btf.h"

#define MAX_DEPTH 6

/* ---- BTF ---- */

static const struct tn_btf *btf_of(const struct tn_vf *vf)
{
	return vf->prog->image ? vf->prog->image->btf : NULL;
}

/* Of the program's function: "req"; "ctx" where nothing says. */
const char *tn_context_name(const struct tn_vf *vf)
{
	const struct tn_btf *btf = btf_of(vf);
	const struct tn_btf_type *func, *proto;
	const struct tn_btf_param *params;

	func = btf && vf->prog->nr_subprogs ? tn_btf_type(btf, vf->prog->subprogs[0].btf_func_id)
					    : NULL;
	if (!func || tn_btf_kind(func) != TN_BTF_FUNC)
		return "ctx";
	proto = tn_btf_type(btf, func->size_or_type);
	if (!proto || tn_btf_kind(proto) != TN_BTF_FUNC_PROTO || !tn_btf_vlen(proto))
		return "ctx";
	params = tn_btf_extra(proto);
	return *tn_btf_str(btf, params[0].name_off) ? tn_btf_str(btf, params[0].name_off) : "ctx";
}

static const struct tn_map_decl *decl_of(const struct tn_vf *vf, uint32_t map)
{
	const struct tn_image *image = vf->prog->image;

	if (!image || !vf->prog->map_decls || map >= vf->prog->nr_maps ||
	    vf->prog->map_decls[map] >= image->nr_maps)
		return NULL;
	return &image->maps[vf->prog->map_decls[map]];
}

static void describe_array(const struct tn_btf *btf, uint32_t type, struct tn_member *out)
{
	const struct tn_btf_type *t = tn_btf_type(btf, tn_btf_skip_mods(btf, type));
	const struct tn_btf_array *array;
	int64_t size;

	if (!t || tn_btf_kind(t) != TN_BTF_ARRAY)
		return;
	array = tn_btf_extra(t);
	size = tn_btf_size_of(btf, array->type);
	if (size <= 0 || size > UINT32_MAX)
		return;
	out->elem_bytes = (uint32_t)size;
	out->nr_elems = array->nelems;
}

static bool member_of_struct(const struct tn_btf *btf, const struct tn_btf_type *t, uint64_t off,
			     struct tn_member *out)
{
	const struct tn_btf_member *m = tn_btf_extra(t);
	bool bitfields = t->info >> 31;

	for (uint32_t i = 0; i < tn_btf_vlen(t); i++) {
		uint32_t bits = bitfields ? m[i].offset & 0xffffff : m[i].offset;
		int64_t size = tn_btf_size_of(btf, m[i].type);

		if (size <= 0 || off < bits / 8 || off >= bits / 8 + (uint64_t)size)
			continue;
		*out = (struct tn_member){ .name = tn_btf_str(btf, m[i].name_off),
					   .offset = bits / 8 };
		describe_array(btf, m[i].type, out);
		return *out->name;
	}
	return false;
}

static bool member_of_section(const struct tn_btf *btf, const struct tn_btf_type *t, uint64_t off,
			      struct tn_member *out)
{
	const struct tn_btf_var_secinfo *v = tn_btf_extra(t);

	for (uint32_t i = 0; i < tn_btf_vlen(t); i++) {
		const struct tn_btf_type *var = tn_btf_type(btf, v[i].type);

		if (!var || tn_btf_kind(var) != TN_BTF_VAR || off < v[i].offset ||
		    off >= (uint64_t)v[i].offset + v[i].size)
			continue;
		*out = (struct tn_member){ .name = tn_btf_str(btf, var->name_off),
					   .offset = v[i].offset };
		describe_array(btf, var->size_or_type, out);
		return *out->name;
	}
	return false;
}

bool tn_member_at(const struct tn_vf *vf, uint32_t map, uint64_t off, struct tn_member *out)
{
	const struct tn_map_decl *decl = decl_of(vf, map);
	const struct tn_btf *btf = btf_of(vf);
	const struct tn_btf_type *t;

	*out = (struct tn_member){ 0 };
	if (!decl || !btf || !decl->btf_value_id)
		return false;
	t = tn_btf_type(btf, tn_btf_skip_mods(btf, decl->btf_value_id));
	if (!t)
		return false;
	if (tn_btf_kind(t) == TN_BTF_STRUCT)
		return member_of_struct(btf, t, off, out);
	return tn_btf_kind(t) == TN_BTF_DATASEC && member_of_section(btf, t, off, out);
}

uint32_t tn_map_number(const struct tn_vf *vf, const void *map)
{
	for (uint32_t i = 0; i < vf->prog->nr_maps; i++)
		if (vf->prog->maps[i] == map)
			return i;
	return TN_NONE;
}

/* ---- Callees ---- */

const char *tn_callee_name(const struct tn_vf *vf, uint32_t insn)
{
	const struct tn_insn *i = &vf->prog->insns[insn];
	const struct tn_host_helper *host = NULL;
	const struct tn_helper *h;

	if (i->code != (TN_JMP | TN_CALL))
		return "the call";
	if (i->src == TN_CALL_EXTERN)
		return (uint32_t)i->imm < vf->prog->nr_externs ? vf->prog->externs[i->imm].name
							       : "the host function";
	if (i->src != TN_CALL_HELPER) {
		uint32_t callee = vf->structure->sites[insn].callee;

		return callee != TN_NONE && vf->prog->subprogs[callee].name
			       ? vf->prog->subprogs[callee].name
			       : "the function";
	}
	if (vf->env->helper_by_id)
		host = vf->env->helper_by_id(vf->env->user, (uint32_t)i->imm);
	h = tn_helper_by_id((uint32_t)i->imm);
	return host ? host->name : h ? h->full_name : "the helper";
}

/* ---- Values ---- */

/* The map that a lookup's result is a value of; TN_NONE. */
static uint32_t map_of(const struct tn_trace *t, const struct tn_val *v)
{
	const struct tn_val *map;

	if (v && v->op == TN_VAL_DATA)
		return v->a;
	map = v && v->op == TN_VAL_CALL ? tn_trace_val(t, v->a) : NULL;
	return map && map->op == TN_VAL_MAP ? (uint32_t)map->imm : TN_NONE;
}

/* Words are built in the caller's buffer. Numbers alone say nothing: `named` tells whether there is
 * something that the source calls by a name, `terms` how long the sum is. */
struct words {
	char text[TN_TRACE_TEXT];
	uint32_t terms;
	bool named;
};

#define MAX_TERMS 3

static bool words_of(struct tn_trace *t, uint32_t v, uint32_t depth, struct words *w);

static bool load_words(struct tn_trace *t, const struct tn_val *x, uint32_t depth, struct words *w)
{
	struct tn_linear at = tn_trace_linear(t, x->a);
	const struct tn_val *base = tn_trace_val(t, at.base);
	uint64_t off = (uint64_t)(at.offset + x->imm);
	const struct tn_field *f;
	struct words inner;
	struct tn_member m;

	w->named = true;
	w->terms = 1;
	if (!base)
		return false;
	if (base->op == TN_VAL_CTX) {
		f = at.root == TN_NONE && off <= UINT32_MAX
			    ? tn_ctx_field_at(t->vf->ctx, (uint32_t)off, x->size)
			    : NULL;
		if (!f)
			return false;
		snprintf(w->text, sizeof(w->text), "%.40s->%.40s", tn_context_name(t->vf), f->name);
		return true;
	}
	if (map_of(t, base) != TN_NONE) {
		if (base->op == TN_VAL_DATA)
			off += (uint64_t)base->imm;
		if (!tn_member_at(t->vf, map_of(t, base), off, &m))
			return false;
		snprintf(w->text, sizeof(w->text), m.nr_elems ? "%.60s[...]" : "%.60s", m.name);
		return true;
	}
	if (base->op != TN_VAL_LOAD || !words_of(t, at.base, depth + 1, &inner))
		return false;
	if (at.root == TN_NONE && x->size == 1)
		snprintf(w->text, sizeof(w->text), "%.60s[%lld]", inner.text, (long long)off);
	else
		snprintf(w->text, sizeof(w->text), "a number read from %.60s", inner.text);
	return true;
}

static bool alu_words(struct tn_trace *t, const struct tn_val *x, uint32_t depth, struct words *w)
{
	static const struct {
		uint8_t op;
		const char *sign;
	} signs[] = { { TN_ADD, "+" }, { TN_SUB, "-" }, { TN_MUL, "*" },  { TN_DIV, "/" },
		      { TN_AND, "&" }, { TN_MOD, "%" }, { TN_LSH, "<<" }, { TN_RSH, ">>" } };
	struct words a, b = { .named = false };
	const char *sign = NULL;

	for (size_t i = 0; i < TN_ARRAY_SIZE(signs); i++)
		if (signs[i].op == x->alu)
			sign = signs[i].sign;
	if (!sign || !words_of(t, x->a, depth + 1, &a) ||
	    (x->b != TN_NONE && !words_of(t, x->b, depth + 1, &b)))
		return false;
	w->named = a.named || b.named;
	w->terms = a.terms + (x->b != TN_NONE ? b.terms : 1);
	if (w->terms > MAX_TERMS)
		return false;
	if (x->b != TN_NONE)
		snprintf(w->text, sizeof(w->text), "%.40s %s %.40s", a.text, sign, b.text);
	else if (x->alu == TN_ADD && x->imm < 0)
		snprintf(w->text, sizeof(w->text), "%.60s - %lld", a.text, -(long long)x->imm);
	else
		snprintf(w->text, sizeof(w->text), "%.60s %s %lld", a.text, sign,
			 (long long)x->imm);
	return true;
}

static bool words_of(struct tn_trace *t, uint32_t v, uint32_t depth, struct words *w)
{
	const struct tn_val *x = tn_trace_val(t, v);
	uint32_t root;

	if (!x || depth > MAX_DEPTH)
		return false;
	w->named = x->op != TN_VAL_CONST;
	w->terms = 1;
	switch ((enum tn_val_op)x->op) {
	case TN_VAL_CTX:
		snprintf(w->text, sizeof(w->text), "%.60s", tn_context_name(t->vf));
		return true;
	case TN_VAL_CONST:
		snprintf(w->text, sizeof(w->text), "%lld", (long long)x->imm);
		return true;
	case TN_VAL_LOAD:
		return load_words(t, x, depth, w);
	case TN_VAL_CALL:
		snprintf(w->text, sizeof(w->text), "the result of %.60s()",
			 tn_callee_name(t->vf, t->steps[x->step].insn));
		return true;
	case TN_VAL_INDEX:
		snprintf(w->text, sizeof(w->text), "the callback's first argument");
		return true;
	case TN_VAL_ALU:
		root = tn_trace_root(t, v);
		/* Extensions have no sign in C. */
		if (x->alu == TN_MOV || (root != v && x->alu == TN_RSH) || x->alu == TN_ARSH)
			return root != v && words_of(t, root, depth + 1, w);
		return alu_words(t, x, depth, w);
	default:
		return false;
	}
}

const char *tn_trace_words(struct tn_trace *t, uint32_t v)
{
	struct words w;

	if (!words_of(t, v, 0, &w) || (w.terms > 1 && !w.named))
		return NULL;
	return tn_trace_keep(t, w.text);
}

static bool is_name(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* The identifier that ends at `end`; NULL where it is a part of a longer expression. */
static const char *name_before(struct tn_trace *t, const char *text, const char *end)
{
	const char *begin = end;
	char buf[64];

	while (begin > text && is_name(begin[-1]))
		begin--;
	if (begin == end || isdigit((unsigned char)*begin) ||
	    (begin > text && (begin[-1] == '.' || begin[-1] == '>')))
		return NULL;
	snprintf(buf, sizeof(buf), "%.*s", (int)TN_MIN(end - begin, 60), begin);
	return tn_trace_keep(t, buf);
}

const char *tn_trace_variable(struct tn_trace *t, uint32_t step)
{
	const struct tn_line *line = tn_trace_line(t, step);
	const char *text = line ? line->text : NULL, *at;

	if (!text || !line->column || line->column > strlen(text))
		return NULL;
	/* The column is that of the member, of what is done to it, or of a cast before it. */
	for (at = text + line->column - 1; at > text && is_name(at[-1]);)
		at--;
	if (at - text > 2 && at[-1] == '>' && at[-2] == '-')
		return name_before(t, text, at - 2);
	/* At the sign of an assignment: what is assigned to stands before it. */
	for (at = text + line->column - 1; at > text && at[-1] == ' ';)
		at--;
	while (at > text && is_name(at[-1]))
		at--;
	if (at - text > 2 && at[-1] == '>' && at[-2] == '-')
		return name_before(t, text, at - 2);
	at = strstr(text + line->column - 1, "->");
	return at ? name_before(t, text, at) : NULL;
}
