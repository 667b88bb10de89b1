/* SPDX-License-Identifier: MIT */
/*
 * The ELF file, checked: sections, symbols and relocation entries whose every offset, size and
 * index lies inside the file. libelf is used in elf.c alone, and only for the headers: bytes are
 * taken from the caller's span. Everything here is borrowed from that span.
 */
#ifndef TN_LOADER_ELF_H
#define TN_LOADER_ELF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

struct tn_rt;

struct tn_elf_section {
	const char *name;
	struct tn_span data; /* empty where the file holds no bytes (.bss) */
	uint64_t size;	     /* as the header says; = data.size where there are bytes */
	uint32_t type;	     /* SHT_... */
	uint64_t flags;	     /* SHF_... */
	uint32_t link, info;
	bool has_bytes;
};

/* Where a symbol that is defined in no section stands. */
#define TN_ELF_UNDEF   0u
#define TN_ELF_NOWHERE UINT32_MAX /* absolute, common */

struct tn_elf_symbol {
	const char *name; /* of a section symbol: the section's */
	uint64_t value, size;
	uint32_t section; /* index, TN_ELF_UNDEF or TN_ELF_NOWHERE */
	bool is_section, is_func;
	bool is_local, is_weak, is_hidden;
};

struct tn_elf_reloc {
	uint64_t off;  /* in the section it applies to */
	uint32_t type; /* enum tn_elf_reloc_type */
	uint32_t symbol;
	uint32_t entry; /* number in the file, for messages */
};

/* kernel documentation, bpf/llvm_reloc */
enum tn_elf_reloc_type {
	TN_R_BPF_64_64 = 1,	  /* lddw */
	TN_R_BPF_64_ABS64 = 2,	  /* 8 bytes of data */
	TN_R_BPF_64_ABS32 = 3,	  /* 4 bytes of data */
	TN_R_BPF_64_NODYLD32 = 4, /* 4 bytes of .BTF, .BTF.ext */
	TN_R_BPF_64_32 = 10,	  /* call */
};

struct tn_elf {
	struct tn_rt *rt;
	struct tn_elf_section *sections; /* 0 is the null section */
	uint32_t nr_sections;
	struct tn_elf_symbol *symbols; /* 0 is the null symbol */
	uint32_t nr_symbols;
};

/* 0, -ENOEXEC (not an eBPF ELF object), -EINVAL (malformed), -ENOTSUP, -ENOMEM. Closes itself when
 * it fails. */
int tn_elf_open(struct tn_elf *elf, struct tn_rt *rt, struct tn_span file);
void tn_elf_close(struct tn_elf *elf);

/* Names of sections, functions, maps and externs are as long as the kernel lets symbols be: a file
 * can name one long string a hundred thousand times. */
#define TN_ELF_MAX_NAME 511
bool tn_elf_name_fits(const char *name);

/* Does this section hold relocations, and of which section? Checked to exist. */
bool tn_elf_is_rel(const struct tn_elf_section *section);
/* All entries of relocation section `section`, by offset; no two at one place. The caller frees
 * *out with tn_free(). */
int tn_elf_relocs(const struct tn_elf *elf, uint32_t section, struct tn_elf_reloc **out,
		  uint32_t *nr);
const char *tn_elf_reloc_name(uint32_t type);

#endif
