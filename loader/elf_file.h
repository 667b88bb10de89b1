/* SPDX-License-Identifier: MIT */
/*
 * Any ELF file of this machine or of eBPF, by its section headers alone: executables and libraries
 * have much that the reader of plugins (elf.h) would refuse, and little of it matters here. Bytes
 * are borrowed from the caller's span, and each access is checked against it.
 */
#ifndef TN_LOADER_ELF_FILE_H
#define TN_LOADER_ELF_FILE_H

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

struct tn_elf_file {
	struct tn_span file;
	struct tn_span table; /* of section headers */
	struct tn_span names; /* of sections */
	uint64_t nr_sections;
	Elf64_Ehdr header;
};

/* 0, -ENOEXEC (not ELF, or of another machine), -ENOENT (no sections), -EINVAL (malformed). */
int tn_elf_file_open(struct tn_elf_file *self, struct tn_span file);
/* Is it an executable or a library of this machine? 0, or -ENOEXEC with words. */
int tn_elf_file_check_native(const struct tn_elf_file *self);

/* The header of section `i`, which is below nr_sections. */
Elf64_Shdr tn_elf_file_section(const struct tn_elf_file *self, uint64_t i);
bool tn_elf_file_is_named(const struct tn_elf_file *self, const Elf64_Shdr *s, const char *name);
/* The bytes of `s`, called `name` in words: -EINVAL where there are none, they are compressed or
 * outside of the file. */
int tn_elf_file_bytes(const struct tn_elf_file *self, const Elf64_Shdr *s, const char *name,
		      struct tn_span *out);

/* Where in the file the byte stands that is loaded at `addr`; false where the file has none. */
bool tn_elf_file_offset(const struct tn_elf_file *self, uint64_t addr, uint64_t *off);
/* And back: at which address the byte at `off` is loaded. */
bool tn_elf_file_address(const struct tn_elf_file *self, uint64_t off, uint64_t *addr);

#endif
