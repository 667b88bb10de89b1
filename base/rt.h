/* SPDX-License-Identifier: MIT */
/*
 * What every floor needs of a runtime: allocation, logging, limits, slots. host-api's struct
 * tenon_runtime begins with one; unit tests of lower floors make one alone.
 */
#ifndef TN_BASE_RT_H
#define TN_BASE_RT_H

#include <pthread.h>

#include "base/fork.h"
#include "base/log.h"
#include "base/mem.h"

/* All set: zero is not a default here; tn_limits_default() gives the public defaults. */
struct tn_limits {
	uint32_t max_insns;
	uint32_t max_verifier_steps;
	size_t max_verifier_bytes;
	size_t max_map_bytes;
	size_t max_code_bytes;
	uint32_t max_programs;
	uint32_t max_frames, frame_bytes;
	uint64_t fuel;
};

#define TN_MAX_FRAMES	   64
#define TN_MAX_FRAME_BYTES 4096
#define TN_MAX_SLOTS	   1024
#define TN_MAX_BTF_TARGETS 16

struct tn_rt;
struct tn_btf;
struct tn_timers;
struct tenon_sk_buff; /* the host's side of a packet; vm has a name of its own for it */
struct tenon_sk_msg;
struct tenon_sock;
typedef int (*tn_slot_taken_fn)(struct tn_rt *rt, uint32_t slot);

struct tn_rt {
	struct tn_mem mem;
	struct tn_log log;
	struct tn_limits limits;
	uint32_t id; /* unique in the process, never 0, never reused */
	uint32_t max_slots;
	struct tn_slot_table *slots; /* owned, slot.c */
	/* A slot is handed out for the first time: 0, or -errno and the thread shares the last
	 * slot. NULL: nothing to do. Called without locks by the thread that gets it. */
	_Atomic(tn_slot_taken_fn) slot_taken;
	struct tn_fork_ops fork;
	bool jit_warned; /* the one warning that the interpreter serves */
	/* Reads through untrusted pointers are plain loads under the handler of base/fault.h; else
	 * the kernel does them. Constant once programs are loaded. */
	bool fault_handler;
	/* Devices of the host, for packet helpers. Constant once programs are loaded. */
	struct tn_packet_ops {
		int (*clone_redirect)(void *user, const struct tenon_sk_buff *skb, uint32_t ifindex,
				      uint64_t flags);
		int (*mtu)(void *user, uint32_t ifindex);
		void *user;
		int (*port)(void *user, uint32_t map_type, uint32_t port);
	} packet_ops;
	/* Connections of the host, for socket helpers: as struct tenon_socket_ops. Constant once
	 * programs are loaded. */
	struct tn_socket_ops {
		uint64_t (*cookie)(void *user, const struct tenon_sock *sk);
		uint32_t (*uid)(void *user, const struct tenon_sock *sk);
		int (*setsockopt)(void *user, struct tenon_sock *sk, int level, int name,
				  const void *value, uint32_t len);
		int (*getsockopt)(void *user, struct tenon_sock *sk, int level, int name,
				  void *value, uint32_t len);
		int (*msg_apply)(void *user, struct tenon_sk_msg *msg, uint32_t bytes);
		int (*msg_cork)(void *user, struct tenon_sk_msg *msg, uint32_t bytes);
		int (*msg_pull)(void *user, struct tenon_sk_msg *msg, uint32_t start, uint32_t end);
		void *user;
	} socket_ops;
	/* Where bpf_trace_printk's lines go, see tn_helpers_set_printk(). NULL: dropped. */
	void (*printk)(void *user, const char *line);
	void *printk_user;
	/* The first BTFs of the host, in order, for helpers: they only grow and stay. */
	_Atomic(const struct tn_btf *) host_btf[TN_MAX_BTF_TARGETS];
	/* The builtin types, made on first use (vm/btf_builtin.c), and what frees them. */
	_Atomic(struct tn_btf *) builtin_btf;
	_Atomic(void (*)(struct tn_btf *)) free_builtin_btf;

	/* Timers in maps (maps/timer.c), made with the first map that has some, and what frees
	 * them. */
	_Atomic(struct tn_timers *) timers;
	_Atomic(void (*)(struct tn_rt *)) free_timers;

	/* Protects the registries of host-api (hooks, helpers, objects) and every chain's writers.
	 * Nests outside any map lock. Never held while a program runs or a host callback other than
	 * log or alloc is called. */
	pthread_mutex_t lock;
};

struct tn_rt_config {
	tn_log_fn log;
	void *log_user;
	int log_level;
	tn_alloc_fn alloc;
	void *alloc_user;
	const struct tn_limits *limits; /* NULL: defaults */
	uint32_t max_slots;		/* 0: 64 */
};

void tn_limits_default(struct tn_limits *out);
int tn_rt_init(struct tn_rt *rt,
	       const struct tn_rt_config *config) TN_WARN_UNUSED; /* NULL: defaults */
/* Waits for deferred functions, where that is possible (tn_epoch_drain()). No thread may use `rt`.
 */
void tn_rt_fini(struct tn_rt *rt);

/* The calling thread's slot in `rt`. */
static TN_ALWAYS_INLINE uint32_t tn_slot(struct tn_rt *rt, struct tn_thread *t)
{
	return tn_likely(t->slot_rt_id == rt->id) ? t->slot : tn_slot_take(rt, t);
}

#endif
