/* SPDX-License-Identifier: MIT */
/* The BTF of the host's header. */
#include "helpers_api.h"

void *use_bench_typed(void)
{
	return (void *)bench_typed;
}
