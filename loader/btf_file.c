/* SPDX-License-Identifier: MIT */
#include "loader/btf_file.h"

#include <errno.h>

#include "base/err.h"
#include "loader/elf_file.h"

static int find_btf_section(struct tn_span file, struct tn_span *out)
{
	struct tn_elf_file elf;
	bool found = false;
	int err = tn_elf_file_open(&elf, file);

	if (err)
		return err;
	for (uint64_t i = 1; i < elf.nr_sections; i++) {
		Elf64_Shdr s = tn_elf_file_section(&elf, i);

		if (!tn_elf_file_is_named(&elf, &s, ".BTF"))
			continue;
		if (found)
			return tn_err(-EINVAL, "ELF section %llu is a second '.BTF'",
				      (unsigned long long)i);
		err = tn_elf_file_bytes(&elf, &s, ".BTF", out);
		if (err)
			return err;
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
	if (file.size < SELFMAG || memcmp(file.data, ELFMAG, SELFMAG) != 0)
		return tn_err(-ENOEXEC, "%zu bytes are neither BTF nor an ELF file", file.size);
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
