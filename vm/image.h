/* SPDX-License-Identifier: MIT */
/*
 * What a program is: the meeting point of loader, verifier, rewrite, interpreter and JIT. A program
 * is self-contained: its main function first, then each subprogram that it uses, appended once.
 *
 * Life: the loader (or tenon_object_open_insns) fills it; host-api resolves maps and externs; the
 * verifier adds facts; rewrite changes `insns` in place, one for one; the JIT sets code and entry.
 * Afterwards it is immutable.
 */
#ifndef TN_VM_IMAGE_H
#define TN_VM_IMAGE_H

#include "base/epoch.h"
#include "base/pages.h"
#include "base/rt.h"
#include "vm/btf.h"
#include "vm/ctx_type.h"
#include "vm/exec.h"
#include "vm/facts.h"
#include "vm/insn.h"
#include "vm/signature.h"

struct tn_map;

struct tn_subprog {
	uint32_t start, end; /* instructions [start, end) of prog->insns; subprogs[0] is the main
			      * program; sorted, adjoining, covering all */
	char *name;
	uint32_t btf_func_id; /* FUNC in image->btf, 0: none */
	bool is_global;
	bool is_callback; /* its address is taken */
};

/* One source line of .BTF.ext: from `insn` up to the next record. */
struct tn_line {
	uint32_t insn; /* within the program */
	uint32_t line, column;
	const char *file; /* borrowed from image->btf */
	const char *text;
};

/* A variable of the host, owned by the runtime and as old as it gets. */
struct tn_host_var {
	char *name;
	char *token; /* "&name": the handle type of its address alone */
	char *type;  /* the structure that it is (struct tn_ctx_type), or NULL: bytes */
	void *addr;  /* NULL: known by description only */
	uint32_t size;
	uint8_t align_log2; /* 0..3: 1 << align_log2 divides addr */
	bool writable;
	bool read_only; /* with `type`: whatever its fields say */
};

/* An instruction that a CO-RE record was resolved for. */
struct tn_core_site {
	uint32_t insn;	  /* within the program */
	bool is_offset;	  /* it holds the offset of a field of `type`, or of one inside it */
	const char *type; /* the plugin's name, borrowed from image->btf */
	/* Why the host has nothing to put there: no path may come here. NULL: it has. Borrowed from
	 * the image. */
	const char *poison;
};

/* What an extern of the plugin stands for; TN_CALL_EXTERN and TN_LDDW_BTF_ID index into these. */
struct tn_extern {
	char *name;
	bool is_func, is_weak;
	bool is_kconfig; /* .kconfig: value is known at open */
	uint32_t btf_id; /* VAR or FUNC in image->btf */
	/* Resolved by host-api before verification: */
	const struct tn_host_helper *helper; /* functions; NULL and weak: the call is poisoned */
	uint64_t value;			     /* variables: address or value for the lddw */
	const struct tn_host_var *var;	     /* NULL and weak: there is none */
	bool typeless; /* variables: declared as void, an address to compare and nothing else */
};

struct tn_native_map;

struct tn_prog {
	struct tn_rt *rt;
	struct tn_image *image; /* borrowed; holds names and BTF. May be NULL in tests */
	char *name;		/* C function name */
	char *section;		/* without the leading '?' */
	uint32_t id;		/* process-wide, never 0, never reused */
	bool autoload;
	/* Why this program alone cannot be loaded, with its negative errno: it refers to something
	 * that the loader does not support. NULL: nothing. Its code is not kept. */
	char *defect;
	int defect_code;
	struct tn_insn *insns;
	uint32_t nr_insns;
	struct tn_subprog *subprogs;
	uint32_t nr_subprogs; /* at least 1 */
	/* The subprogram that gets what was thrown and gives the result instead; 0: none. */
	uint32_t exception_callback;
	struct tn_line *lines; /* sorted by insn */
	uint32_t nr_lines;

	struct tn_core_site *cores; /* sorted by insn */
	uint32_t nr_cores;

	/* Indexed by lddw imm: which maps of the object; map_idx -> image->maps by the loader, then
	 * the maps themselves (one reference each) by host-api. */
	uint32_t *map_decls; /* index into image->maps; NULL for raw bytecode */
	struct tn_map **maps;
	uint32_t nr_maps;
	struct tn_extern *externs;
	uint32_t nr_externs;

	/* The firing's context, set before verification. */
	const struct tn_ctx_type *ctx_type;
	bool r2_is_ctx_size; /* raw bytecode: r2 holds the size at entry */

	/* From the verifier (NULL without one), owned. */
	struct tn_facts *facts;

	struct tn_map *arena; /* borrowed from maps; NULL: the program refers to none */

	/* How it runs. */
	tn_native_fn entry;	  /* compiled code, tn_interp_entry, or tn_held_entry around them */
	tn_native_fn inner_entry; /* what tn_held_entry() enters */
	struct tn_func *funcs;	  /* nr_subprogs; what TN_LDDW_FUNC gives */
	const struct tn_native_map
		*native;      /* instruction -> code offset, of the JIT; may be NULL */
	struct tn_code *code; /* shared by the programs of an object; NULL: interpreted */
	uint32_t code_off, code_bytes;
	bool rewritten;

	/* host-api: references (links, prog arrays, the object) and what frees it. */
	_Atomic uint32_t refs;
	void (*release)(struct tn_prog *prog);
	void *host; /* struct tenon_program */
	struct tn_deferred deferred;
};

/* A variable of a section .struct_ops: what the plugin puts into a structure of functions. Its
 * bytes are the declaration's `data`, those of functions zero. */
struct tn_ops_func {
	uint32_t member; /* of the structure, in image->btf */
	uint32_t prog;	 /* index into image->progs */
};
struct tn_ops_decl {
	uint32_t btf_id; /* STRUCT in image->btf */
	bool link;	 /* ".struct_ops.link" */
	uint32_t nr_funcs;
	struct tn_ops_func *funcs; /* at most one for each member */
};

struct tn_map_decl {
	char *name;
	uint32_t type, key_size, value_size, max_entries, flags;
	uint32_t btf_key_id, btf_value_id;
	uint64_t map_extra; /* arena: address that was asked for */
	uint32_t pinning;   /* LIBBPF_PIN_... as declared */
	/* Data sections: initial bytes (value_size), owned; zeroes when NULL (.bss). */
	unsigned char *data;
	uint32_t arena_bytes; /* arenas: of the globals in it, which `data` holds */
	bool is_data;	      /* .data*, .rodata*, .bss*, .kconfig */
	bool is_rodata;
	char *section; /* ".maps", ".rodata.str1.1" */
	/* prog array initialisers: values[i] is an index into image->progs, -1: empty. */
	int32_t *init_progs;
	uint32_t nr_init_progs;
	/* Maps of maps: the shape of the inner ones, owned (its name is "" and it holds nothing of
	 * its own); values[i] is an index into image->maps, -1: empty. */
	struct tn_map_decl *inner;
	int32_t *init_maps;
	uint32_t nr_init_maps;
	bool unused;		 /* no program refers to it: need not be created (data maps) */
	struct tn_ops_decl *ops; /* type TN_DECL_STRUCT_OPS; owned. No map is made of it */
	bool no_autocreate;	 /* its section's name begins with '?' */
};

/* BPF_MAP_TYPE_STRUCT_OPS */
#define TN_DECL_STRUCT_OPS 26u

/* A section of the object, for `tenon obj show`. */
struct tn_section_info {
	char *name;
	uint64_t size;
	const char *what;
	uint32_t nr_relocs;
};
/* One applied relocation, likewise. */
struct tn_reloc_info {
	char *section;
	uint64_t off;
	const char *type;
	char *symbol;
};

struct tn_image {
	struct tn_rt *rt;
	char *name;
	char *license;		/* "" when the section is missing */
	struct tn_prog **progs; /* owned until host-api takes them */
	uint32_t nr_progs;
	struct tn_map_decl *maps;
	uint32_t nr_maps;
	struct tn_btf *btf; /* NULL: no .BTF */
	struct tn_section_info *sections;
	uint32_t nr_sections;
	struct tn_reloc_info *relocs;
	uint32_t nr_relocs;
	char **core_words; /* what struct tn_core_site.poison borrows */
	uint32_t nr_core_words;
};

/* image.c */
struct tn_image *tn_image_new(struct tn_rt *rt, const char *name);
void tn_image_free(struct tn_image *image); /* and its programs that still stand in it */
struct tn_prog *tn_prog_new(struct tn_rt *rt, const char *name);
void tn_prog_free(struct tn_prog *prog); /* drops map references, facts, funcs; not the code */
/* An independent copy of insns, for tests and second engines. */
int tn_prog_set_insns(struct tn_prog *prog, const struct tn_insn *insns, uint32_t nr);
/* Cut raw instructions into subprograms from the targets of local calls and TN_LDDW_FUNC: main
 * first. -EINVAL with words where calls do not fit. */
int tn_prog_find_subprogs(struct tn_prog *prog);
uint32_t tn_prog_subprog_at(const struct tn_prog *prog, uint32_t insn);
/* The line record that covers `insn`, or NULL. */
const struct tn_line *tn_prog_line(const struct tn_prog *prog, uint32_t insn);
/* The first record of `insn`, or NULL. */
const struct tn_core_site *tn_prog_core(const struct tn_prog *prog, uint32_t insn);
struct tn_facts *tn_facts_new(struct tn_rt *rt, uint32_t nr_insns, uint32_t nr_subprogs);
void tn_facts_free(struct tn_rt *rt, struct tn_facts *facts);

#endif
