/* SPDX-License-Identifier: MIT */
/*
 * The memory is the value of an array map, so that the kernel lets programs touch any byte of it.
 * The program becomes a function that a wrapper calls; test runs give 32 bits, so there are two:
 * the wrapper of the second shifts r0.
 */
#include "isa/kernel.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/compiler.h"

#define WRAPPER_INSNS 6

static int sys_bpf(enum bpf_cmd cmd, union bpf_attr *attr)
{
	int ret = (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return ret < 0 ? -errno : ret;
}

static uint64_t from_ptr(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

static int create_map(size_t size)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = BPF_MAP_TYPE_ARRAY;
	attr.key_size = 4;
	attr.value_size = (uint32_t)TN_MAX(size, 8u);
	attr.max_entries = 1;
	return sys_bpf(BPF_MAP_CREATE, &attr);
}

/* The value to or from `mem`, which may be shorter. */
static int copy_value(enum bpf_cmd cmd, int map, void *mem, size_t size)
{
	unsigned char value[4096] = { 0 };
	union bpf_attr attr;
	uint32_t key = 0;
	int err;

	memset(&attr, 0, sizeof(attr));
	attr.map_fd = (uint32_t)map;
	attr.key = from_ptr(&key);
	attr.value = from_ptr(value);
	if (cmd == BPF_MAP_UPDATE_ELEM && size)
		memcpy(value, mem, size);
	err = sys_bpf(cmd, &attr);
	if (!err && cmd == BPF_MAP_LOOKUP_ELEM && size)
		memcpy(mem, value, size);
	return err;
}

static int load(const struct tn_insn *insns, uint32_t nr)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_SCHED_CLS;
	attr.insns = from_ptr(insns);
	attr.insn_cnt = nr;
	attr.license = from_ptr("GPL");
	return sys_bpf(BPF_PROG_LOAD, &attr);
}

static int test_run(int prog, uint32_t *retval)
{
	unsigned char packet[64] = { 0 };
	union bpf_attr attr;
	int err;

	memset(&attr, 0, sizeof(attr));
	attr.test.prog_fd = (uint32_t)prog;
	attr.test.data_in = from_ptr(packet);
	attr.test.data_size_in = sizeof(packet);
	err = sys_bpf(BPF_PROG_TEST_RUN, &attr);
	*retval = attr.test.retval;
	return err;
}

/* r1 = the value, r2 = its size, call the program, shift what it returned. */
static struct tn_insn *wrap(const struct tn_insn *insns, uint32_t nr, int map, size_t size,
			    int32_t shift)
{
	const struct tn_insn wrapper[WRAPPER_INSNS] = {
		{ .code = TN_LD | TN_IMM | TN_DW, .dst = 1, .src = TN_LDDW_MAP_VALUE, .imm = map },
		{ 0 },
		{ .code = TN_ALU64 | TN_MOV | TN_K, .dst = 2, .imm = (int32_t)size },
		{ .code = TN_JMP | TN_CALL, .src = TN_CALL_LOCAL, .imm = 2 },
		{ .code = TN_ALU64 | TN_RSH | TN_K, .dst = 0, .imm = shift },
		{ .code = TN_JMP | TN_EXIT },
	};
	struct tn_insn *all = malloc((WRAPPER_INSNS + nr) * sizeof(*all));

	if (!all)
		return NULL;
	memcpy(all, wrapper, sizeof(wrapper));
	memcpy(all + WRAPPER_INSNS, insns, nr * sizeof(*insns));
	return all;
}

static int run_half(const struct tn_insn *insns, uint32_t nr, int map, void *mem, size_t size,
		    int32_t shift, uint32_t *half)
{
	struct tn_insn *all = wrap(insns, nr, map, size, shift);
	int err, prog;

	if (!all)
		return -ENOMEM;
	prog = load(all, nr + WRAPPER_INSNS);
	free(all);
	if (prog < 0)
		return prog == -EINVAL || prog == -E2BIG ? -EACCES : prog;
	err = copy_value(BPF_MAP_UPDATE_ELEM, map, mem, size);
	if (!err)
		err = test_run(prog, half);
	close(prog);
	return err;
}

int kernel_run(const struct tn_insn *insns, uint32_t nr, void *mem, size_t size, uint64_t *r0)
{
	int map = create_map(size), err;
	uint32_t low, high;

	if (map < 0)
		return map;
	err = run_half(insns, nr, map, mem, size, 0, &low);
	if (!err)
		err = run_half(insns, nr, map, mem, size, 32, &high);
	if (!err)
		err = copy_value(BPF_MAP_LOOKUP_ELEM, map, mem, size);
	if (!err)
		*r0 = (uint64_t)high << 32 | low;
	close(map);
	return err;
}

int kernel_available(void)
{
	const struct tn_insn insns[] = {
		{ .code = TN_ALU64 | TN_MOV | TN_K, .imm = 7 },
		{ .code = TN_JMP | TN_EXIT },
	};
	uint64_t r0 = 0;
	int err = kernel_run(insns, 2, NULL, 0, &r0);

	if (err)
		return err;
	return r0 == 7 ? 0 : -ENOTSUP;
}
