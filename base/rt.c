/* SPDX-License-Identifier: MIT */
#include "base/rt.h"

#include <errno.h>
#include <string.h>

#include "base/epoch.h"
#include "base/err.h"
#include "base/internal.h"

void tn_limits_default(struct tn_limits *out)
{
	*out = (struct tn_limits){
		.max_insns = 1000000,
		.max_verifier_steps = 1000000,
		.max_verifier_bytes = (size_t)16 << 20,
		.max_map_bytes = (size_t)256 << 20,
		.max_code_bytes = (size_t)64 << 20,
		.max_programs = 4096,
		.max_frames = 8,
		.frame_bytes = 512,
		.fuel = UINT64_C(1) << 26,
	};
}

static int check_limits(const struct tn_limits *l)
{
	if (l->max_frames < 1 || l->max_frames > TN_MAX_FRAMES)
		return tn_err(-EINVAL, "limit max_frames is %u, expected 1 to %u", l->max_frames,
			      TN_MAX_FRAMES);
	if (l->frame_bytes < 8 || l->frame_bytes > TN_MAX_FRAME_BYTES || l->frame_bytes % 8)
		return tn_err(-EINVAL, "limit frame_bytes is %u, expected a multiple of 8 up to %u",
			      l->frame_bytes, TN_MAX_FRAME_BYTES);
	return 0;
}

static void fork_prepare(struct tn_fork_ops *ops)
{
	pthread_mutex_lock(&TN_CONTAINER_OF(ops, struct tn_rt, fork)->lock);
}

/* In the child too: the lock was taken by the thread that lives on there. */
static void fork_done(struct tn_fork_ops *ops)
{
	pthread_mutex_unlock(&TN_CONTAINER_OF(ops, struct tn_rt, fork)->lock);
}

int tn_rt_init(struct tn_rt *rt, const struct tn_rt_config *config)
{
	static _Atomic uint32_t last_id;
	static const struct tn_rt_config none;
	int err;

	if (!config)
		config = &none;
	memset(rt, 0, sizeof(*rt));
	tn_kept_init(&rt->mem.kept);
	if (config->limits)
		rt->limits = *config->limits;
	else
		tn_limits_default(&rt->limits);
	err = check_limits(&rt->limits);
	if (err)
		return err;
	rt->max_slots = config->max_slots ? config->max_slots : 64;
	if (rt->max_slots > TN_MAX_SLOTS)
		return tn_err(-EINVAL, "max_slots is %u, expected at most %u", rt->max_slots,
			      TN_MAX_SLOTS);
	rt->log = (struct tn_log){ config->log, config->log_user,
				   config->log_level ? config->log_level : TN_LOG_WARN };
	rt->mem.alloc = config->alloc;
	rt->mem.user = config->alloc_user;
	rt->mem.limit[TN_CHARGE_MAPS] = rt->limits.max_map_bytes;
	rt->mem.limit[TN_CHARGE_CODE] = rt->limits.max_code_bytes;
	rt->id = tn_add_relaxed(&last_id, 1) + 1;
	/* Also sets up what is process-wide: the thread key, membarrier, the fork handlers. */
	if (!tn_thread_self())
		return tn_err_nomem("thread record");
	err = tn_slots_init(rt);
	if (err) {
		tn_kept_fini(&rt->mem.kept);
		return err;
	}
	pthread_mutex_init(&rt->lock, NULL);
	rt->fork = (struct tn_fork_ops){ .prepare = fork_prepare,
					 .parent = fork_done,
					 .child = fork_done };
	tn_fork_register(&rt->fork);
	return 0;
}

void tn_rt_fini(struct tn_rt *rt)
{
	if (!rt->id)
		return;
	/* Fails only in fence mode; the caller has drained, or knows that nothing is deferred. */
	if (tn_epoch_drain())
		tn_logf(rt, TN_LOG_WARN, "runtime ends with deferred work: %s", tn_err_last()->msg);
	tn_fork_unregister(&rt->fork);
	if (tn_load_relaxed(&rt->builtin_btf))
		tn_load_relaxed (&rt->free_builtin_btf)(tn_load_relaxed(&rt->builtin_btf));
	tn_store_relaxed(&rt->builtin_btf, NULL);
	if (tn_load_relaxed(&rt->timers))
		tn_load_relaxed (&rt->free_timers)(rt);
	tn_slots_fini(rt);
	pthread_mutex_destroy(&rt->lock);
	tn_kept_fini(&rt->mem.kept);
	rt->id = 0;
}

uint32_t tn_rt_id(const struct tn_rt *rt)
{
	return rt->id;
}
