/* SPDX-License-Identifier: MIT */
/* Calls of the functions of a host's iterator; held_iter.h says why they are not made directly. */
#include "vm/held_iter.h"

#include <errno.h>
#include <string.h>

#include "base/compiler.h"
#include "vm/exec.h"
#include "vm/held.h"

/* In the first word in the plugin's stack, beside the address: NULL was given. */
#define DRAINED 1u

static void *take_room(struct tn_held_iters *rooms)
{
	for (uint32_t i = 0; i < TN_MAX_HELD_ITERS; i++) {
		if (rooms->used >> i & 1)
			continue;
		rooms->used |= 1u << i;
		memset(rooms->at[i], 0, sizeof(rooms->at[i]));
		return rooms->at[i];
	}
	return NULL;
}

static void give_room(struct tn_held_iters *rooms, const void *room)
{
	for (uint32_t i = 0; i < TN_MAX_HELD_ITERS; i++) {
		if (room == rooms->at[i])
			rooms->used &= ~(1u << i);
	}
}

static uint64_t make(const struct tn_host_helper *self, const uint64_t args[5], struct tn_exec *ex)
{
	struct tn_held_list *list = ex->held;
	uint64_t inner[TN_SIG_MAX_ARGS], *word = (void *)(uintptr_t)args[0], r0;
	void *room = list && self->iter_end ? take_room(&list->iters) : NULL;

	memset(word, 0, self->sig.args[0].struct_size);
	if (!room)
		return (uint64_t)(int64_t)-ENOMEM;
	memcpy(inner, args, sizeof(inner));
	inner[0] = (uintptr_t)room;
	r0 = self->iter_invoke(self, inner, ex);
	if ((int32_t)r0 < 0) {
		give_room(&list->iters, room);
	} else {
		*word = (uintptr_t)room;
		tn_held_add(room, ex, &self->iter_end->releaser);
	}
	return r0;
}

static uint64_t next(const struct tn_host_helper *self, const uint64_t args[5], struct tn_exec *ex)
{
	uint64_t *word = (void *)(uintptr_t)args[0];
	uint64_t inner[TN_SIG_MAX_ARGS] = { *word }, r0;

	if (!*word || *word & DRAINED)
		return 0;
	r0 = self->iter_invoke(self, inner, ex);
	if (!r0)
		*word |= DRAINED;
	return r0;
}

static void destroy(const struct tn_host_helper *self, const uint64_t args[5], struct tn_exec *ex)
{
	uint64_t *word = (void *)(uintptr_t)args[0];
	uint64_t inner[TN_SIG_MAX_ARGS] = { *word & ~(uint64_t)DRAINED };
	void *room = (void *)(uintptr_t)inner[0];

	/* The verifier takes the place for zero from here on. */
	memset(word, 0, self->sig.args[0].struct_size);
	if (!room)
		return;
	tn_held_drop(room, ex, self->releaser.type);
	self->iter_invoke(self, inner, ex);
	if (ex->held)
		give_room(&ex->held->iters, room);
}

static uint64_t invoke(const struct tn_host_helper *self, const uint64_t args[5],
		       struct tn_exec *ex)
{
	switch (tn_sig_iter_role(&self->sig)) {
	case TN_ITER_NEW:
		return make(self, args, ex);
	case TN_ITER_NEXT:
		return next(self, args, ex);
	default:
		destroy(self, args, ex);
		return 0;
	}
}

/* The program ended early; its list, where the host's iterator lies, is still there. */
static void end_early(const struct tn_releaser *self, void *held, struct tn_exec *ex)
{
	const struct tn_host_helper *helper = TN_CONTAINER_OF(self, const struct tn_host_helper,
							      releaser);
	const uint64_t args[TN_SIG_MAX_ARGS] = { (uintptr_t)held };

	helper->iter_invoke(helper, args, ex);
}

void tn_held_iter_init(struct tn_host_helper *helper)
{
	enum tn_iter_role role = tn_sig_iter_role(&helper->sig);

	if (!role)
		return;
	helper->iter_invoke = helper->invoke;
	helper->invoke = invoke;
	/* What makes one notes it itself: it does not come back in r0. */
	if (role == TN_ITER_END)
		helper->releaser = (struct tn_releaser){ .type = helper->sig.args[0].handle,
							 .fn = end_early,
							 .by_helper = true };
}
