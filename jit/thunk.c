/* SPDX-License-Identifier: MIT */
/* Entry functions by the C calling convention of the machine, see thunk.h. */
#include "jit/thunk.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "jit/jit.h"

/* What one function can take: 12 arguments from the stack are the most. */
#define ROOM 256u

#if defined(__x86_64__)

#define NR_REGS 6u

struct out {
	unsigned char *at;
};

static void put(struct out *o, const void *bytes, size_t size)
{
	memcpy(o->at, bytes, size);
	o->at += size;
}

#define PUT(o, ...)                                    \
	put(o, (const unsigned char[]){ __VA_ARGS__ }, \
	    sizeof((const unsigned char[]){ __VA_ARGS__ }))

/* Extend register `reg` in place, as numbers of that type are held. */
static void extend(struct out *o, uint8_t ctype, uint8_t reg)
{
	/* REX.W, with the register as both operands */
	uint8_t rex = (uint8_t)(0x48 | (reg >= 8 ? 5 : 0));
	uint8_t narrow = (uint8_t)(0x40 | (reg >= 8 ? 5 : 0));
	uint8_t modrm = (uint8_t)(0xc0 | (reg & 7) << 3 | (reg & 7));

	switch ((enum tn_ctype)ctype) {
	case TN_C_BOOL:
	case TN_C_U8: /* movzx r32, r8 */
		PUT(o, narrow, 0x0f, 0xb6, modrm);
		break;
	case TN_C_I8: /* movsx r64, r8 */
		PUT(o, rex, 0x0f, 0xbe, modrm);
		break;
	case TN_C_U16: /* movzx r32, r16 */
		PUT(o, narrow, 0x0f, 0xb7, modrm);
		break;
	case TN_C_I16: /* movsx r64, r16 */
		PUT(o, rex, 0x0f, 0xbf, modrm);
		break;
	case TN_C_U32: /* mov r32, r32 */
		PUT(o, narrow, 0x89, modrm);
		break;
	case TN_C_I32: /* movsxd r64, r32 */
		PUT(o, rex, 0x63, modrm);
		break;
	default:
		break;
	}
}

static void store_args(struct out *o, const struct tn_thunk *t)
{
	static const uint8_t regs[NR_REGS] = { 7, 6, 2, 1, 8, 9 }; /* rdi rsi rdx rcx r8 r9 */

	for (uint32_t i = 0; i < t->nr_args; i++) {
		uint8_t reg = i < NR_REGS ? regs[i] : 0;

		if (i >= NR_REGS) /* mov rax, [rbp + 16 + 8 * n] */
			PUT(o, 0x48, 0x8b, 0x45, (uint8_t)(16 + 8 * (i - NR_REGS)));
		extend(o, t->args[i], reg);
		/* mov [rsp + 8 * i], reg */
		PUT(o, (uint8_t)(0x48 | (reg >= 8 ? 4 : 0)), 0x89, (uint8_t)(0x44 | (reg & 7) << 3),
		    0x24, (uint8_t)(8 * i));
	}
}

static void put_thunk(struct out *o, const struct tn_thunk *t)
{
	uint8_t frame = (uint8_t)((TN_MAX(t->nr_args, 1u) * 8 + 15) & ~15u);

	PUT(o, 0xf3, 0x0f, 0x1e, 0xfa);	 /* endbr64 */
	PUT(o, 0x55, 0x48, 0x89, 0xe5);	 /* push rbp; mov rbp, rsp */
	PUT(o, 0x48, 0x83, 0xec, frame); /* sub rsp, frame */
	store_args(o, t);
	if (!t->nr_args) /* the slot that is there all the same: mov qword [rsp], 0 */
		PUT(o, 0x48, 0xc7, 0x04, 0x24, 0, 0, 0, 0);
	PUT(o, 0x48, 0xbf); /* mov rdi, self */
	put(o, &t->self, 8);
	PUT(o, 0x48, 0x89, 0xe6); /* mov rsi, rsp */
	PUT(o, 0x48, 0xb8);	  /* mov rax, call */
	put(o, &t->call, 8);
	PUT(o, 0xff, 0xd0);	 /* call rax */
	if (t->ret == TN_C_BOOL) /* test rax, rax; setne al; movzx eax, al */
		PUT(o, 0x48, 0x85, 0xc0, 0x0f, 0x95, 0xc0, 0x0f, 0xb6, 0xc0);
	else
		extend(o, t->ret, 0);
	PUT(o, 0xc9, 0xc3); /* leave; ret */
}

static bool is_integer(uint8_t ctype)
{
	return (ctype >= TN_C_BOOL && ctype <= TN_C_U64) || ctype == TN_C_PTR;
}

bool tn_thunk_fits(const struct tn_thunk *t)
{
	for (uint32_t i = 0; i < t->nr_args; i++)
		if (!is_integer(t->args[i]))
			return false;
	return t->nr_args <= TN_THUNK_MAX_ARGS && (t->ret == TN_C_VOID || is_integer(t->ret));
}

int tn_thunks_make(struct tn_rt *rt, struct tn_thunk *thunks, uint32_t nr, struct tn_code *code)
{
	int rc = tn_jit_available();

	if (!rc)
		rc = tn_code_alloc_near(rt, (size_t)nr * ROOM, thunks[0].call, code);
	if (rc)
		return rc;
	memset(code->base, 0xcc, code->size);
	for (uint32_t i = 0; i < nr; i++) {
		struct out o = { .at = code->base + (size_t)i * ROOM };

		thunks[i].off = i * ROOM;
		put_thunk(&o, &thunks[i]);
		tn_assert((size_t)(o.at - code->base) <= (size_t)(i + 1) * ROOM);
	}
	rc = tn_code_seal(rt, code);
	if (rc)
		tn_code_free(rt, code);
	return rc;
}

#else

bool tn_thunk_fits(const struct tn_thunk *t)
{
	(void)t;
	return false;
}

int tn_thunks_make(struct tn_rt *rt, struct tn_thunk *thunks, uint32_t nr, struct tn_code *code)
{
	(void)rt;
	(void)thunks;
	(void)nr;
	(void)code;
	return tn_err(-ENOTSUP, "no JIT for this machine");
}

#endif
