/* SPDX-License-Identifier: MIT */
/*
 * Where a program was called from: the frames of the host, by frame pointers (the host is compiled
 * with -fno-omit-frame-pointer). Frames of Tenon and of the program come first and are left out:
 * struct tn_exec lies in the frame of the function that fired, so that everything below it is
 * theirs. Up to there the chain leads through memory that is this thread's own stack. Behind it the
 * chain is the host's, and may be anything: it is read as memory that may not be there, and only
 * leads upwards.
 *
 * The hot path has no frame pointers and leaves the host's alone, so that the first frame behind it
 * is that of the function which fired. Its own place in there is noted where the hook's programs
 * ask for traces (tn_exec.caller). Where a compiler gives that path frames after all, they are told
 * by their place (the section tn_fire_code).
 *
 * There is one stack for the kernel's two: a plugin's BPF_F_USER_STACK makes no difference.
 */
#include <errno.h>
#include <string.h>

#include "base/compiler.h"
#include "maps/stack_trace.h"
#include "vm/helper_body.h"
#include "vm/image.h"
#include "vm/probe.h"

#define BODY(name) TN_HELPER_BODY(, name)

/* The linker's names for the borders of a section. There is none in programs without the hot path.
 */
extern const char __start_tn_fire_code[] __attribute__((weak, visibility("hidden")));
extern const char __stop_tn_fire_code[] __attribute__((weak, visibility("hidden")));

struct frame {
	uint64_t prev, ip;
};

static bool is_fire_code(uint64_t ip)
{
	return ip > (uintptr_t)__start_tn_fire_code && ip <= (uintptr_t)__stop_tn_fire_code;
}

static bool leads_upwards(uint64_t from, uint64_t to)
{
	return to > from && to % 8 == 0;
}

/* The frame of the function that fired. 0: the chain does not lead there. */
static uint64_t firing_frame(uint64_t fp, const struct tn_exec *ex)
{
	while (fp < (uintptr_t)ex) {
		uint64_t prev;

		memcpy(&prev, (const void *)(uintptr_t)fp, sizeof(prev));
		if (!leads_upwards(fp, prev))
			return 0;
		fp = prev;
	}
	return fp;
}

struct trace {
	uint64_t *out;
	uint32_t skip, max, seen;
};

static bool add(struct trace *t, uint64_t ip)
{
	if (t->seen >= t->skip)
		t->out[t->seen - t->skip] = ip;
	t->seen++;
	return t->seen < TN_STACK_MAX_DEPTH && t->seen < t->skip + t->max;
}

/* Return addresses of the host, the innermost first, `skip` left out; how many. */
static uint32_t walk(const struct tn_exec *ex, uint64_t fp, uint32_t skip, uint64_t *out,
		     uint32_t max)
{
	struct trace t = { .out = out, .skip = skip, .max = max };
	uint64_t caller = (uintptr_t)ex->caller;
	bool ours = true, more = max > 0;
	struct frame f;

	fp = firing_frame(fp, ex);
	if (caller && is_fire_code(caller))
		caller = 0;
	if (caller && more)
		more = add(&t, caller);
	while (fp && more && !tn_probe_read(ex->rt, &f, fp, sizeof(f)) && f.ip) {
		ours = ours && (is_fire_code(f.ip) || f.ip == caller);
		if (!ours)
			more = add(&t, f.ip);
		fp = leads_upwards(fp, f.prev) ? f.prev : 0;
	}
	return t.seen > skip ? t.seen - skip : 0;
}

/* ctx, to, its size, flags: bytes written. The rest, or all, is cleared. */
BODY(tn_helper_get_stack)
{
	uint64_t ips[TN_STACK_MAX_DEPTH], size = (uint32_t)r3;
	unsigned char *to = (unsigned char *)(uintptr_t)r2;
	uint32_t skip = r4 & TN_STACK_SKIP, nr = 0;
	int64_t ret;

	if (r4 & ~(uint64_t)(TN_STACK_SKIP | TN_STACK_USER | TN_STACK_BUILD_ID) || size % 8)
		ret = -EINVAL;
	else if (r4 & TN_STACK_BUILD_ID)
		ret = -EOPNOTSUPP;
	else
		ret = 0;
	if (!ret && size) {
		nr = walk(ex, (uintptr_t)__builtin_frame_address(0), skip, ips,
			  (uint32_t)TN_MIN(size / 8, TN_STACK_MAX_DEPTH));
		ret = nr ? (int64_t)nr * 8 : -EFAULT;
	}
	if (nr)
		memcpy(to, ips, (size_t)nr * 8);
	memset(to + (size_t)nr * 8, 0, size - (size_t)nr * 8);
	return (uint64_t)ret;
}

/* ctx, map, flags: the trace's number. */
BODY(tn_helper_get_stackid)
{
	struct tn_map *map = (struct tn_map *)(uintptr_t)r2;
	uint64_t ips[TN_STACK_MAX_DEPTH];
	uint32_t nr;

	if (r3 & ~(uint64_t)(TN_STACK_SKIP | TN_STACK_USER | TN_STACK_FAST_CMP | TN_STACK_REUSE))
		return (uint64_t)-EINVAL;
	nr = walk(ex, (uintptr_t)__builtin_frame_address(0), r3 & TN_STACK_SKIP, ips,
		  map->value_size / 8);
	return nr ? (uint64_t)tn_stack_trace_put(map, ips, nr, r3) : (uint64_t)-EFAULT;
}
