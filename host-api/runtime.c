/* SPDX-License-Identifier: MIT */
/*
 * The runtime's life, its options and limits, and the face of the error record.
 */
#include "host-api/runtime.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "host-api/hook.h"
#include "host-api/host_btf.h"
#include "host-api/host_type.h"
#include "host-api/map_handle.h"
#include "host-api/object.h"
#include "host-api/pin.h"
#include "host-api/section_handler.h"
#include "host-api/struct_ops.h"
#include "host-api/var.h"
#include "vm/helpers.h"

#define STRINGIFY_(x) #x
#define STRINGIFY(x)  STRINGIFY_(x)

_Static_assert((int)TENON_STAGE_OPEN == TN_STAGE_OPEN &&
		       (int)TENON_STAGE_RESOLVE == TN_STAGE_RESOLVE &&
		       (int)TENON_STAGE_VERIFY == TN_STAGE_VERIFY &&
		       (int)TENON_STAGE_COMPILE == TN_STAGE_COMPILE &&
		       (int)TENON_STAGE_ATTACH == TN_STAGE_ATTACH &&
		       (int)TENON_STAGE_RUN == TN_STAGE_RUN,
	       "stages are the same numbers inside and outside");
_Static_assert((int)TENON_LOG_ERROR == TN_LOG_ERROR && (int)TENON_LOG_DEBUG == TN_LOG_DEBUG,
	       "log levels are the same numbers inside and outside");

const char *tenon_version_string(void)
{
	return STRINGIFY(TENON_VERSION_MAJOR) "." STRINGIFY(TENON_VERSION_MINOR) ".0";
}

const struct tenon_error *tenon_last_error(void)
{
	static _Thread_local struct tenon_error shown;
	const struct tn_err_record *rec = tn_err_last();

	shown = (struct tenon_error){
		.code = rec->code,
		.stage = (enum tenon_stage)rec->stage,
		.object = rec->object[0] ? rec->object : NULL,
		.program = rec->program[0] ? rec->program : NULL,
		.insn = rec->code ? rec->insn : -1,
		.source = rec->source[0] ? rec->source : NULL,
		.msg = rec->msg,
	};
	return &shown;
}

bool tn_inside(void)
{
	return tn_thread_tls && tn_thread_tls->depth > 0;
}

int tn_check_outside(const char *what)
{
	if (!tn_inside())
		return 0;
	return tn_err(-EDEADLK, "%s waits for running programs, so a program may not call it",
		      what);
}

int tn_opts_read(const char *what, const void *opts, void *local, size_t size)
{
	const unsigned char *bytes = opts;
	size_t sz, i;

	memset(local, 0, size);
	if (!opts)
		return 0;
	memcpy(&sz, opts, sizeof(sz));
	if (sz < sizeof(sz))
		return tn_err(-EINVAL, "%s: sz is %zu; set it to sizeof(the struct)", what, sz);
	for (i = size; i < sz; i++) {
		if (bytes[i])
			return tn_err(-E2BIG,
				      "%s: byte %zu is set, which this version (%s) does "
				      "not know",
				      what, i, tenon_version_string());
	}
	memcpy(local, opts, TN_MIN(sz, size));
	return 0;
}

void tn_opts_write(void *opts, const void *local, size_t size)
{
	size_t sz;

	memcpy(&sz, opts, sizeof(sz));
	if (sz > sizeof(sz))
		memcpy((char *)opts + sizeof(sz), (const char *)local + sizeof(sz),
		       TN_MIN(sz, size) - sizeof(sz));
}

void *tn_null(int code)
{
	errno = -code;
	return NULL;
}

/* A zero keeps the default. */
#define OVERRIDE(to, from)             \
	do {                           \
		if (from)              \
			(to) = (from); \
	} while (0)

static int read_limits(const struct tenon_limits *opts, struct tn_limits *out)
{
	struct tenon_limits want;
	int rc;

	tn_limits_default(out);
	rc = tn_opts_read("tenon_limits", opts, &want, sizeof(want));
	if (rc)
		return rc;
	if (want.max_frames > TN_MAX_FRAMES || want.frame_bytes > TN_MAX_FRAME_BYTES ||
	    want.frame_bytes % 8)
		return tn_err(-EINVAL,
			      "limits: max_frames %u, frame_bytes %u; at most %d frames of at most "
			      "%d bytes, a multiple of 8",
			      want.max_frames, want.frame_bytes, TN_MAX_FRAMES, TN_MAX_FRAME_BYTES);
	OVERRIDE(out->max_insns, want.max_insns);
	OVERRIDE(out->max_verifier_steps, want.max_verifier_steps);
	OVERRIDE(out->max_verifier_bytes, want.max_verifier_bytes);
	OVERRIDE(out->max_map_bytes, want.max_map_bytes);
	OVERRIDE(out->max_code_bytes, want.max_code_bytes);
	OVERRIDE(out->max_programs, want.max_programs);
	OVERRIDE(out->max_frames, want.max_frames);
	OVERRIDE(out->frame_bytes, want.frame_bytes);
	OVERRIDE(out->fuel, want.fuel);
	return 0;
}

static void printk_line(void *user, const char *line)
{
	tn_logf(user, TN_LOG_INFO, "printk: %s", line);
}

/* The runtime's own block comes from the host's allocator too; it exists before any tn_rt does. */
static void *raw_alloc(const struct tenon_runtime_opts *opts, size_t size)
{
	return opts->alloc ? opts->alloc(opts->alloc_user, NULL, 0, size) : malloc(size);
}

static void raw_free(tn_alloc_fn alloc, void *user, void *p, size_t size)
{
	if (alloc)
		alloc(user, p, size, 0);
	else
		free(p);
}

struct tenon_runtime *tenon_runtime_new(const struct tenon_runtime_opts *opts)
{
	struct tenon_runtime_opts want;
	struct tn_limits limits;
	struct tn_rt_config config;
	struct tenon_runtime *rt;
	int rc;

	rc = tn_opts_read("tenon_runtime_opts", opts, &want, sizeof(want));
	if (!rc)
		rc = read_limits(want.limits, &limits);
	if (!rc && (want.engine > TENON_ENGINE_JIT || want.max_slots > TN_MAX_SLOTS ||
		    want.log_level > TENON_LOG_DEBUG))
		rc = tn_err(-EINVAL,
			    "runtime: engine %d, log level %d or max_slots %u is unknown "
			    "or too large (at most %d slots)",
			    (int)want.engine, (int)want.log_level, want.max_slots, TN_MAX_SLOTS);
	if (rc)
		return tn_null(rc);
	config = (struct tn_rt_config){
		.log = (tn_log_fn)want.log,
		.log_user = want.log_user,
		.log_level = want.log_level ? (int)want.log_level : TN_LOG_WARN,
		.alloc = want.alloc,
		.alloc_user = want.alloc_user,
		.limits = &limits,
		.max_slots = want.max_slots,
	};
	if (want.fault_handler && TN_FAULT_HANDLER) {
		rc = tn_fault_install();
		if (rc)
			return tn_null(rc);
	}
	rt = raw_alloc(&want, sizeof(*rt));
	if (!rt)
		return tn_null(tn_err_nomem("runtime"));
	memset(rt, 0, sizeof(*rt));
	rc = tn_rt_init(&rt->rt, &config);
	if (rc) {
		raw_free(want.alloc, want.alloc_user, rt, sizeof(*rt));
		return tn_null(rc);
	}
	rt->engine = want.engine;
	rt->stats = want.stats;
	rt->perf_map = want.perf_map;
	rt->rt.fault_handler = want.fault_handler && TN_FAULT_HANDLER;
	tn_helpers_set_printk(&rt->rt, printk_line, &rt->rt);
	return rt;
}

/* Freeing a program drops its maps, which wait for an epoch of their own: several rounds. Each
 * round that frees nothing more ends it. */
static int drain(struct tenon_runtime *rt)
{
	size_t before, after = SIZE_MAX;
	int rc;

	do {
		before = after;
		rc = tn_epoch_drain();
		if (rc)
			return rc;
		after = tn_load_relaxed(&rt->rt.mem.bytes[TN_CHARGE_HEAP]) +
			tn_load_relaxed(&rt->rt.mem.bytes[TN_CHARGE_MAPS]) +
			tn_load_relaxed(&rt->rt.mem.bytes[TN_CHARGE_CODE]);
	} while (after < before || tn_load_relaxed(&rt->nr_pending));
	return 0;
}

int tenon_runtime_free(struct tenon_runtime *rt)
{
	tn_alloc_fn alloc;
	void *user;
	int rc;

	if (!rt)
		return 0;
	rc = tn_check_outside("tenon_runtime_free");
	if (rc)
		return rc;
	tn_lock(rt);
	if (rt->nr_links || rt->nr_ring_buffers)
		rc = tn_err(-EBUSY,
			    "runtime: %u links and %u ring buffers are still owned by the "
			    "host",
			    rt->nr_links, rt->nr_ring_buffers);
	if (!rc)
		rc = tn_ops_check_idle(rt);
	tn_unlock(rt);
	if (rc)
		return rc;
	rc = tenon_runtime_timers_stop(rt);
	if (rc)
		return rc;
	while (rt->objects) {
		rc = tenon_object_close(rt->objects);
		if (rc && rc != -EAGAIN)
			return rc;
	}
	tn_hooks_fini(rt);
	tn_pins_fini(rt);
	while (rt->maps)
		tenon_map_free(rt->maps);
	rc = drain(rt);
	if (rc)
		return rc;
	tn_ops_fini(rt);
	tn_host_types_fini(rt);
	tn_vars_fini(rt);
	tn_section_handlers_fini(rt);
	tn_host_btf_fini(rt);
	tn_helpers_set_printk(&rt->rt, NULL, NULL);
	alloc = rt->rt.mem.alloc;
	user = rt->rt.mem.user;
	tn_rt_fini(&rt->rt);
	raw_free(alloc, user, rt, sizeof(*rt));
	return 0;
}
