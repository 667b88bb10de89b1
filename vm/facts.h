/* SPDX-License-Identifier: MIT */
/*
 * What the verifier hands to the engines, per program and per instruction. Without a verifier
 * (tenon-conformance alone) a program has no facts: nothing is charged and nothing is assumed.
 *
 * Fuel: 1 unit is 1 instruction, or what a call makes its callee do in that time: 8 bytes moved. A
 * taken jump whose fact has fuel > 0 charges that much: engines do `if ((ex->fuel -= fuel) < 0)
 * abort`. The verifier puts charges on back edges (the longest path of the loop's body, free inner
 * loops and calls counted in full). Both engines charge at the same edges, so that they agree.
 */
#ifndef TN_VM_FACTS_H
#define TN_VM_FACTS_H

#include <stdint.h>

struct tn_map;
struct tn_releaser;

enum tn_insn_fact_flags {
	TN_FACT_REACHED = 1 << 0,	/* some path comes here; others are dead code */
	TN_FACT_BRANCH_ALWAYS = 1 << 1, /* conditional jump always taken on reached paths */
	TN_FACT_BRANCH_NEVER = 1 << 2,
	TN_FACT_CTX_REWRITE = 1 << 3, /* ctx load or store: rewrite by the context type's layout */
	TN_FACT_FUEL_CALLBACK = 1 << 4, /* the helper called here runs a callback that pays fuel */
	TN_FACT_MAP_KNOWN = 1 << 5,	/* `map` below is r1 of this helper call on every path */
	TN_FACT_KEY_CONST = 1 << 6, /* `value` below is the 4-byte key at this map helper call */
	TN_FACT_NOT_NULL = 1 << 7,  /* array lookup proved in range: the result is not NULL */
	TN_FACT_MAY_ABORT = 1 << 8, /* the program may end here (helper): engines test ex->abort */
	/* The reference that comes back in r0 may be held where the program ends: it is noted with
	 * tn_held_add() once the call did not abort. */
	TN_FACT_TRACK = 1 << 9,
	/* This call may release such a one: tn_held_drop_args() comes before it. */
	TN_FACT_UNTRACK = 1 << 10,
	TN_FACT_PROBE = 1 << 13, /* load that may meet memory that is not there: 0 then */
	TN_FACT_ARENA = 1 << 12, /* load, store or sum through an arena pointer; a cast */
	TN_FACT_MAP_FIELD =
		1 << 11, /* load from a map itself: `value` is the place in struct tn_map */
};

struct tn_insn_fact {
	/* Charged when the jump here is taken. At calls of helpers that run callbacks: charged by
	 * the helper for each round, through tn_exec.callback_fuel; so count the round itself too.
	 */
	uint32_t fuel;
	uint16_t flags;
	/* Bit n: rn is cleared before this call. A variadic callee gets all five argument
	 * registers, also those that the program did not set. */
	uint8_t zero_regs;
	uint8_t releaser; /* TRACK: which of tn_facts.releasers */
	uint64_t value;
	struct tn_map *map; /* borrowed from the program */
};

/* 8-byte stack slots of one frame: bit i is [r10 - 8*(i+1), r10 - 8*i). */
#define TN_SLOT_WORDS 8 /* frames of up to TN_MAX_FRAME_BYTES (4096) bytes */

struct tn_subprog_facts {
	uint32_t stack_bytes;		    /* of this frame, multiple of 8 */
	uint64_t zero_slots[TN_SLOT_WORDS]; /* to be zeroed at frame entry: read before written */
	uint8_t may_tail_call;		    /* this subprogram or one it calls */
	uint8_t has_fuel;		    /* some edge in it charges */
};

struct tn_facts {
	struct tn_insn_fact *insns;	   /* prog->nr_insns */
	struct tn_subprog_facts *subprogs; /* prog->nr_subprogs */
	uint64_t proved_cost; /* worst-case instructions of one run outside charged loops; charged
			       * when the program is entered by tail call or from a chain */
	uint64_t timer_cost;  /* the same of the costliest function that timers call: each such call
			       * is a run of its own */
	uint32_t max_stack_bytes; /* deepest call path, all frames */
	uint32_t max_frames;
	uint8_t has_fuel;		      /* some edge anywhere charges */
	uint8_t may_abort;		      /* some helper may end the program */
	uint8_t reads_meta;		      /* the packet's data_meta is read */
	uint8_t holds;			      /* references are noted: see tn_held_entry() */
	const struct tn_releaser **releasers; /* NULL: none; they are the host's, or static */
	int64_t ret_min, ret_max;	      /* of r0 at exit */
	int64_t int_min, int_max;	      /* of its low half, as a signed number */
};

#endif
