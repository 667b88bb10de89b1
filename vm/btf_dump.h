/* SPDX-License-Identifier: MIT */
/*
 * BTF as text. The raw form is bpftool's, one line a type and one more for each of its parts. The C
 * form compiles: what a type needs stands before it, and the layouts that a compiler for eBPF gives
 * to it are those of the BTF.
 */
#ifndef TN_VM_BTF_DUMP_H
#define TN_VM_BTF_DUMP_H

#include "vm/btf.h"

/* One line without its end. Not 0: stop, and the dump returns that. */
typedef int (*tn_btf_line_fn)(void *user, const char *line);

/* Types first..end - 1 (cut off at btf->nr_types; void is left out), in text, or each as one JSON
 * object on a line. Of split BTF its own types are btf->first_type and up. */
int tn_btf_dump_raw(const struct tn_btf *btf, uint32_t first, uint32_t end, bool json,
		    tn_btf_line_fn line, void *user);

/* Declarations in C of the nr types `ids` and of all that they need, each once; ids NULL: of all
 * types of `btf` and its bases. Functions are declared with `func_suffix` (such as " __ksym")
 * behind them, or left out where it is NULL; variables are left out. 0, -ENOMEM, -EINVAL (a type
 * that C cannot express, by name), or what `line` returned. */
int tn_btf_dump_c(const struct tn_btf *btf, const uint32_t *ids, uint32_t nr,
		  const char *func_suffix, tn_btf_line_fn line, void *user);

/* Static assertions in C that a compiler's structs, unions and enumerators are those of `btf`.
 * -EINVAL: unnamed ones nest too deep; or what `line` returned. */
int tn_btf_dump_asserts(const struct tn_btf *btf, tn_btf_line_fn line, void *user);

/* "const struct conn *c" for type `id` and name "c"; an anonymous struct is written as "struct
 * {...}". `name` may be "". Truncated to size - 1 bytes, always terminated; returns `out`. */
const char *tn_btf_format_decl(const struct tn_btf *btf, uint32_t id, const char *name, char *out,
			       size_t size);
/* "int host_fn(struct conn *c, const char *name, u32 len)" for a FUNC or FUNC_PROTO. */
const char *tn_btf_format_func(const struct tn_btf *btf, uint32_t proto, const char *name,
			       char *out, size_t size);

#endif
