/* SPDX-License-Identifier: MIT */
/*
 * Only section headers and their names are looked at: an executable has much that the reader of
 * plugins (elf.c) would refuse, and nothing of it matters here.
 */
#include "loader/btf_file.h"

#include <elf.h>
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

static int check_header(struct tn_span file, Elf64_Ehdr *h)
{
	if (file.size < EI_NIDENT || memcmp(file.data, ELFMAG, SELFMAG) != 0)
		return tn_err(-ENOEXEC, "%zu bytes are neither BTF nor an ELF file", file.size);
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
		return tn_err(-ENOENT, "ELF file has no sections, so no .BTF");
	if (h->e_shentsize != sizeof(Elf64_Shdr))
		return tn_err(-EINVAL, "ELF section headers have %u bytes, expected %zu",
			      h->e_shentsize, sizeof(Elf64_Shdr));
	return 0;
}

/* Section header `i`; the table was checked to be inside. */
static Elf64_Shdr section(struct tn_span table, uint64_t i)
{
	Elf64_Shdr s = { 0 };

	tn_span_read(table, i * sizeof(s), &s, sizeof(s));
	return s;
}

/* The table of sections and the bytes of their names. */
static int find_sections(struct tn_span file, const Elf64_Ehdr *h, struct tn_span *table,
			 struct tn_span *names)
{
	uint64_t nr = h->e_shnum, names_at = h->e_shstrndx;
	Elf64_Shdr first, s;

	/* Numbers that do not fit into the header stand in the first section's. */
	if (!tn_span_read(file, h->e_shoff, &first, sizeof(first)))
		return tn_err(-EINVAL, "ELF section headers at byte %llu lie outside the file",
			      (unsigned long long)h->e_shoff);
	if (nr == 0)
		nr = first.sh_size;
	if (names_at == SHN_XINDEX)
		names_at = first.sh_link;
	if (nr > file.size / sizeof(s) || !tn_span_sub(file, h->e_shoff, nr * sizeof(s), table))
		return tn_err(-EINVAL, "ELF section headers: %llu of them do not fit into the file",
			      (unsigned long long)nr);
	if (names_at >= nr)
		return tn_err(-EINVAL, "ELF section names stand in section %llu of %llu",
			      (unsigned long long)names_at, (unsigned long long)nr);
	s = section(*table, names_at);
	if (s.sh_type != SHT_STRTAB || !tn_span_sub(file, s.sh_offset, s.sh_size, names))
		return tn_err(-EINVAL, "ELF section names are no table inside the file");
	return 0;
}

static int find_btf_section(struct tn_span file, struct tn_span *out)
{
	struct tn_span table = { 0 }, names = { 0 }, name;
	bool found = false;
	Elf64_Ehdr h;
	int err = check_header(file, &h);

	if (!err)
		err = find_sections(file, &h, &table, &names);
	if (err)
		return err;
	for (uint64_t i = 1; i < table.size / sizeof(Elf64_Shdr); i++) {
		Elf64_Shdr s = section(table, i);

		/* With its zero byte. */
		if (!tn_span_sub(names, s.sh_name, sizeof(".BTF"), &name) ||
		    memcmp(name.data, ".BTF", sizeof(".BTF")) != 0)
			continue;
		if (found)
			return tn_err(-EINVAL, "ELF section %llu is a second '.BTF'",
				      (unsigned long long)i);
		if (s.sh_type == SHT_NOBITS || s.sh_flags & SHF_COMPRESSED)
			return tn_err(-EINVAL,
				      "section '.BTF' has type %u, flags 0x%llx: its bytes "
				      "are not there or compressed",
				      s.sh_type, (unsigned long long)s.sh_flags);
		if (!tn_span_sub(file, s.sh_offset, s.sh_size, out))
			return tn_err(-EINVAL,
				      "section '.BTF': bytes %llu to %llu lie outside the file of "
				      "%zu",
				      (unsigned long long)s.sh_offset,
				      (unsigned long long)(s.sh_offset + s.sh_size), file.size);
		found = true;
	}
	return found ? 0
		     : tn_err(-ENOENT, "ELF file has no section '.BTF' (compile it with -g for "
				       "eBPF, or add one with pahole -J)");
}

int tn_btf_file_bytes(struct tn_span file, struct tn_span *out)
{
	uint16_t magic = 0;

	/* Of either byte order: the parser says which is wrong. */
	if (tn_span_read(file, 0, &magic, sizeof(magic)) && (magic == 0xeb9f || magic == 0x9feb)) {
		*out = file;
		return 0;
	}
	return find_btf_section(file, out);
}

struct tn_btf *tn_btf_read_file(struct tn_rt *rt, struct tn_span file, const struct tn_btf *base)
{
	struct tn_span bytes;
	int err = tn_btf_file_bytes(file, &bytes);

	if (err) {
		errno = -err;
		return NULL;
	}
	return tn_btf_parse_split(rt, base, bytes);
}
