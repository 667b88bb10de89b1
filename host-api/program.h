/* SPDX-License-Identifier: MIT */
/*
 * struct tenon_program: the API's side of one struct tn_prog (prog->host points back). Both are
 * freed together, after the last reference (object, links, prog arrays) is gone and an epoch has
 * passed. Until then program->unit keeps what the programs of an object share.
 */
#ifndef TN_HOST_PROGRAM_H
#define TN_HOST_PROGRAM_H

#include "host-api/host_type.h"
#include "verifier/verify.h"
#include "vm/image.h"

/* What the programs of one object share beyond the object's close: names and BTF, native code, a
 * context known by its size. Referenced by the object and by each program. */
struct tn_unit {
	_Atomic uint32_t refs;
	struct tenon_runtime *rt;
	struct tn_image *image;
	struct tn_code *code;	     /* NULL: interpreted */
	struct tn_ctx_type *raw_ctx; /* NULL: none */
};
void tn_unit_get(struct tn_unit *unit);
void tn_unit_put(struct tn_unit *unit);

/* One per slot, a cache line's length apart, so that counting shares none. */
struct tn_run_cell {
	_Atomic uint64_t runs, ns;
	uint64_t unused[6];
};

struct tn_section_entry;
struct tn_ops_type;

struct tenon_program {
	struct tn_prog *prog;
	struct tenon_runtime *rt;
	struct tn_unit *unit;
	struct tenon_object *obj; /* NULL once it is closed; under rt.lock */
	char *hook;		  /* from the section or the open options; NULL: none */
	const struct tn_section_entry *handler; /* of its section; NULL: none of the host's */
	bool attached_by_host;			/* by that handler, for tenon_object_attach() */
	const struct tn_ops_type *ops;		/* it stands for a member of that structure */
	uint32_t ops_member;			/* of the host's */
	bool no_result;				/* what it returns is nobody's */
	struct tn_insn *insns; /* as loaded, before they were rewritten: for the disassembler */
	bool ready;	       /* verified and compiled */
	/* Compiled, calls no helper, pays no fuel: reads nothing of struct tn_exec. */
	bool leaf;
	bool tail_calls;	/* uses a prog array: results may be its programs' */
	uint64_t fuel;		/* budget it was verified for */
	struct tn_prog_sig sig; /* context, and the results it was verified for */

	struct tn_verdict verdict;
	bool verified;
	char *source;  /* of the verdict's instruction */
	char *failure; /* why it did not load; NULL: it did, or out of memory */
	uint64_t verify_ns, compile_ns;

	/* Counted where it happens, which is seldom. */
	_Atomic uint64_t recursion, aborted;
	_Atomic uint32_t last_reason;
	struct tn_run_cell *cells; /* rt.max_slots of them; NULL unless the runtime counts runs */
};

/* Takes `prog` over: refs 1. NULL: out of memory, `prog` is untouched. */
struct tenon_program *tn_program_new(struct tenon_runtime *rt, struct tn_unit *unit,
				     struct tn_prog *prog);
void tn_program_get(struct tenon_program *program);

/* May it, or one that it calls by tail call, read data_meta? Then tn_packet_settle_meta() first. */
static inline bool tn_program_wants_meta(const struct tenon_program *program)
{
	const struct tn_prog *prog = program->prog;

	return prog->ctx_type && prog->ctx_type->is_packet && prog->facts &&
	       (prog->facts->reads_meta || program->tail_calls);
}

void tn_program_put(struct tenon_program *program);

/* For prog arrays (struct tn_prog_array_host). */
void *tn_program_get_by_id(struct tn_rt *rt, uint32_t id);
void tn_program_put_opaque(void *prog);
uint32_t tn_program_id_of(const void *prog);
int tn_program_fits(const void *prog, const void *sig);

#endif
