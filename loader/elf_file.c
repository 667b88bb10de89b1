/* SPDX-License-Identifier: MIT */
#include "loader/elf_file.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"

#ifndef EM_BPF
#define EM_BPF 247
#endif
#ifdef __aarch64__
#define EM_OWN EM_AARCH64
#else
#define EM_OWN EM_X86_64
#endif

/* Linkers write a dozen segments; each address that is looked up walks through all. */
#define MAX_SEGMENTS 256

static int check_header(struct tn_span file, Elf64_Ehdr *h)
{
	if (file.size < EI_NIDENT || memcmp(file.data, ELFMAG, SELFMAG) != 0)
		return tn_err(-ENOEXEC, "%zu bytes are not an ELF file", file.size);
	if (file.data[EI_CLASS] != ELFCLASS64)
		return tn_err(-ENOEXEC, "ELF class is %u, expected 64-bit", file.data[EI_CLASS]);
	if (file.data[EI_DATA] != ELFDATA2LSB)
		return tn_err(-ENOEXEC, "ELF byte order is %u, expected little-endian (1)",
			      file.data[EI_DATA]);
	if (!tn_span_read(file, 0, h, sizeof(*h)))
		return tn_err(-EINVAL, "ELF header is cut off after %zu of %zu bytes", file.size,
			      sizeof(*h));
	if (h->e_machine != EM_BPF && h->e_machine != EM_NONE && h->e_machine != EM_OWN)
		return tn_err(-ENOEXEC, "ELF machine is %u, expected eBPF (%u) or this one (%u)",
			      h->e_machine, EM_BPF, EM_OWN);
	if (h->e_shoff == 0)
		return tn_err(-ENOENT, "ELF file has no sections");
	if (h->e_shentsize != sizeof(Elf64_Shdr))
		return tn_err(-EINVAL, "ELF section headers have %u bytes, expected %zu",
			      h->e_shentsize, sizeof(Elf64_Shdr));
	return 0;
}

static int find_sections(struct tn_elf_file *self)
{
	const Elf64_Ehdr *h = &self->header;
	uint64_t nr = h->e_shnum, names_at = h->e_shstrndx;
	Elf64_Shdr first, s;

	/* Numbers that do not fit into the header stand in the first section's. */
	if (!tn_span_read(self->file, h->e_shoff, &first, sizeof(first)))
		return tn_err(-EINVAL, "ELF section headers at byte %llu lie outside the file",
			      (unsigned long long)h->e_shoff);
	if (nr == 0)
		nr = first.sh_size;
	if (names_at == SHN_XINDEX)
		names_at = first.sh_link;
	if (nr > self->file.size / sizeof(s) ||
	    !tn_span_sub(self->file, h->e_shoff, nr * sizeof(s), &self->table))
		return tn_err(-EINVAL, "ELF section headers: %llu of them do not fit into the file",
			      (unsigned long long)nr);
	if (names_at >= nr)
		return tn_err(-EINVAL, "ELF section names stand in section %llu of %llu",
			      (unsigned long long)names_at, (unsigned long long)nr);
	self->nr_sections = nr;
	s = tn_elf_file_section(self, names_at);
	if (s.sh_type != SHT_STRTAB ||
	    !tn_span_sub(self->file, s.sh_offset, s.sh_size, &self->names))
		return tn_err(-EINVAL, "ELF section names are no table inside the file");
	return 0;
}

int tn_elf_file_open(struct tn_elf_file *self, struct tn_span file)
{
	int err;

	*self = (struct tn_elf_file){ .file = file };
	err = check_header(file, &self->header);
	return err ? err : find_sections(self);
}

int tn_elf_file_check_native(const struct tn_elf_file *self)
{
	const Elf64_Ehdr *h = &self->header;

	if (h->e_machine != EM_OWN)
		return tn_err(-ENOEXEC, "ELF machine is %u, expected this one (%u)", h->e_machine,
			      EM_OWN);
	if (h->e_type != ET_EXEC && h->e_type != ET_DYN)
		return tn_err(-ENOEXEC,
			      "ELF type is %u, expected an executable (2) or a shared library (3)",
			      h->e_type);
	if (h->e_phnum == 0 || h->e_phnum > MAX_SEGMENTS || h->e_phentsize != sizeof(Elf64_Phdr))
		return tn_err(-EINVAL,
			      "ELF program headers: %u of %u bytes, expected 1 to %d of %zu",
			      h->e_phnum, h->e_phentsize, MAX_SEGMENTS, sizeof(Elf64_Phdr));
	return 0;
}

Elf64_Shdr tn_elf_file_section(const struct tn_elf_file *self, uint64_t i)
{
	Elf64_Shdr s = { 0 };

	tn_span_read(self->table, i * sizeof(s), &s, sizeof(s));
	return s;
}

bool tn_elf_file_is_named(const struct tn_elf_file *self, const Elf64_Shdr *s, const char *name)
{
	size_t size = strlen(name) + 1; /* with its zero byte */
	struct tn_span found;

	return tn_span_sub(self->names, s->sh_name, size, &found) &&
	       memcmp(found.data, name, size) == 0;
}

int tn_elf_file_bytes(const struct tn_elf_file *self, const Elf64_Shdr *s, const char *name,
		      struct tn_span *out)
{
	if (s->sh_type == SHT_NOBITS || s->sh_flags & SHF_COMPRESSED)
		return tn_err(-EINVAL,
			      "section '%s' has type %u, flags 0x%llx: its bytes are not there or "
			      "compressed",
			      name, s->sh_type, (unsigned long long)s->sh_flags);
	if (!tn_span_sub(self->file, s->sh_offset, s->sh_size, out))
		return tn_err(-EINVAL,
			      "section '%s': %llu bytes at byte %llu lie outside the file of %zu",
			      name, (unsigned long long)s->sh_size,
			      (unsigned long long)s->sh_offset, self->file.size);
	return 0;
}

/* Loaded segment `i`, if its bytes are inside the file; false where it is of another kind. */
static bool segment(const struct tn_elf_file *self, uint32_t i, Elf64_Phdr *p)
{
	struct tn_span table, bytes;

	return tn_span_sub(self->file, self->header.e_phoff,
			   (uint64_t)self->header.e_phnum * sizeof(*p), &table) &&
	       tn_span_read(table, i * sizeof(*p), p, sizeof(*p)) && p->p_type == PT_LOAD &&
	       tn_span_sub(self->file, p->p_offset, p->p_filesz, &bytes);
}

bool tn_elf_file_offset(const struct tn_elf_file *self, uint64_t addr, uint64_t *off)
{
	Elf64_Phdr p;

	for (uint32_t i = 0; i < self->header.e_phnum && i < MAX_SEGMENTS; i++) {
		if (!segment(self, i, &p) || addr < p.p_vaddr || addr - p.p_vaddr >= p.p_filesz)
			continue;
		*off = p.p_offset + (addr - p.p_vaddr);
		return true;
	}
	return false;
}

bool tn_elf_file_address(const struct tn_elf_file *self, uint64_t off, uint64_t *addr)
{
	Elf64_Phdr p;

	for (uint32_t i = 0; i < self->header.e_phnum && i < MAX_SEGMENTS; i++) {
		if (!segment(self, i, &p) || off < p.p_offset || off - p.p_offset >= p.p_filesz ||
		    __builtin_add_overflow(p.p_vaddr, off - p.p_offset, addr))
			continue;
		return true;
	}
	return false;
}
