/* SPDX-License-Identifier: MIT */
/* What the host of the bench `helpers` says of itself by BTF. */
#ifndef BENCH_HELPERS_API_H
#define BENCH_HELPERS_API_H

#include <tenon/host.h>

struct bench_node {
	struct bench_node *next; /* untrusted, as any pointer in a structure */
	struct bench_node *owner TENON_TRUSTED TENON_NONNULL;
	uint64_t id;
};

TENON_HELPER int64_t bench_typed(struct bench_node *node, uint32_t n);

#endif
