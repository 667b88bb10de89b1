/* SPDX-License-Identifier: MIT */
/* Dynptrs: struct bpf_dynptr, 16 bytes of a program's stack; dynptr.c. */
#ifndef TN_VM_DYNPTR_H
#define TN_VM_DYNPTR_H

#include <stdbool.h>
#include <stdint.h>

#define TN_DYNPTR_MAX_BYTES ((1u << 24) - 1)

enum tn_dynptr_type {
	TN_DYNPTR_LOCAL,  /* `data` is the memory */
	TN_DYNPTR_RECORD, /* `data` is a reserved ring buffer record */
	TN_DYNPTR_PACKET, /* `data` is the context: where its packet is now is asked each time */
};

struct tn_dynptr {
	void *data; /* NULL: of no use */
	uint32_t size : 24;
	uint32_t type : 7; /* enum tn_dynptr_type */
	uint32_t rdonly : 1;
	uint32_t offset; /* of the part that it shows */
};

_Static_assert(sizeof(struct tn_dynptr) == 16, "the plugin's struct bpf_dynptr");

#endif
