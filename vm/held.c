/* SPDX-License-Identifier: MIT */
/* The list of what a program holds, and its end. */
#include "vm/held.h"

#include <string.h>

#include "base/compiler.h"
#include "maps/ringbuf.h"
#include "vm/image.h"
#include "vm/interp.h"

static void discard_record(const struct tn_releaser *self, void *held, struct tn_exec *ex)
{
	(void)self;
	(void)ex;
	tn_ringbuf_discard(held, 0);
}

/* The blank keeps the name apart from those of the host's types. */
const struct tn_releaser tn_release_record = { .type = "ring buffer record", .fn = discard_record };
const struct tn_releaser tn_release_nothing = { .type = "nothing outside" };

static void call_helper(const struct tn_releaser *self, void *held, struct tn_exec *ex)
{
	const struct tn_host_helper *helper = TN_CONTAINER_OF(self, const struct tn_host_helper,
							      releaser);
	const uint64_t args[TN_SIG_MAX_ARGS] = { (uintptr_t)held };

	helper->invoke(helper, args, ex);
}

void tn_held_init_helper(struct tn_host_helper *helper)
{
	const struct tn_sig *sig = &helper->sig;
	const uint32_t no = TN_SIG_MAY_ABORT | TN_SIG_CALLBACK | TN_SIG_VARIADIC | TN_SIG_ACQUIRE;

	if (sig->nr_args == 1 && sig->args[0].kind == TN_ARG_HANDLE && sig->args[0].release &&
	    !(sig->flags & no))
		helper->releaser = (struct tn_releaser){ .type = sig->args[0].handle,
							 .fn = call_helper };
}

void *tn_held_add(void *ptr, struct tn_exec *ex, const struct tn_releaser *how)
{
	struct tn_held_list *list = ex->held;

	if (!ptr || tn_unlikely(!list))
		return ptr;
	tn_assert(list->nr < TN_MAX_HELD);
	if (tn_likely(list->nr < TN_MAX_HELD))
		list->v[list->nr++] = (struct tn_held){ ptr, how };
	return ptr;
}

/* The releaser of a type is mostly what releases it. */
static TN_ALWAYS_INLINE bool same_type(const char *a, const char *b)
{
	return tn_likely(a == b) || !strcmp(a, b);
}

/* What was acquired last is released first, mostly. */
void tn_held_drop(void *ptr, struct tn_exec *ex, const char *type)
{
	struct tn_held_list *list = ex->held;
	uint32_t i;

	if (tn_unlikely(!list))
		return;
	for (i = list->nr; i-- > 0;) {
		if (list->v[i].ptr != ptr || !same_type(list->v[i].how->type, type))
			continue;
		for (list->nr--; i < list->nr; i++)
			list->v[i] = list->v[i + 1];
		return;
	}
}

void tn_held_drop_args(const uint64_t args[5], struct tn_exec *ex, const struct tn_sig *sig)
{
	uint32_t i;

	for (i = 0; i < sig->nr_args; i++) {
		const struct tn_arg *arg = &sig->args[i];

		if (arg->kind == TN_ARG_RINGBUF_RECORD)
			tn_held_drop((void *)(uintptr_t)args[i], ex, tn_release_record.type);
		else if (arg->release)
			tn_held_drop((void *)(uintptr_t)args[i], ex, arg->handle);
	}
}

static TN_COLD void release_all(struct tn_held_list *list, struct tn_exec *ex)
{
	/* Who releases takes nothing else off that has the same address. */
	ex->held = NULL;
	while (list->nr) {
		const struct tn_held *h = &list->v[--list->nr];

		h->how->fn(h->how, h->ptr, ex);
	}
	list->iters.used = 0;
}

/* A throw is not an early end: the program, or its function for that, chooses the result. All
 * frames are gone by now, and what they held was given back. That function does not throw. */
static TN_COLD uint64_t catch_thrown(const struct tn_prog *prog, bool native, struct tn_exec *ex)
{
	const uint64_t args[5] = { ex->thrown };

	ex->abort = TN_ABORT_NONE;
	ex->prog = prog;
	if (!prog->exception_callback)
		return ex->thrown;
	if (!native)
		return tn_interp_call(prog, prog->exception_callback, args, ex);
	return tn_func_call(&prog->funcs[prog->exception_callback], ex, args[0], 0, 0, 0, 0);
}

/* A tail call enters its target while the caller's list stands: each has its own. */
static TN_ALWAYS_INLINE uint64_t enter(tn_native_fn fn, void *ctx, struct tn_exec *ex)
{
	const struct tn_prog *prog = ex->prog;
	struct tn_held_list list, *outer = ex->held;
	uint64_t ret;

	list.nr = 0;
	list.iters.used = 0;
	ex->held = &list;
	ret = fn(ctx, ex);
	if (tn_unlikely(list.nr != 0))
		release_all(&list, ex);
	if (tn_unlikely(ex->abort == TN_ABORT_THROW)) {
		ex->held = &list;
		ret = catch_thrown(prog, fn != tn_interp_entry, ex);
		if (list.nr)
			release_all(&list, ex);
	}
	ex->held = outer;
	return ret;
}

uint64_t tn_held_entry(void *ctx, struct tn_exec *ex)
{
	return enter(ex->prog->inner_entry, ctx, ex);
}

uint64_t tn_held_interp_entry(void *ctx, struct tn_exec *ex)
{
	return enter(tn_interp_entry, ctx, ex);
}

uint64_t tn_held_call(const struct tn_func *fn, struct tn_exec *ex, uint64_t a1, uint64_t a2,
		      uint64_t a3)
{
	struct tn_held_list list;
	uint64_t ret;

	list.nr = 0;
	list.iters.used = 0;
	ex->held = &list;
	ret = tn_func_call(fn, ex, a1, a2, a3, 0, 0);
	if (tn_unlikely(list.nr != 0))
		release_all(&list, ex);
	ex->held = NULL;
	return ret;
}
