/* SPDX-License-Identifier: MIT */
/*
 * The kernel-numbered helpers. Bodies take r1..r5 as the verifier passed them: pointers are valid
 * for the sizes that helpers.def states, so nothing is checked twice; what depends on values
 * (flags, ranges) is, with the kernel's errno.
 */
#include "vm/helpers.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sched.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/rt.h"
#include "maps/map.h"
#include "maps/ringbuf.h"
#include "vm/helper_body.h"
#include "vm/kfuncs.h"
#include "vm/trace.h"

#define BODY(name) TN_HELPER_BODY(static, name)

static void *ptr(uint64_t reg)
{
	return (void *)(uintptr_t)reg;
}

static struct tn_map *map(uint64_t reg)
{
	return ptr(reg);
}

static uint64_t from_int(int64_t value)
{
	return (uint64_t)value;
}

/* ---- Maps ---- */

BODY(map_lookup_elem)
{
	return (uintptr_t)map(r1)->ops->lookup(map(r1), ptr(r2), ex->slot);
}

BODY(map_update_elem)
{
	return from_int(map(r1)->ops->update(map(r1), ptr(r2), ptr(r3), r4, ex->slot));
}

BODY(map_delete_elem)
{
	return from_int(map(r1)->ops->del(map(r1), ptr(r2)));
}

/* map, key, slot. What a slot holds that no thread had yet is charged first. */
BODY(map_lookup_percpu_elem)
{
	struct tn_map *m = map(r1);
	uint32_t slot = (uint32_t)r3;
	void *value;

	if (slot >= m->nr_slots)
		return 0;
	value = m->ops->lookup_slot ? m->ops->lookup_slot(m, ptr(r2), slot)
				    : m->ops->lookup(m, ptr(r2), slot);
	return !value || tn_map_use_slot(m, slot) ? 0 : (uintptr_t)value;
}

BODY(ringbuf_output)
{
	return from_int(tn_ringbuf_output(map(r1), ptr(r2), r3, r4));
}

BODY(ringbuf_reserve)
{
	return (uintptr_t)tn_ringbuf_reserve(map(r1), r2, r3);
}

BODY(ringbuf_submit)
{
	tn_ringbuf_submit(ptr(r1), r2);
	return 0;
}

BODY(ringbuf_discard)
{
	tn_ringbuf_discard(ptr(r1), r2);
	return 0;
}

BODY(ringbuf_query)
{
	return tn_ringbuf_query(map(r1), r2);
}

/* ---- Time ---- */

static uint64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

BODY(ktime_get_ns)
{
	return TN_TRACE_NUMBER(tn_clock_ns());
}

BODY(ktime_get_boot_ns)
{
	return clock_ns(CLOCK_BOOTTIME);
}

BODY(ktime_get_coarse_ns)
{
	return clock_ns(CLOCK_MONOTONIC_COARSE);
}

BODY(ktime_get_tai_ns)
{
	return clock_ns(CLOCK_TAI);
}

/* The kernel's usual 250 ticks a second. */
BODY(jiffies64)
{
	return clock_ns(CLOCK_BOOTTIME) / (1000000000u / 250);
}

/* ---- Who runs ---- */

BODY(get_smp_processor_id)
{
	return ex->slot;
}

BODY(get_numa_node_id)
{
	unsigned int cpu, node = 0;

	return getcpu(&cpu, &node) ? 0 : node;
}

/* device and inode of the namespace, struct bpf_pidns_info, its size. The kernel's own is asked
 * each time: a process may have been moved. */
BODY(get_ns_current_pid_tgid)
{
	uint32_t ids[2] = { 0, 0 };
	struct stat ns;
	int err = -EINVAL;

	if (r4 == sizeof(ids) && !stat("/proc/self/ns/pid", &ns) && ns.st_dev == r1 &&
	    ns.st_ino == r2) {
		ids[0] = (uint32_t)syscall(SYS_gettid);
		ids[1] = (uint32_t)getpid();
		err = 0;
	}
	memset(ptr(r3), 0, r4);
	memcpy(ptr(r3), ids, TN_MIN(r4, sizeof(ids)));
	return from_int(err);
}

BODY(get_attach_cookie)
{
	return ex->cookie;
}

BODY(get_current_pid_tgid)
{
	return (uint64_t)(uint32_t)getpid() << 32 | (uint32_t)syscall(SYS_gettid);
}

BODY(get_current_uid_gid)
{
	return (uint64_t)getgid() << 32 | getuid();
}

BODY(get_current_comm)
{
	char comm[16] = "";
	size_t size = r2;

	prctl(PR_GET_NAME, comm);
	comm[sizeof(comm) - 1] = 0;
	memset(ptr(r1), 0, size);
	memcpy(ptr(r1), comm, TN_MIN(size - 1, strlen(comm)));
	return 0;
}

/* ---- Random numbers: a counter, scrambled. Not for secrets, as in the kernel. ---- */

/* A forked child has another thread id: it must not repeat its parent's numbers. */
static _Thread_local struct {
	uint64_t state;
	int32_t tid;
} prandom __attribute__((tls_model("initial-exec")));

static TN_COLD void seed_prandom(int32_t tid)
{
	uint64_t seed;

	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
		seed = tn_clock_ns() ^ (uintptr_t)&prandom ^ (uint64_t)tid << 32;
	prandom.state = seed | 1;
	prandom.tid = tid;
}

BODY(get_prandom_u32)
{
	int32_t tid = ex->thread ? ex->thread->tid : 0;
	uint64_t x;

	if (tn_unlikely(!prandom.state || prandom.tid != tid))
		seed_prandom(tid);
	/* Even step, odd seed: it comes by 0 never. The multipliers are those of splitmix64. */
	x = prandom.state += 0x9e3779b97f4a7c16u;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return (uint32_t)TN_TRACE_NUMBER(x >> 32);
}

/* ---- Text ---- */

#define MAX_FORMAT_BYTES 512
#define MAX_LINE_BYTES	 TN_FORMAT_MAX_LINE
#define MAX_FORMAT_ARGS	 12

/* The format may stand in memory that another thread writes, so a copy is checked and used. */
static int copy_format(char out[MAX_FORMAT_BYTES], uint64_t fmt, uint64_t size)
{
	if (size > MAX_FORMAT_BYTES)
		return -E2BIG;
	memcpy(out, ptr(fmt), size);
	return out[size - 1] ? -EINVAL : 0;
}

static uint64_t print_line(struct tn_exec *ex, uint64_t fmt, uint64_t size, const uint64_t *args,
			   uint32_t nr_args)
{
	char format[MAX_FORMAT_BYTES], line[MAX_LINE_BYTES];
	struct tn_rt *rt = ex->rt;
	size_t len;
	int err;

	err = copy_format(format, fmt, size);
	if (err)
		return from_int(err);
	err = tn_format(line, sizeof(line), format, args, nr_args);
	if (err < 0)
		return from_int(err);
	len = strlen(line);
	if (rt && rt->printk) {
		if (len && line[len - 1] == '\n')
			line[len - 1] = 0;
		rt->printk(rt->printk_user, line);
	}
	/* How long a text at some address is would tell the program of memory that is not its own.
	 */
	return tn_format_reads_memory(format) ? strlen(format) : len;
}

BODY(trace_printk)
{
	const uint64_t args[3] = { r3, r4, r5 };

	return print_line(ex, r1, r2, args, 3);
}

/* The values of bpf_trace_vprintk and bpf_snprintf: an array of u64, which need not be aligned. */
static int copy_args(uint64_t out[MAX_FORMAT_ARGS], uint64_t data, uint64_t size)
{
	if (size % 8 || size / 8 > MAX_FORMAT_ARGS || (size && !data))
		return -EINVAL;
	if (size)
		memcpy(out, ptr(data), size);
	return 0;
}

int tn_format_values(char *out, uint32_t out_size, uint64_t fmt, uint64_t fmt_size, uint64_t data,
		     uint64_t size)
{
	uint64_t args[MAX_FORMAT_ARGS];
	char format[MAX_FORMAT_BYTES];
	int err = copy_args(args, data, size);

	if (!err)
		err = copy_format(format, fmt, fmt_size);
	return err ? err : tn_format(out, out_size, format, args, (uint32_t)(size / 8));
}

BODY(trace_vprintk)
{
	uint64_t args[MAX_FORMAT_ARGS];
	int err = copy_args(args, r3, r4);

	return err ? from_int(err) : print_line(ex, r1, r2, args, (uint32_t)(r4 / 8));
}

BODY(format_text)
{
	uint64_t args[MAX_FORMAT_ARGS];
	uint32_t size = (uint32_t)r2;
	int err = copy_args(args, r4, r5);
	size_t used = 0;

	if (!err)
		err = tn_format(ptr(r1), size, ptr(r3), args, (uint32_t)(r5 / 8));
	/* The verifier takes the whole buffer as written: nothing that stood there may be left. */
	if (err >= 0 && size)
		used = strnlen(ptr(r1), size);
	if (size)
		memset((char *)ptr(r1) + used, 0, size - used);
	return from_int(err);
}

BODY(compare_text)
{
	return from_int(strncmp(ptr(r1), ptr(r3), r2));
}

/* ---- Callbacks ---- */

#define MAX_LOOPS (1u << 23)

BODY(loop)
{
	const struct tn_func *callback = ptr(r2);
	uint32_t fuel = ex->callback_fuel; /* a nested call changes it */
	uint32_t rounds = (uint32_t)r1;

	if (r4)
		return from_int(-EINVAL);
	if (rounds > MAX_LOOPS)
		return from_int(-E2BIG);
	for (uint32_t i = 0; i < rounds; i++) {
		uint64_t stop;

		ex->fuel -= fuel;
		if (tn_unlikely(ex->fuel < 0)) {
			ex->abort = TN_ABORT_FUEL;
			return 0;
		}
		stop = tn_func_call(callback, ex, i, r3, 0, 0, 0);
		if (tn_unlikely(ex->abort))
			return 0;
		if (stop)
			return i + 1;
	}
	return rounds;
}

static void *look_at(struct tn_map *map, const void *key, uint32_t slot)
{
	return map->ops->look_at ? map->ops->look_at(map, key, slot)
				 : map->ops->lookup(map, key, slot);
}

/* The keys as the host's walk gives them; elements that are removed meanwhile may be left out. */
BODY(for_each_map_elem)
{
	const struct tn_func *callback = ptr(r2);
	uint32_t fuel = ex->callback_fuel, nr = 0;
	uint64_t key_words[2][TN_MAX_EACH_KEY / 8];
	bool first = true;

	if (r4 || map(r1)->key_size > TN_MAX_EACH_KEY)
		return from_int(-EINVAL);
	/* A map that programs change all the while must not be walked for ever. */
	for (uint32_t i = 0; i < map(r1)->max_entries; i++, first = false) {
		void *key = key_words[i & 1], *value;

		if (map(r1)->ops->next_key(map(r1), first ? NULL : key_words[~i & 1], key))
			break;
		value = look_at(map(r1), key, ex->slot);
		if (!value)
			continue;
		ex->fuel -= fuel;
		if (tn_unlikely(ex->fuel < 0)) {
			ex->abort = TN_ABORT_FUEL;
			return 0;
		}
		nr++;
		if (tn_func_call(callback, ex, r1, (uintptr_t)key, (uintptr_t)value, r3, 0) ||
		    tn_unlikely(ex->abort))
			break;
	}
	return nr;
}

/* ---- The table ---- */

#define TYPE(name)     (1u << TN_MAP_##name)
#define SLOT_MAPS      (TYPE(PERCPU_HASH) | TYPE(PERCPU_ARRAY) | TYPE(LRU_PERCPU_HASH))
#define VALUE_MAPS     (SLOT_MAPS | TYPE(HASH) | TYPE(ARRAY) | TYPE(LRU_HASH))
#define CHANGE_MAPS    (VALUE_MAPS | TYPE(LPM_TRIE) | TYPE(KERNEL))
#define DEVICE_MAPS    (TYPE(DEVMAP) | TYPE(DEVMAP_HASH))
#define PORT_MAPS      (DEVICE_MAPS | TYPE(CPUMAP) | TYPE(XSKMAP))
#define LOOKUP_MAPS    (CHANGE_MAPS | DEVICE_MAPS | TYPE(ARRAY_OF_MAPS) | TYPE(HASH_OF_MAPS))
#define QUEUE_MAPS     (TYPE(QUEUE) | TYPE(STACK))
#define PUSH_MAPS      (QUEUE_MAPS | TYPE(BLOOM_FILTER))
#define TRACE_MAPS     TYPE(STACK_TRACE)
#define PERF_MAPS      TYPE(PERF_EVENT_ARRAY)
#define PROG_MAPS      TYPE(PROG_ARRAY)
#define USER_RING_MAPS TYPE(USER_RINGBUF)
#define RING_MAPS      TYPE(RINGBUF)
#define TIMER_MAPS     (TYPE(HASH) | TYPE(LRU_HASH) | TYPE(ARRAY))

#define TASK_MAPS   TYPE(TASK_STORAGE)
#define OBJECT_MAPS TYPE(SK_STORAGE)

#define RET_NONE      .ret = TN_RET_VOID
#define RET_I32	      .ret = TN_RET_SCALAR, .ret_ctype = TN_C_I32
#define RET_U32	      .ret = TN_RET_SCALAR, .ret_ctype = TN_C_U32
#define RET_I64	      .ret = TN_RET_SCALAR, .ret_ctype = TN_C_I64
#define RET_U64	      .ret = TN_RET_SCALAR, .ret_ctype = TN_C_U64
#define RET_MAP_VALUE .ret = TN_RET_MAP_VALUE, .ret_ctype = TN_C_PTR
#define RET_RECORD    .ret = TN_RET_RINGBUF_RECORD, .ret_ctype = TN_C_PTR
#define RET_SLICE     .ret = TN_RET_SLICE, .ret_ctype = TN_C_PTR
/* No declared type has a name with a blank: no field of it is ever shown. */
#define THREAD	      "current task_struct"
#define RET_THREAD    .ret = TN_RET_HANDLE, .ret_ctype = TN_C_PTR, .ret_handle = THREAD
#define RET_TAIL_CALL .ret = TN_RET_NOTHING_RETURNS, .ret_ctype = TN_C_I64

#define ARG(kind_, ctype_, ...)                                             \
	{                                                                   \
		.kind = TN_ARG_##kind_, .ctype = TN_C_##ctype_, __VA_ARGS__ \
	}
#define MAP(types)    ARG(MAP, PTR, .map_types = (types))
#define KEY	      ARG(MAP_KEY, PTR, )
#define VALUE	      ARG(MAP_VALUE, PTR, )
#define VALUE_OUT     ARG(MAP_VALUE_OUT, PTR, )
#define ANY	      ARG(ANY, U64, )
#define DYNPTR	      ARG(DYNPTR, PTR, )
#define DYNPTR_NEW    ARG(DYNPTR_NEW, PTR, )
#define DYNPTR_END    ARG(DYNPTR, PTR, .release = true)
#define WLONG	      ARG(WMEM_FIXED, PTR, .struct_size = 8)
#define INOUT_U32     ARG(WMEM_FIXED, PTR, .struct_size = 4, .in_out = true)
#define SEQ_FILE      ARG(HANDLE, PTR, .handle = "tenon_seq_file")
#define TASK	      ARG(HANDLE, PTR, .handle = THREAD, .rdonly = true, .nullable = true)
#define OBJECT	      ARG(OBJECT, PTR, )
#define VALUE_OR_NULL ARG(MAP_VALUE, PTR, .nullable = true)
#define U32	      ARG(SCALAR, U32, )
#define U64	      ARG(SCALAR, U64, )
#define I32	      ARG(SCALAR, I32, )
#define CTX	      ARG(CTX, PTR, )
#define MEM	      ARG(MEM, PTR, )
#define MEM_OR_NULL   ARG(MEM, PTR, .nullable = true)
#define WMEM	      ARG(WMEM, PTR, )
#define WMEM_OR_NULL  ARG(WMEM, PTR, .nullable = true)
#define SIZE	      ARG(SIZE, U64, )
#define SIZE_OR_ZERO  ARG(SIZE_OR_ZERO, U64, )
#define CONST_SIZE    ARG(CONST_SIZE, U64, )
#define STR	      ARG(STR, PTR, )
#define RECORD	      ARG(RINGBUF_RECORD, PTR, .release = true)
#define FUNC	      ARG(FUNC, PTR, )
#define TIMER	      ARG(TIMER, PTR, )
#define PACKET(name)  ARG(PACKET, PTR, .handle = name)
#define BTF_PTR	      ARG(BTF_PTR, PTR, )
#define LOCK	      ARG(SPIN_LOCK, PTR, )
#define STACK_OR_NULL ARG(STACK_OR_NULL, PTR, .nullable = true)

/* The first element makes the array of a helper without arguments valid C. */
#define NR_ARGS(...) (sizeof((struct tn_arg[]){ { 0 }, __VA_ARGS__ }) / sizeof(struct tn_arg) - 1)

static const struct tn_helper helpers[] = {
#define TN_HELPER(id_, name_, fn_, ret_, flags_, ...)                        \
	{ .id = (id_),                                                       \
	  .name = #name_,                                                    \
	  .full_name = "bpf_" #name_,                                        \
	  .fn = fn_,                                                         \
	  .sig = { ret_, .nr_args = NR_ARGS(__VA_ARGS__), .flags = (flags_), \
		   .args = { __VA_ARGS__ } } },
#include "vm/helpers.def"
};

enum row {
#define TN_HELPER(id, name, ...) ROW_##name,
#include "vm/helpers.def"
};

/* One more than the row of each number; 0: none. The kernel's list ended at 211. */
static const uint8_t row_of[212] = {
#define TN_HELPER(id, name, ...) [id] = ROW_##name + 1,
#include "vm/helpers.def"
};

const struct tn_helper *tn_helper_by_id(uint32_t id)
{
	if (id >= TN_KFUNC_BASE)
		return tn_kfunc_by_id(id);
	if (id >= TN_ARRAY_SIZE(row_of) || !row_of[id])
		return NULL;
	return &helpers[row_of[id] - 1];
}

const struct tn_helper *tn_helper_by_name(const char *name)
{
	for (size_t i = 0; i < TN_ARRAY_SIZE(helpers); i++) {
		if (!strcmp(helpers[i].name, name))
			return &helpers[i];
	}
	return NULL;
}

const struct tn_helper *tn_helper_next(const struct tn_helper *prev)
{
	const struct tn_helper *next = prev ? prev + 1 : helpers;

	return next < helpers + TN_ARRAY_SIZE(helpers) ? next : NULL;
}

void tn_helpers_set_printk(struct tn_rt *rt, void (*fn)(void *user, const char *line), void *user)
{
	rt->printk = fn;
	rt->printk_user = user;
}
