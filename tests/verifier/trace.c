/* SPDX-License-Identifier: MIT */
/*
 * The machine under the oracle: follows the traced interpreter's frames, makes everything random
 * that a program may not rely on, and checks each instruction before it is executed and each call's
 * result after it.
 */
#define TN_INTERP_TRACE
#include "vm/trace.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "verifier/embed.h"
#include "verifier/case.h"
#include "vm/disasm.h"
#include "vm/dynptr.h"
#include "vm/held.h"
#include "vm/helpers.h"
#include "vm/interp.h"

/* The run that is watched: the hooks get no argument of ours. */
static struct embed *run;

static uint64_t next_random(struct embed *e)
{
	e->seed ^= e->seed << 13;
	e->seed ^= e->seed >> 7;
	e->seed ^= e->seed << 17;
	return e->seed;
}

TN_PRINTF(2, 3) static _Noreturn void unsound(struct embed *e, const char *fmt, ...)
{
	const struct embed_frame *f = &e->frames[e->nr_frames - 1];
	char what[256], text[128];
	va_list ap;
	int n;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	tn_disasm(e->prog, &e->code[f->insn], f->insn, text, sizeof(text));
	n = snprintf(e->why, sizeof(e->why), "insn %u (%s): %s; frame %u", f->insn, text, what,
		     e->nr_frames - 1);
	for (uint32_t r = 0; r < TN_NR_REGS; r++)
		n += snprintf(e->why + n, sizeof(e->why) - (size_t)n, " r%u %" PRIx64, r, f->r[r]);
	e->unsound = true;
	longjmp(e->leave, 1);
}

/* ---- Frames ---- */

#define STACK_PAGES 2

/* Stack memory between pages that can not be touched, its end at their edge. */
unsigned char *tn_trace_stack(uint32_t bytes)
{
	static unsigned char *stacks[EMBED_MAX_FRAMES + 1];
	unsigned char **s;
	size_t page = 4096;

	if (!run || run->next_stack > EMBED_MAX_FRAMES || bytes > STACK_PAGES * page)
		abort();
	s = &stacks[run->next_stack++];
	if (!*s) {
		*s = mmap(NULL, (STACK_PAGES + 2) * page, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (*s == MAP_FAILED ||
		    mprotect(*s + page, STACK_PAGES * page, PROT_READ | PROT_WRITE))
			abort();
	}
	return *s + (STACK_PAGES + 1) * page - (bytes + 15) / 16 * 16;
}

static void scramble(struct embed *e, struct embed_frame *f, uint32_t regs)
{
	for (uint32_t r = 0; r < TN_R10; r++)
		if (regs >> r & 1)
			f->r[r] = next_random(e);
}

/* A callback of bpf_for_each_map_elem() gets an element's key and value. */
static void watch_element(struct embed *e, const struct embed_frame *caller, const uint64_t *r)
{
	const struct tn_insn *insn = &e->prog->insns[caller->insn];
	const struct tn_map *map = (const void *)(uintptr_t)caller->r[TN_R1];

	if (insn->code != (TN_JMP | TN_CALL) || insn->src != TN_CALL_HELPER ||
	    insn->imm != TN_HELPER_for_each_map_elem)
		return;
	embed_area_add(e, &(struct embed_area){
				  .base = r[TN_R2], .size = map->key_size, .readable = true });
	if (!embed_is_address(e, r[TN_R3]))
		embed_area_add(
			e, &(struct embed_area){ .base = r[TN_R3],
						 .size = map->value_size,
						 .readable = !(map->flags & TN_MAP_F_WRONLY_PROG),
						 .writable = !(map->flags & TN_MAP_F_RDONLY_PROG),
						 .obj = map });
}

void tn_trace_enter(const struct tn_prog *prog, uint32_t subprog, uint64_t *r, uint32_t bytes)
{
	struct embed *e = run;
	const struct tn_subprog_facts *facts = &prog->facts->subprogs[subprog];
	struct embed_frame *f = e->nr_frames ? &e->frames[e->nr_frames - 1] : NULL;

	if (f && f->r == r) { /* a tail call in its place */
		f->foreign = true;
	} else {
		if (e->nr_frames == EMBED_MAX_FRAMES) {
			e->gave_up = true;
			longjmp(e->leave, 1);
		}
		e->frames[e->nr_frames].foreign = f && f->foreign;
		e->frames[e->nr_frames].callsite = f ? f->insn : TN_NONE;
		if (f && !f->foreign)
			watch_element(e, f, r);
		if (f)
			f->rounds++;
		f = &e->frames[e->nr_frames++];
		f->stack = e->next_stack;
	}
	f->r = r;
	f->top = r[TN_R10];
	f->bytes = bytes;
	f->subprog = subprog;
	f->insn = prog->subprogs[subprog].start;
	f->in_call = false;
	f->rounds = 0;
	for (uint64_t at = f->top - bytes; at < f->top; at += 8) {
		uint64_t any = next_random(e);

		memcpy((void *)(uintptr_t)at, &any, 8);
	}
	memset(f->written, 0, bytes);
	for (uint32_t i = 0; i < bytes / 8; i++)
		if (facts->zero_slots[i / 64] >> i % 64 & 1)
			memset(f->written + bytes - 8 * (i + 1), 1, 8);
	if (!f->foreign)
		scramble(e, f, e->nr_frames > 1 ? 0x3c1 : prog->r2_is_ctx_size ? 0x3f9 : 0x3fd);
}

/* ---- Accesses ---- */

static struct embed_frame *stack_at(struct embed *e, uint64_t at, uint64_t size)
{
	for (uint32_t i = e->nr_frames; i-- > 0;) {
		struct embed_frame *f = &e->frames[i];
		uint64_t low = f->top - f->bytes;

		if (at >= low && at <= f->top && size <= f->top - at)
			return f;
	}
	return NULL;
}

static const struct embed_area *area_at(const struct embed *e, uint64_t at, uint64_t size)
{
	for (uint32_t i = 0; i < e->nr_areas; i++) {
		const struct embed_area *a = &e->areas[i];
		uint64_t off = at - a->base;

		if (at < a->base || off >= a->size + (size == 0))
			continue;
		if (a->stride && off % a->stride <= a->each && size <= a->each - off % a->stride)
			return a;
		if (!a->stride && size <= a->size - off)
			return a;
	}
	return NULL;
}

static bool is_node(const struct embed *e, uint64_t at)
{
	const struct embed_area *a = area_at(e, at, sizeof(struct case_node));

	return a && a->base == at && a->size == sizeof(struct case_node);
}

static void check_read(struct embed *e, uint64_t at, uint64_t size)
{
	const struct embed_frame *f = stack_at(e, at, size);
	const struct embed_area *a;

	e->nr_accesses++;
	if (f) {
		for (uint64_t i = 0; i < size; i++)
			if (!f->written[at - (f->top - f->bytes) + i])
				unsound(e, "a read of stack that was never written");
		return;
	}
	a = area_at(e, at, size);
	if (!a || !a->readable)
		unsound(e, "a read of %" PRIu64 " bytes at %" PRIx64 "%s", size, at,
			a ? ", which is write-only" : ", which is out of bounds");
}

/* Of the context only members that are declared so may be written. */
static void check_member(struct embed *e, uint64_t off, uint64_t size)
{
	const struct tn_ctx_type *type = e->prog->ctx_type;

	for (uint32_t i = 0; i < type->nr_fields; i++) {
		const struct tn_field *f = &type->fields[i];

		if (off >= f->host_offset &&
		    off + size <= (uint64_t)f->host_offset + f->host_size &&
		    f->kind == TN_FIELD_SCALAR && f->access & TN_ACC_W)
			return;
	}
	unsound(e, "a write to the context at %" PRIu64 ", which is read-only", off);
}

static void check_write(struct embed *e, uint64_t at, uint64_t size)
{
	struct embed_frame *f = stack_at(e, at, size);
	const struct embed_area *a;

	e->nr_accesses++;
	if (f) {
		memset(f->written + (at - (f->top - f->bytes)), 1, size);
		return;
	}
	a = area_at(e, at, size);
	if (!a || !a->writable)
		unsound(e, "a write of %" PRIu64 " bytes at %" PRIx64 "%s", size, at,
			a ? ", which is read-only" : ", which is out of bounds");
	if (e->ctx && a->base == (uintptr_t)e->ctx)
		check_member(e, at - a->base, size);
}

static void check_store(struct embed *e, const struct embed_frame *f, const struct tn_insn *insn)
{
	uint64_t at = f->r[insn->dst] + (uint64_t)(int64_t)insn->off;
	uint32_t size = tn_insn_bytes(insn->code);
	bool atomic = TN_CLASS(insn->code) == TN_STX && TN_MODE(insn->code) == TN_ATOMIC;

	if (atomic && insn->imm == TN_LOAD_ACQ) {
		check_read(e, f->r[insn->src] + (uint64_t)(int64_t)insn->off, size);
		return;
	}
	if (atomic && insn->imm != TN_STORE_REL)
		check_read(e, at, size);
	check_write(e, at, size);
	if (TN_CLASS(insn->code) == TN_STX && size == 8 && !stack_at(e, at, size) &&
	    embed_is_address(e, f->r[insn->src]))
		unsound(e, "an address leaves the stack");
}

/* ---- Calls ---- */

static const struct tn_sig *callee_sig(const struct embed *e, const struct tn_insn *insn)
{
	const struct tn_helper *h;

	if (insn->src == TN_CALL_EXTERN)
		return &e->prog->externs[insn->imm].helper->sig;
	h = insn->src == TN_CALL_HELPER ? tn_helper_by_id((uint32_t)insn->imm) : NULL;
	return h ? &h->sig : NULL;
}

static struct embed_area *held_at(struct embed *e, uint64_t at)
{
	for (uint32_t i = 0; i < e->nr_areas; i++)
		if (e->areas[i].held && e->areas[i].base == at)
			return &e->areas[i];
	return NULL;
}

static void release(struct embed *e, uint32_t i, uint64_t at)
{
	if (!held_at(e, at))
		unsound(e, "argument %u is released, but not held", i + 1);
	embed_area_drop(e, at);
}

/* The record is given back, and what was shown of it can not be touched any more. */
static void end_slices(struct embed *e, const struct tn_dynptr *d)
{
	for (uint32_t i = 0; i < e->nr_areas; i++) {
		const struct embed_area *a = &e->areas[i];

		if (a->slice && !a->obj &&
		    a->base - (uintptr_t)d->data < (uint64_t)d->offset + d->size)
			embed_area_drop(e, e->areas[i--].base);
	}
}

static void check_memory_arg(struct embed *e, const struct tn_arg *arg, uint64_t at, uint64_t size,
			     bool write)
{
	if (!at && arg->nullable && !size)
		return;
	if (write)
		check_write(e, at, size);
	else if (size)
		check_read(e, at, size);
}

static void check_text(struct embed *e, uint64_t at)
{
	const struct embed_area *a = area_at(e, at, 1);

	if (!a || !memchr((void *)(uintptr_t)at, 0, a->base + a->size - at))
		unsound(e, "a text argument without an end");
}

static void check_arg(struct embed *e, const struct tn_sig *sig, uint32_t i, const uint64_t *r)
{
	const struct tn_arg *arg = &sig->args[i];
	const struct tn_map *map = NULL;
	uint64_t at = r[TN_R1 + i];

	for (uint32_t j = 0; j < i; j++)
		if (sig->args[j].kind == TN_ARG_MAP)
			map = (const void *)(uintptr_t)r[TN_R1 + j];
	switch ((enum tn_arg_kind)arg->kind) {
	case TN_ARG_MAP_KEY:
		check_memory_arg(e, arg, at, map->key_size, false);
		return;
	case TN_ARG_MAP_VALUE:
		if (at || !arg->nullable)
			check_memory_arg(e, arg, at, map->value_size, false);
		return;
	case TN_ARG_MAP_VALUE_OUT:
		check_memory_arg(e, arg, at, map->value_size, true);
		return;
	case TN_ARG_MEM:
		check_memory_arg(e, arg, at, r[TN_R2 + i], false);
		return;
	case TN_ARG_WMEM:
		check_memory_arg(e, arg, at, r[TN_R2 + i], true);
		return;
	case TN_ARG_WMEM_FIXED:
		check_memory_arg(e, arg, at, arg->struct_size, true);
		return;
	case TN_ARG_STRUCT:
	case TN_ARG_MEM_FIXED:
		check_memory_arg(e, arg, at, arg->struct_size, false);
		return;
	case TN_ARG_ITER_NEW:
		check_memory_arg(e, arg, at, arg->struct_size, true);
		return;
	case TN_ARG_ITER:
		check_memory_arg(e, arg, at, 8, false);
		return;
	case TN_ARG_SPIN_LOCK:
		check_memory_arg(e, arg, at, 4, false);
		return;
	case TN_ARG_TIMER:
		check_memory_arg(e, arg, at, 16, false);
		return;
	case TN_ARG_DYNPTR_NEW:
		check_write(e, at, 16);
		return;
	case TN_ARG_DYNPTR:
		check_read(e, at, 16);
		if (arg->release)
			end_slices(e, (const void *)(uintptr_t)at);
		return;
	case TN_ARG_BTF_PTR:
		check_memory_arg(e, arg, at, 16, false);
		return;
	case TN_ARG_STR:
		check_text(e, at);
		return;
	case TN_ARG_CTX:
		if (at != (uintptr_t)e->ctx)
			unsound(e, "argument %u is not the context", i + 1);
		return;
	case TN_ARG_OBJECT:
	case TN_ARG_PACKET: /* the context, or a handle */
		if (!at)
			unsound(e, "argument %u is NULL", i + 1);
		return;
	case TN_ARG_RINGBUF_RECORD:
		release(e, i, at);
		return;
	case TN_ARG_HANDLE:
		if (!at && !arg->nullable)
			unsound(e, "argument %u is NULL", i + 1);
		if (at && !strcmp(arg->handle, "node") && !is_node(e, at))
			unsound(e, "argument %u is no node", i + 1);
		if (at && !arg->rdonly && !strcmp(arg->handle, "node") &&
		    !area_at(e, at, sizeof(struct case_node))->writable)
			unsound(e, "argument %u is read-only", i + 1);
		if (arg->release && at)
			release(e, i, at);
		return;
	case TN_ARG_SIZE:
		if (!at)
			unsound(e, "argument %u is 0", i + 1);
		return;
	case TN_ARG_SCALAR:
		if (embed_is_address(e, at))
			unsound(e, "argument %u is an address", i + 1);
		return;
	case TN_ARG_NONE:
	case TN_ARG_ANY:
	case TN_ARG_MAP:
	case TN_ARG_SIZE_OR_ZERO:
	case TN_ARG_CONST_SIZE:
	case TN_ARG_FUNC:
	case TN_ARG_STACK_OR_NULL:
		return;
	}
	unsound(e, "the oracle does not know arguments of kind %u", arg->kind);
}

static void check_call_facts(struct embed *e, const struct embed_frame *f)
{
	const struct tn_insn_fact *fact = &e->facts[f->insn];
	uint32_t key;

	if (!(fact->flags & TN_FACT_MAP_KNOWN))
		return;
	e->nr_facts++;
	if (f->r[TN_R1] != (uintptr_t)fact->map)
		unsound(e, "the fact says another map");
	if (!(fact->flags & TN_FACT_KEY_CONST))
		return;
	memcpy(&key, (void *)(uintptr_t)f->r[TN_R2], sizeof(key));
	if (key != fact->value)
		unsound(e, "the key is %u, the fact says %" PRIu64, key, fact->value);
}

static void check_call(struct embed *e, struct embed_frame *f, const struct tn_insn *insn)
{
	const struct tn_sig *sig;

	f->in_call = true;
	memcpy(f->args, f->r, sizeof(f->args));
	if (insn->src == TN_CALL_LOCAL)
		return;
	sig = callee_sig(e, insn);
	if (!sig)
		unsound(e, "the oracle does not know calls of kind %u", insn->src);
	check_call_facts(e, f);
	for (uint32_t i = 0; i < sig->nr_args; i++)
		check_arg(e, sig, i, f->r);
	/* What the context points to may be gone: the callee says what is there now. */
}

static uint64_t const_size(const struct tn_sig *sig, const uint64_t *args)
{
	for (uint32_t i = 0; i < sig->nr_args; i++)
		if (sig->args[i].kind == TN_ARG_CONST_SIZE)
			return args[TN_R1 + i];
	return 0;
}

static const char area_of_value;

static void take_result(struct embed *e, struct embed_frame *f, const struct tn_sig *sig)
{
	uint64_t r0 = f->r[TN_R0];
	const struct tn_map *map = (const void *)(uintptr_t)f->args[TN_R1];
	struct embed_area area = { .base = r0, .readable = true, .writable = true };

	if (e->facts[f->insn].flags & TN_FACT_NOT_NULL) {
		e->nr_facts++;
		if (!r0)
			unsound(e, "the fact says that this is not NULL");
	}
	switch ((enum tn_ret_kind)sig->ret) {
	case TN_RET_MAP_VALUE:
		if (!r0 || map->inner || area_at(e, r0, map->value_size))
			return;
		area.size = map->value_size;
		area.readable = !(map->flags & TN_MAP_F_WRONLY_PROG);
		area.writable = !(map->flags & TN_MAP_F_RDONLY_PROG);
		area.obj = map;
		embed_area_add(e, &area);
		return;
	case TN_RET_RINGBUF_RECORD:
		area.size = const_size(sig, f->args);
		area.held = true;
		if (r0)
			embed_area_add(e, &area);
		return;
	case TN_RET_HANDLE:
		area.held = sig->flags & TN_SIG_ACQUIRE;
		area.size = strcmp(sig->ret_handle, "node") ? 1 : sizeof(struct case_node);
		area.readable = area.writable = area.size > 1;
		if (r0 && area.held)
			embed_area_add(e, &area);
		if (!r0 && !(sig->flags & (TN_SIG_RET_NULLABLE | TN_SIG_RET_UNTRUSTED)))
			unsound(e, "the handle is NULL");
		return;
	case TN_RET_SLICE:
		area.size = const_size(sig, f->args);
		area.slice = true;
		/* Values of maps stay where they are. */
		if (((const struct tn_dynptr *)(uintptr_t)f->args[TN_R1])->type == TN_DYNPTR_LOCAL)
			area.obj = &area_of_value;
		for (uint32_t i = 0; i < e->nr_areas; i++)
			if (e->areas[i].slice && e->areas[i].base == r0 &&
			    e->areas[i].obj == area.obj)
				area.size = TN_MAX(area.size, e->areas[i].size);
		if (r0)
			embed_area_add(e, &area);
		return;
	case TN_RET_ITER_ELEM:
		area.size = sizeof(int32_t);
		area.writable = false;
		if (r0)
			embed_area_add(e, &area);
		return;
	case TN_RET_VOID:
		scramble(e, f, 1);
		return;
	case TN_RET_SCALAR:
	case TN_RET_NOTHING_RETURNS:
		return;
	}
	unsound(e, "the oracle does not know results of kind %u", sig->ret);
}

static void after_call(struct embed *e, struct embed_frame *f)
{
	const struct tn_insn *insn = &e->prog->insns[f->insn];
	const struct tn_sig *sig = callee_sig(e, insn);

	f->in_call = false;
	f->rounds = 0;
	if (insn->src == TN_CALL_HELPER && insn->imm == TN_HELPER_spin_lock)
		e->locked = true;
	if (insn->src == TN_CALL_HELPER && insn->imm == TN_HELPER_spin_unlock)
		e->locked = false;
	if (sig)
		take_result(e, f, sig);
	scramble(e, f, 0x3e);
}

/* ---- Jumps ---- */

static bool holds(const struct tn_insn *insn, uint64_t a, uint64_t b)
{
	bool half = TN_CLASS(insn->code) == TN_JMP32;
	int64_t sa = half ? (int32_t)a : (int64_t)a, sb = half ? (int32_t)b : (int64_t)b;

	if (half) {
		a = (uint32_t)a;
		b = (uint32_t)b;
	}
	switch (TN_OP(insn->code)) {
	case TN_JEQ:
		return a == b;
	case TN_JNE:
		return a != b;
	case TN_JGT:
		return a > b;
	case TN_JGE:
		return a >= b;
	case TN_JLT:
		return a < b;
	case TN_JLE:
		return a <= b;
	case TN_JSET:
		return (a & b) != 0;
	case TN_JSGT:
		return sa > sb;
	case TN_JSGE:
		return sa >= sb;
	case TN_JSLT:
		return sa < sb;
	default:
		return sa <= sb;
	}
}

/* The rewrite made the jump unconditional: was that right? */
static void check_jump(struct embed *e, const struct embed_frame *f)
{
	const struct tn_insn *insn = &e->code[f->insn];
	uint16_t flags = e->facts[f->insn].flags;
	uint64_t b = TN_SRC(insn->code) ? f->r[insn->src] : (uint64_t)(int64_t)insn->imm;

	if (!(flags & (TN_FACT_BRANCH_ALWAYS | TN_FACT_BRANCH_NEVER)) || tn_insn_is_ja(insn) ||
	    TN_OP(insn->code) == TN_JCOND)
		return;
	e->nr_facts++;
	if (holds(insn, f->r[insn->dst], b) != !!(flags & TN_FACT_BRANCH_ALWAYS))
		unsound(e, "the fact says how this jump goes, and it goes the other way");
}

static void check_exit(struct embed *e, const struct embed_frame *f)
{
	const struct tn_facts *facts = e->prog->facts;
	int64_t r0 = (int64_t)f->r[TN_R0];

	if (e->nr_frames > 1)
		return;
	e->nr_facts++;
	if (r0 < facts->ret_min || r0 > facts->ret_max)
		unsound(e, "the result is outside of %" PRId64 "..%" PRId64, facts->ret_min,
			facts->ret_max);
	for (uint32_t i = 0; i < e->nr_areas; i++)
		if (e->areas[i].held)
			unsound(e, "a reference is held at the end");
}

/* Accesses that are none to memory that the program may touch: the engines check those to an arena
 * and through untrusted pointers, and what is read of a map itself was looked up. */
static bool is_looked_after(struct embed *e, const struct embed_frame *f)
{
	const struct tn_insn_fact *fact = &e->facts[f->insn];
	const struct tn_insn *insn = &e->code[f->insn];

	if (fact->flags & (TN_FACT_ARENA | TN_FACT_PROBE))
		return true;
	if (!(fact->flags & TN_FACT_MAP_FIELD))
		return false;
	for (uint32_t i = 0; i < e->prog->nr_maps; i++)
		if (f->r[insn->src] == (uintptr_t)e->prog->maps[i])
			return true;
	unsound(e, "a field of a map is read where no map is");
}

static void check_insn(struct embed *e, struct embed_frame *f, const struct tn_insn *insn)
{
	if (is_looked_after(e, f))
		return;
	switch (TN_CLASS(insn->code)) {
	case TN_LDX:
		check_read(e, f->r[insn->src] + (uint64_t)(int64_t)insn->off,
			   tn_insn_bytes(insn->code));
		return;
	case TN_ST:
	case TN_STX:
		check_store(e, f, insn);
		return;
	case TN_JMP:
		if (TN_OP(insn->code) == TN_CALL) {
			check_call(e, f, insn);
			return;
		}
		if (TN_OP(insn->code) == TN_EXIT) {
			check_exit(e, f);
			e->nr_frames--;
			e->next_stack = f->stack - (f->bytes != 0);
			return;
		}
		check_jump(e, f);
		return;
	case TN_JMP32:
		check_jump(e, f);
		return;
	default:
		return;
	}
}

void tn_trace_step(const struct tn_prog *prog, uint32_t insn, uint64_t *r, struct tn_exec *ex)
{
	struct embed *e = run;
	struct embed_frame *f = &e->frames[e->nr_frames - 1];

	(void)ex;
	if (++e->nr_steps > e->max_steps) {
		e->gave_up = true;
		longjmp(e->leave, 1);
	}
	/* A callback that ended early leaves its frame. */
	while (f->r != r && e->nr_frames > 1) {
		e->nr_frames--;
		e->next_stack = f->stack - (f->bytes != 0);
		f = &e->frames[e->nr_frames - 1];
	}
	if (f->foreign || prog != e->prog) {
		const struct tn_insn *i = &prog->insns[insn];

		if (i->code == (TN_JMP | TN_EXIT)) {
			e->nr_frames--;
			e->next_stack = f->stack - (f->bytes != 0);
		}
		return;
	}
	if (f->in_call)
		after_call(e, f);
	f->insn = insn;
	e->why[0] = '\0';
	if (!embed_contains(e, insn))
		unsound(e, "%s",
			e->why[0] ? e->why : "no state of the walk contains the machine's");
	check_insn(e, f, &prog->insns[insn]);
}

/* ---- One run ---- */

enum embed_result embed_run(struct embed *e, void *ctx, struct tn_exec *ex, uint64_t *r0)
{
	const struct tn_facts *facts = e->prog->facts;
	int64_t fuel = ex->fuel;

	e->ctx = ctx;
	e->nr_frames = 0;
	e->next_stack = 0;
	e->locked = false;
	e->nr_steps = 0;
	e->unsound = e->gave_up = false;
	e->why[0] = '\0';
	run = e;
	if (!setjmp(e->leave))
		*r0 = facts->holds ? tn_held_interp_entry(ctx, ex) : tn_interp_entry(ctx, ex);
	run = NULL;
	if (!e->unsound && !e->gave_up && e->locked) {
		snprintf(e->why, sizeof(e->why), "a lock is held at the end");
		e->unsound = true;
	}
	/* Time is bounded by what is proved and what was paid. */
	if (!e->unsound && e->nr_steps > facts->proved_cost + (uint64_t)(fuel - ex->fuel)) {
		snprintf(e->why, sizeof(e->why),
			 "%" PRIu64 " steps; proved are %" PRIu64 ", paid %" PRId64, e->nr_steps,
			 facts->proved_cost, fuel - ex->fuel);
		e->unsound = true;
	}
	if (e->unsound)
		return EMBED_UNSOUND;
	return e->gave_up ? EMBED_GAVE_UP : EMBED_OK;
}
