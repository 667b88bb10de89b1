// SPDX-License-Identifier: MIT
/* Programs that must be rejected; what their reports say stands in test_handles.c. */
#include <tenon/plugin.h>

#include "handles_api.h"

SEC("hook/visit")
long kept_too_long(struct visit *v)
{
	struct item_iter it;
	struct item *i, *first;
	long n = 0;

	item_iter_new(&it, v->shelf);
	first = item_iter_next(&it);
	i = item_iter_next(&it);
	if (i && first)
		n = h_id(first);
	item_iter_destroy(&it);
	return n;
}

SEC("hook/visit")
long kept_after_the_end(struct visit *v)
{
	struct item_iter it;
	struct item *i;

	item_iter_new(&it, v->shelf);
	i = item_iter_next(&it);
	item_iter_destroy(&it);
	return i ? h_id(i) : 0;
}

SEC("hook/visit")
long left_open(struct visit *v)
{
	struct item_iter it;

	item_iter_new(&it, v->shelf);
	return item_iter_next(&it) != NULL;
}

SEC("hook/visit")
long never_made(struct visit *v)
{
	struct item_iter it;

	return item_iter_next(&it) != NULL;
}

SEC("hook/visit")
long looked_into(struct visit *v)
{
	struct item_iter it;
	long n;

	item_iter_new(&it, v->shelf);
	n = (long)*(volatile u64 *)&it.next;
	item_iter_destroy(&it);
	return n;
}

SEC("hook/visit")
long write_model(struct visit *v)
{
	((struct shelf *)v->model)->marks = 1;
	return 0;
}

SEC("hook/visit")
long write_result(struct visit *v)
{
	struct shelf *s = (struct shelf *)h_model();

	if (s)
		s->marks = 1;
	return 0;
}

SEC("hook/visit")
long walk_model(struct visit *v)
{
	struct item_iter it;

	item_iter_new(&it, (struct shelf *)v->model);
	item_iter_destroy(&it);
	return 0;
}

SEC("hook/visit")
long touch_best(struct visit *v)
{
	const struct item *i = v->shelf->best;

	if (i)
		h_touch((struct item *)i);
	return 0;
}

char _license[] SEC("license") = "GPL";
