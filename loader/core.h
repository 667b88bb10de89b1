/* SPDX-License-Identifier: MIT */
/*
 * CO-RE: what the compiler noted about an access to a field, a type or an enumerator ("record") is
 * looked up in the host's types, and the instruction is changed to what it is there. The rules are
 * those of libbpf, so that an object means the same in both.
 *
 *   core_spec.c   a record as steps on the plugin's own types
 *   core_match.c  types of the same name, and the same steps on one of them
 *   core_type.c   whether two types are alike
 *   core_calc.c   the 13 results
 *   core_patch.c  the instruction with the result in it
 *   core_words.c  why there is none
 *   core_layout.c accesses without a record
 *   core_reloc.c  all records of an object
 */
#ifndef TN_LOADER_CORE_H
#define TN_LOADER_CORE_H

#include "base/vec.h"
#include "loader/object.h"
#include "vm/btf.h"
#include "vm/insn.h"

/* As clang numbers them. */
enum tn_core_kind {
	TN_CORE_FIELD_BYTE_OFF,
	TN_CORE_FIELD_BYTE_SIZE,
	TN_CORE_FIELD_EXISTS,
	TN_CORE_FIELD_SIGNED,
	TN_CORE_FIELD_LSHIFT,
	TN_CORE_FIELD_RSHIFT,
	TN_CORE_LOCAL_TYPE_ID,
	TN_CORE_TARGET_TYPE_ID,
	TN_CORE_TYPE_EXISTS,
	TN_CORE_TYPE_SIZE,
	TN_CORE_ENUM_EXISTS,
	TN_CORE_ENUM_VALUE,
	TN_CORE_TYPE_MATCHES,
	TN_CORE_NR_KINDS,
};

static inline bool tn_core_is_field(enum tn_core_kind kind)
{
	return kind <= TN_CORE_FIELD_RSHIFT;
}

static inline bool tn_core_is_enum(enum tn_core_kind kind)
{
	return kind == TN_CORE_ENUM_EXISTS || kind == TN_CORE_ENUM_VALUE;
}

static inline bool tn_core_is_type(enum tn_core_kind kind)
{
	return kind < TN_CORE_NR_KINDS && !tn_core_is_field(kind) && !tn_core_is_enum(kind);
}

struct tn_core_record {
	uint32_t type_id;
	const char *access;
	enum tn_core_kind kind;
};

/* Steps of an access, and unnamed structs and unions passed on the way. As in libbpf. */
#define TN_CORE_MAX_STEPS 64

struct tn_core_step {
	uint32_t type_id; /* without modifiers: what the member is of, or what the element is */
	uint32_t index;
	const char *name; /* of a member or enumerator; NULL: an element */
};

/* An access on the types of one BTF. Of types and enumerators: without bit_off. */
struct tn_core_spec {
	const struct tn_btf *btf;
	uint32_t root_id;
	uint32_t nr_steps, depth; /* depth: with unnamed ones */
	uint64_t bit_off;
	struct tn_core_step steps[TN_CORE_MAX_STEPS];
};

/* No field is farther from its object's beginning. */
#define TN_CORE_MAX_BIT_OFF ((uint64_t)UINT32_MAX * 8)

/* Go on by `index` things of `size` bytes (below 2^31, 2^32); false: that is too far. */
static inline bool tn_core_advance(struct tn_core_spec *spec, uint32_t index, uint64_t size)
{
	uint64_t bytes = index * size;

	if (bytes > UINT32_MAX)
		return false;
	spec->bit_off += bytes * 8;
	return spec->bit_off <= TN_CORE_MAX_BIT_OFF;
}

/* Where a candidate stands, besides the number of its target. */
#define TN_CORE_BUILTIN UINT32_MAX
#define TN_CORE_OWN	(UINT32_MAX - 1) /* the plugin's own type: nobody knows another */

struct tn_core_cand {
	const struct tn_btf *btf;
	uint32_t id;
	uint32_t target;
	bool fits; /* the record being resolved */
};

/* What a record of this local type may mean. libbpf drops the candidates that a record did not
 * match before it looks at the next of the same type; so do we, for equal results. */
struct tn_core_cands {
	TN_VEC(struct tn_core_cand) v;
	bool looked;
};

struct tn_core_value {
	uint64_t value;
	uint32_t size;	  /* of the memory behind a byte offset, 0: not fixed */
	uint32_t type_id; /* of that memory */
	bool missing;	  /* there is none: the instruction must not be reached */
	bool exact;	  /* the compiler's number is the same for certain */
};

/* One object's relocation. */
struct tn_core {
	struct tn_rt *rt;
	const struct tn_load_opts *opts;
	const struct tn_btf *local;
	struct tn_core_cands *cands; /* by local type id */
	uint64_t steps_left;	     /* of searches: hostile types could make them endless */
	struct tn_core_spec spec, cand_spec, found_spec;
};

/* The instruction that a record turned its own into. */
struct tn_core_patch {
	struct tn_insn insn[2];
	bool is_wide;	   /* both count */
	bool is_offset;	   /* it holds the offset of a field, by types that are not the plugin's */
	int err;	   /* 0; the program cannot be loaded, with `words` */
	const char *words; /* owned by the image; poisoned: why; NULL: it is not */
};

/* libbpf's number of a helper that does not exist: "bad relo". */
#define TN_CORE_POISON 195896080

/* All with words: -EINVAL malformed, -E2BIG too much, -ENOMEM. */
int tn_core_parse(const struct tn_btf *btf, const struct tn_core_record *rec,
		  struct tn_core_spec *out);
int tn_core_find(struct tn_core *core, const struct tn_core_record *rec,
		 struct tn_core_cands **out);
/* The same for any type of the plugin; the caller frees cands->v. */
int tn_core_find_cands(struct tn_core *core, uint32_t local_id, struct tn_core_cands *cands);
/* 1: *out is the same access on the candidate's types; 0: it has none such. */
int tn_core_match(struct tn_core *core, const struct tn_core_record *rec,
		  const struct tn_core_cand *cand, struct tn_core_spec *out);
int tn_core_count(struct tn_core *core);

/* 1, 0. As libbpf: alike enough to exist; the same in all that the plugin has of it. */
int tn_core_types_compat(struct tn_core *core, uint32_t local_id, const struct tn_btf *btf,
			 uint32_t id);
int tn_core_types_match(struct tn_core *core, uint32_t local_id, const struct tn_btf *btf,
			uint32_t id);
bool tn_core_kinds_compat(const struct tn_btf_type *a, const struct tn_btf_type *b);
bool tn_core_names_match(const char *a, const char *b);

/* spec NULL: nothing matched. -EDOM with words: the record makes no sense for this access. */
int tn_core_calc(const struct tn_core_record *rec, const struct tn_core_spec *spec,
		 struct tn_core_value *out);
/* May a load of the one be made a load of the other? */
bool tn_core_same_width(const struct tn_core_spec *local, const struct tn_core_value *from,
			const struct tn_core_spec *host, const struct tn_core_value *to);

enum tn_core_fault {
	TN_CORE_FITS,
	TN_CORE_VALUE,	 /* the instruction does not hold what the plugin's types say */
	TN_CORE_RANGE,	 /* the new value does not fit into it */
	TN_CORE_WIDTH,	 /* a load or store of this width would get another value */
	TN_CORE_UNKNOWN, /* no instruction that records are made for */
};
/* Put the new value into *insn (two, where it is an lddw). */
enum tn_core_fault tn_core_patch(struct tn_insn *insn, bool has_second,
				 const struct tn_core_value *from, const struct tn_core_value *to,
				 bool same_width);
void tn_core_poison(struct tn_insn *insn, bool is_wide);
/* What it holds now, for messages. */
int64_t tn_core_held(const struct tn_insn *insn);

/* ---- Words ---- */

#define TN_CORE_WORDS 768
struct tn_core_text {
	char s[TN_CORE_WORDS];
	size_t len;
};
void tn_core_say(struct tn_core_text *t, const char *fmt, ...) TN_PRINTF(2, 3);
/* "conn.peer.len" */
void tn_core_say_record(struct tn_core_text *t, const struct tn_core *core,
			const struct tn_core_record *rec);
/* "has it at offset 16, 4 bytes (u32)": by core->spec. */
void tn_core_say_own_field(struct tn_core_text *t, const struct tn_core *core);
/* Why nothing matched. */
void tn_core_say_missing(struct tn_core_text *t, const struct tn_core *core,
			 const struct tn_core_record *rec, const struct tn_core_cands *cands);
/* What this candidate has: "'conn' (host, type 7) has it at offset 8, 4 bytes (u32)". */
void tn_core_say_cand(struct tn_core_text *t, const struct tn_core *core,
		      const struct tn_core_record *rec, const struct tn_core_cand *cand,
		      const struct tn_core_spec *spec);

#endif
