/* SPDX-License-Identifier: MIT */
#include "verifier/kernel.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int sys_bpf(int cmd, union bpf_attr *attr)
{
	int r = (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return r < 0 ? -errno : r;
}

bool kernel_open(struct kernel *k, struct tn_map *const *maps, uint32_t nr)
{
	memset(k, 0, sizeof(*k));
	for (uint32_t i = 0; i < nr && i < TN_ARRAY_SIZE(k->fds); i++) {
		union bpf_attr attr;
		int fd;

		memset(&attr, 0, sizeof(attr));
		attr.map_type = maps[i]->type;
		attr.key_size = maps[i]->key_size;
		attr.value_size = maps[i]->value_size;
		attr.max_entries = maps[i]->max_entries;
		attr.map_flags = maps[i]->flags;
		fd = sys_bpf(BPF_MAP_CREATE, &attr);
		if (fd < 0) {
			kernel_close(k);
			return false;
		}
		k->fds[k->nr_fds++] = fd;
	}
	return true;
}

void kernel_close(struct kernel *k)
{
	while (k->nr_fds)
		close(k->fds[--k->nr_fds]);
}

/* The line before the statistics that end the log. */
static const char *last_words(char *log)
{
	char *end = strstr(log, "\nprocessed "), *start;

	if (!end)
		return log;
	*end = '\0';
	start = strrchr(log, '\n');
	return start ? start + 1 : log;
}

int kernel_verify(struct kernel *k, enum kernel_type type, const struct tn_insn *insns, uint32_t nr,
		  bool with_log, const char **why)
{
	struct tn_insn *copy = malloc(nr * sizeof(*copy));
	union bpf_attr attr;
	int fd;

	if (!copy)
		return -ENOMEM;
	memcpy(copy, insns, nr * sizeof(*copy));
	for (uint32_t i = 0; i < nr; i++) {
		if (!tn_insn_is_lddw(&copy[i]))
			continue;
		if (copy[i].src == TN_LDDW_MAP || copy[i].src == TN_LDDW_MAP_VALUE)
			copy[i].imm = k->fds[(uint32_t)copy[i].imm % TN_ARRAY_SIZE(k->fds)];
		i++;
	}
	memset(&attr, 0, sizeof(attr));
	attr.prog_type = type == KERNEL_XDP ? BPF_PROG_TYPE_XDP : BPF_PROG_TYPE_SCHED_CLS;
	attr.insns = (uintptr_t)copy;
	attr.insn_cnt = nr;
	attr.license = (uintptr_t) "GPL";
	k->log[0] = '\0';
	if (with_log) {
		attr.log_buf = (uintptr_t)k->log;
		attr.log_size = sizeof(k->log);
		attr.log_level = 1;
	}
	fd = sys_bpf(BPF_PROG_LOAD, &attr);
	free(copy);
	*why = fd < 0 ? last_words(k->log) : "";
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* ---- Why the kernel alone rejects ---- */

/* Words of its log, and what Tenon does instead. The first that fits counts. `better`: Tenon knows
 * a range or rules out a path; whether rightly so is for the oracle to say. */
static const struct {
	const char *words, *reason;
	bool better;
} reasons[] = {
	{ "infinite loop detected", "a loop whose state repeats: it pays fuel", false },
	{ "program is too large", "a loop too long to be walked: it pays fuel", false },
	{ "jumps is too complex", "a loop too long to be walked: it pays fuel", false },
	{ "misaligned stack access off (", "the stack at an offset that may be misaligned", false },
	{ "invalid shift", "a count that is taken modulo the width", false },
	{ "math between ", "a pointer moved without bounds, checked where it is used", true },
	{ "pointer be out of bounds", "a pointer moved far, checked where it is used", true },
	{ "unbounded m", "a bound that is known here", true },
	{ "min value is negative", "a bound that is known here", true },
	{ "invalid access to map value", "a bound that is known here", true },
	{ "invalid access to packet", "a bound that is known here", true },
	{ "offset is outside of the packet", "a bound that is known here", true },
	{ "invalid unbounded variable-offset", "a bound that is known here", true },
	{ "invalid variable-offset", "a bound that is known here", true },
	{ "pointer prohibited", "a number on every path that is possible here", true },
	{ "invalid mem access 'scalar'", "a pointer on every path that is possible here", true },
	{ "invalid mem access 'map_value_or_null'", "tested on every path that is possible here",
	  true },
};

_Static_assert(sizeof(reasons) / sizeof(reasons[0]) <= KERNEL_MAX_REASONS, "room for all");

int kernel_reason(const struct kernel *k, bool *better)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (!strstr(k->log, reasons[i].words))
			continue;
		*better = reasons[i].better;
		return (int)i;
	}
	return -1;
}

void kernel_reason_count(struct kernel *k, int reason)
{
	k->reasons[reason]++;
}

void kernel_reasons_print(const struct kernel *k)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (k->reasons[i])
			printf("%8llu  %s (\"%s\")%s\n", (unsigned long long)k->reasons[i],
			       reasons[i].reason, reasons[i].words,
			       reasons[i].better ? "; none was seen to fail under the oracle" : "");
}
