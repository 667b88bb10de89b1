// SPDX-License-Identifier: MIT
/* Walks over objects of the host, and pointers to const. */
#include <tenon/plugin.h>

#include "handles_api.h"

SEC("hook/visit")
long sum(struct visit *v)
{
	struct item_iter it;
	struct item *i;
	long n = 0;

	item_iter_new(&it, v->shelf);
	while ((i = item_iter_next(&it))) {
		n += h_id(i);
		i->hits += 1;
		h_touch(i);
	}
	item_iter_destroy(&it);
	return n;
}

/* A pair of loops, and a callee that may end the program in each round. */
SEC("hook/visit")
long pairs(struct visit *v)
{
	struct item_iter outer, inner;
	struct item *i, *j;
	long n = 0;

	item_iter_new(&outer, v->shelf);
	while ((i = item_iter_next(&outer))) {
		h_step();
		item_iter_new(&inner, v->shelf);
		while ((j = item_iter_next(&inner))) {
			h_step();
			n += h_id(i) * h_id(j);
		}
		item_iter_destroy(&inner);
	}
	item_iter_destroy(&outer);
	h_step();
	return n;
}

static __noinline long count_inside(struct shelf *s)
{
	struct item_iter it;
	long n = 0;

	item_iter_new(&it, s);
	while (item_iter_next(&it)) {
		h_step();
		n++;
	}
	item_iter_destroy(&it);
	return n;
}

static long in_callback(u32 i, void *sum)
{
	const struct shelf *s = h_hold();

	if (!s)
		return 1;
	*(long *)sum += h_nr(s);
	h_step();
	h_drop(s);
	return 0;
}

/* In frames above, and in a callback. */
SEC("hook/visit")
long frames(struct visit *v)
{
	struct item_iter it;
	struct item *i;
	long n = 0;

	item_iter_new(&it, v->shelf);
	while ((i = item_iter_next(&it))) {
		n += count_inside(v->shelf);
		bpf_loop(2, in_callback, &n, 0);
	}
	item_iter_destroy(&it);
	return n;
}

/* Four at once, destroyed in another order. An element is looked at in a call: compilers put mere
 * tests for NULL behind the destruction, where it is gone. */
static __always_inline long some_of(struct shelf *s)
{
	struct item_iter a, b, c, d;
	struct item *i;
	long n = 0;

	n += item_iter_new(&a, s) == 0;
	n += item_iter_new(&b, s) == 0;
	n += item_iter_new(&c, s) == 0;
	n += item_iter_new(&d, s) == 0;
	i = item_iter_next(&d);
	if (i)
		n += 99 + h_id(i);
	item_iter_destroy(&a);
	item_iter_destroy(&c);
	item_iter_destroy(&b);
	item_iter_destroy(&d);
	return n;
}

SEC("hook/visit")
long four(struct visit *v)
{
	return some_of(v->shelf) + some_of(v->shelf);
}

SEC("hook/visit")
long asked_again(struct visit *v)
{
	struct item_iter it;
	struct item *i;
	long n = 0;

	item_iter_new(&it, v->shelf);
	while (item_iter_next(&it))
		n++;
	for (int k = 0; k < 3; k++) {
		i = item_iter_next(&it);
		n += i ? h_id(i) * 100 : 10;
	}
	item_iter_destroy(&it);
	return n;
}

SEC("hook/visit")
long thrown(struct visit *v)
{
	struct item_iter it;
	struct item *i;

	item_iter_new(&it, v->shelf);
	while ((i = item_iter_next(&it))) {
		if (i->id == 2)
			bpf_throw(77);
	}
	item_iter_destroy(&it);
	return 0;
}

SEC("hook/visit")
long models(struct visit *v)
{
	const struct shelf *m = v->model, *h = h_model();
	const struct item *best = m->best;
	long n = m->nr + h_nr(m) * 10 + h_nr(v->shelf) * 100;

	if (h)
		n += h_nr(h) * 1000;
	if (best)
		n += h_id(best) * 10000;
	v->shelf->marks = 5;
	return n;
}

SEC("hook/visit")
long counter(struct visit *v)
{
	return (long)h_counter;
}

char _license[] SEC("license") = "GPL";
