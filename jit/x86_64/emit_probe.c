/* SPDX-License-Identifier: MIT */
/*
 * Loads through untrusted pointers. Under the fault handler each is one instruction, noted with the
 * register that reads as 0 where it faults. Else the kernel does them: a call that leaves all
 * registers alone but r10 and r11, so that nothing needs to know that it is one.
 */
#include "jit/x86_64/emit.h"
#include "vm/probe.h"

#if defined(__x86_64__)

#define SIGNED 0x100u

/* r10: address, then the value. r11: bytes, perhaps SIGNED. */
uint64_t tn_probe_of_code(uint64_t addr, uint32_t what);
void tn_probe_stub(void);

__attribute__((used)) uint64_t tn_probe_of_code(uint64_t addr, uint32_t what)
{
	uint32_t bytes = what & 0xff, up = 64 - 8 * bytes;
	uint64_t v = tn_probe_load_slowly(addr, bytes);

	return what & SIGNED ? (uint64_t)((int64_t)(v << up) >> up) : v;
}

/* Compiled code keeps nothing below its stack pointer, and nothing in vector registers. */
__attribute__((naked, used)) void tn_probe_stub(void)
{
	__asm__("push %rbp\n\t"
		"mov %rsp, %rbp\n\t"
		"push %rax\n\t"
		"push %rcx\n\t"
		"push %rdx\n\t"
		"push %rsi\n\t"
		"push %rdi\n\t"
		"push %r8\n\t"
		"push %r9\n\t"
		"and $-16, %rsp\n\t"
		"mov %r10, %rdi\n\t"
		"mov %r11d, %esi\n\t"
		"call tn_probe_of_code\n\t"
		"mov %rax, %r10\n\t"
		"lea -56(%rbp), %rsp\n\t"
		"pop %r9\n\t"
		"pop %r8\n\t"
		"pop %rdi\n\t"
		"pop %rsi\n\t"
		"pop %rdx\n\t"
		"pop %rcx\n\t"
		"pop %rax\n\t"
		"pop %rbp\n\t"
		"ret");
}

static struct tn_x86_mem address(struct tn_emit *e, const struct tn_insn *insn)
{
	struct tn_x86_mem m;

	if (insn->dst == insn->src) {
		m = tn_x86_at(tn_lazy_use(e, insn->src), insn->off);
		tn_lazy_def(e, insn->dst);
	} else {
		tn_lazy_def(e, insn->dst);
		m = tn_lazy_address(e, insn->src, insn->off);
	}
	return m;
}

/* Computed at once, and joined with nothing: each load is read whole or as 0. */
int tn_emit_probe(struct tn_emit *e, uint32_t i)
{
	const struct tn_insn *insn = &e->prog->insns[i];
	uint8_t bytes = (uint8_t)tn_insn_bytes(insn->code), dst = tn_reg(insn->dst);
	bool sext = TN_MODE(insn->code) == TN_MEMSX_PROBE;
	struct tn_x86_mem m;
	uint32_t from;

	tn_lazy_order(e, i);
	m = address(e, insn);
	from = e->b->len;
	if (e->prog->rt->fault_handler) {
		if (sext)
			tn_x86_load_sx(e->b, bytes, dst, m);
		else
			tn_x86_load(e->b, bytes, dst, m);
		return tn_codebuf_fault(e->b, from, dst);
	}
	tn_x86_lea(e->b, true, R10, m);
	tn_x86_mov_ri(e->b, R11, bytes | (sext ? SIGNED : 0));
	tn_codebuf_extern(e->b, (const void *)(uintptr_t)tn_probe_stub);
	tn_x86_mov_rr(e->b, true, dst, R10);
	tn_emit_no_flags(e);
	return 0;
}

#endif
