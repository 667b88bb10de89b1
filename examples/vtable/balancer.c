/* SPDX-License-Identifier: MIT */
/*
 * A load balancer whose policy is a plugin: struct balance_ops of balance.h. Threads pick servers
 * all the time while the policy is exchanged under them: balancer TYPES FIRST SECOND
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <tenon/tenon.h>

#include "balance.h"

#define NR_THREADS   4
#define NR_EXCHANGES 50

static struct tenon_runtime *rt;
static atomic_bool stop;
static atomic_ullong picks[3]; /* by version */

struct worker {
	pthread_t thread;
	uint64_t mixed, lost;
};

/* One connection: take the policy, ask it, give it back. */
static void *work(void *arg)
{
	struct worker *w = arg;
	struct balance b = { .servers = { { 1, 3 }, { 2, 4 }, { 4, 4 }, { 1, 9 } } };

	while (!atomic_load(&stop)) {
		const struct balance_ops *ops = tenon_struct_ops_get(rt, "balance_ops");
		uint32_t server;

		if (!ops) {
			w->lost++;
			continue;
		}
		server = ops->pick(&b);
		if (server >= NR_SERVERS)
			w->lost++;
		if (ops->tell() != ops->version || (ops->version == 2 && server != 2))
			w->mixed++;
		if (ops->closed)
			ops->closed(&b, server);
		atomic_fetch_add(&picks[ops->version], 1);
		tenon_struct_ops_put(ops);
	}
	return NULL;
}

static int fail(const char *what)
{
	fprintf(stderr, "balancer: %s: %s\n", what, tenon_last_error()->msg);
	return 1;
}

static int show(const char *plugin)
{
	const struct balance_ops *ops = tenon_struct_ops_get(rt, "balance_ops");
	struct balance b = { .servers = { { 1, 3 }, { 2, 4 }, { 4, 4 }, { 1, 9 } } };

	if (!ops)
		return fail(plugin);
	printf("%s, version %u, closed %s:", ops->name, (unsigned)ops->version,
	       ops->closed ? "there" : "left out");
	for (int i = 0; i < 6; i++)
		printf(" %u", (unsigned)ops->pick(&b));
	printf("\n");
	tenon_struct_ops_put(ops);
	return 0;
}

/* The new one is registered before the old one goes: there is always one. And each is asked. */
static int exchange(const char *const plugins[2], struct tenon_object **now)
{
	for (int i = 0; i < NR_EXCHANGES; i++) {
		struct tenon_object *next = tenon_object_plug(rt, plugins[(i + 1) % 2], NULL);
		unsigned long long before;

		if (!next)
			return fail(plugins[(i + 1) % 2]);
		tenon_object_close(*now);
		*now = next;
		before = atomic_load(&picks[1 + (i + 1) % 2]);
		while (atomic_load(&picks[1 + (i + 1) % 2]) == before)
			sched_yield();
	}
	return 0;
}

static int run(const char *const plugins[2])
{
	struct worker workers[NR_THREADS] = { 0 }, sum = { 0 };
	struct tenon_object *now = tenon_object_plug(rt, plugins[0], NULL);
	int rc = 0;

	if (!now || show(plugins[0]))
		return fail(plugins[0]);
	for (int i = 0; i < NR_THREADS; i++)
		rc |= pthread_create(&workers[i].thread, NULL, work, &workers[i]);
	if (rc)
		return 1;
	rc = exchange(plugins, &now);
	atomic_store(&stop, true);
	for (int i = 0; i < NR_THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		sum.mixed += workers[i].mixed;
		sum.lost += workers[i].lost;
	}
	printf("%d exchanges under %d threads: %s, %llu lost, %llu mixed\n", NR_EXCHANGES,
	       NR_THREADS, picks[1] && picks[2] ? "picks by both" : "no picks",
	       (unsigned long long)sum.lost, (unsigned long long)sum.mixed);
	tenon_object_close(now);
	return rc || sum.lost || sum.mixed;
}

int main(int argc, char **argv)
{
	static const struct tenon_struct_ops_member members[] = {
		{ .name = "pick", .required = true },
		{ .name = "tell", .required = true },
	};
	struct tenon_struct_ops desc = { .sz = sizeof(desc),
					 .name = "balance_ops",
					 .size = sizeof(struct balance_ops),
					 .members = members,
					 .nr_members = 2 };
	struct tenon_object *second;
	int rc;

	if (argc != 4)
		return fprintf(stderr, "usage: %s HOST.BTF FIRST.bpf.o SECOND.bpf.o\n", argv[0]), 2;
	rt = tenon_runtime_new(NULL);
	if (!rt || tenon_runtime_add_btf_file(rt, argv[1], NULL) ||
	    tenon_runtime_add_struct_ops(rt, &desc))
		return fail("start");
	second = tenon_object_plug(rt, argv[3], NULL);
	if (!second || show(argv[3]))
		return fail(argv[3]);
	tenon_object_close(second);
	rc = run((const char *const[]){ argv[2], argv[3] });
	return tenon_runtime_free(rt) || rc;
}
