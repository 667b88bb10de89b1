/* SPDX-License-Identifier: MIT */
/* Names in C for types of BTF: identifiers, none twice in one name space. For vm/btf_dump_c.c. */
#ifndef TN_VM_BTF_NAMES_H
#define TN_VM_BTF_NAMES_H

#include <stdint.h>

#include "base/vec.h"

enum tn_c_space { TN_C_TAGS, TN_C_ORDINARY }; /* struct, union, enum; all else */

struct tn_c_names {
	struct tn_rt *rt;
	struct tn_c_name {
		char *name; /* NULL: free slot */
		uint32_t space, uses;
	} * slots;
	uint32_t nr_slots, nr;
	TN_VEC(char) scratch;
};

/* `name` as an identifier: other bytes and keywords changed. Valid until the next call; NULL: out
 * of memory (no record). */
const char *tn_c_identifier(struct tn_c_names *names, const char *name);
/* Take `name`: the number to append as ___N, 1: none. 0: out of memory (no record). */
uint32_t tn_c_names_take(struct tn_c_names *names, enum tn_c_space space, const char *name);
void tn_c_names_free(struct tn_c_names *names);

#endif
