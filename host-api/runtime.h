/* SPDX-License-Identifier: MIT */
/*
 * The root of everything a host made: struct tenon_runtime, its registries, and how options
 * structs are read. The registries are protected by rt.lock (see base/rt.h), which is never held
 * while a program runs, while waiting for an epoch, or while verifying and compiling.
 */
#ifndef TN_HOST_RUNTIME_H
#define TN_HOST_RUNTIME_H

#include <pthread.h>

#include "base/atomic.h"
#include "base/epoch.h"
#include "base/err.h"
#include "base/rt.h"
#include "tenon/tenon.h"

struct tn_hook;
struct tn_timer_thread;
struct tn_ctx_entry;
struct tn_helper_entry;
struct tn_var_entry;
struct tn_section_entry;
struct tn_pin;
struct tn_prog_sig;
struct tn_host_btf;
struct tn_ops_type;

struct tn_state_env;
struct tn_state;

struct tenon_runtime {
	struct tn_rt rt; /* first: lower floors see this part alone */
	enum tenon_engine engine;
	bool stats, perf_map;
	struct tn_timer_thread *timer_thread; /* under rt.lock; NULL: none */

	/* ---- under rt.lock ---- */
	struct tn_hook *hooks;
	struct tn_ctx_entry *ctx_types;
	struct tn_ctx_entry *structs; /* behind handles */
	struct tn_helper_entry *helpers;
	struct tn_var_entry *vars;
	struct tn_section_entry *sections; /* handlers, the first that was added first */
	struct tn_pin *pins;
	struct tn_prog_sig *prog_sigs;
	struct tn_host_btf *btfs;      /* in the order given; only grows */
	struct tn_ops_type *ops_types; /* atomic for readers; only grows */
	struct tenon_object *objects;
	struct tenon_map *maps; /* the host's own */
	uint32_t nr_links;	/* owned by the caller */
	uint32_t nr_ring_buffers;
	uint32_t nr_programs; /* in open objects */

	/* Programs, links and chains that wait for an epoch before they are freed. */
	_Atomic uint32_t nr_pending;

	/* For tests: sees the verifier's states, see struct tn_verify_env. NULL: nobody. */
	void (*observe)(void *user, struct tn_state_env *senv, const struct tn_state *s,
			bool fresh);
	void *observe_user;
};

static inline void tn_lock(struct tenon_runtime *rt)
{
	pthread_mutex_lock(&rt->rt.lock);
}

static inline void tn_unlock(struct tenon_runtime *rt)
{
	pthread_mutex_unlock(&rt->rt.lock);
}

/* Is the calling thread inside a program (or another epoch section)? Waiting would never end. */
bool tn_inside(void);

/* -EDEADLK with words when tn_inside(). */
int tn_check_outside(const char *what);

/*
 * Options structs begin with their size. Copy what the caller knows into `local` (of `size` bytes,
 * zeroed first); a NULL `opts` gives all zero. -EINVAL: sz is not set; -E2BIG: a field that this
 * library does not know is not zero.
 */
int tn_opts_read(const char *what, const void *opts, void *local, size_t size);
/* Copy back what the caller's struct has room for; its sz stays. */
void tn_opts_write(void *opts, const void *local, size_t size);

/* The whole of a regular file of at most `max` bytes, a NUL behind it; *out: tn_free() it. */
int tn_read_file(struct tn_rt *rt, const char *path, size_t max, unsigned char **out, size_t *size);

/* errno from a negative code, NULL as the result: for constructors whose words are written. */
void *tn_null(int code);

#endif
