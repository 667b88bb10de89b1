/* SPDX-License-Identifier: MIT */
/* The kernel-numbered helpers: one row each in helpers.def, bodies in helpers.c. */
#ifndef TN_VM_HELPERS_H
#define TN_VM_HELPERS_H

#include "vm/exec.h"
#include "vm/signature.h"

struct tn_helper {
	uint32_t id;
	const char *name;      /* "map_lookup_elem", without bpf_ */
	const char *full_name; /* "bpf_map_lookup_elem", as plugins write it */
	struct tn_sig sig;
	tn_helper_fn fn; /* NULL: the engines do it themselves (tail_call) */
};

/* Keys that bpf_for_each_map_elem can hand to a callback. */
#define TN_MAX_EACH_KEY 512

/* NULL: no such helper here. Static. */
const struct tn_helper *tn_helper_by_id(uint32_t id);
const struct tn_helper *tn_helper_by_name(const char *name);
/* prev NULL: the first. */
const struct tn_helper *tn_helper_next(const struct tn_helper *prev);

enum {
#define TN_HELPER(id, name, ...) TN_HELPER_##name = (id),
#include "vm/helpers.def"
};

/* bpf_trace_printk's lines; NULL: dropped. The runtime sets it (log callback at INFO). */
void tn_helpers_set_printk(struct tn_rt *rt, void (*fn)(void *user, const char *line), void *user);

/* bpf_snprintf's formatting, shared with printk: 0-terminated; the length it needed with the NUL,
 * or -EINVAL. */
int tn_format(char *out, uint32_t size, const char *fmt, const uint64_t *args, uint32_t nr_args);
/* The values of printing helpers: an array of u64. `data` of `size` bytes, the format of fmt_size.
 * As tn_format(), or -EINVAL, -E2BIG. */
#define TN_FORMAT_MAX_LINE 1024
int tn_format_values(char *out, uint32_t out_size, uint64_t fmt, uint64_t fmt_size, uint64_t data,
		     uint64_t size);
/* Has it conversions that read memory at an address given as a number (%s, %pI4)? Into a log that
 * is the host's business; into the program's own memory it would show it all of the host's. */
bool tn_format_reads_memory(const char *fmt);

#endif
