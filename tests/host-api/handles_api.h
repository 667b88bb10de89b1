/* SPDX-License-Identifier: MIT */
/* The API header of a host that lets plugins walk over its objects, and shows some to be read. */
#ifndef TN_TESTS_HANDLES_API_H
#define TN_TESTS_HANDLES_API_H

#include <tenon/host.h>

TENON_TYPES_BEGIN
struct item {
	uint32_t id;
	uint64_t hits TENON_WRITABLE;
};

struct shelf {
	uint32_t nr;
	uint64_t marks TENON_WRITABLE;
	const struct item *best TENON_TRUSTED;
};

struct visit {
	struct shelf *shelf TENON_NONNULL;
	const struct shelf *model TENON_NONNULL;
	uint32_t kind;
};
TENON_TYPES_END

struct item_iter {
	struct shelf *shelf;
	uint64_t next;
	void *self;
};

struct pair {
	uint32_t a;
	uint64_t b;
};
TENON_HELPER uint64_t h_pair(struct pair *p TENON_CTX);
TENON_HELPER uint64_t h_counter;

TENON_HELPER TENON_ITER_NEW int item_iter_new(struct item_iter *it, struct shelf *s);
TENON_HELPER TENON_ITER_NEXT struct item *item_iter_next(struct item_iter *it);
TENON_HELPER TENON_ITER_DESTROY void item_iter_destroy(struct item_iter *it);
TENON_HELPER TENON_HELPER_FLAGS(MAY_ABORT) void h_step(void);
TENON_HELPER uint32_t h_id(const struct item *i);
TENON_HELPER void h_touch(struct item *i);
TENON_HELPER const struct shelf *h_model(void);
TENON_HELPER uint32_t h_nr(const struct shelf *s);
TENON_HELPER TENON_ACQUIRE const struct shelf *h_hold(void);
TENON_HELPER TENON_RELEASE void h_drop(const struct shelf *s);

/* What cannot be lent out. */
struct odd_iter {
	uint32_t x;
};
struct big_iter {
	uint64_t x[9];
};
TENON_HELPER TENON_ITER_NEW int h_odd(struct odd_iter *it);
TENON_HELPER TENON_ITER_NEW int h_big(struct big_iter *it);
TENON_HELPER TENON_ITER_NEW void h_new_void(struct item_iter *it);
TENON_HELPER TENON_ITER_NEXT TENON_NONNULL struct item *h_endless(struct item_iter *it);
TENON_HELPER TENON_ITER_NEXT uint32_t h_number(struct item_iter *it);
TENON_HELPER TENON_ITER_NEXT struct item *h_two(struct item_iter *it, uint32_t n);
TENON_HELPER TENON_ITER_DESTROY void h_again(struct item_iter *it);
TENON_HELPER TENON_ITER_DESTROY int h_result(struct item_iter *it);
TENON_HELPER TENON_ITER_NEW int h_none(void);
TENON_HELPER TENON_ITER_NEW TENON_HELPER_FLAGS(MAY_ABORT)
int h_flags(struct item_iter *it);

#endif
