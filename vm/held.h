/* SPDX-License-Identifier: MIT */
/*
 * What a program holds while it runs. A program may end at a charged edge or at a helper that
 * aborts; where the verifier found that a reference may be held at such a place, the calls that
 * acquire and release it are marked (TN_FACT_TRACK, TN_FACT_UNTRACK) and both engines note it in
 * the firing. Such a program is entered through tn_held_entry(), which releases what is left when
 * it is over, the newest first. Programs without such calls pay nothing.
 */
#ifndef TN_VM_HELD_H
#define TN_VM_HELD_H

#include <stdbool.h>
#include <stdint.h>

struct tn_exec;
struct tn_func;
struct tn_sig;
struct tn_host_helper;

/* Iterators of the host that a program may hold at once, and their bytes, a multiple of 8; see
 * vm/held_iter.h. */
#define TN_MAX_HELD_ITERS 16
#define TN_ITER_MAX_BYTES 64u

struct tn_held_iters {
	uint32_t used; /* bit i: at[i] */
	_Alignas(8) unsigned char at[TN_MAX_HELD_ITERS][TN_ITER_MAX_BYTES];
};

/* How one type of references is released when its program ended early. */
struct tn_releaser {
	/* A call that releases this type takes off the list what has the address that it was given.
	 * Two things of different types may have the same address (a struct and its first member).
	 */
	const char *type;
	/* NULL: nothing is to be done; such references are not noted. */
	void (*fn)(const struct tn_releaser *self, void *held, struct tn_exec *ex);
	/* The helper that acquires notes it itself with tn_held_add(), and the one that releases
	 * takes it off: for what does not come back in r0. */
	bool by_helper;
};

/* Ring buffer records: discarded. */
extern const struct tn_releaser tn_release_record;
/* Those behind a dynptr. */
extern const struct tn_releaser tn_release_dynptr;
/* For what holds nothing outside of the program's own stack. */
extern const struct tn_releaser tn_release_nothing;

/* The verifier allows no more at once, over all frames. */
#define TN_MAX_HELD 64

struct tn_held_list {
	uint32_t nr;
	struct tn_held_iters iters; /* only what is used of it is initialised */
	struct tn_held {
		void *ptr;
		const struct tn_releaser *how;
	} v[TN_MAX_HELD];
};

/* Native entries: as the program's own, prog->inner_entry and tn_interp_entry(), and release what
 * it still holds afterwards. */
uint64_t tn_held_entry(void *ctx, struct tn_exec *ex);
uint64_t tn_held_interp_entry(void *ctx, struct tn_exec *ex);

/* A function of `fn->prog` on its own, with ex->prog that program; releases what it holds
 * afterwards. */
uint64_t tn_held_call(const struct tn_func *fn, struct tn_exec *ex, uint64_t a1, uint64_t a2,
		      uint64_t a3);

/* Note `ptr`, unless it is NULL; gives it back. Where the program was not entered by one of the
 * above nothing is noted. */
void *tn_held_add(void *ptr, struct tn_exec *ex, const struct tn_releaser *how);
/* Take it off again, if it is there. */
void tn_held_drop(void *ptr, struct tn_exec *ex, const char *type);
/* The same for every argument that a call of this signature releases: before the call, since the
 * callee has it then, whatever else it does. */
void tn_held_drop_args(const uint64_t args[5], struct tn_exec *ex, const struct tn_sig *sig);

/* May this helper release, as the only thing that it does, what a program left behind? Fills in
 * helper->releaser. */
void tn_held_init_helper(struct tn_host_helper *helper);

#endif
