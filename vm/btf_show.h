/* SPDX-License-Identifier: MIT */
/*
 * Data as text, by its type: what bpf_snprintf_btf() gives, `(struct point){.x = (int)1,...}`. The
 * form is the kernel's. Members that are zero are left out unless they are asked for.
 */
#ifndef TN_VM_BTF_SHOW_H
#define TN_VM_BTF_SHOW_H

#include "vm/btf.h"

/* BTF_F_... of linux/bpf.h. */
#define TN_BTF_SHOW_COMPACT 1u /* on one line */
#define TN_BTF_SHOW_NONAME  2u /* neither members nor types are named */
#define TN_BTF_SHOW_PTR_RAW 4u /* addresses as they are, else scrambled: equal ones look equal */
#define TN_BTF_SHOW_ZERO    8u
#define TN_BTF_SHOW_ALL	    15u

/* Types, members, elements and enumerators that are looked at, at most. */
#define TN_BTF_SHOW_MAX_WORK 16384u

struct tn_btf_show {
	const struct tn_btf *btf;
	uint32_t type;
	uint32_t flags;
	/* Bytes of the data, from `off` on. 0, or a negative errno that ends the work. */
	int (*read)(void *user, void *to, uint64_t off, size_t size);
	/* The text, piece by piece. 0, or a negative errno that ends the work. */
	int (*put)(void *user, const char *text, size_t len);
	void *user;
};

/* 0; -EINVAL: no complete type that has data; -E2BIG: too much of it, or nested too deep; what read
 * or put gave. */
int tn_btf_show(const struct tn_btf_show *show);

/*
 * What of the data is shown: `part` is called for each place with a value (arrays of numbers are
 * one), `is_pointer` where it is shown as an address. Not 0: stop, the result. Errors as above.
 */
struct tn_btf_parts {
	const struct tn_btf *btf;
	uint32_t type;
	int (*part)(void *user, uint64_t off, uint64_t size, bool is_pointer);
	void *user;
};
int tn_btf_show_parts(const struct tn_btf_parts *parts);

#endif
