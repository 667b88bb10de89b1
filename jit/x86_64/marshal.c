/* SPDX-License-Identifier: MIT */
/*
 * The System V ABI: integers and pointers in rdi, rsi, rdx, rcx, r8, r9, floating point in xmm0 on,
 * counted apart. Narrow integers are extended to 32 bits by the caller: compilers rely on it though
 * the ABI does not say so. eBPF carries floating point as its IEEE bits in a 64-bit register.
 */
#include "jit/x86_64/marshal.h"
#include "vm/image.h"

static const uint8_t int_regs[6] = { RDI, RSI, RDX, RCX, R8, R9 };

static bool is_float(uint8_t ctype)
{
	return ctype == TN_C_F32 || ctype == TN_C_F64;
}

static void extend(struct tn_codebuf *b, uint8_t ctype, uint8_t dst, uint8_t src)
{
	switch (ctype) {
	case TN_C_BOOL: /* C's conversion: anything but 0 is true */
		tn_x86_test_rr(b, true, src, src);
		tn_x86_setcc(b, CC_NE, dst);
		tn_x86_movzx_rr(b, 1, dst, dst);
		break;
	case TN_C_I8:
		tn_x86_movsx_rr(b, true, 1, dst, src);
		break;
	case TN_C_U8:
		tn_x86_movzx_rr(b, 1, dst, src);
		break;
	case TN_C_I16:
		tn_x86_movsx_rr(b, true, 2, dst, src);
		break;
	case TN_C_U16:
		tn_x86_movzx_rr(b, 2, dst, src);
		break;
	case TN_C_I32:
		tn_x86_movsx_rr(b, true, 4, dst, src);
		break;
	case TN_C_U32:
		tn_x86_mov_rr(b, false, dst, src);
		break;
	default:
		if (dst != src)
			tn_x86_mov_rr(b, true, dst, src);
		break;
	}
}

/* 32-bit integers need no extension on the way in: the callee reads the low half. */
static void pass_int(struct tn_codebuf *b, uint8_t ctype, uint8_t dst, uint8_t src)
{
	if (ctype == TN_C_I32 || ctype == TN_C_U32)
		ctype = TN_C_U64;
	extend(b, ctype, dst, src);
}

/*
 * Argument i stands in int_regs[i] and goes to int_regs[to[i]], where to[i] <= i + 1, and is i + 1
 * only for those before the first floating point argument (when `user` comes first). Those move
 * from the last to the first, then the others from the first to the last: nothing is overwritten
 * before it is read.
 */
static void place_arguments(struct tn_codebuf *b, const struct tn_host_helper *helper)
{
	const struct tn_sig *sig = &helper->sig;
	uint8_t to[TN_SIG_MAX_ARGS], next = helper->pass_user ? 1 : 0, xmm = 0;
	int i;

	for (i = 0; i < sig->nr_args; i++) {
		uint8_t ctype = sig->args[i].ctype;

		if (is_float(ctype))
			tn_x86_movq_xr(b, ctype == TN_C_F64, xmm++, int_regs[i]);
		else
			to[i] = next++;
	}
	for (i = sig->nr_args - 1; i >= 0; i--)
		if (!is_float(sig->args[i].ctype) && to[i] > i)
			pass_int(b, sig->args[i].ctype, int_regs[to[i]], int_regs[i]);
	for (i = 0; i < sig->nr_args; i++)
		if (!is_float(sig->args[i].ctype) && to[i] <= i)
			pass_int(b, sig->args[i].ctype, int_regs[to[i]], int_regs[i]);
	if (helper->pass_user)
		tn_x86_mov_ri(b, RDI, (uintptr_t)helper->user);
}

static void take_result(struct tn_codebuf *b, const struct tn_sig *sig)
{
	if (sig->ret == TN_RET_VOID || sig->ret_ctype == TN_C_VOID) {
		tn_x86_mov_ri(b, RAX, 0);
	} else if (is_float(sig->ret_ctype)) {
		tn_x86_movq_rx(b, sig->ret_ctype == TN_C_F64, RAX, 0);
	} else if (sig->ret_ctype == TN_C_BOOL) {
		/* 0 or 1 in al. A callee that was declared bool by mistake must not get past what
		 * was proved with that. */
		tn_x86_movzx_rr(b, 1, RAX, RAX);
		extend(b, TN_C_BOOL, RAX, RAX);
	} else {
		extend(b, sig->ret_ctype, RAX, RAX);
	}
}

void tn_marshal_direct(struct tn_codebuf *b, const struct tn_host_helper *helper)
{
	place_arguments(b, helper);
	tn_codebuf_extern(b, (const void *)(uintptr_t)helper->fn);
	take_result(b, &helper->sig);
}

void tn_marshal_invoke(struct tn_codebuf *b, const struct tn_host_helper *helper, uint8_t ex)
{
	int i;

	/* 48 bytes for five words: the stack pointer stays aligned to 16. */
	tn_x86_alu_ri(b, X86_SUB, true, RSP, 48);
	for (i = 0; i < 5; i++)
		tn_x86_store(b, 8, tn_x86_at(RSP, 8 * i), int_regs[i]);
	tn_x86_mov_ri(b, RDI, (uintptr_t)helper);
	tn_x86_mov_rr(b, true, RSI, RSP);
	tn_x86_mov_rr(b, true, RDX, ex);
	tn_codebuf_extern(b, (const void *)(uintptr_t)helper->invoke);
	tn_x86_alu_ri(b, X86_ADD, true, RSP, 48);
}
