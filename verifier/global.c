/* SPDX-License-Identifier: MIT */
/*
 * Global functions. One that is called is walked once, on its own, with arguments of which only its
 * BTF is known; callers are held to that, and get a result of which nothing is known. So both are
 * right whatever the other does, as with separate programs.
 *
 *	an integer or enum		a number
 *	the context's struct, arg:ctx	the context, unmodified
 *	struct T *, int *		NULL, or memory of that size that can be read and written;
 *					arg:nonnull: never NULL
 *	struct bpf_dynptr *		a dynptr of the caller
 *	struct T *, arg:trusted		a handle of type T; arg:nullable: or NULL
 *	T *, arg:arena			an address of the arena. Plain numbers are that as well, and
 *					what they point to is checked at each access: so the
 *					function gets a number, and casts it before it goes through
 *
 * Static functions, and global ones that cannot be described so, are walked from each call with
 * what is known there, which proves as much.
 *
 * The callee may do to its caller what the state of the caller must forget: write to the memory
 * that it was given, and move what the context points to. Memory of the context is therefore not
 * passed to a function that may move it. It cannot release what its caller holds.
 */
#include "verifier/global.h"

#include <errno.h>
#include <string.h>

#include "verifier/callee.h"
#include "verifier/dynptr.h"

enum global_kind { ARG_NUMBER, ARG_CTX, ARG_MEM, ARG_HANDLE, ARG_DYNPTR, ARG_ARENA };

struct tn_global_arg {
	uint8_t kind; /* enum global_kind */
	bool nullable;
	bool rdonly;	  /* HANDLE: to const */
	uint32_t size;	  /* MEM */
	const char *name; /* of the struct, borrowed from the BTF */
};

struct tn_global {
	bool parsed, usable, returns_void;
	bool called, walked;
	bool moves; /* it may move what the context points to */
	uint32_t nr_args;
	struct tn_global_arg args[TN_SIG_MAX_ARGS];
};

/* ---- What the BTF says ---- */

struct tags {
	bool ctx, nonnull, nullable, trusted, arena, other;
};

static struct tags find_tags(const struct tn_btf *btf, uint32_t func, uint32_t arg)
{
	struct tags tags = { 0 };

	for (uint32_t id = 1; id < btf->nr_types; id++) {
		const struct tn_btf_type *t = tn_btf_type(btf, id);
		const char *text;

		if (tn_btf_kind(t) != TN_BTF_DECL_TAG || t->size_or_type != func ||
		    *(const uint32_t *)tn_btf_extra(t) != arg)
			continue;
		text = tn_btf_str(btf, t->name_off);
		if (!strcmp(text, "arg:ctx"))
			tags.ctx = true;
		else if (!strcmp(text, "arg:nonnull"))
			tags.nonnull = true;
		else if (!strcmp(text, "arg:nullable"))
			tags.nullable = true;
		else if (!strcmp(text, "arg:trusted"))
			tags.trusted = true;
		else if (!strcmp(text, "arg:arena"))
			tags.arena = true;
		else if (!strncmp(text, "arg:", 4))
			tags.other = true;
	}
	return tags;
}

/* Is what is pointed to declared const? */
static bool is_const(const struct tn_btf *btf, uint32_t id)
{
	while (tn_btf_skip_mods(btf, id) != id) {
		const struct tn_btf_type *t = tn_btf_type(btf, id);

		if (tn_btf_kind(t) == TN_BTF_CONST)
			return true;
		id = t->size_or_type;
	}
	return false;
}

static bool describe_pointer(const struct tn_vf *vf, const struct tn_btf *btf, uint32_t to,
			     const struct tags *tags, struct tn_global_arg *out)
{
	const struct tn_btf_type *t;
	int64_t size;

	if (tags->arena) {
		out->kind = ARG_ARENA;
		return true;
	}
	out->rdonly = is_const(btf, to);
	to = tn_btf_skip_mods(btf, to);
	t = tn_btf_type(btf, to);
	out->name = t ? tn_btf_str(btf, t->name_off) : "";
	if (tags->ctx || (out->name[0] && !strcmp(out->name, vf->ctx->name))) {
		out->kind = ARG_CTX;
		return true;
	}
	if (!strcmp(out->name, "bpf_dynptr")) {
		out->kind = ARG_DYNPTR;
		return true;
	}
	if (tags->trusted) {
		out->kind = ARG_HANDLE;
		out->nullable = tags->nullable;
		return out->name[0] != 0;
	}
	size = to ? tn_btf_size_of(btf, to) : -EINVAL;
	out->kind = ARG_MEM;
	out->nullable = !tags->nonnull;
	out->size = (uint32_t)size;
	return size > 0 && size <= INT32_MAX;
}

static bool describe_arg(const struct tn_vf *vf, const struct tn_btf *btf, uint32_t func,
			 uint32_t index, uint32_t type, struct tn_global_arg *out)
{
	struct tags tags = find_tags(btf, func, index);
	const struct tn_btf_type *t = tn_btf_type(btf, tn_btf_skip_mods(btf, type));

	if (!t || tags.other)
		return false;
	switch (tn_btf_kind(t)) {
	case TN_BTF_INT:
	case TN_BTF_ENUM:
	case TN_BTF_ENUM64:
		out->kind = ARG_NUMBER;
		return true;
	case TN_BTF_PTR:
		return describe_pointer(vf, btf, t->size_or_type, &tags, out);
	default:
		return false;
	}
}

static bool describe(const struct tn_vf *vf, uint32_t func, struct tn_global *g)
{
	const struct tn_btf *btf = vf->prog->image->btf;
	const struct tn_btf_type *t = tn_btf_type(btf, func), *ret;
	const struct tn_btf_param *params;

	t = t && tn_btf_kind(t) == TN_BTF_FUNC ? tn_btf_type(btf, t->size_or_type) : NULL;
	if (!t || tn_btf_kind(t) != TN_BTF_FUNC_PROTO || tn_btf_vlen(t) > TN_SIG_MAX_ARGS)
		return false;
	ret = tn_btf_type(btf, tn_btf_skip_mods(btf, t->size_or_type));
	g->returns_void = ret && tn_btf_kind(ret) == TN_BTF_VOID;
	if (!ret || !(g->returns_void || tn_btf_kind(ret) == TN_BTF_INT ||
		      tn_btf_kind(ret) == TN_BTF_ENUM || tn_btf_kind(ret) == TN_BTF_ENUM64))
		return false;
	params = tn_btf_extra(t);
	g->nr_args = tn_btf_vlen(t);
	for (uint32_t i = 0; i < g->nr_args; i++)
		if (!describe_arg(vf, btf, func, i, params[i].type, &g->args[i]))
			return false;
	return true;
}

static struct tn_global *global_at(struct tn_vf *vf, uint32_t subprog)
{
	return &vf->globals[subprog];
}

bool tn_global_is(struct tn_vf *vf, uint32_t callee)
{
	const struct tn_subprog *sub = &vf->prog->subprogs[callee];
	struct tn_global *g = global_at(vf, callee);

	if (!callee || !sub->is_global || !sub->btf_func_id || !vf->prog->image ||
	    !vf->prog->image->btf)
		return false;
	if (!g->parsed)
		g->usable = describe(vf, sub->btf_func_id, g);
	g->parsed = true;
	return g->usable;
}

bool tn_global_takes_a_number(struct tn_vf *vf, uint32_t callee)
{
	const struct tn_global *g = global_at(vf, callee);

	if (!vf->prog->image || !vf->prog->image->btf)
		return true;
	return tn_global_is(vf, callee) && g->nr_args == 1 && g->args[0].kind == ARG_NUMBER &&
	       !g->returns_void;
}

int tn_global_alloc(struct tn_vf *vf)
{
	vf->globals = tn_alloc_array(vf->rt, vf->prog->nr_subprogs, sizeof(vf->globals[0]));
	return vf->globals ? 0 : -ENOMEM;
}

void tn_global_reset(struct tn_vf *vf)
{
	for (uint32_t i = 0; i < vf->prog->nr_subprogs; i++)
		vf->globals[i].called = vf->globals[i].walked = false;
}

void tn_global_free(struct tn_vf *vf)
{
	tn_free(vf->rt, vf->globals);
}

/* ---- What it may do to the context ---- */

static const struct tn_sig *sig_at(const struct tn_vf *vf, const struct tn_insn *insn)
{
	const struct tn_host_helper *host = NULL;
	const struct tn_helper *h;

	if (insn->src == TN_CALL_EXTERN)
		host = (uint32_t)insn->imm < vf->prog->nr_externs
			       ? vf->prog->externs[insn->imm].helper
			       : NULL;
	else if (vf->env->helper_by_id)
		host = vf->env->helper_by_id(vf->env->user, (uint32_t)insn->imm);
	if (host || insn->src == TN_CALL_EXTERN)
		return host ? &host->sig : NULL;
	h = tn_helper_by_id((uint32_t)insn->imm);
	return h ? &h->sig : NULL;
}

static bool moves_itself(const struct tn_vf *vf, uint32_t subprog)
{
	const struct tn_subprog *sub = &vf->prog->subprogs[subprog];

	for (uint32_t i = sub->start; i < sub->end; i++) {
		const struct tn_insn *insn = &vf->prog->insns[i];
		const struct tn_sig *sig;

		if (tn_insn_is_lddw(insn)) {
			i++;
			continue;
		}
		if (insn->code != (TN_JMP | TN_CALL) || insn->src == TN_CALL_LOCAL)
			continue;
		sig = sig_at(vf, insn);
		/* A tail call that hits runs a program that is not known. */
		if (!sig || sig->flags & TN_SIG_INVALIDATES_CTX ||
		    sig->ret == TN_RET_NOTHING_RETURNS)
			return true;
	}
	return false;
}

/* Callees first: there is no recursion. */
static void find_moves(struct tn_vf *vf)
{
	for (uint32_t i = vf->prog->nr_subprogs; i > 0; i--) {
		uint32_t p = vf->structure->topo[i - 1];
		const struct tn_callgraph_node *node = &vf->structure->calls[p];
		struct tn_global *g = global_at(vf, p);

		g->moves = moves_itself(vf, p);
		for (uint32_t c = 0; c < node->nr_callees && !g->moves; c++)
			g->moves =
				vf->globals[vf->structure->callees[node->first_callee + c]].moves;
	}
	vf->moves_known = true;
}

static bool may_move(struct tn_vf *vf, uint32_t subprog)
{
	if (!vf->moves_known)
		find_moves(vf);
	return vf->globals[subprog].moves;
}

/* ---- Callers ---- */

static int refuse(struct tn_vf *vf, uint32_t callee, uint32_t i, const char *want)
{
	return tn_reject(vf, E_ARG, (int)(TN_R1 + i),
			 "argument %u of global function '%s' must be %s, r%u is %s", i + 1,
			 vf->prog->subprogs[callee].name, want, TN_R1 + i,
			 tn_reg_words(vf, tn_vf_reg(vf, TN_R1 + i)));
}

static int refuse_null(struct tn_vf *vf, uint32_t callee, uint32_t i)
{
	tn_reject(vf, E_NULL, (int)(TN_R1 + i),
		  "argument %u of global function '%s' may be NULL here, and is declared to be "
		  "never NULL",
		  i + 1, vf->prog->subprogs[callee].name);
	return tn_advise(vf, "test the pointer for NULL before this line");
}

/* It is proved alone: const in its declaration is not relied upon. */
static int refuse_read_only(struct tn_vf *vf, uint32_t callee, uint32_t i)
{
	tn_reject(vf, E_READONLY, (int)(TN_R1 + i),
		  "argument %u of global function '%s' may be written there, but %s is read-only",
		  i + 1, vf->prog->subprogs[callee].name,
		  tn_reg_words(vf, tn_vf_reg(vf, TN_R1 + i)));
	return tn_advise(vf, "make the function static: then each call is proved for what it is "
			     "given");
}

static int check_mem(struct tn_vf *vf, uint32_t callee, uint32_t i, const struct tn_global_arg *arg)
{
	struct tn_reg *r = tn_vf_reg(vf, TN_R1 + i), was = *r;
	struct tn_mem_arg mem = { .reg = TN_R1 + i,
				  .size = arg->size,
				  .what = "read by a global function" };
	int err;

	if (tn_reg_is_null(r) && arg->nullable)
		return 0;
	if (!tn_reg_is_pointer(r))
		return refuse(vf, callee, i, "a pointer to memory");
	if (r->nullable && !arg->nullable)
		return refuse_null(vf, callee, i);
	if ((r->kind == TN_REG_REGION || (r->kind == TN_REG_MEM && r->of_ctx)) &&
	    may_move(vf, callee))
		return tn_reject(vf, E_ARG, (int)(TN_R1 + i),
				 "argument %u of global function '%s' is memory of the context, "
				 "which that function may move",
				 i + 1, vf->prog->subprogs[callee].name);
	/* What counts is what it is where it is not NULL. */
	r->nullable = false;
	err = tn_check_mem_arg(vf, &mem);
	mem.written = true;
	mem.what = "written by a global function";
	if (!err) {
		err = tn_check_mem_arg(vf, &mem);
		if (err && vf->diag.code == E_READONLY)
			err = refuse_read_only(vf, callee, i);
	}
	*r = was;
	return err;
}

/* Flavours of a type end in ___name. */
static bool same_type(const char *want, const char *have)
{
	const char *end = strstr(want, "___");
	size_t len = end ? (size_t)(end - want) : strlen(want);

	return strlen(have) == len && !strncmp(want, have, len);
}

static int check_handle(struct tn_vf *vf, uint32_t callee, uint32_t i,
			const struct tn_global_arg *arg)
{
	const struct tn_reg *r = tn_vf_reg(vf, TN_R1 + i);

	if (tn_reg_is_null(r) && arg->nullable)
		return 0;
	if (r->kind != TN_REG_HANDLE || r->untrusted || !r->obj || !same_type(arg->name, r->obj) ||
	    !tn_reg_at_start(r))
		return refuse(vf, callee, i, "a handle of its type");
	if (r->rdonly && !arg->rdonly)
		return refuse(vf, callee, i, "a handle that may be written through");
	return r->nullable && !arg->nullable ? refuse_null(vf, callee, i) : 0;
}

static int check_arg(struct tn_vf *vf, uint32_t callee, uint32_t i, const struct tn_global_arg *arg)
{
	const struct tn_reg *r = tn_vf_reg(vf, TN_R1 + i);
	int err = tn_need_init(vf, TN_R1 + i);

	if (err)
		return err;
	switch ((enum global_kind)arg->kind) {
	case ARG_NUMBER:
		return r->kind == TN_REG_SCALAR ? 0 : refuse(vf, callee, i, "a number");
	case ARG_ARENA:
		return r->kind == TN_REG_SCALAR || r->kind == TN_REG_ARENA
			       ? 0
			       : refuse(vf, callee, i, "an address of the arena");
	case ARG_CTX:
		return r->kind == TN_REG_CTX && tn_reg_at_start(r)
			       ? 0
			       : refuse(vf, callee, i, "the context, unmodified");
	case ARG_MEM:
		return check_mem(vf, callee, i, arg);
	case ARG_HANDLE:
		return check_handle(vf, callee, i, arg);
	case ARG_DYNPTR:
		return tn_dynptr_arg(vf, TN_R1 + i, vf->prog->subprogs[callee].name);
	}
	return -EACCES;
}

/* It is walked alone, and does not know who calls it. */
static int check_caller(struct tn_vf *vf, uint32_t callee)
{
	const char *name = vf->prog->subprogs[callee].name;

	if (vf->structure->calls[callee].may_tail_call && tn_in_callback(vf))
		return tn_reject(vf, E_UNSUPPORTED, -1,
				 "a tail call in a callback: the global function '%s' makes one",
				 name);
	if (vf->in_timer && vf->throws[callee])
		return tn_reject(vf, E_CALL, -1,
				 "a timer's function does not throw: the global function '%s' may",
				 name);
	return 0;
}

int tn_global_call(struct tn_vf *vf, uint32_t callee)
{
	struct tn_global *g = global_at(vf, callee);
	int err = tn_lock_none_held(vf, "at the call of a global function");

	if (!err)
		err = check_caller(vf, callee);
	for (uint32_t i = 0; i < g->nr_args && !err; i++)
		err = check_arg(vf, callee, i, &g->args[i]);
	if (err)
		return err;
	g->called = true;
	/* It may end the program, by a loop that pays or by what it calls. */
	tn_ref_note_held(vf, true);
	tn_call_clobber(vf);
	if (!g->returns_void)
		tn_reg_set_unknown(tn_vf_reg(vf, TN_R0));
	if (may_move(vf, callee))
		tn_call_invalidate(vf);
	vf->s.insn++;
	return 0;
}

bool tn_global_was_called(const struct tn_vf *vf, uint32_t callee)
{
	return callee != TN_NONE && vf->globals[callee].called;
}

/* ---- The function on its own ---- */

static void set_arg(struct tn_vf *vf, const struct tn_global_arg *arg, struct tn_reg *r)
{
	if (arg->kind == ARG_NUMBER || arg->kind == ARG_ARENA) {
		tn_reg_set_unknown(r);
		return;
	}
	tn_reg_set_const(r, 0);
	switch ((enum global_kind)arg->kind) {
	case ARG_CTX:
		r->kind = TN_REG_CTX;
		break;
	case ARG_DYNPTR:
		r->kind = TN_REG_DYNPTR_ARG;
		r->region = TN_DYNPTR_OF_ANYTHING;
		break;
	case ARG_HANDLE:
		r->kind = TN_REG_HANDLE;
		r->obj = arg->name;
		r->rdonly = arg->rdonly;
		break;
	default:
		r->kind = TN_REG_MEM;
		r->obj = "an argument's memory";
		r->size = arg->size;
	}
	r->nullable = arg->nullable;
	r->null_id = r->nullable ? vf->senv.next_id++ : 0;
}

bool tn_global_next(struct tn_vf *vf)
{
	uint32_t p = 1;
	struct tn_global *g;
	struct tn_frame *f;

	while (p < vf->prog->nr_subprogs && (!vf->globals[p].called || vf->globals[p].walked))
		p++;
	if (p == vf->prog->nr_subprogs)
		return false;
	g = &vf->globals[p];
	g->walked = true;
	vf->in_timer = false;
	tn_vf_begin(vf);
	f = tn_state_push_frame(&vf->s, p, TN_NONE);
	for (uint32_t i = 0; i < g->nr_args; i++)
		set_arg(vf, &g->args[i], &f->r[TN_R1 + i]);
	vf->s.insn = vf->prog->subprogs[p].start;
	return true;
}

int tn_global_exit(struct tn_vf *vf)
{
	const struct tn_reg *r0 = tn_vf_reg(vf, TN_R0);
	const struct tn_global *g = global_at(vf, vf->s.frames[0].subprog);
	int err = g->returns_void ? 0 : tn_need_init(vf, TN_R0);

	if (!err && !g->returns_void && r0->kind != TN_REG_SCALAR)
		err = tn_reject(vf, E_RETURN, TN_R0,
				"the global function '%s' must return a number: r0 is %s",
				vf->prog->subprogs[vf->s.frames[0].subprog].name,
				tn_reg_words(vf, r0));
	if (!err)
		err = tn_ref_none_held(vf, "when a global function returns");
	if (!err)
		err = tn_lock_none_held(vf, "when a global function returns");
	vf->ended = true;
	return err;
}
