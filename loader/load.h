/* SPDX-License-Identifier: MIT */
/*
 * One object being loaded: what the files of this folder share. Lives for one tn_loader_open();
 * what survives it stands in the image.
 */
#ifndef TN_LOADER_LOAD_H
#define TN_LOADER_LOAD_H

#include "base/vec.h"
#include "loader/elf.h"
#include "loader/object.h"

#define TN_NO_INDEX UINT32_MAX

enum tn_role {
	TN_ROLE_OTHER = 0, /* nothing that a program may refer to */
	TN_ROLE_PROGS,
	TN_ROLE_TEXT, /* subprograms */
	TN_ROLE_MAPS,
	TN_ROLE_DATA,
	TN_ROLE_RODATA,
	TN_ROLE_BSS,
	TN_ROLE_LICENSE,
	TN_ROLE_VERSION,
	TN_ROLE_BTF,
	TN_ROLE_BTF_EXT,
	TN_ROLE_RELOCS,
	TN_ROLE_TABLE, /* symbols, strings */
	TN_ROLE_DEBUG,
	TN_ROLE_LEGACY_MAPS,
	TN_ROLE_STRUCT_OPS,
	TN_ROLE_ARENA,
};

struct tn_load_section {
	enum tn_role role;
	uint32_t map;		     /* data sections: index into image->maps */
	uint32_t datasec;	     /* its DATASEC in the BTF, 0: none */
	uint32_t rel_section;	     /* that relocates this one, 0: none */
	struct tn_elf_reloc *relocs; /* of code and .maps, by offset */
	uint32_t nr_relocs;
	uint32_t first_func, nr_funcs; /* code: in tn_load.funcs */
	uint32_t first_line, nr_lines; /* code: in tn_load.lines */
	uint32_t first_core, nr_core;  /* code: in tn_load.cores */
	bool has_lines, has_core;      /* .BTF.ext named this section already */
};

/* A function of the object; instructions are counted within its section. */
struct tn_load_func {
	const char *name;
	uint32_t section, start, nr_insns;
	uint32_t symbol;
	uint32_t btf_id; /* from func_info, 0: none */
	uint32_t prog;	 /* index into image->progs, TN_NO_INDEX: not an entry */
	bool is_global;
	/* In the program that is being put together (tn_load.building), if stamp says so. */
	uint32_t stamp, placed;
	bool is_callback;
	bool is_seen; /* relocated once: its relocations are listed */
};

struct tn_load_line {
	uint32_t insn, file_off, line_off, line_col;
};

struct tn_load_core {
	uint32_t section, insn, type_id, access_off, kind;
};

/* A variable of .maps, or of the old section "maps". */
struct tn_load_map {
	uint32_t decl; /* index into image->maps */
	uint32_t section;
	uint32_t off, size;  /* in the section */
	uint32_t values_off; /* of the `values` member; TN_NO_INDEX: none */
};

enum tn_extern_kind { TN_EXTERN_KSYM_VAR, TN_EXTERN_KSYM_FUNC, TN_EXTERN_KCONFIG };

struct tn_load_extern {
	const char *name; /* borrowed from the BTF */
	enum tn_extern_kind kind;
	uint32_t btf_id;
	bool is_weak;
	uint32_t kconfig_off;
};

struct tn_load {
	struct tn_rt *rt;
	const struct tn_load_opts *opts;
	struct tn_elf elf;
	struct tn_image *image;
	struct tn_load_section *sections; /* as elf.sections */
	/* 0: none */
	uint32_t maps_section, old_maps_section, btf_section, btf_ext_section;
	uint32_t *by_name; /* section indexes 1.., sorted by name */

	TN_VEC(struct tn_load_func) funcs; /* sorted by section, start */
	TN_VEC(struct tn_load_line) lines;
	TN_VEC(struct tn_load_core) cores;
	struct tn_core_patch *core_patches;    /* of each: what its instruction becomes */
	uint32_t core_words_cap;	       /* of image->core_words */
	TN_VEC(struct tn_load_map) maps;       /* sorted by section, offset */
	TN_VEC(struct tn_load_extern) externs; /* sorted by name */
	uint32_t kconfig_map;		       /* index into image->maps, TN_NO_INDEX */

	uint32_t maps_cap, progs_cap, relocs_cap; /* of the image's arrays */
	uint32_t building;			  /* stamp of the program being put together */
	uint64_t total_insns;			  /* of all programs so far */

	/* Which index a map or extern has in the program being put together. */
	struct tn_load_slot {
		uint32_t stamp, idx;
	} * map_slots, *extern_slots;
};

/* The section of that name, the first if there are several; 0: none. */
uint32_t tn_load_find_section(const struct tn_load *ld, const char *name);
bool tn_load_is_code(const struct tn_load *ld, uint32_t section);

/* Adds a declaration to the image; owned names must be set by the caller. NULL with words. */
struct tn_map_decl *tn_load_add_map(struct tn_load *ld);
/* Notes one applied relocation for `tenon obj show`. */
int tn_load_note_reloc(struct tn_load *ld, uint32_t section, const struct tn_elf_reloc *rel);

/* map_def.c */
int tn_load_maps(struct tn_load *ld);	    /* .maps */
int tn_load_map_values(struct tn_load *ld); /* their `values`; needs the programs */
int tn_load_data(struct tn_load *ld);	    /* .data, .rodata, .bss */
/* The map whose variable begins at this byte of its section, or NULL. */
const struct tn_load_map *tn_load_map_at(const struct tn_load *ld, uint32_t section, uint64_t off);

/* The name of a data section's map, owned; NULL: out of memory. */
char *tn_load_data_name(const struct tn_load *ld, const char *section);

/* struct_ops.c: sections .struct_ops; needs the programs. */
int tn_load_struct_ops(struct tn_load *ld);

/* old_map.c: the section "maps". */
int tn_load_old_maps(struct tn_load *ld);

/* btf_ext.c */
int tn_load_btf(struct tn_load *ld);
int tn_load_btf_ext(struct tn_load *ld);

/* extern.c */
int tn_load_externs(struct tn_load *ld);
const struct tn_load_extern *tn_load_find_extern(const struct tn_load *ld, const char *name);

/* core_reloc.c */
int tn_load_resolve_core(struct tn_load *ld);
/* Change the instructions of `fn`, which stands in `prog`, and note where. *own_defect: what failed
 * concerns this program alone. */
int tn_load_apply_core(struct tn_load *ld, const struct tn_load_func *fn, struct tn_prog *prog,
		       uint32_t *cap, bool *own_defect);

/* func.c */
int tn_load_funcs(struct tn_load *ld);
/* The function that begins at this instruction of a section of code, or NULL. */
struct tn_load_func *tn_load_func_at(const struct tn_load *ld, uint32_t section, uint64_t insn);

/* reloc.c: every entry function becomes a program of the image. */
int tn_load_progs(struct tn_load *ld);

#endif
