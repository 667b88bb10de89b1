/* SPDX-License-Identifier: MIT */
/*
 * The kernel's answers to calls on maps, as a table: every row is run on Tenon and, where bpf(2) is
 * allowed, on the kernel of this machine, and both must say what the table says.
 */
#include "maps/testing.h"

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

/* VALUE: the next updates write this number. */
enum op { END, CREATE, LOOKUP, UPDATE, DELETE, POP, NEXT, FREEZE, VALUE };

#define NONE  UINT32_MAX /* next key of no key */
#define STEPS 8

struct step {
	enum op op;
	uint32_t key;
	uint64_t flags;
	int want; /* 0 or -errno */
};

struct row {
	const char *name;
	uint32_t type, key_size, value_size, max_entries, map_flags;
	struct step steps[STEPS];
};

#define RINGBUF	     BPF_MAP_TYPE_RINGBUF
#define HASH	     BPF_MAP_TYPE_HASH
#define ARRAY	     BPF_MAP_TYPE_ARRAY
#define PERCPU_HASH  BPF_MAP_TYPE_PERCPU_HASH
#define PERCPU_ARRAY BPF_MAP_TYPE_PERCPU_ARRAY
#define LRU	     BPF_MAP_TYPE_LRU_HASH
#define LRU_PERCPU   BPF_MAP_TYPE_LRU_PERCPU_HASH
#define QUEUE	     BPF_MAP_TYPE_QUEUE
#define STACK	     BPF_MAP_TYPE_STACK
#define PERF	     BPF_MAP_TYPE_PERF_EVENT_ARRAY
#define TRACE	     BPF_MAP_TYPE_STACK_TRACE
#define BLOOM	     BPF_MAP_TYPE_BLOOM_FILTER
#define LPM	     BPF_MAP_TYPE_LPM_TRIE
#define DEVMAP	     BPF_MAP_TYPE_DEVMAP
#define DEVHASH	     BPF_MAP_TYPE_DEVMAP_HASH
#define CPUMAP	     BPF_MAP_TYPE_CPUMAP
#define XSKMAP	     BPF_MAP_TYPE_XSKMAP
/* A trie's key here is the length of a prefix, of zeros. */

/* clang-format off */
static const struct row rows[] = {
	{ "unknown type", 200, 4, 8, 2, 0, { { CREATE, 0, 0, -EINVAL } } },
	{ "hash: key size 0", HASH, 0, 8, 2, 0, { { CREATE, 0, 0, -EINVAL } } },
	{ "hash: value size 0", HASH, 4, 0, 2, 0, { { CREATE, 0, 0, -EINVAL } } },
	{ "hash: no entries", HASH, 4, 8, 0, 0, { { CREATE, 0, 0, -EINVAL } } },
	{ "hash: unknown flag", HASH, 4, 8, 2, 1u << 30, { { CREATE, 0, 0, -EINVAL } } },
	{ "hash: NO_COMMON_LRU", HASH, 4, 8, 2, BPF_F_NO_COMMON_LRU, { { CREATE, 0, 0, -EINVAL } } },
	{ "hash: MMAPABLE", HASH, 4, 8, 2, BPF_F_MMAPABLE, { { CREATE, 0, 0, -EINVAL } } },
	{ "hash: RDONLY and WRONLY", HASH, 4, 8, 2, BPF_F_RDONLY | BPF_F_WRONLY, { { CREATE, 0, 0, -EINVAL } } },
	{ "hash: RDONLY_PROG and WRONLY_PROG", HASH, 4, 8, 2, BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG, { { CREATE, 0, 0, -EINVAL } } },
	{ "hash: NO_PREALLOC", HASH, 4, 8, 2, BPF_F_NO_PREALLOC, { { CREATE, 0, 0, 0 } } },
	{ "hash: ZERO_SEED", HASH, 4, 8, 2, BPF_F_ZERO_SEED, { { CREATE, 0, 0, 0 } } },
	{ "hash: key of 512", HASH, 512, 8, 2, 0, { { CREATE, 0, 0, 0 } } },
	{ "hash: value of 8 MiB", HASH, 4, 8u << 20, 2, 0, { { CREATE, 0, 0, -E2BIG } } },
	{ "array: key size 8", ARRAY, 8, 8, 2, 0, { { CREATE, 0, 0, -EINVAL } } },
	{ "array: value size 0", ARRAY, 4, 0, 2, 0, { { CREATE, 0, 0, -EINVAL } } },
	{ "array: no entries", ARRAY, 4, 8, 0, 0, { { CREATE, 0, 0, -EINVAL } } },
	{ "array: NO_PREALLOC", ARRAY, 4, 8, 2, BPF_F_NO_PREALLOC, { { CREATE, 0, 0, -EINVAL } } },
	{ "array: MMAPABLE", ARRAY, 4, 8, 2, BPF_F_MMAPABLE, { { CREATE, 0, 0, 0 } } },
	{ "array: value of 2 GiB", ARRAY, 4, 0x80000000u, 2, 0, { { CREATE, 0, 0, -E2BIG } } },
	{ "percpu array: MMAPABLE", PERCPU_ARRAY, 4, 8, 2, BPF_F_MMAPABLE, { { CREATE, 0, 0, -EINVAL } } },
	{ "percpu array: value of 32 KiB", PERCPU_ARRAY, 4, 32768, 1, 0, { { CREATE, 0, 0, 0 } } },
	{ "percpu array: value above 32 KiB", PERCPU_ARRAY, 4, 32769, 1, 0, { { CREATE, 0, 0, -E2BIG } } },
	{ "percpu hash: value above 32 KiB", PERCPU_HASH, 4, 32769, 1, 0, { { CREATE, 0, 0, -E2BIG } } },
	{ "ring buffer: 100 bytes", RINGBUF, 0, 0, 100, 0, { { CREATE, 0, 0, -EINVAL } } },
	{ "ring buffer: no operations", RINGBUF, 0, 0, 4096, 0, {
		{ LOOKUP, 1, 0, -TN_ENOTSUPP }, { UPDATE, 1, 0, -TN_ENOTSUPP },
		{ DELETE, 1, 0, -TN_ENOTSUPP }, { NEXT, NONE, 0, -TN_ENOTSUPP } } },

	{ "hash: absent key", HASH, 4, 8, 2, 0, {
		{ LOOKUP, 1, 0, -ENOENT }, { DELETE, 1, 0, -ENOENT }, { POP, 1, 0, -ENOENT },
		{ UPDATE, 1, BPF_EXIST, -ENOENT }, { NEXT, NONE, 0, -ENOENT }, { NEXT, 1, 0, -ENOENT } } },
	{ "hash: present key", HASH, 4, 8, 2, 0, {
		{ UPDATE, 1, BPF_NOEXIST, 0 }, { UPDATE, 1, BPF_NOEXIST, -EEXIST },
		{ UPDATE, 1, BPF_EXIST, 0 }, { UPDATE, 1, BPF_ANY, 0 }, { LOOKUP, 1, 0, 0 },
		{ DELETE, 1, 0, 0 }, { LOOKUP, 1, 0, -ENOENT } } },
	{ "hash: flags", HASH, 4, 8, 2, 0, {
		{ UPDATE, 1, 99, -EINVAL }, { UPDATE, 1, 3, -EINVAL }, { UPDATE, 1, BPF_F_LOCK, -EINVAL },
		{ UPDATE, 1, 1ull << 40, -EINVAL }, { LOOKUP, 1, BPF_F_LOCK, -EINVAL },
		{ LOOKUP, 1, BPF_EXIST, -EINVAL }, { POP, 1, BPF_F_LOCK, -EINVAL }, { POP, 1, 1, -EINVAL } } },
	{ "hash: full", HASH, 4, 8, 2, 0, {
		{ UPDATE, 1, 0, 0 }, { UPDATE, 2, 0, 0 }, { UPDATE, 3, 0, -E2BIG }, { UPDATE, 2, 0, 0 },
		{ UPDATE, 3, BPF_EXIST, -ENOENT }, { UPDATE, 2, BPF_NOEXIST, -EEXIST },
		{ DELETE, 1, 0, 0 }, { UPDATE, 3, 0, 0 } } },
	{ "hash: full, NO_PREALLOC", HASH, 4, 8, 2, BPF_F_NO_PREALLOC, {
		{ UPDATE, 1, 0, 0 }, { UPDATE, 2, 0, 0 }, { UPDATE, 3, 0, -E2BIG }, { UPDATE, 2, 0, 0 },
		{ DELETE, 1, 0, 0 }, { UPDATE, 3, 0, 0 } } },
	{ "hash: lookup and delete", HASH, 4, 8, 2, 0, {
		{ UPDATE, 1, 0, 0 }, { POP, 1, 0, 0 }, { POP, 1, 0, -ENOENT }, { LOOKUP, 1, 0, -ENOENT } } },
	{ "hash: next key", HASH, 4, 8, 4, 0, {
		{ UPDATE, 1, 0, 0 }, { NEXT, NONE, 0, 0 }, { NEXT, 1, 0, -ENOENT }, { NEXT, 7, 0, 0 },
		{ UPDATE, 2, 0, 0 }, { NEXT, 9, 0, 0 } } },
	{ "hash: frozen", HASH, 4, 8, 2, 0, {
		{ UPDATE, 1, 0, 0 }, { FREEZE, 0, 0, 0 }, { UPDATE, 1, 0, -EPERM }, { DELETE, 1, 0, -EPERM },
		{ POP, 1, 0, -EPERM }, { LOOKUP, 1, 0, 0 }, { NEXT, NONE, 0, 0 }, { FREEZE, 0, 0, -EPERM } } },
	{ "hash: frozen, flags", HASH, 4, 8, 2, 0, {
		{ FREEZE, 0, 0, 0 }, { UPDATE, 1, 99, -EPERM }, { UPDATE, 1, BPF_F_LOCK, -EPERM },
		{ POP, 1, 1, -EINVAL }, { POP, 1, BPF_F_LOCK, -EPERM } } },
	{ "hash: read-only for the host", HASH, 4, 8, 2, BPF_F_RDONLY, {
		{ UPDATE, 1, 0, -EPERM }, { DELETE, 1, 0, -EPERM }, { POP, 1, 0, -EPERM },
		{ LOOKUP, 1, 0, -ENOENT }, { NEXT, NONE, 0, -ENOENT }, { FREEZE, 0, 0, -EPERM } } },
	{ "hash: write-only for the host", HASH, 4, 8, 2, BPF_F_WRONLY, {
		{ UPDATE, 1, 0, 0 }, { LOOKUP, 1, 0, -EPERM }, { NEXT, NONE, 0, -EPERM },
		{ POP, 1, 0, -EPERM }, { LOOKUP, 1, BPF_F_LOCK, -EPERM }, { DELETE, 1, 0, 0 } } },
	{ "hash: read-only for programs", HASH, 4, 8, 2, BPF_F_RDONLY_PROG, {
		{ UPDATE, 1, 0, 0 }, { LOOKUP, 1, 0, 0 } } },
	{ "hash: delete with flags", HASH, 4, 8, 2, 0, {
		{ UPDATE, 1, 0, 0 }, { DELETE, 1, 1, -EINVAL }, { DELETE, 1, 0, 0 } } },

	{ "array: bounds", ARRAY, 4, 8, 2, 0, {
		{ LOOKUP, 9, 0, -ENOENT }, { UPDATE, 9, 0, -E2BIG }, { LOOKUP, 1, 0, 0 }, { UPDATE, 1, 0, 0 },
		{ LOOKUP, 2, 0, -ENOENT }, { UPDATE, 2, 0, -E2BIG }, { DELETE, 9, 0, -EINVAL } } },
	{ "array: flags", ARRAY, 4, 8, 2, 0, {
		{ UPDATE, 1, BPF_NOEXIST, -EEXIST }, { UPDATE, 1, BPF_EXIST, 0 }, { UPDATE, 9, BPF_NOEXIST, -E2BIG },
		{ UPDATE, 9, 99, -EINVAL }, { UPDATE, 1, 3, -EINVAL }, { UPDATE, 1, BPF_F_LOCK, -EINVAL },
		{ LOOKUP, 1, BPF_F_LOCK, -EINVAL }, { LOOKUP, 9, BPF_NOEXIST, -EINVAL } } },
	{ "array: no removing", ARRAY, 4, 8, 2, 0, {
		{ DELETE, 1, 0, -EINVAL }, { POP, 1, 0, -TN_ENOTSUPP }, { POP, 9, 0, -TN_ENOTSUPP },
		{ DELETE, 1, 7, -EINVAL }, { POP, 1, BPF_F_LOCK, -EINVAL } } },
	{ "array: next key", ARRAY, 4, 8, 2, 0, {
		{ NEXT, NONE, 0, 0 }, { NEXT, 0, 0, 0 }, { NEXT, 1, 0, -ENOENT }, { NEXT, 77, 0, 0 },
		{ NEXT, 2, 0, 0 } } },
	{ "array: frozen", ARRAY, 4, 8, 2, 0, {
		{ FREEZE, 0, 0, 0 }, { UPDATE, 1, 0, -EPERM }, { LOOKUP, 1, 0, 0 }, { DELETE, 1, 0, -EPERM },
		{ POP, 1, 0, -EPERM }, { UPDATE, 9, 99, -EPERM }, { FREEZE, 0, 0, -EPERM } } },

	{ "percpu array", PERCPU_ARRAY, 4, 8, 2, 0, {
		{ LOOKUP, 9, 0, -ENOENT }, { UPDATE, 9, 0, -E2BIG }, { UPDATE, 1, BPF_NOEXIST, -EEXIST },
		{ UPDATE, 1, 0, 0 }, { LOOKUP, 1, 0, 0 }, { DELETE, 1, 0, -EINVAL }, { POP, 1, 0, -TN_ENOTSUPP },
		{ NEXT, 1, 0, -ENOENT } } },
	{ "percpu array: flags", PERCPU_ARRAY, 4, 8, 2, 0, {
		{ UPDATE, 1, 99, -EINVAL }, { UPDATE, 1, BPF_F_LOCK, -EINVAL }, { UPDATE, 9, 99, -EINVAL } } },
	{ "percpu hash: absent key", PERCPU_HASH, 4, 8, 2, 0, {
		{ LOOKUP, 1, 0, -ENOENT }, { DELETE, 1, 0, -ENOENT }, { POP, 1, 0, -ENOENT },
		{ UPDATE, 1, BPF_EXIST, -ENOENT }, { NEXT, NONE, 0, -ENOENT } } },
	{ "percpu hash: present key", PERCPU_HASH, 4, 8, 2, 0, {
		{ UPDATE, 1, BPF_NOEXIST, 0 }, { UPDATE, 1, BPF_NOEXIST, -EEXIST }, { UPDATE, 1, BPF_EXIST, 0 },
		{ LOOKUP, 1, 0, 0 }, { POP, 1, 0, 0 }, { POP, 1, 0, -ENOENT } } },
	{ "percpu hash: full", PERCPU_HASH, 4, 8, 2, 0, {
		{ UPDATE, 1, 0, 0 }, { UPDATE, 2, 0, 0 }, { UPDATE, 3, 0, -E2BIG }, { UPDATE, 2, 0, 0 },
		{ UPDATE, 3, 99, -EINVAL }, { DELETE, 1, 0, 0 }, { UPDATE, 3, 0, 0 } } },

	{ "lru: key size 0", LRU, 0, 8, 2, 0, { { CREATE, 0, 0, -EINVAL } } },
	{ "lru: value size 0", LRU, 4, 0, 2, 0, { { CREATE, 0, 0, -EINVAL } } },
	{ "lru: no entries", LRU, 4, 8, 0, 0, { { CREATE, 0, 0, -EINVAL } } },
	{ "lru: one entry", LRU, 4, 8, 1, 0, { { CREATE, 0, 0, 0 } } },
	{ "lru: NO_PREALLOC", LRU, 4, 8, 2, BPF_F_NO_PREALLOC, { { CREATE, 0, 0, -TN_ENOTSUPP } } },
	{ "lru: NO_PREALLOC, no entries", LRU, 4, 8, 0, BPF_F_NO_PREALLOC, { { CREATE, 0, 0, -TN_ENOTSUPP } } },
	{ "lru: NO_PREALLOC, unknown flag", LRU, 4, 8, 2, BPF_F_NO_PREALLOC | 1u << 30, { { CREATE, 0, 0, -EINVAL } } },
	{ "lru: NO_COMMON_LRU", LRU, 4, 8, 100, BPF_F_NO_COMMON_LRU, { { CREATE, 0, 0, 0 } } },
	{ "lru: NUMA_NODE", LRU, 4, 8, 2, BPF_F_NUMA_NODE, { { CREATE, 0, 0, 0 } } },
	{ "lru: NUMA_NODE and NO_COMMON_LRU", LRU, 4, 8, 2, BPF_F_NUMA_NODE | BPF_F_NO_COMMON_LRU, { { CREATE, 0, 0, -EINVAL } } },
	{ "lru: MMAPABLE", LRU, 4, 8, 2, BPF_F_MMAPABLE, { { CREATE, 0, 0, -EINVAL } } },
	{ "lru: ZERO_SEED", LRU, 4, 8, 2, BPF_F_ZERO_SEED, { { CREATE, 0, 0, 0 } } },
	{ "lru: RDONLY and WRONLY", LRU, 4, 8, 2, BPF_F_RDONLY | BPF_F_WRONLY, { { CREATE, 0, 0, -EINVAL } } },
	{ "lru: value of 8 MiB", LRU, 4, 8u << 20, 2, 0, { { CREATE, 0, 0, -E2BIG } } },
	{ "percpu lru: NUMA_NODE", LRU_PERCPU, 4, 8, 2, BPF_F_NUMA_NODE, { { CREATE, 0, 0, -EINVAL } } },
	{ "percpu lru: NO_PREALLOC", LRU_PERCPU, 4, 8, 2, BPF_F_NO_PREALLOC, { { CREATE, 0, 0, -TN_ENOTSUPP } } },
	{ "percpu lru: NO_COMMON_LRU", LRU_PERCPU, 4, 8, 100, BPF_F_NO_COMMON_LRU, { { CREATE, 0, 0, 0 } } },
	{ "percpu lru: value of 32 KiB", LRU_PERCPU, 4, 32768, 1, 0, { { CREATE, 0, 0, 0 } } },
	{ "percpu lru: value above 32 KiB", LRU_PERCPU, 4, 32769, 1, 0, { { CREATE, 0, 0, -E2BIG } } },
	{ "lru: absent key", LRU, 4, 8, 1000, 0, {
		{ LOOKUP, 1, 0, -ENOENT }, { DELETE, 1, 0, -ENOENT }, { POP, 1, 0, -ENOENT },
		{ UPDATE, 1, BPF_EXIST, -ENOENT }, { NEXT, NONE, 0, -ENOENT }, { NEXT, 1, 0, -ENOENT } } },
	{ "lru: present key", LRU, 4, 8, 1000, 0, {
		{ UPDATE, 1, BPF_NOEXIST, 0 }, { UPDATE, 1, BPF_NOEXIST, -EEXIST },
		{ UPDATE, 1, BPF_EXIST, 0 }, { UPDATE, 1, BPF_ANY, 0 }, { LOOKUP, 1, 0, 0 },
		{ DELETE, 1, 0, 0 }, { LOOKUP, 1, 0, -ENOENT } } },
	{ "lru: flags", LRU, 4, 8, 1000, 0, {
		{ UPDATE, 1, 99, -EINVAL }, { UPDATE, 1, 3, -EINVAL }, { UPDATE, 1, BPF_F_LOCK, -EINVAL },
		{ UPDATE, 1, 1ull << 40, -EINVAL }, { LOOKUP, 1, BPF_F_LOCK, -EINVAL },
		{ LOOKUP, 1, BPF_EXIST, -EINVAL }, { POP, 1, BPF_F_LOCK, -EINVAL }, { POP, 1, 1, -EINVAL } } },
	{ "lru: full", LRU, 4, 8, 2, 0, {
		{ UPDATE, 1, 0, 0 }, { UPDATE, 2, 0, 0 }, { UPDATE, 3, 0, 0 }, { UPDATE, 4, 0, 0 },
		{ UPDATE, 5, 0, 0 }, { UPDATE, 6, BPF_NOEXIST, 0 }, { LOOKUP, 6, 0, 0 }, { DELETE, 1, 0, -ENOENT } } },
	{ "lru: lookup and delete", LRU, 4, 8, 1000, 0, {
		{ UPDATE, 1, 0, 0 }, { POP, 1, 0, 0 }, { POP, 1, 0, -ENOENT }, { LOOKUP, 1, 0, -ENOENT } } },
	{ "lru: next key", LRU, 4, 8, 1000, 0, {
		{ UPDATE, 1, 0, 0 }, { NEXT, NONE, 0, 0 }, { NEXT, 1, 0, -ENOENT }, { NEXT, 7, 0, 0 },
		{ UPDATE, 2, 0, 0 }, { NEXT, 9, 0, 0 } } },
	{ "lru: frozen", LRU, 4, 8, 1000, 0, {
		{ UPDATE, 1, 0, 0 }, { FREEZE, 0, 0, 0 }, { UPDATE, 1, 0, -EPERM }, { DELETE, 1, 0, -EPERM },
		{ POP, 1, 0, -EPERM }, { LOOKUP, 1, 0, 0 }, { NEXT, NONE, 0, 0 }, { FREEZE, 0, 0, -EPERM } } },
	{ "percpu lru: absent key", LRU_PERCPU, 4, 8, 1000, 0, {
		{ LOOKUP, 1, 0, -ENOENT }, { DELETE, 1, 0, -ENOENT }, { POP, 1, 0, -ENOENT },
		{ UPDATE, 1, BPF_EXIST, -ENOENT }, { NEXT, NONE, 0, -ENOENT } } },
	{ "percpu lru: present key", LRU_PERCPU, 4, 8, 1000, 0, {
		{ UPDATE, 1, BPF_NOEXIST, 0 }, { UPDATE, 1, BPF_NOEXIST, -EEXIST }, { UPDATE, 1, BPF_EXIST, 0 },
		{ UPDATE, 1, 99, -EINVAL }, { LOOKUP, 1, 0, 0 }, { POP, 1, 0, 0 }, { POP, 1, 0, -ENOENT } } },
	{ "percpu lru: full", LRU_PERCPU, 4, 8, 2, 0, {
		{ UPDATE, 1, 0, 0 }, { UPDATE, 2, 0, 0 }, { UPDATE, 3, 0, 0 }, { UPDATE, 4, 0, 0 },
		{ LOOKUP, 4, 0, 0 } } },

	{ "queue: with keys", QUEUE, 4, 8, 2, 0, { { CREATE, 0, 0, -EINVAL } } },
	{ "queue: value size 0", QUEUE, 0, 0, 2, 0, { { CREATE, 0, 0, -EINVAL } } },
	{ "queue: no entries", QUEUE, 0, 8, 0, 0, { { CREATE, 0, 0, -EINVAL } } },
	{ "queue: NO_PREALLOC", QUEUE, 0, 8, 2, BPF_F_NO_PREALLOC, { { CREATE, 0, 0, -EINVAL } } },
	{ "queue: value of 8 MiB", QUEUE, 0, 8u << 20, 2, 0, { { CREATE, 0, 0, -E2BIG } } },
	{ "queue: value of 3 bytes", QUEUE, 0, 3, 2, 0, { { UPDATE, NONE, 0, 0 }, { POP, NONE, 0, 0 } } },
	{ "stack: with keys", STACK, 4, 8, 2, 0, { { CREATE, 0, 0, -EINVAL } } },
	{ "stack: MMAPABLE", STACK, 0, 8, 2, BPF_F_MMAPABLE, { { CREATE, 0, 0, -EINVAL } } },
	{ "queue: empty, then full", QUEUE, 0, 8, 2, 0, {
		{ LOOKUP, NONE, 0, -ENOENT }, { POP, NONE, 0, -ENOENT }, { UPDATE, NONE, 0, 0 },
		{ UPDATE, NONE, BPF_EXIST, 0 }, { UPDATE, NONE, 0, -E2BIG }, { UPDATE, NONE, BPF_EXIST, 0 },
		{ LOOKUP, NONE, 0, 0 }, { POP, NONE, 0, 0 } } },
	{ "queue: flags", QUEUE, 0, 8, 2, 0, {
		{ UPDATE, NONE, BPF_NOEXIST, -EINVAL }, { UPDATE, NONE, 99, -EINVAL },
		{ UPDATE, NONE, BPF_F_LOCK, -EINVAL }, { LOOKUP, NONE, BPF_F_LOCK, -EINVAL },
		{ POP, NONE, BPF_F_LOCK, -EINVAL }, { POP, NONE, 1, -EINVAL } } },
	{ "queue: no keys", QUEUE, 0, 8, 2, 0, {
		{ NEXT, NONE, 0, -EINVAL }, { DELETE, NONE, 0, -EINVAL }, { DELETE, NONE, 1, -EINVAL } } },
	{ "queue: frozen", QUEUE, 0, 8, 2, 0, {
		{ UPDATE, NONE, 0, 0 }, { FREEZE, 0, 0, 0 }, { UPDATE, NONE, 0, -EPERM }, { POP, NONE, 0, -EPERM },
		{ LOOKUP, NONE, 0, 0 }, { DELETE, NONE, 0, -EPERM } } },
	{ "stack: empty, then full", STACK, 0, 8, 2, 0, {
		{ LOOKUP, NONE, 0, -ENOENT }, { POP, NONE, 0, -ENOENT }, { UPDATE, NONE, 0, 0 },
		{ UPDATE, NONE, BPF_EXIST, 0 }, { UPDATE, NONE, 0, -E2BIG }, { UPDATE, NONE, BPF_EXIST, 0 },
		{ POP, NONE, 0, 0 }, { NEXT, NONE, 0, -EINVAL } } },

	{ "perf events: key size 8", PERF, 8, 4, 2, 0, { { CREATE, 0, 0, -EINVAL } } },
	{ "perf events: value size 8", PERF, 4, 8, 2, 0, { { CREATE, 0, 0, -EINVAL } } },
	{ "perf events: no entries", PERF, 4, 4, 0, 0, { { CREATE, 0, 0, -EINVAL } } },
	{ "perf events: read-only for programs", PERF, 4, 4, 2, BPF_F_RDONLY_PROG, { { CREATE, 0, 0, -EINVAL } } },
	{ "perf events: MMAPABLE", PERF, 4, 4, 2, BPF_F_MMAPABLE, { { CREATE, 0, 0, -EINVAL } } },
	{ "perf events: PRESERVE_ELEMS", PERF, 4, 4, 2, BPF_F_PRESERVE_ELEMS, { { CREATE, 0, 0, 0 } } },
	{ "perf events: elements", PERF, 4, 4, 2, 0, {
		{ LOOKUP, 1, 0, -TN_ENOTSUPP }, { POP, 1, 0, -TN_ENOTSUPP }, { UPDATE, 1, 0, -EBADF },
		{ UPDATE, 1, BPF_NOEXIST, -EINVAL }, { UPDATE, 9, 0, -E2BIG }, { DELETE, 1, 0, -ENOENT },
		{ DELETE, 9, 0, -E2BIG }, { NEXT, 1, 0, -ENOENT } } },
	{ "stack traces: key size 8", TRACE, 8, 64, 2, 0, { { CREATE, 0, 0, -EINVAL } } },
	{ "stack traces: value of 12 bytes", TRACE, 4, 12, 2, 0, { { CREATE, 0, 0, -EINVAL } } },
	{ "stack traces: value size 0", TRACE, 4, 0, 2, 0, { { CREATE, 0, 0, -EINVAL } } },
	{ "stack traces: 127 addresses", TRACE, 4, 127 * 8, 2, 0, { { CREATE, 0, 0, 0 } } },
	{ "stack traces: 128 addresses", TRACE, 4, 128 * 8, 2, 0, { { CREATE, 0, 0, -EINVAL } } },
	{ "stack traces: no entries", TRACE, 4, 64, 0, 0, { { CREATE, 0, 0, -EINVAL } } },
	{ "stack traces: read-only for programs", TRACE, 4, 64, 2, BPF_F_RDONLY_PROG, { { CREATE, 0, 0, -EINVAL } } },
	{ "stack traces: NO_PREALLOC", TRACE, 4, 64, 2, BPF_F_NO_PREALLOC, { { CREATE, 0, 0, -EINVAL } } },
	{ "stack traces: none there", TRACE, 4, 64, 3, 0, {
		{ LOOKUP, 3, 0, -ENOENT }, { LOOKUP, 4, 0, -ENOENT }, { UPDATE, 1, 0, -EINVAL }, { DELETE, 3, 0, -ENOENT },
		{ DELETE, 4, 0, -E2BIG }, { NEXT, NONE, 0, -ENOENT }, { NEXT, 9, 0, -ENOENT } } },
	{ "bloom filter: with keys", BLOOM, 4, 8, 2, 0, { { CREATE, 0, 0, -EINVAL } } },
	{ "bloom filter: value size 0", BLOOM, 0, 0, 2, 0, { { CREATE, 0, 0, -EINVAL } } },
	{ "bloom filter: no entries", BLOOM, 0, 8, 0, 0, { { CREATE, 0, 0, -EINVAL } } },
	{ "bloom filter: NO_PREALLOC", BLOOM, 0, 8, 2, BPF_F_NO_PREALLOC, { { CREATE, 0, 0, -EINVAL } } },
	{ "bloom filter: MMAPABLE", BLOOM, 0, 8, 2, BPF_F_MMAPABLE, { { CREATE, 0, 0, -EINVAL } } },
	{ "bloom filter: ZERO_SEED", BLOOM, 0, 8, 2, BPF_F_ZERO_SEED, { { CREATE, 0, 0, 0 } } },
	{ "bloom filter: value of 3 bytes", BLOOM, 0, 3, 2, 0, { { UPDATE, NONE, 0, 0 }, { LOOKUP, NONE, 0, 0 } } },
	{ "bloom filter: values", BLOOM, 0, 8, 2, 0, {
		{ LOOKUP, NONE, 0, -ENOENT }, { UPDATE, NONE, 0, 0 }, { LOOKUP, NONE, 0, 0 }, { UPDATE, NONE, 0, 0 },
		{ UPDATE, NONE, BPF_NOEXIST, -EINVAL }, { UPDATE, NONE, BPF_EXIST, -EINVAL },
		{ UPDATE, NONE, BPF_F_LOCK, -EINVAL }, { LOOKUP, NONE, BPF_F_LOCK, -EINVAL } } },
	{ "bloom filter: nothing else", BLOOM, 0, 8, 2, 0, {
		{ DELETE, NONE, 0, -EOPNOTSUPP }, { NEXT, NONE, 0, -EOPNOTSUPP }, { POP, NONE, 0, -TN_ENOTSUPP },
		{ POP, NONE, 1, -EINVAL }, { DELETE, NONE, 1, -EINVAL }, { LOOKUP, NONE, BPF_EXIST, -EINVAL } } },
	{ "bloom filter: frozen", BLOOM, 0, 8, 2, 0, {
		{ UPDATE, NONE, 0, 0 }, { FREEZE, 0, 0, 0 }, { UPDATE, NONE, 0, -EPERM }, { LOOKUP, NONE, 0, 0 } } },
	{ "trie: without NO_PREALLOC", LPM, 8, 8, 2, 0, { { CREATE, 0, 0, -EINVAL } } },
	{ "trie: key of 4", LPM, 4, 8, 2, 1, { { CREATE, 0, 0, -EINVAL } } },
	{ "trie: key of 5", LPM, 5, 8, 2, 1, { { CREATE, 0, 0, 0 } } },
	{ "trie: key of 260", LPM, 260, 8, 2, 1, { { CREATE, 0, 0, 0 } } },
	{ "trie: key of 261", LPM, 261, 8, 2, 1, { { CREATE, 0, 0, -EINVAL } } },
	{ "trie: value size 0", LPM, 8, 0, 2, 1, { { CREATE, 0, 0, -EINVAL } } },
	{ "trie: value of 8 MiB", LPM, 8, 8u << 20, 2, 1, { { CREATE, 0, 0, -EINVAL } } },
	{ "trie: no entries", LPM, 8, 8, 0, 1, { { CREATE, 0, 0, -EINVAL } } },
	{ "trie: ZERO_SEED", LPM, 8, 8, 2, 1 | BPF_F_ZERO_SEED, { { CREATE, 0, 0, -EINVAL } } },
	{ "trie: MMAPABLE", LPM, 8, 8, 2, 1 | BPF_F_MMAPABLE, { { CREATE, 0, 0, -EINVAL } } },
	{ "trie: prefix too long", LPM, 8, 8, 2, 1, {
		{ UPDATE, 33, 0, -EINVAL }, { LOOKUP, 33, 0, -ENOENT }, { DELETE, 33, 0, -EINVAL },
		{ NEXT, 33, 0, -ENOENT }, { UPDATE, 32, 0, 0 }, { NEXT, 33, 0, 0 }, { LOOKUP, 33, 0, -ENOENT } } },
	{ "trie: absent and present", LPM, 8, 8, 2, 1, {
		{ LOOKUP, 8, 0, -ENOENT }, { DELETE, 8, 0, -ENOENT }, { UPDATE, 8, BPF_EXIST, -ENOENT },
		{ UPDATE, 8, BPF_NOEXIST, 0 }, { UPDATE, 8, BPF_NOEXIST, -EEXIST }, { UPDATE, 8, BPF_EXIST, 0 },
		{ LOOKUP, 32, 0, 0 }, { LOOKUP, 7, 0, -ENOENT } } },
	{ "trie: parts of prefixes", LPM, 8, 8, 4, 1, {
		{ UPDATE, 16, 0, 0 }, { DELETE, 15, 0, -ENOENT }, { DELETE, 17, 0, -ENOENT }, { UPDATE, 0, 0, 0 },
		{ LOOKUP, 0, 0, 0 }, { DELETE, 0, 0, 0 }, { LOOKUP, 15, 0, -ENOENT }, { LOOKUP, 16, 0, 0 } } },
	{ "trie: flags", LPM, 8, 8, 2, 1, {
		{ UPDATE, 8, 99, -EINVAL }, { UPDATE, 8, 3, -EINVAL }, { UPDATE, 8, BPF_F_LOCK, -EINVAL },
		{ LOOKUP, 8, BPF_F_LOCK, -EINVAL }, { DELETE, 8, 1, -EINVAL }, { UPDATE, 33, 99, -EINVAL } } },
	{ "trie: full", LPM, 8, 8, 2, 1, {
		{ UPDATE, 8, 0, 0 }, { UPDATE, 16, 0, 0 }, { UPDATE, 24, 0, -ENOSPC }, { UPDATE, 16, 0, 0 },
		{ UPDATE, 24, BPF_EXIST, -ENOENT }, { UPDATE, 16, BPF_NOEXIST, -EEXIST }, { DELETE, 8, 0, 0 },
		{ UPDATE, 24, 0, 0 } } },
	{ "trie: lookup and delete", LPM, 8, 8, 2, 1, {
		{ UPDATE, 8, 0, 0 }, { POP, 8, 0, -TN_ENOTSUPP }, { POP, 8, BPF_F_LOCK, -EINVAL }, { POP, 33, 0, -TN_ENOTSUPP } } },
	{ "trie: next key", LPM, 8, 8, 4, 1, {
		{ NEXT, NONE, 0, -ENOENT }, { UPDATE, 8, 0, 0 }, { UPDATE, 16, 0, 0 }, { NEXT, NONE, 0, 0 },
		{ NEXT, 16, 0, 0 }, { NEXT, 8, 0, -ENOENT }, { NEXT, 12, 0, 0 } } },
	{ "trie: frozen", LPM, 8, 8, 2, 1, {
		{ UPDATE, 8, 0, 0 }, { FREEZE, 0, 0, 0 }, { UPDATE, 8, 0, -EPERM }, { DELETE, 8, 0, -EPERM },
		{ LOOKUP, 8, 0, 0 }, { NEXT, NONE, 0, 0 }, { POP, 8, 0, -EPERM } } },
	{ "devmap: key of 8", DEVMAP, 8, 4, 4, 0, { { CREATE, 0, 0, -EINVAL } } },
	{ "devmap: value of 8", DEVMAP, 4, 8, 4, 0, { { CREATE, 0, 0, 0 } } },
	{ "devmap: value of 12", DEVMAP, 4, 12, 4, 0, { { CREATE, 0, 0, -EINVAL } } },
	{ "devmap: no entries", DEVMAP, 4, 4, 0, 0, { { CREATE, 0, 0, -EINVAL } } },
	{ "devmap: RDONLY_PROG", DEVMAP, 4, 4, 4, BPF_F_RDONLY_PROG, { { CREATE, 0, 0, -EINVAL } } },
	{ "devmap: NO_PREALLOC", DEVMAP, 4, 4, 4, BPF_F_NO_PREALLOC, { { CREATE, 0, 0, -EINVAL } } },
	{ "devmap: NUMA_NODE", DEVMAP, 4, 4, 4, BPF_F_NUMA_NODE, { { CREATE, 0, 0, 0 } } },
	{ "devmap: absent", DEVMAP, 4, 4, 4, 0, {
		{ LOOKUP, 1, 0, -ENOENT }, { DELETE, 1, 0, 0 }, { DELETE, 9, 0, -EINVAL }, { LOOKUP, 9, 0, -ENOENT },
		{ POP, 1, 0, -TN_ENOTSUPP }, { NEXT, NONE, 0, 0 }, { NEXT, 3, 0, -ENOENT }, { NEXT, 9, 0, 0 } } },
	{ "devmap: ports", DEVMAP, 4, 4, 4, 0, {
		{ VALUE, 1, 0, 0 }, { UPDATE, 1, 0, 0 }, { LOOKUP, 1, 0, 0 }, { UPDATE, 1, BPF_EXIST, 0 },
		{ UPDATE, 1, BPF_NOEXIST, -EEXIST }, { UPDATE, 9, BPF_NOEXIST, -E2BIG }, { UPDATE, 1, 3, -EINVAL } } },
	{ "devmap: no such port", DEVMAP, 4, 4, 4, 0, {
		{ VALUE, 99999, 0, 0 }, { UPDATE, 1, 0, -EINVAL }, { UPDATE, 1, BPF_NOEXIST, -EEXIST }, { LOOKUP, 1, 0, -ENOENT } } },
	{ "devmap: 0 takes out", DEVMAP, 4, 8, 4, 0, {
		{ VALUE, 1, 0, 0 }, { UPDATE, 1, 0, 0 }, { VALUE, 0, 0, 0 }, { UPDATE, 1, 0, 0 }, { LOOKUP, 1, 0, -ENOENT },
		{ LOOKUP, 1, BPF_F_LOCK, -EINVAL } } },
	{ "devmap: frozen", DEVMAP, 4, 4, 4, 0, {
		{ FREEZE, 0, 0, 0 }, { UPDATE, 1, 0, -EPERM }, { DELETE, 1, 0, -EPERM }, { LOOKUP, 1, 0, -ENOENT } } },
	{ "devmap hash: value of 12", DEVHASH, 4, 12, 4, 0, { { CREATE, 0, 0, -EINVAL } } },
	{ "devmap hash: no entries", DEVHASH, 4, 4, 0, 0, { { CREATE, 0, 0, -EINVAL } } },
	{ "devmap hash: ZERO_SEED", DEVHASH, 4, 4, 4, BPF_F_ZERO_SEED, { { CREATE, 0, 0, -EINVAL } } },
	{ "devmap hash: ports", DEVHASH, 4, 4, 2, 0, {
		{ VALUE, 1, 0, 0 }, { UPDATE, 77, BPF_EXIST, 0 }, { UPDATE, 77, BPF_NOEXIST, -EEXIST }, { UPDATE, 8, BPF_NOEXIST, 0 },
		{ UPDATE, 9, 0, -E2BIG }, { LOOKUP, 77, 0, 0 }, { DELETE, 77, 0, 0 }, { DELETE, 77, 0, -ENOENT } } },
	{ "devmap hash: no such port", DEVHASH, 4, 4, 2, 0, {
		{ VALUE, 99999, 0, 0 }, { UPDATE, 7, 0, -EINVAL }, { VALUE, 0, 0, 0 }, { UPDATE, 7, 0, -EINVAL },
		{ UPDATE, 7, BPF_NOEXIST, -EINVAL }, { LOOKUP, 7, 0, -ENOENT }, { NEXT, NONE, 0, -ENOENT }, { NEXT, 7, 0, -ENOENT } } },
	{ "devmap hash: next key", DEVHASH, 4, 4, 4, 0, {
		{ VALUE, 1, 0, 0 }, { UPDATE, 7, 0, 0 }, { NEXT, NONE, 0, 0 }, { NEXT, 7, 0, -ENOENT }, { NEXT, 9, 0, 0 },
		{ POP, 7, 0, -TN_ENOTSUPP } } },
	{ "cpumap: RDONLY", CPUMAP, 4, 4, 2, BPF_F_RDONLY, { { CREATE, 0, 0, -EINVAL } } },
	{ "cpumap: value of 12", CPUMAP, 4, 12, 2, 0, { { CREATE, 0, 0, -EINVAL } } },
	{ "cpumap: too many", CPUMAP, 4, 4, 1 << 20, 0, { { CREATE, 0, 0, -E2BIG } } },
	{ "cpumap: workers", CPUMAP, 4, 4, 2, 0, {
		{ VALUE, 192, 0, 0 }, { UPDATE, 0, 0, 0 }, { LOOKUP, 0, 0, 0 }, { UPDATE, 0, BPF_NOEXIST, -EEXIST }, { UPDATE, 9, 0, -E2BIG },
		{ VALUE, 0, 0, 0 }, { UPDATE, 0, 0, 0 }, { LOOKUP, 0, 0, -ENOENT } } },
	{ "cpumap: long queue", CPUMAP, 4, 4, 2, 0, {
		{ VALUE, 16385, 0, 0 }, { UPDATE, 0, 0, -EOVERFLOW }, { UPDATE, 0, BPF_NOEXIST, -EEXIST }, { UPDATE, 0, 99, -EINVAL },
		{ DELETE, 0, 0, 0 }, { DELETE, 2, 0, -EINVAL }, { NEXT, 1, 0, -ENOENT }, { POP, 0, 0, -TN_ENOTSUPP } } },
	{ "xskmap: value of 8", XSKMAP, 4, 8, 2, 0, { { CREATE, 0, 0, -EINVAL } } },
	{ "xskmap: ZERO_SEED", XSKMAP, 4, 4, 2, BPF_F_ZERO_SEED, { { CREATE, 0, 0, -EINVAL } } },
	{ "xskmap: no such socket", XSKMAP, 4, 4, 2, 0, {
		{ VALUE, 99999, 0, 0 }, { UPDATE, 1, 0, -EBADF }, { UPDATE, 2, 0, -E2BIG }, { UPDATE, 1, 99, -EINVAL }, { LOOKUP, 1, 0, -EOPNOTSUPP },
		{ DELETE, 1, 0, 0 }, { DELETE, 2, 0, -EINVAL }, { NEXT, 1, 0, -ENOENT } } },
	{ "hash of maps: no inner map", BPF_MAP_TYPE_HASH_OF_MAPS, 4, 4, 2, 0, { { CREATE, 0, 0, -EINVAL } } },
};
/* clang-format on */

/* Large enough for the values of every possible CPU, and for keys of 512. */
static unsigned char value_buffer[1 << 20];

static unsigned char *key_of(uint32_t key)
{
	static unsigned char buffer[512];

	memset(buffer, 0, sizeof(buffer));
	memcpy(buffer, &key, sizeof(key));
	return buffer;
}

static void set_value(uint32_t value)
{
	memset(value_buffer, 0, sizeof(value_buffer));
	memcpy(value_buffer, &value, sizeof(value));
}

/* ---- Tenon ---- */

/* The ports are those of this machine: 1 is its loopback device, and workers are processors. */
static int port_exists(void *user, uint32_t map_type, uint32_t port)
{
	(void)user;
	if (map_type == XSKMAP)
		return -EBADF;
	if (map_type == CPUMAP)
		return port < (uint64_t)sysconf(_SC_NPROCESSORS_CONF) ? 0 : -ENODEV;
	return port == 1 ? 0 : -ENODEV;
}

static int tenon_step(struct tn_map *map, const struct step *s)
{
	unsigned char next[512];

	switch (s->op) {
	case VALUE:
		set_value(s->key);
		return 0;
	case LOOKUP:
		return tn_map_host_lookup(map, key_of(s->key), value_buffer, s->flags);
	case UPDATE:
		return tn_map_host_update(map, key_of(s->key), value_buffer, s->flags);
	case DELETE:
		return tn_map_host_delete(map, key_of(s->key), s->flags);
	case POP:
		return tn_map_host_lookup_and_delete(map, key_of(s->key), value_buffer, s->flags);
	case NEXT:
		return tn_map_next_key(map, s->key == NONE ? NULL : key_of(s->key), next);
	case FREEZE:
		return tn_map_freeze(map);
	default:
		return 0;
	}
}

/* ---- The kernel ---- */

static int sys_bpf(int cmd, union bpf_attr *attr)
{
	long rc = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return rc < 0 ? -errno : (int)rc;
}

static int kernel_create(const struct row *row)
{
	union bpf_attr attr = { .map_type = row->type,
				.key_size = row->key_size,
				.value_size = row->value_size,
				.max_entries = row->max_entries,
				.map_flags = row->map_flags };

	return sys_bpf(BPF_MAP_CREATE, &attr);
}

static int kernel_step(int fd, const struct row *row, const struct step *s)
{
	static unsigned char next[512];
	union bpf_attr attr = { .map_fd = (uint32_t)fd };

	if (row->key_size && s->key != NONE)
		attr.key = (uintptr_t)key_of(s->key);
	attr.value = (uintptr_t)value_buffer;
	attr.flags = s->flags;
	switch (s->op) {
	case VALUE:
		set_value(s->key);
		return 0;
	case LOOKUP:
		return sys_bpf(BPF_MAP_LOOKUP_ELEM, &attr);
	case UPDATE:
		return sys_bpf(BPF_MAP_UPDATE_ELEM, &attr);
	case DELETE:
		attr.value = 0;
		return sys_bpf(BPF_MAP_DELETE_ELEM, &attr);
	case POP:
		return sys_bpf(BPF_MAP_LOOKUP_AND_DELETE_ELEM, &attr);
	case NEXT:
		attr.next_key = (uintptr_t)next;
		return sys_bpf(BPF_MAP_GET_NEXT_KEY, &attr);
	case FREEZE:
		attr = (union bpf_attr){ .map_fd = (uint32_t)fd };
		return sys_bpf(BPF_MAP_FREEZE, &attr);
	default:
		return 0;
	}
}

/* ---- The table on either ---- */

static void check(const struct row *row, const char *where, uint32_t step, int got, int want)
{
	if (got != want)
		fail_msg("%s, step %u: %s says %d, the table %d", row->name, step, where, got,
			 want);
}

/* What creating is to give: the row's first step says, else success. */
static int create_wanted(const struct row *row)
{
	return row->steps[0].op == CREATE ? row->steps[0].want : 0;
}

static void map_calls_answer_as_the_table_says(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < TN_ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		struct tn_map *map;

		set_value(0);
		test_rt.packet_ops.port = port_exists;
		map = try_map(row->type, row->key_size, row->value_size, row->max_entries,
			      row->map_flags);
		check(row, "create", 0, map ? 0 : -errno, create_wanted(row));
		for (uint32_t s = 0; map && s < STEPS && row->steps[s].op; s++)
			check(row, "tenon", s, tenon_step(map, &row->steps[s]), row->steps[s].want);
		tn_map_put(map);
	}
}

static void kernel_answers_as_the_table_says_where_allowed(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < TN_ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		int fd = kernel_create(row);

		set_value(0);
		if (fd == -EPERM || fd == -ENOSYS) {
			print_message("bpf(2) is refused: %s\n", strerror(-fd));
			skip();
		}
		check(row, "kernel, create,", 0, fd < 0 ? fd : 0, create_wanted(row));
		for (uint32_t s = 0; fd >= 0 && s < STEPS && row->steps[s].op; s++)
			check(row, "kernel", s, kernel_step(fd, row, &row->steps[s]),
			      row->steps[s].want);
		if (fd >= 0)
			close(fd);
	}
}

/* ---- Drawn steps on both, contents compared ---- */

#define DRAWN_STEPS 1500
#define DRAWN_KEYS  6

struct drawn {
	const char *name;
	uint32_t type, key_size, value_size, max_entries, map_flags;
	bool unordered; /* keys follow in an order of its own */
};

static const struct drawn drawn[] = {
	{ "hash", HASH, 4, 8, 4, 0, true },
	{ "hash, odd sizes", HASH, 5, 3, 4, 0, true },
	{ "hash, NO_PREALLOC", HASH, 8, 24, 4, BPF_F_NO_PREALLOC, true },
	{ "array", ARRAY, 4, 8, 4, 0, false },
	{ "array, odd size", ARRAY, 4, 5, 4, 0, false },
	{ "array, MMAPABLE", ARRAY, 4, 8, 4, BPF_F_MMAPABLE, false },
	/* Large enough that neither evicts. */
	{ "lru", LRU, 4, 8, 1000, 0, true },
	{ "trie", LPM, 8, 8, 4, 1, false },
	{ "queue", QUEUE, 0, 8, 4, 0, false },
	{ "stack", STACK, 0, 8, 4, 0, false },
	{ "devmap", DEVMAP, 4, 4, 4, 0, false },
	{ "devmap hash", DEVHASH, 4, 4, 4, 0, true },
	{ "cpumap", CPUMAP, 4, 4, 2, 0, false },
};

/* Keys of a trie are lengths of a prefix of zeros. */
static struct step draw_step(uint64_t *random)
{
	static const enum op ops[] = { LOOKUP, UPDATE, UPDATE, UPDATE, DELETE, POP, NEXT };
	static const uint64_t flags[] = { 0, 0, 0, 0, 0, BPF_NOEXIST, BPF_EXIST, 3, BPF_F_LOCK };
	uint64_t r = next_random(random);
	struct step s = { .op = ops[r % TN_ARRAY_SIZE(ops)], .key = (r >> 8) % DRAWN_KEYS };

	s.flags = flags[(r >> 16) % TN_ARRAY_SIZE(flags)];
	if (s.op == NEXT) {
		s.flags = 0;
		s.key = (r >> 24) % 8 ? s.key : NONE;
	}
	return s;
}

/* What the update writes: ports are 1, or none. */
static void draw_value(const struct drawn *d, uint64_t *random)
{
	uint64_t r = next_random(random);

	if (d->type == DEVMAP || d->type == DEVHASH || d->type == CPUMAP)
		r = r % 4 ? 1 : 0;
	memset(value_buffer, 0, sizeof(value_buffer));
	memcpy(value_buffer, &r, 8);
	memcpy(value_buffer + 8, &r, 8);
}

/* The result, and what came out. */
static int outcome(struct tn_map *map, int fd, const struct row *row, const struct step *s,
		   unsigned char *out)
{
	int rc;

	if (s->op == NEXT) {
		union bpf_attr attr = { .map_fd = (uint32_t)fd, .next_key = (uintptr_t)out };

		if (map)
			return tn_map_next_key(map, s->key == NONE ? NULL : key_of(s->key), out);
		if (row->key_size && s->key != NONE)
			attr.key = (uintptr_t)key_of(s->key);
		return sys_bpf(BPF_MAP_GET_NEXT_KEY, &attr);
	}
	if (s->op != UPDATE)
		memset(value_buffer, 0x5a, row->value_size);
	rc = map ? tenon_step(map, s) : kernel_step(fd, row, s);
	if (!rc && s->op != UPDATE && s->op != DELETE)
		memcpy(out, value_buffer, row->value_size);
	return rc;
}

/* All keys that there are, as bits: what walks in any order must agree on. */
static uint32_t walk(struct tn_map *map, int fd, const struct row *row)
{
	struct step s = { .op = NEXT, .key = NONE };
	unsigned char next[16] = { 0 };
	uint32_t seen = 0;

	for (uint32_t i = 0; i <= DRAWN_KEYS && !outcome(map, fd, row, &s, next); i++) {
		memcpy(&s.key, next, sizeof(s.key));
		seen |= 1u << s.key % 32;
	}
	return seen;
}

static void run_drawn(const struct drawn *d, struct tn_map *map, int fd)
{
	const struct row row = { .name = d->name,
				 .key_size = d->key_size,
				 .value_size = d->value_size };
	uint64_t random = 0x9e3779b97f4a7c15ull;

	for (uint32_t i = 0; i < DRAWN_STEPS; i++) {
		struct step s = draw_step(&random);
		unsigned char ours[64] = { 0 }, theirs[64] = { 0 };
		int rc, want;

		if (d->unordered && s.op == NEXT) {
			if (walk(map, -1, &row) != walk(NULL, fd, &row))
				fail_msg("%s, step %u: other keys", d->name, i);
			continue;
		}
		draw_value(d, &random);
		want = outcome(NULL, fd, &row, &s, theirs);
		rc = outcome(map, -1, &row, &s, ours);
		if (rc != want || memcmp(ours, theirs, sizeof(ours)))
			fail_msg("%s, step %u: call %d, key %u, flags %llu: %d, the kernel %d%s",
				 d->name, i, s.op, s.key, (unsigned long long)s.flags, rc, want,
				 rc == want ? ", other contents" : "");
	}
}

static void drawn_calls_leave_what_the_kernel_leaves(void **state)
{
	(void)state;
	test_rt.packet_ops.port = port_exists;
	for (uint32_t i = 0; i < TN_ARRAY_SIZE(drawn); i++) {
		const struct drawn *d = &drawn[i];
		const struct row row = {
			d->name,	d->type,      d->key_size,	   d->value_size,
			d->max_entries, d->map_flags, { { END, 0, 0, 0 } }
		};
		int fd = kernel_create(&row);
		struct tn_map *map;

		if (fd == -EPERM || fd == -ENOSYS) {
			print_message("bpf(2) is refused: %s\n", strerror(-fd));
			skip();
		}
		map = try_map(d->type, d->key_size, d->value_size, d->max_entries, d->map_flags);
		if (fd < 0 || !map)
			fail_msg("%s: cannot be created", d->name);
		run_drawn(d, map, fd);
		tn_map_put(map);
		close(fd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(map_calls_answer_as_the_table_says, start_rt,
						stop_rt),
		cmocka_unit_test(kernel_answers_as_the_table_says_where_allowed),
		cmocka_unit_test_setup_teardown(drawn_calls_leave_what_the_kernel_leaves, start_rt,
						stop_rt),
	};

	return cmocka_run_group_tests_name("maps/parity", tests, NULL, NULL);
}
