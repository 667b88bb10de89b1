/* SPDX-License-Identifier: MIT */
/*
 * Threads fire two hooks without end while others attach, update, replace and detach under them. A
 * firing must see one of the programs that were attached at some time, whole; the end of it all
 * must leave nothing behind. More threads than slots, so that the shared one is used too.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tenon/tenon.h"

#define NR_FIRING  3
#define NR_CHANGES 3
#define SECONDS	   1.5

struct ctx {
	uint64_t first, second;
};

static const struct tenon_field fields[] = {
	TENON_SCALAR(struct ctx, first, TENON_RW),
	TENON_SCALAR(struct ctx, second, TENON_RW),
};
static const struct tenon_ctx_type ctx_type = TENON_CTX_TYPE(ctx, fields);

static struct tenon_runtime *rt;
static struct tenon_hook hooks[2];
static _Atomic int stop, failed;
static _Atomic uint64_t nr_fired, nr_changed;

static void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, tenon_last_error()->msg);
	atomic_store(&failed, 1);
	atomic_store(&stop, 1);
}

/* first = second = number; return number: a torn chain would leave them different. */
static struct tenon_object *load_number(int number, const char *hook)
{
	const struct bpf_insn insns[] = {
		{ BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, number },
		{ BPF_STX | BPF_MEM | BPF_DW, 1, 0, offsetof(struct ctx, first), 0 },
		{ BPF_STX | BPF_MEM | BPF_DW, 1, 0, offsetof(struct ctx, second), 0 },
		{ BPF_JMP | BPF_EXIT, 0, 0, 0, 0 },
	};
	struct tenon_insns code = {
		.sz = sizeof(code), .insns = insns, .nr_insns = 4, .hook = hook
	};
	struct tenon_object *obj = tenon_object_open_insns(rt, &code, NULL);

	if (!obj || tenon_object_load(obj)) {
		fail("load");
		exit(1);
	}
	return obj;
}

static void *fire_on(void *arg)
{
	uint64_t fired = 0;

	(void)arg;
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		struct tenon_hook *hook = &hooks[fired++ & 1];
		struct ctx c = { 0, 0 };
		uint64_t ret = tenon_hook_fire(hook, &c);

		if (c.first != c.second || ret != c.first || ret > 9) {
			fprintf(stderr, "fired: %llu, %llu, %llu\n", (unsigned long long)ret,
				(unsigned long long)c.first, (unsigned long long)c.second);
			atomic_store(&failed, 1);
			break;
		}
	}
	atomic_fetch_add(&nr_fired, fired);
	return NULL;
}

static void *attach_on(void *arg)
{
	struct tenon_object *a = load_number(1, "a"), *b = load_number(2, "a");
	uint64_t changed = 0;

	(void)arg;
	while (!atomic_load(&stop)) {
		struct tenon_attach_opts opts = { .sz = sizeof(opts),
						  .hook = changed & 1 ? "b" : "a",
						  .priority = (int32_t)(changed % 3) };
		struct tenon_link *link = tenon_program_attach(tenon_object_next_program(a, NULL),
							       &opts);

		if (!link) {
			fail("attach");
			break;
		}
		if (tenon_link_update(link, tenon_object_next_program(b, NULL)))
			fail("update");
		if (changed++ & 2)
			tenon_link_detach(link);
		else if (tenon_link_destroy(link))
			fail("destroy");
	}
	atomic_fetch_add(&nr_changed, changed);
	if (tenon_object_close(a) || tenon_object_close(b))
		fail("close");
	return NULL;
}

static void *reload_on(void *arg)
{
	struct tenon_object *now = load_number(3, "b");
	uint64_t changed = 0;

	(void)arg;
	if (tenon_object_attach(now))
		fail("object attach");
	while (!atomic_load(&stop)) {
		struct tenon_object *next = load_number(3 + (int)(changed++ % 7), "b");

		if (tenon_object_replace(now, next))
			fail("replace");
		if (tenon_object_close(now))
			fail("close");
		now = next;
	}
	atomic_fetch_add(&nr_changed, changed);
	if (tenon_object_close(now))
		fail("close");
	return NULL;
}

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static void add_hook(struct tenon_hook *hook, const char *name)
{
	struct tenon_hook_desc desc = {
		.sz = sizeof(desc), .name = name, .ctx = &ctx_type, .chain = TENON_CHAIN_LAST
	};

	if (tenon_hook_register(rt, hook, &desc)) {
		fail("register");
		exit(1);
	}
}

int main(void)
{
	struct tenon_runtime_opts opts = { .sz = sizeof(opts), .max_slots = 3 };
	struct timespec nap = { .tv_nsec = 20000000 };
	pthread_t threads[NR_FIRING + NR_CHANGES];
	double end;
	int i;

	rt = tenon_runtime_new(&opts);
	if (!rt) {
		fail("runtime");
		return 1;
	}
	add_hook(&hooks[0], "a");
	add_hook(&hooks[1], "b");
	for (i = 0; i < NR_FIRING + NR_CHANGES; i++)
		pthread_create(&threads[i], NULL,
			       i < NR_FIRING			? fire_on
			       : i < NR_FIRING + NR_CHANGES - 1 ? attach_on
								: reload_on,
			       NULL);
	for (end = now_s() + SECONDS; now_s() < end && !atomic_load(&stop);)
		nanosleep(&nap, NULL);
	atomic_store(&stop, 1);
	for (i = 0; i < NR_FIRING + NR_CHANGES; i++)
		pthread_join(threads[i], NULL);
	if (tenon_hook_armed(&hooks[0]) || tenon_hook_armed(&hooks[1])) {
		fprintf(stderr, "something is still attached\n");
		atomic_store(&failed, 1);
	}
	if (tenon_runtime_free(rt))
		fail("free");
	printf("%llu firings, %llu changes under them\n", (unsigned long long)nr_fired,
	       (unsigned long long)nr_changed);
	return atomic_load(&failed) || !nr_fired || !nr_changed;
}
