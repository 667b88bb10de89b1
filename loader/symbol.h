/* SPDX-License-Identifier: MIT */
/* Functions of executables and shared libraries by name and version, from .dynsym and .symtab. */
#ifndef TN_LOADER_SYMBOL_H
#define TN_LOADER_SYMBOL_H

#include "base/span.h"
#include "loader/probe_target.h"

struct tn_symbol_place {
	uint64_t addr;	   /* as linked, FUNC+OFF */
	uint64_t file_off; /* the same byte in the file */
};

/*
 * Where a target of kind TN_PROBE_FUNC stands in `file`. Of functions that share a name, the one
 * of the default version is meant, then global ones before weak and local ones.
 * 0; -ENOENT: no such function, version or byte; -EADDRNOTAVAIL: several functions and no reason to
 * prefer one; -ENOTSUP: the function is chosen at run time (IFUNC); -ENOEXEC, -EINVAL: not a sound
 * ELF file of this machine.
 */
int tn_symbol_find(struct tn_span file, const struct tn_probe_target *target,
		   struct tn_symbol_place *out);

#endif
