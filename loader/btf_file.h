/* SPDX-License-Identifier: MIT */
/* BTF from a file: raw BTF as it is (/sys/kernel/btf/vmlinux), or section .BTF of an ELF file, be
 * it a plugin's object, an executable or a shared library. */
#ifndef TN_LOADER_BTF_FILE_H
#define TN_LOADER_BTF_FILE_H

#include "base/span.h"
#include "vm/btf.h"

/* The bytes of the BTF in `file`, borrowed. 0, -ENOEXEC (neither BTF nor an ELF file for this
 * machine or eBPF), -ENOENT (no section .BTF), -EINVAL (malformed). */
int tn_btf_file_bytes(struct tn_span file, struct tn_span *out);

/* Parsed; `base` as for tn_btf_parse_split(), NULL for whole BTF. NULL, errno as above or ENOMEM.
 * The bytes may be freed afterwards. */
struct tn_btf *tn_btf_read_file(struct tn_rt *rt, struct tn_span file, const struct tn_btf *base);

#endif
