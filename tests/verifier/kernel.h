/* SPDX-License-Identifier: MIT */
/* The kernel's verdict on the same bytecode, where bpf(2) is allowed. */
#ifndef TN_TESTS_VERIFIER_KERNEL_H
#define TN_TESTS_VERIFIER_KERNEL_H

#include "maps/map.h"
#include "vm/insn.h"

#define KERNEL_MAX_REASONS 32

struct kernel {
	int fds[8];
	uint32_t nr_fds;
	char log[1 << 20];
	/* Of what only the kernel rejects: how often each reason was met. */
	uint64_t reasons[KERNEL_MAX_REASONS];
};

/* Maps like these; false: bpf(2) is refused. */
bool kernel_open(struct kernel *k, struct tn_map *const *maps, uint32_t nr);
void kernel_close(struct kernel *k);
enum kernel_type { KERNEL_XDP, KERNEL_TC };
/* 0: accepted (and closed again), else -errno; the log's last line in *why. Without the log it is
 * quicker. */
int kernel_verify(struct kernel *k, enum kernel_type type, const struct tn_insn *insns, uint32_t nr,
		  bool with_log, const char **why);

/* Why the kernel alone rejects what it judged last, by its words; -1: no known class fits. *better:
 * Tenon claims to know more, which is to be checked by running the program. */
int kernel_reason(const struct kernel *k, bool *better);
void kernel_reason_count(struct kernel *k, int reason);
void kernel_reasons_print(const struct kernel *k);

#endif
