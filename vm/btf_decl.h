/* SPDX-License-Identifier: MIT */
/* C declarators: the part of a declaration around its name, which C writes inside out. For the
 * files that print BTF. */
#ifndef TN_VM_BTF_DECL_H
#define TN_VM_BTF_DECL_H

#include "vm/btf.h"

struct tn_btf_decl {
	const struct tn_btf *btf;
	void (*put)(void *user, const char *text, size_t len);
	/* Writes the specifier of what is neither pointer, array, function nor qualifier. */
	void (*base)(void *user, uint32_t id);
	/* Writes a parameter's name; NULL: as it is. */
	void (*name)(void *user, const char *name);
	void *user;
	char last;     /* byte written last */
	bool too_deep; /* something was left out */
	uint32_t depth;
};

/* "const char *name" for type `id`; `name` may be "". */
void tn_btf_print_decl(struct tn_btf_decl *d, uint32_t id, const char *name);
/* To be called by `base` for what it writes, besides put(). */
void tn_btf_decl_put(struct tn_btf_decl *d, const char *text);

#endif
