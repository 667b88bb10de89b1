/* SPDX-License-Identifier: MIT */
/*
 * plugin.h - what a Tenon plugin includes, alone:
 *
 *	#include <tenon/plugin.h>
 *
 *	SEC("hook/request")
 *	int on_request(struct request_ctx *ctx) { return 0; }
 *
 *	char _license[] SEC("license") = "MIT";
 *
 * It is compiled by clang -target bpf -O2 -g. Names and numbers are the kernel's, so the same
 * source also builds against libbpf's headers. To use both, include <linux/bpf.h> (or vmlinux.h)
 * and <bpf/bpf_helpers.h> before this file: what they define is then left to them, and what they
 * are too old for is added. Packet headers come from <linux/if_ether.h>, <linux/ip.h> and so on.
 */
#ifndef TENON_PLUGIN_H
#define TENON_PLUGIN_H

#ifndef __bpf__
#error "tenon/plugin.h is for plugins: compile with clang -target bpf"
#endif

/* ---- Types --------------------------------------------------------------------- */

#ifndef __VMLINUX_H__
typedef unsigned char __u8;
typedef signed char __s8;
typedef unsigned short __u16;
typedef short __s16;
typedef unsigned int __u32;
typedef int __s32;
typedef unsigned long long __u64;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u64 __be64;
typedef __u32 __wsum;

typedef __u8 u8;
typedef __s8 s8;
typedef __u16 u16;
typedef __s16 s16;
typedef __u32 u32;
typedef __s32 s32;
typedef __u64 u64;
typedef __s64 s64;

#ifndef bool
#define bool _Bool
#define true 1
#define false 0
#endif
#endif

#ifndef NULL
#define NULL ((void *)0)
#endif
#ifndef offsetof
#define offsetof(type, member) __builtin_offsetof(type, member)
#endif

/* ---- What the loader and the verifier look at ------------------------------------ */

#ifndef __BPF_HELPERS__

/* Which section a program, a map or the license stands in. */
#define SEC(name)                                                                                 \
	_Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wignored-attributes\"") \
		__attribute__((section(name), used)) _Pragma("GCC diagnostic pop")

/* Maps: struct { __uint(type, BPF_MAP_TYPE_HASH); __type(key, u32); ... } name SEC(".maps"); */
#define __uint(name, val)  int(*name)[val]
#define __type(name, val)  __typeof__(val) *name
#define __array(name, val) __typeof__(val) *name[]

#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
#ifndef __noinline
#define __noinline __attribute__((noinline))
#endif
#ifndef __weak
#define __weak __attribute__((weak))
#endif
/* A function of several files that the verifier treats as if it were static. */
#define __hidden __attribute__((visibility("hidden")))

/* Arguments of global functions, which the verifier proves once, for all callers: the context; a
 * pointer that is never NULL; a handle of the host; one that may be NULL; a pointer into the arena.
 * Others are numbers, or pointers to memory of their type that may be NULL. */
#define __arg_ctx      __attribute__((btf_decl_tag("arg:ctx")))
#define __arg_nonnull  __attribute__((btf_decl_tag("arg:nonnull")))
#define __arg_trusted  __attribute__((btf_decl_tag("arg:trusted")))
#define __arg_nullable __attribute__((btf_decl_tag("arg:nullable")))
#define __arg_arena    __attribute__((btf_decl_tag("arg:arena")))
/* Before a program: what is thrown in it is given to this global function, which takes one __u64
 * and whose result is the program's. */
#define __exception_cb(name) __attribute__((btf_decl_tag("exception_callback:" #name)))

/* extern int host_function(int) __ksym;  a function or variable of the host
 * extern int CONFIG_LIMIT __kconfig;     a value from the host's load options */
#define __ksym	  __attribute__((section(".ksyms")))
#define __kconfig __attribute__((section(".kconfig")))

/* In map_flags: the map is one for all processes that the host forks, see tenon.h. */
#ifndef TENON_MAP_SHARED
#define TENON_MAP_SHARED (1u << 29)
#endif

enum libbpf_pin_type {
	LIBBPF_PIN_NONE,
	LIBBPF_PIN_BY_NAME,
};

enum libbpf_tristate {
	TRI_NO = 0,
	TRI_YES = 1,
	TRI_MODULE = 2,
};

#endif /* __BPF_HELPERS__ */

#ifndef barrier
#define barrier() __asm__ volatile("" ::: "memory")
#endif
/* Keeps the compiler from assuming anything about the value of `var`. */
#ifndef barrier_var
#define barrier_var(var) __asm__ volatile("" : "+r"(var))
#endif

/* ---- Constants and contexts of linux/bpf.h ---------------------------------------- */

#if !defined(_UAPI__LINUX_BPF_H__) && !defined(__LINUX_BPF_H__) && !defined(__VMLINUX_H__)

enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PROG_ARRAY = 3,
	BPF_MAP_TYPE_PERF_EVENT_ARRAY = 4,
	BPF_MAP_TYPE_PERCPU_HASH = 5,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_STACK_TRACE = 7,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_LRU_PERCPU_HASH = 10,
	BPF_MAP_TYPE_LPM_TRIE = 11,
	BPF_MAP_TYPE_ARRAY_OF_MAPS = 12,
	BPF_MAP_TYPE_HASH_OF_MAPS = 13,
	BPF_MAP_TYPE_DEVMAP = 14,
	BPF_MAP_TYPE_CPUMAP = 16,
	BPF_MAP_TYPE_XSKMAP = 17,
	BPF_MAP_TYPE_QUEUE = 22,
	BPF_MAP_TYPE_STACK = 23,
	BPF_MAP_TYPE_SK_STORAGE = 24,
	BPF_MAP_TYPE_DEVMAP_HASH = 25,
	BPF_MAP_TYPE_RINGBUF = 27,
	BPF_MAP_TYPE_TASK_STORAGE = 29,
	BPF_MAP_TYPE_BLOOM_FILTER = 30,
	BPF_MAP_TYPE_USER_RINGBUF = 31,
	BPF_MAP_TYPE_ARENA = 33,
};

enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
	BPF_EXIST = 2,
	BPF_F_LOCK = 4,
};

enum {
	BPF_LOCAL_STORAGE_GET_F_CREATE = 1U << 0,
	BPF_F_NO_PREALLOC = 1U << 0,
	BPF_F_NUMA_NODE = 1U << 2,
	BPF_F_RDONLY = 1U << 3,
	BPF_F_WRONLY = 1U << 4,
	BPF_F_ZERO_SEED = 1U << 6,
	BPF_F_RDONLY_PROG = 1U << 7,
	BPF_F_WRONLY_PROG = 1U << 8,
	BPF_F_MMAPABLE = 1U << 10,
	BPF_F_INNER_MAP = 1U << 12,
};

/* bpf_perf_event_output */
enum {
	BPF_F_INDEX_MASK = 0xffffffffULL,
	BPF_F_CURRENT_CPU = BPF_F_INDEX_MASK,
	BPF_F_CTXLEN_MASK = (0xfffffULL << 32),
};

/* bpf_get_stack, bpf_get_stackid */
enum {
	BPF_F_SKIP_FIELD_MASK = 0xffULL,
	BPF_F_USER_STACK = (1ULL << 8),
	BPF_F_FAST_STACK_CMP = (1ULL << 9),
	BPF_F_REUSE_STACKID = (1ULL << 10),
};

/* bpf_snprintf_btf, bpf_seq_printf_btf */
struct btf_ptr {
	void *ptr;
	__u32 type_id;
	__u32 flags;
};
enum {
	BTF_F_COMPACT = (1ULL << 0),
	BTF_F_NONAME = (1ULL << 1),
	BTF_F_PTR_RAW = (1ULL << 2),
	BTF_F_ZERO = (1ULL << 3),
};

/* bpf_ringbuf_submit, _discard, _output; bpf_ringbuf_query */
enum {
	BPF_RB_NO_WAKEUP = 1U << 0,
	BPF_RB_FORCE_WAKEUP = 1U << 1,
};
enum {
	BPF_RB_AVAIL_DATA = 0,
	BPF_RB_RING_SIZE = 1,
	BPF_RB_CONS_POS = 2,
	BPF_RB_PROD_POS = 3,
};

/* What bpf_for() and dynptrs keep in the stack. */
struct bpf_iter_num {
	__u64 opaque[1];
} __attribute__((aligned(8)));

/* In a map's value; see bpf_timer_init(). */
struct bpf_timer {
	__u64 opaque[2];
} __attribute__((aligned(8)));
/* In a map's value; see bpf_wq_init(). */
struct bpf_wq {
	__u64 opaque[2];
} __attribute__((aligned(8)));

struct bpf_spin_lock {
	__u32 val;
};
struct bpf_pidns_info {
	__u32 pid;
	__u32 tgid;
};
struct bpf_dynptr {
	__u64 opaque[2];
} __attribute__((aligned(8)));

enum xdp_action {
	XDP_ABORTED = 0,
	XDP_DROP,
	XDP_PASS,
	XDP_TX,
	XDP_REDIRECT,
};

struct xdp_md {
	__u32 data;
	__u32 data_end;
	__u32 data_meta;
	__u32 ingress_ifindex;
	__u32 rx_queue_index;
	__u32 egress_ifindex;
};

struct bpf_raw_tracepoint_args {
	__u64 args[0];
};

#define TENON_U64_POINTER(type, name) /* 8 bytes, whatever the target's pointers are */ \
	union {                                                                         \
		type name;                                                              \
		__u64 : 64;                                                             \
	} __attribute__((aligned(8)))

struct bpf_flow_keys;
struct bpf_sock;

struct __sk_buff {
	__u32 len;
	__u32 pkt_type;
	__u32 mark;
	__u32 queue_mapping;
	__u32 protocol;
	__u32 vlan_present;
	__u32 vlan_tci;
	__u32 vlan_proto;
	__u32 priority;
	__u32 ingress_ifindex;
	__u32 ifindex;
	__u32 tc_index;
	__u32 cb[5];
	__u32 hash;
	__u32 tc_classid;
	__u32 data;
	__u32 data_end;
	__u32 napi_id;
	__u32 family;
	__u32 remote_ip4;
	__u32 local_ip4;
	__u32 remote_ip6[4];
	__u32 local_ip6[4];
	__u32 remote_port;
	__u32 local_port;
	__u32 data_meta;
	TENON_U64_POINTER(struct bpf_flow_keys *, flow_keys);
	__u64 tstamp;
	__u32 wire_len;
	__u32 gso_segs;
	TENON_U64_POINTER(struct bpf_sock *, sk);
	__u32 gso_size;
	__u8 tstamp_type;
	__u32 : 24;
	__u64 hwtstamp;
};

enum {
	TC_ACT_UNSPEC = -1,
	TC_ACT_OK = 0,
	TC_ACT_SHOT = 2,
	TC_ACT_REDIRECT = 7,
};

#endif /* linux/bpf.h */

/* ---- Byte order --------------------------------------------------------------------- */

#ifndef __BPF_ENDIAN__
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define bpf_htons(x)	   ((__u16)__builtin_bswap16(x))
#define bpf_htonl(x)	   ((__u32)__builtin_bswap32(x))
#define bpf_cpu_to_be64(x) ((__u64)__builtin_bswap64(x))
#else
#define bpf_htons(x)	   ((__u16)(x))
#define bpf_htonl(x)	   ((__u32)(x))
#define bpf_cpu_to_be64(x) ((__u64)(x))
#endif
#define bpf_ntohs(x)	   bpf_htons(x)
#define bpf_ntohl(x)	   bpf_htonl(x)
#define bpf_be64_to_cpu(x) bpf_cpu_to_be64(x)
#endif

/* The plugin's own types in struct btf_ptr: bpf_core_type_id_local(struct x) | TENON_BTF_LOCAL.
 * Those of the host are bpf_core_type_id_kernel(struct x). */
#define TENON_BTF_LOCAL (1U << 31)

/* ---- Helpers: the kernel's numbers ----------------------------------------------------- */

struct __sk_buff;
struct bpf_dynptr;
struct bpf_pidns_info;
struct seq_file;
struct sk_msg_md;
struct bpf_iter_num;
struct bpf_sock_ops;
struct bpf_spin_lock;
struct bpf_timer;
struct bpf_wq;
struct btf_ptr;
struct xdp_md;

#ifndef __BPF_HELPERS__

#define TENON_BPF_FN(id, ret, name, ...) \
	static ret (*const name)(__VA_ARGS__) __attribute__((unused)) = (void *)(id)

/* The lock in a map's value: one at a time, and no calls while it is held. */
TENON_BPF_FN(93, void, bpf_spin_lock, struct bpf_spin_lock *lock);
TENON_BPF_FN(94, void, bpf_spin_unlock, struct bpf_spin_lock *lock);
/* Samples of the host: callback(struct bpf_dynptr *sample, void *ctx) gives 0 to go on, 1 to stop.
 * The number of samples, or -EBUSY. */
TENON_BPF_FN(209, long, bpf_user_ringbuf_drain, void *map, void *callback, void *callback_ctx,
	     __u64 flags);

/* Maps. A lookup gives a pointer into the map, to be tested for NULL. */
TENON_BPF_FN(1, void *, bpf_map_lookup_elem, void *map, const void *key);
TENON_BPF_FN(2, long, bpf_map_update_elem, void *map, const void *key, const void *value,
	     __u64 flags);
TENON_BPF_FN(3, long, bpf_map_delete_elem, void *map, const void *key);
/* Another slot's value of a per-slot map. */
/* A value of a thread, or of an object that the host gave a handle of (maps of type TASK_STORAGE
 * and SK_STORAGE). With BPF_LOCAL_STORAGE_GET_F_CREATE (1) it is made where there is none, as a
 * copy of `value`, or of zeros where that is NULL. */
struct task_struct;
TENON_BPF_FN(158, struct task_struct *, bpf_get_current_task_btf, void);
TENON_BPF_FN(156, void *, bpf_task_storage_get, void *map, struct task_struct *task, void *value,
	     __u64 flags);
TENON_BPF_FN(157, long, bpf_task_storage_delete, void *map, struct task_struct *task);
TENON_BPF_FN(107, void *, bpf_sk_storage_get, void *map, void *object, void *value, __u64 flags);
TENON_BPF_FN(108, long, bpf_sk_storage_delete, void *map, void *object);

TENON_BPF_FN(195, void *, bpf_map_lookup_percpu_elem, void *map, const void *key, __u32 slot);

/* Where the program was called from: addresses of the host's code, by its frame pointers, the
 * innermost first; its own frames are not among them. A number for them in a map of type
 * STACK_TRACE, in which the host looks them up (-EEXIST: another trace stands there); or they
 * themselves, bytes written, where the host shows addresses (addresses_visible). -EFAULT: none can
 * be found. For plugins under a GPL-compatible license. */
TENON_BPF_FN(27, long, bpf_get_stackid, void *ctx, void *map, __u64 flags);
TENON_BPF_FN(67, long, bpf_get_stack, void *ctx, void *to, __u32 size, __u64 flags);

/* Bloom filters: push puts a value in, peek gives 0 where it may be in, -ENOENT where it is not. */

/* Queues and stacks. A full one gives -E2BIG, with BPF_EXIST it drops its oldest value; pop and
 * peek of an empty one give -ENOENT and zeros. */
TENON_BPF_FN(87, long, bpf_map_push_elem, void *map, const void *value, __u64 flags);
TENON_BPF_FN(88, long, bpf_map_pop_elem, void *map, void *value);
TENON_BPF_FN(89, long, bpf_map_peek_elem, void *map, void *value);
/* A sample into the ring of the thread's slot; flags BPF_F_CURRENT_CPU, in a packet's program with
 * the bytes of the frame to go behind it << 32. */
TENON_BPF_FN(25, long, bpf_perf_event_output, void *ctx, void *map, __u64 flags, const void *data,
	     __u64 size);

/* The same of a packet that is the context or a handle (struct tenon_sk_buff, struct tenon_xdp_md):
 * -EFAULT where the frame has fewer bytes than the flags ask for. */
TENON_BPF_FN(111, long, bpf_skb_output, void *skb, void *map, __u64 flags, void *data, __u64 size);
TENON_BPF_FN(121, long, bpf_xdp_output, void *xdp, void *map, __u64 flags, void *data, __u64 size);

/* Time in nanoseconds. */
TENON_BPF_FN(5, __u64, bpf_ktime_get_ns, void);
TENON_BPF_FN(125, __u64, bpf_ktime_get_boot_ns, void);
TENON_BPF_FN(160, __u64, bpf_ktime_get_coarse_ns, void);
TENON_BPF_FN(208, __u64, bpf_ktime_get_tai_ns, void);

TENON_BPF_FN(118, __u64, bpf_jiffies64, void); /* 250 a second */

TENON_BPF_FN(7, __u32, bpf_get_prandom_u32, void);
TENON_BPF_FN(8, __u32, bpf_get_smp_processor_id, void); /* the thread's slot */

/* Process and user of the host. */
TENON_BPF_FN(14, __u64, bpf_get_current_pid_tgid, void);
TENON_BPF_FN(15, __u64, bpf_get_current_uid_gid, void);
TENON_BPF_FN(16, long, bpf_get_current_comm, void *buf, __u32 size);

/* -EINVAL where the process is not in the namespace with that device and inode. */
TENON_BPF_FN(120, long, bpf_get_ns_current_pid_tgid, __u64 dev, __u64 ino,
	     struct bpf_pidns_info *ids, __u32 size);
TENON_BPF_FN(42, long, bpf_get_numa_node_id, void);

/* Contexts made of a function's arguments: argument n as the caller passed it (-EPERM: a pointer,
 * which is read from the context itself), the result, how many there are. */
TENON_BPF_FN(183, long, bpf_get_func_arg, void *ctx, __u32 n, __u64 *value);
TENON_BPF_FN(184, long, bpf_get_func_ret, void *ctx, __u64 *value);
TENON_BPF_FN(185, long, bpf_get_func_arg_cnt, void *ctx);
/* The instruction where the context's registers stand; 0: it has none. */
TENON_BPF_FN(173, __u64, bpf_get_func_ip, void *ctx);
/* Contexts with a number `retval`: what the hook gives so far, and what it is to give. */
TENON_BPF_FN(186, int, bpf_get_retval, void);
TENON_BPF_FN(187, int, bpf_set_retval, int retval);
TENON_BPF_FN(58, long, bpf_override_return, void *ctx, __u64 retval);

/* Output of iterators. */
TENON_BPF_FN(126, long, bpf_seq_printf, struct seq_file *seq, const char *fmt, __u32 fmt_size,
	     const void *args, __u32 args_size);
TENON_BPF_FN(127, long, bpf_seq_write, struct seq_file *seq, const void *data, __u32 size);

/* Data as text by its type, "(struct x){.a = (int)1,}": into a buffer, the length it needs without
 * the NUL; or to an iterator's output. The struct btf_ptr stands in the stack, its type_id is a
 * constant and what it points to may be read; of handles what a plugin may read of them. Addresses
 * are scrambled. Where the host shows addresses anyway (addresses_visible), any will do, and
 * BTF_F_PTR_RAW shows them. -EFAULT, -E2BIG (more than 16384 values). */
TENON_BPF_FN(149, long, bpf_snprintf_btf, char *to, __u32 size, struct btf_ptr *ptr, __u32 ptr_size,
	     __u64 flags);
TENON_BPF_FN(150, long, bpf_seq_printf_btf, struct seq_file *seq, struct btf_ptr *ptr,
	     __u32 ptr_size, __u64 flags);

/* Does not return where the slot holds a program. */
TENON_BPF_FN(12, long, bpf_tail_call, void *ctx, void *prog_array, __u32 index);
/* What the host gave at attach. */
TENON_BPF_FN(174, __u64, bpf_get_attach_cookie, void *ctx);
/* Calls long callback(u32 index, void *ctx) until it returns 1; gives the number of calls. */
TENON_BPF_FN(181, long, bpf_loop, __u32 nr, void *callback, void *callback_ctx, __u64 flags);
/* The same for each element: long callback(map, const void *key, void *value, void *ctx). */
TENON_BPF_FN(164, long, bpf_for_each_map_elem, void *map, void *callback, void *callback_ctx,
	     __u64 flags);

/* Timers in map values, for plugins under a GPL-compatible license: int callback(void *map, const
 * void *key, void *value), which returns 0, is called once, `ns` after bpf_timer_start(), or at
 * that time with flag 1 (BPF_F_TIMER_ABS). The flags of bpf_timer_init() name the clock: 0
 * CLOCK_REALTIME, 1 CLOCK_MONOTONIC, 7 CLOCK_BOOTTIME. -EOPNOTSUPP: the host runs no timers. */
TENON_BPF_FN(169, long, bpf_timer_init, struct bpf_timer *timer, void *map, __u64 flags);
TENON_BPF_FN(170, long, bpf_timer_set_callback, struct bpf_timer *timer, void *callback);
TENON_BPF_FN(171, long, bpf_timer_start, struct bpf_timer *timer, __u64 ns, __u64 flags);
TENON_BPF_FN(172, long, bpf_timer_cancel, struct bpf_timer *timer);

/* Copies from an address that may be bad: then the result is negative and `to` is cleared. Memory
 * that the plugin may not read by itself they copy only where the host trusts it like its own code
 * (addresses_visible). All but the last are for plugins under a GPL-compatible license. */
TENON_BPF_FN(4, long, bpf_probe_read, void *to, __u32 size, const void *from);
TENON_BPF_FN(112, long, bpf_probe_read_user, void *to, __u32 size, const void *from);
TENON_BPF_FN(113, long, bpf_probe_read_kernel, void *to, __u32 size, const void *from);
TENON_BPF_FN(45, long, bpf_probe_read_str, void *to, __u32 size, const void *from);
TENON_BPF_FN(114, long, bpf_probe_read_user_str, void *to, __u32 size, const void *from);
TENON_BPF_FN(115, long, bpf_probe_read_kernel_str, void *to, __u32 size, const void *from);
TENON_BPF_FN(148, long, bpf_copy_from_user, void *to, __u32 size, const void *from);

/* Dynptrs: memory of a size that is known at run time alone. A record that was reserved must be
 * submitted or discarded on every path, also where reserve failed. */
TENON_BPF_FN(197, long, bpf_dynptr_from_mem, void *data, __u32 size, __u64 flags,
	     struct bpf_dynptr *out);
TENON_BPF_FN(198, long, bpf_ringbuf_reserve_dynptr, void *ringbuf, __u32 size, __u64 flags,
	     struct bpf_dynptr *out);
TENON_BPF_FN(199, void, bpf_ringbuf_submit_dynptr, struct bpf_dynptr *record, __u64 flags);
TENON_BPF_FN(200, void, bpf_ringbuf_discard_dynptr, struct bpf_dynptr *record, __u64 flags);
TENON_BPF_FN(201, long, bpf_dynptr_read, void *to, __u32 size, const struct bpf_dynptr *from,
	     __u32 offset, __u64 flags);
TENON_BPF_FN(202, long, bpf_dynptr_write, const struct bpf_dynptr *to, __u32 offset, void *from,
	     __u32 size, __u64 flags);
TENON_BPF_FN(203, void *, bpf_dynptr_data, const struct bpf_dynptr *from, __u32 offset, __u32 size);

/* Ring buffer. What reserve gives must be submitted or discarded on every path. */
TENON_BPF_FN(130, long, bpf_ringbuf_output, void *ringbuf, void *data, __u64 size, __u64 flags);
TENON_BPF_FN(131, void *, bpf_ringbuf_reserve, void *ringbuf, __u64 size, __u64 flags);
TENON_BPF_FN(132, void, bpf_ringbuf_submit, void *data, __u64 flags);
TENON_BPF_FN(133, void, bpf_ringbuf_discard, void *data, __u64 flags);
TENON_BPF_FN(134, __u64, bpf_ringbuf_query, void *ringbuf, __u64 flags);

/* Text. As in the kernel, the two that print are for plugins under a GPL-compatible license. */
TENON_BPF_FN(6, long, bpf_trace_printk, const char *fmt, __u32 fmt_size, ...);
TENON_BPF_FN(177, long, bpf_trace_vprintk, const char *fmt, __u32 fmt_size, const void *args,
	     __u32 args_size);
TENON_BPF_FN(165, long, bpf_snprintf, char *out, __u32 size, const char *fmt, __u64 *args,
	     __u32 args_size);
/* How many characters the number takes, or negative; flags is the base, 0: as the text says. */
TENON_BPF_FN(105, long, bpf_strtol, const char *text, unsigned long size, __u64 flags, long *out);
TENON_BPF_FN(106, long, bpf_strtoul, const char *text, unsigned long size, __u64 flags,
	     unsigned long *out);
TENON_BPF_FN(182, long, bpf_strncmp, const char *s1, __u32 s1_size, const char *s2);

/* Packets: copies bytes of the frame, wherever they lie. */
TENON_BPF_FN(46, __u64, bpf_get_socket_cookie, void *ctx);
TENON_BPF_FN(47, __u32, bpf_get_socket_uid, struct __sk_buff *skb);
TENON_BPF_FN(49, long, bpf_setsockopt, void *ctx, int level, int name, void *value, int size);
TENON_BPF_FN(57, long, bpf_getsockopt, void *ctx, int level, int name, void *value, int size);
TENON_BPF_FN(59, long, bpf_sock_ops_cb_flags_set, struct bpf_sock_ops *ops, int flags);
TENON_BPF_FN(61, long, bpf_msg_apply_bytes, struct sk_msg_md *msg, __u32 bytes);
TENON_BPF_FN(62, long, bpf_msg_cork_bytes, struct sk_msg_md *msg, __u32 bytes);
TENON_BPF_FN(63, long, bpf_msg_pull_data, struct sk_msg_md *msg, __u32 start, __u32 end,
	     __u64 flags);
TENON_BPF_FN(26, long, bpf_skb_load_bytes, const void *skb, __u32 offset, void *to, __u32 size);
TENON_BPF_FN(189, long, bpf_xdp_load_bytes, struct xdp_md *xdp, __u32 offset, void *to, __u32 size);
TENON_BPF_FN(188, __u64, bpf_xdp_get_buff_len, struct xdp_md *xdp);
/* The same the other way. */
TENON_BPF_FN(9, long, bpf_skb_store_bytes, struct __sk_buff *skb, __u32 offset, const void *from,
	     __u32 size, __u64 flags);
TENON_BPF_FN(190, long, bpf_xdp_store_bytes, struct xdp_md *xdp, __u32 offset, void *from,
	     __u32 size);
/* A checksum in the frame, of which `from` became `to`: flags is their size, 2 or 4, or 0 where
 * `to` is the difference that bpf_csum_diff() gave. */
TENON_BPF_FN(10, long, bpf_l3_csum_replace, struct __sk_buff *skb, __u32 offset, __u64 from,
	     __u64 to, __u64 flags);
TENON_BPF_FN(11, long, bpf_l4_csum_replace, struct __sk_buff *skb, __u32 offset, __u64 from,
	     __u64 to, __u64 flags);
TENON_BPF_FN(40, __s64, bpf_csum_update, struct __sk_buff *skb, __wsum csum);
TENON_BPF_FN(34, __u32, bpf_get_hash_recalc, struct __sk_buff *skb);
TENON_BPF_FN(48, long, bpf_set_hash, struct __sk_buff *skb, __u32 hash);
TENON_BPF_FN(41, void, bpf_set_hash_invalid, struct __sk_buff *skb);
/* Bytes of the frame (from 0), or of its network header (1). */
TENON_BPF_FN(68, long, bpf_skb_load_bytes_relative, const void *skb, __u32 offset, void *to,
	     __u32 size, __u32 from);
TENON_BPF_FN(135, long, bpf_csum_level, struct __sk_buff *skb, __u64 level);
/* A verdict; the host sends the frame there. Or a copy at once. */
TENON_BPF_FN(23, long, bpf_redirect, __u32 ifindex, __u64 flags);
/* To the port of a map of ports; flags: the verdict where there is none, or BPF_F_BROADCAST. */
TENON_BPF_FN(51, long, bpf_redirect_map, void *map, __u64 key, __u64 flags);
TENON_BPF_FN(13, long, bpf_clone_redirect, struct __sk_buff *skb, __u32 ifindex, __u64 flags);
/* 0: the frame, made longer by `delta`, fits the device; 1, 2: it does not. */
TENON_BPF_FN(163, long, bpf_check_mtu, void *ctx, __u32 ifindex, __u32 *mtu_len, __s32 delta,
	     __u64 flags);
/* Room behind the network header (mode 0) or in front of it (1), or less of it. */
TENON_BPF_FN(50, long, bpf_skb_adjust_room, struct __sk_buff *skb, __s32 delta, __u32 mode,
	     __u64 flags);
/* The ends of the frame. What was loaded of data, data_end and data_meta is no longer good. */
TENON_BPF_FN(39, long, bpf_skb_pull_data, struct __sk_buff *skb, __u32 size);
TENON_BPF_FN(38, long, bpf_skb_change_tail, struct __sk_buff *skb, __u32 size, __u64 flags);
TENON_BPF_FN(43, long, bpf_skb_change_head, struct __sk_buff *skb, __u32 more, __u64 flags);
TENON_BPF_FN(44, long, bpf_xdp_adjust_head, struct xdp_md *xdp, int delta);
TENON_BPF_FN(54, long, bpf_xdp_adjust_meta, struct xdp_md *xdp, int delta);
TENON_BPF_FN(65, long, bpf_xdp_adjust_tail, struct xdp_md *xdp, int delta);
/* The checksum, in 16 bits, of seed without `from` and with `to`; sizes are multiples of 4. */
TENON_BPF_FN(28, __s64, bpf_csum_diff, const void *from, __u32 from_size, const void *to,
	     __u32 to_size, __u32 seed);

/* bpf_printk("%d of %d", a, b): a line to the host's log, at most 12 arguments.
 * BPF_SNPRINTF(buf, sizeof(buf), "%s=%d", key, value): the same into a buffer. */
#define TENON_NTH_(_0, _1, _2, _3, _4, _5, _6, _7, _8, _9, _10, _11, _12, n, ...) n
#define TENON_NARGS_(...)							  TENON_NTH_(0, ##__VA_ARGS__, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define TENON_LIST_0_()
#define TENON_LIST_1_(a)       (__u64)(a)
#define TENON_LIST_2_(a, ...)  (__u64)(a), TENON_LIST_1_(__VA_ARGS__)
#define TENON_LIST_3_(a, ...)  (__u64)(a), TENON_LIST_2_(__VA_ARGS__)
#define TENON_LIST_4_(a, ...)  (__u64)(a), TENON_LIST_3_(__VA_ARGS__)
#define TENON_LIST_5_(a, ...)  (__u64)(a), TENON_LIST_4_(__VA_ARGS__)
#define TENON_LIST_6_(a, ...)  (__u64)(a), TENON_LIST_5_(__VA_ARGS__)
#define TENON_LIST_7_(a, ...)  (__u64)(a), TENON_LIST_6_(__VA_ARGS__)
#define TENON_LIST_8_(a, ...)  (__u64)(a), TENON_LIST_7_(__VA_ARGS__)
#define TENON_LIST_9_(a, ...)  (__u64)(a), TENON_LIST_8_(__VA_ARGS__)
#define TENON_LIST_10_(a, ...) (__u64)(a), TENON_LIST_9_(__VA_ARGS__)
#define TENON_LIST_11_(a, ...) (__u64)(a), TENON_LIST_10_(__VA_ARGS__)
#define TENON_LIST_12_(a, ...) (__u64)(a), TENON_LIST_11_(__VA_ARGS__)
#define TENON_PASTE__(a, b, c) a##b##c
#define TENON_PASTE_(a, b, c)  TENON_PASTE__(a, b, c)
#define TENON_LIST_(...)       TENON_PASTE_(TENON_LIST_, TENON_NARGS_(__VA_ARGS__), _)(__VA_ARGS__)

#define TENON_PRINTK_FEW_(fmt, ...)                                  \
	({                                                           \
		static const char fmt_[] = fmt;                      \
		bpf_trace_printk(fmt_, sizeof(fmt_), ##__VA_ARGS__); \
	})
#define TENON_PRINTK_MANY_(fmt, ...)                                         \
	({                                                                   \
		static const char fmt_[] = fmt;                              \
		__u64 args_[] = { TENON_LIST_(__VA_ARGS__) };                \
		bpf_trace_vprintk(fmt_, sizeof(fmt_), args_, sizeof(args_)); \
	})
#define TENON_PRINTK_PICK_(...)                                                                    \
	TENON_NTH_(0, ##__VA_ARGS__, TENON_PRINTK_MANY_, TENON_PRINTK_MANY_, TENON_PRINTK_MANY_,   \
		   TENON_PRINTK_MANY_, TENON_PRINTK_MANY_, TENON_PRINTK_MANY_, TENON_PRINTK_MANY_, \
		   TENON_PRINTK_MANY_, TENON_PRINTK_MANY_, TENON_PRINTK_FEW_, TENON_PRINTK_FEW_,   \
		   TENON_PRINTK_FEW_, TENON_PRINTK_FEW_)
#define bpf_printk(fmt, ...) TENON_PRINTK_PICK_(__VA_ARGS__)(fmt, ##__VA_ARGS__)

#define BPF_SNPRINTF(out, size, fmt, ...)                            \
	({                                                           \
		static const char fmt_[] = fmt;                      \
		__u64 args_[] = { TENON_LIST_(__VA_ARGS__) };        \
		bpf_snprintf(out, size, fmt_, args_, sizeof(args_)); \
	})

/* ---- Functions by name ------------------------------------------------------------------- */

extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __weak __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __weak __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __weak __ksym;

/* bpf_for(i, 0, n) { ... }: i from 0 below n; break and return are fine. A range of constants costs
 * no fuel. The last test tells the verifier what i is. The cast makes clang describe the function
 * that cleans up. */
#define bpf_for(i, start, end)                                                                   \
	for (struct bpf_iter_num it_ __attribute__((aligned(8), cleanup(bpf_iter_num_destroy))), \
	     *made_ __attribute__((unused)) =                                                    \
		     (bpf_iter_num_new(&it_, (start), (end)), (void)bpf_iter_num_destroy, &it_); \
	     ({                                                                                  \
		     int *next_ = bpf_iter_num_next(&it_);                                       \
		     (i) = next_ ? *next_ : 0;                                                   \
		     next_ && (i) >= (start) && (i) < (end);                                     \
	     });)

/* bpf_repeat(n) { ... } */
#define bpf_repeat(n)                                                                            \
	for (struct bpf_iter_num it_ __attribute__((aligned(8), cleanup(bpf_iter_num_destroy))), \
	     *made_ __attribute__((unused)) =                                                    \
		     (bpf_iter_num_new(&it_, 0, (n)), (void)bpf_iter_num_destroy, &it_);         \
	     bpf_iter_num_next(&it_);)

#endif /* __BPF_HELPERS__ */

#ifndef __VMLINUX_H__
/* Of up to 511 words: the numbers of the bits that are set. */
struct bpf_iter_bits {
	__u64 opaque[2];
} __attribute__((aligned(8)));
extern int bpf_iter_bits_new(struct bpf_iter_bits *it, const __u64 *words,
			     __u32 nr_words) __weak __ksym;
extern int *bpf_iter_bits_next(struct bpf_iter_bits *it) __weak __ksym;
extern void bpf_iter_bits_destroy(struct bpf_iter_bits *it) __weak __ksym;

/* The program ends with this result, from whatever function; what it holds is given back. See
 * __exception_cb(). */
extern void bpf_throw(__u64 result) __weak __ksym;

/* Workqueues in map values, as timers without a time: the function is called soon, on a thread of
 * the host's choice, once for each start that found it idle. All flags are 0. */
extern int bpf_wq_init(struct bpf_wq *wq, void *map, unsigned int flags) __weak __ksym;
extern int bpf_wq_set_callback_impl(struct bpf_wq *wq,
				    int (*callback)(void *map, int *key, void *value),
				    unsigned int flags, void *none) __weak __ksym;
extern int bpf_wq_start(struct bpf_wq *wq, unsigned int flags) __weak __ksym;
#ifndef bpf_wq_set_callback
#define bpf_wq_set_callback(wq, callback, flags) \
	bpf_wq_set_callback_impl(wq, callback, flags, (void *)0)
#endif

/* The packet as a dynptr; pieces of it, or NULL where they are not inside. `buffer` may be NULL. */
extern int bpf_dynptr_from_skb(struct __sk_buff *skb, __u64 flags,
			       struct bpf_dynptr *out) __weak __ksym;
extern int bpf_dynptr_from_xdp(struct xdp_md *xdp, __u64 flags,
			       struct bpf_dynptr *out) __weak __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *from, __u32 offset, void *buffer,
			      __u32 size) __weak __ksym;
extern void *bpf_dynptr_slice_rdwr(const struct bpf_dynptr *from, __u32 offset, void *buffer,
				   __u32 size) __weak __ksym;
extern int bpf_dynptr_adjust(const struct bpf_dynptr *p, __u32 start, __u32 end) __weak __ksym;
extern bool bpf_dynptr_is_null(const struct bpf_dynptr *p) __weak __ksym;
extern bool bpf_dynptr_is_rdonly(const struct bpf_dynptr *p) __weak __ksym;
extern __u32 bpf_dynptr_size(const struct bpf_dynptr *p) __weak __ksym;
extern int bpf_dynptr_clone(const struct bpf_dynptr *p, struct bpf_dynptr *out) __weak __ksym;
#endif

/* ---- The host's types, where they differ from the plugin's (CO-RE) ---------------------------
 *
 * Structures declared between TENON_TYPES_BEGIN and TENON_TYPES_END (tenon/host.h), or with
 * __attribute__((preserve_access_index)), are accessed where the host has their fields. What a host
 * does not have, a program may not come to: it asks first. FIELD is an access (`job->size`) or two
 * arguments, a type and a field (`struct job, size`). Types and fields of other releases get names
 * of their own behind three underscores, which are not looked at: struct job___v3.
 */
#ifndef __BPF_CORE_READ_H__
#define TENON_CORE_FIELD_1_(access)	  access
#define TENON_CORE_FIELD_2_(type, field)  ((__typeof__(type) *)0)->field
#define TENON_CORE_PICK_(a, b, name, ...) name
#define TENON_CORE_FIELD_(...)                                                    \
	TENON_CORE_PICK_(__VA_ARGS__, TENON_CORE_FIELD_2_, TENON_CORE_FIELD_1_, ) \
	(__VA_ARGS__)
#define TENON_CORE_INFO_(kind, ...) \
	__builtin_preserve_field_info(TENON_CORE_FIELD_(__VA_ARGS__), kind)

#define bpf_core_field_offset(...) TENON_CORE_INFO_(0, __VA_ARGS__)
#define bpf_core_field_size(...)   TENON_CORE_INFO_(1, __VA_ARGS__)
#define bpf_core_field_exists(...) TENON_CORE_INFO_(2, __VA_ARGS__)

#define bpf_core_type_id_local(type)  __builtin_btf_type_id(*(__typeof__(type) *)0, 0)
#define bpf_core_type_id_kernel(type) __builtin_btf_type_id(*(__typeof__(type) *)0, 1)
#define bpf_core_type_exists(type)    __builtin_preserve_type_info(*(__typeof__(type) *)0, 0)
#define bpf_core_type_size(type)      __builtin_preserve_type_info(*(__typeof__(type) *)0, 1)
#define bpf_core_type_matches(type)   __builtin_preserve_type_info(*(__typeof__(type) *)0, 2)

/* The value that the host gives an enumerator: bpf_core_enum_value(enum state, STATE_DONE). */
#define bpf_core_enum_value_exists(type, value) \
	__builtin_preserve_enum_value(*(__typeof__(type) *)value, 0)
#define bpf_core_enum_value(type, value) \
	__builtin_preserve_enum_value(*(__typeof__(type) *)value, 1)

/* Bit fields, wherever their bits are: BPF_CORE_READ_BITFIELD(job, flag). */
#define BPF_CORE_READ_BITFIELD(s, field)                                                        \
	({                                                                                      \
		const void *at_ = (const void *)(s) + TENON_CORE_INFO_(0, (s)->field);          \
		__u64 bits_ = 0;                                                                \
                                                                                                \
		/* One address for the four loads, which are no accesses of the field's own. */ \
		__asm__ volatile("" : "+r"(at_));                                               \
		switch (TENON_CORE_INFO_(1, (s)->field)) {                                      \
		case 1:                                                                         \
			bits_ = *(const __u8 *)at_;                                             \
			break;                                                                  \
		case 2:                                                                         \
			bits_ = *(const __u16 *)at_;                                            \
			break;                                                                  \
		case 4:                                                                         \
			bits_ = *(const __u32 *)at_;                                            \
			break;                                                                  \
		case 8:                                                                         \
			bits_ = *(const __u64 *)at_;                                            \
			break;                                                                  \
		}                                                                               \
		bits_ <<= TENON_CORE_INFO_(4, (s)->field);                                      \
		TENON_CORE_INFO_(3, (s)->field)                                                 \
		? (__u64)((__s64)bits_ >> TENON_CORE_INFO_(5, (s)->field))                      \
		: bits_ >> TENON_CORE_INFO_(5, (s)->field);                                     \
	})
#endif

/* ---- Loops without a proof of their end ---------------------------------------------------
 *
 *	for (i = 0; can_loop && node; i++) ...		or
 *	while (node) { cond_break; ... }
 *
 * The may_goto instruction leaves the loop when its budget (2^23 rounds) is used up. It is written
 * as bytes because assemblers before clang 19 do not know it; offset and half of the immediate as
 * one word, since their backend takes a 16-bit difference for a jump target.
 */
#define TENON_MAY_GOTO_(label)                                                                    \
	__asm__ goto("1:.byte 0xe5, 0; .4byte ((%l[" #label "] - 1b - 8) / 8) & 0xffff; .2byte 0" \
		     :                                                                            \
		     :                                                                            \
		     :                                                                            \
		     : label)

#ifndef can_loop
#define can_loop                       \
	({                             \
		__label__ out_, end_;  \
		bool more_ = true;     \
		TENON_MAY_GOTO_(out_); \
		goto end_;             \
out_:                                  \
		more_ = false;         \
end_:;                                 \
		more_;                 \
	})
#endif

#ifndef cond_break
#define cond_break                     \
	({                             \
		__label__ out_, end_;  \
		TENON_MAY_GOTO_(out_); \
		goto end_;             \
out_:                                  \
		break;                 \
end_:;                                 \
	})
#endif

/* ---- Programs that stand for functions -------------------------------------------- */

/*
 * A program whose context is the array of a function's arguments (struct_ops, fentry, tp_btf),
 * written as that function: int BPF_PROG(name, struct conn *c, u32 len) { ... }. `ctx` is the array
 * itself. At most 12 arguments; floating point as u64 of its bits.
 */
#ifndef BPF_PROG
/* clang-format off */
#define TENON_SLOTS_0_ tenon_slots_
#define TENON_SLOTS_1_ TENON_SLOTS_0_, (void *)tenon_slots_[0]
#define TENON_SLOTS_2_ TENON_SLOTS_1_, (void *)tenon_slots_[1]
#define TENON_SLOTS_3_ TENON_SLOTS_2_, (void *)tenon_slots_[2]
#define TENON_SLOTS_4_ TENON_SLOTS_3_, (void *)tenon_slots_[3]
#define TENON_SLOTS_5_ TENON_SLOTS_4_, (void *)tenon_slots_[4]
#define TENON_SLOTS_6_ TENON_SLOTS_5_, (void *)tenon_slots_[5]
#define TENON_SLOTS_7_ TENON_SLOTS_6_, (void *)tenon_slots_[6]
#define TENON_SLOTS_8_ TENON_SLOTS_7_, (void *)tenon_slots_[7]
#define TENON_SLOTS_9_ TENON_SLOTS_8_, (void *)tenon_slots_[8]
#define TENON_SLOTS_10_ TENON_SLOTS_9_, (void *)tenon_slots_[9]
#define TENON_SLOTS_11_ TENON_SLOTS_10_, (void *)tenon_slots_[10]
#define TENON_SLOTS_12_ TENON_SLOTS_11_, (void *)tenon_slots_[11]
#define TENON_13TH_(a, b, c, d, e, f, g, h, i, j, k, l, m, n, ...) n
#define TENON_COUNT_(...) TENON_13TH_(_, ##__VA_ARGS__, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define TENON_PASTE__(a, b, c) a##b##c
#define TENON_PASTE_(a, b, c)  TENON_PASTE__(a, b, c)
/* clang-format on */
#define BPF_PROG(name, ...)                                                                              \
	name(unsigned long long *tenon_slots_);                                                          \
	static inline __attribute__((always_inline)) __typeof__(name(0)) tenon_body_##name(              \
		unsigned long long *ctx, ##__VA_ARGS__);                                                 \
	__typeof__(name(0)) name(unsigned long long *tenon_slots_)                                       \
	{                                                                                                \
		_Pragma("GCC diagnostic push")                                                           \
			_Pragma("GCC diagnostic ignored \"-Wint-conversion\"") return tenon_body_##name( \
				TENON_PASTE_(TENON_SLOTS_, TENON_COUNT_(__VA_ARGS__), _));               \
		_Pragma("GCC diagnostic pop")                                                            \
	}                                                                                                \
	static inline __attribute__((always_inline)) __typeof__(name(0)) tenon_body_##name(              \
		unsigned long long *ctx, ##__VA_ARGS__)
#endif

#endif
