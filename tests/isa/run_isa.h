/* SPDX-License-Identifier: MIT */
/*
 * Programs without facts, on either engine: for the instruction vectors, the random programs and
 * the conformance adapter. r1 points to the memory, r2 is its size. They are trusted, not proved.
 */
#ifndef TN_TESTS_ISA_RUN_ISA_H
#define TN_TESTS_ISA_RUN_ISA_H

#include <stddef.h>
#include <stdint.h>

#include "vm/image.h"

enum isa_engine { ISA_INTERP, ISA_JIT };

struct isa_prog {
	struct tn_prog *prog;
	struct tn_code *code; /* NULL: interpreted */
};

struct isa_opts {
	const struct tn_host_helper *helpers; /* what TN_CALL_EXTERN indexes */
	uint32_t nr_helpers;
	const struct tn_ctx_type *ctx_type; /* NULL: memory of some size */
	/* Makes prog->facts, as the verifier would, or leaves it NULL. 0 or a negative errno. */
	int (*make_facts)(struct tn_prog *prog, void *user);
	void *user;
};

/* 0, or a negative errno with words in tn_err_last(). `opts` may be NULL. */
int isa_open(struct tn_rt *rt, enum isa_engine engine, const struct tn_insn *insns, uint32_t nr,
	     const struct isa_opts *opts, struct isa_prog *out);
void isa_close(struct isa_prog *prog);

/* r0; *abort gets TN_ABORT_..., 0 where the program ended by itself. */
uint64_t isa_run(const struct isa_prog *prog, void *mem, size_t size, uint32_t *abort);
/* The same with *fuel to spend; what is left comes back. */
uint64_t isa_run_fuel(const struct isa_prog *prog, void *mem, size_t size, int64_t *fuel,
		      uint32_t *abort);

/* Numbers as tests write them: blanks between bytes, two digits each. The count, or -EINVAL. */
int isa_parse_bytes(const char *text, unsigned char *out, size_t max);

#endif
