/* SPDX-License-Identifier: MIT */
/* The bodies of helpers all look the same from outside; those that helpers.c does not hold itself
 * are declared here. */
#ifndef TN_VM_HELPER_BODY_H
#define TN_VM_HELPER_BODY_H

#include "vm/exec.h"

/* Most bodies use few of their parameters. */
#define TN_UNUSED __attribute__((unused))
#define TN_HELPER_BODY(storage, name)                                                              \
	storage uint64_t name(uint64_t r1 TN_UNUSED, uint64_t r2 TN_UNUSED, uint64_t r3 TN_UNUSED, \
			      uint64_t r4 TN_UNUSED, uint64_t r5 TN_UNUSED,                        \
			      struct tn_exec *ex TN_UNUSED)

/* packet_helpers.c */
TN_HELPER_BODY(extern, tn_helper_load_bytes);
TN_HELPER_BODY(extern, tn_helper_packet_len);
TN_HELPER_BODY(extern, tn_helper_csum_diff);

/* probe_helpers.c */
TN_HELPER_BODY(extern, tn_helper_probe_read);
TN_HELPER_BODY(extern, tn_helper_probe_read_str);

/* lock_helpers.c */
TN_HELPER_BODY(extern, tn_helper_spin_lock);
TN_HELPER_BODY(extern, tn_helper_spin_unlock);

/* iter.c */
TN_HELPER_BODY(extern, tn_iter_num_new);
TN_HELPER_BODY(extern, tn_iter_num_next);
TN_HELPER_BODY(extern, tn_iter_num_destroy);
TN_HELPER_BODY(extern, tn_iter_bits_new);
TN_HELPER_BODY(extern, tn_iter_bits_next);
TN_HELPER_BODY(extern, tn_iter_bits_destroy);

/* text_helpers.c */
TN_HELPER_BODY(extern, tn_helper_strtol);
TN_HELPER_BODY(extern, tn_helper_strtoul);

#endif
