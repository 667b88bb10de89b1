/* SPDX-License-Identifier: MIT */
/*
 * stress_maps [KIND|all [SECONDS]]: threads against each other on one kind of map, or on all kinds
 * side by side, each in a process of its own. Host calls and programs on both engines are mixed;
 * values say by themselves whether they are whole, and each thread owns keys of which it knows what
 * must be there. Exit status 1 if something was torn, lost, counted wrong or came back.
 */
#include "run.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_KINDS 32

static const struct tenon_field fields[] = {
	{ TENON_FIELD_(struct stress_ctx, op), .kind = TENON_FIELD_MEM,
	  .access = TENON_RW | TENON_ALIGNED, .mem_size = sizeof(struct stress_op) },
	{ TENON_FIELD_(struct stress_ctx, object), .kind = TENON_FIELD_HANDLE,
	  .access = TENON_R | TENON_NULLABLE, .handle = "stress_object" },
};
static const struct tenon_ctx_type ctx_type = TENON_CTX_TYPE(stress_ctx, fields);

/* Any number is a port. */
static int port_exists(void *user, uint32_t map_type, uint32_t port)
{
	(void)user;
	(void)map_type;
	(void)port;
	return 0;
}

static const struct tenon_packet_ops packet_ops = { .sz = sizeof(packet_ops), .port = port_exists };

void wrong(struct run *run, const char *fmt, ...)
{
	char words[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	if (!atomic_exchange(&run->failed, 1))
		fprintf(stderr, "%s: %s\n", run->kind->name, words);
	atomic_store(&run->over, 1);
}

static void die(const struct kind *kind, const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", kind->name, what, tenon_last_error()->msg);
	exit(1);
}

/* ---- Programs ---- */

static void add_hooks(struct run *run, int side)
{
	for (uint32_t i = 0; i < MAX_HOOKS && run->kind->hooks[i]; i++) {
		char name[64];
		struct tenon_hook_desc desc = { .sz = sizeof(desc),
						.name = name,
						.ctx = run->kind->packets ? tenon_ctx_xdp()
									  : &ctx_type,
						.chain = TENON_CHAIN_LAST,
						.fallback = 4242 };

		snprintf(name, sizeof(name), "%d_%s_%s", side, run->kind->hooks[i],
			 run->kind->name);
		if (tenon_hook_register(run->rt, &run->hooks[side][i], &desc))
			die(run->kind, name);
	}
}

/* Only the programs of this kind. */
static void choose_programs(struct run *run, struct tenon_object *obj)
{
	size_t size = strlen(run->kind->name);

	for (struct tenon_program *p = NULL; (p = tenon_object_next_program(obj, p));) {
		const char *section = tenon_program_section(p);
		bool mine = false;

		for (uint32_t i = 0; i < MAX_HOOKS && run->kind->hooks[i]; i++) {
			const char *hook = run->kind->hooks[i];

			/* "hook/0_HOOK_KIND" */
			if (!strncmp(section + 7, hook, strlen(hook)) &&
			    section[7 + strlen(hook)] == '_' &&
			    !strcmp(section + 7 + strlen(hook) + 1, run->kind->name))
				mine = true;
		}
		if (!mine && tenon_program_set_autoload(p, false))
			die(run->kind, section + size);
	}
}

static void load(struct run *run)
{
	static const char *const paths[] = { TN_STRESS_PLUGINS "0.bpf.o",
					     TN_STRESS_PLUGINS "1.bpf.o" };

	for (int side = 0; side < 2; side++) {
		struct tenon_object_open_opts opts = {
			.sz = sizeof(opts),
			.reuse_maps = run->obj[0],
			.engine = side ? TENON_ENGINE_INTERP : TENON_ENGINE_AUTO,
		};

		add_hooks(run, side);
		run->obj[side] = tenon_object_open_file(run->rt, paths[side], &opts);
		if (!run->obj[side])
			die(run->kind, "open");
		choose_programs(run, run->obj[side]);
		if (tenon_object_load(run->obj[side]) || tenon_object_attach(run->obj[side]))
			die(run->kind, "load");
	}
	run->map = tenon_object_find_map(run->obj[0], run->kind->name);
}

/* ---- Threads ---- */

static void *work(void *arg)
{
	struct worker *w = arg;
	struct run *run = w->run;

	while (!atomic_load_explicit(&run->over, memory_order_relaxed)) {
		run->kind->work(w);
		w->ops++;
	}
	if (run->kind->stop)
		run->kind->stop(w);
	return NULL;
}

static void run_threads(struct run *run, double seconds)
{
	struct timespec until, now;
	pthread_t threads[MAX_PRODUCERS + 1];
	uint32_t i;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)seconds;
	until.tv_nsec += (long)((seconds - (double)(time_t)seconds) * 1e9);
	for (i = 0; i < run->nr_threads; i++) {
		run->workers[i].run = run;
		run->workers[i].id = i;
		run->workers[i].random = 88172645463325252u + 7919u * i;
		if (pthread_create(&threads[i], NULL, work, &run->workers[i]))
			die(run->kind, "pthread_create");
	}
	do {
		nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (!atomic_load(&run->over) &&
		 (now.tv_sec < until.tv_sec + (until.tv_nsec >= 1000000000) ||
		  (now.tv_sec == until.tv_sec + (until.tv_nsec >= 1000000000) &&
		   now.tv_nsec < until.tv_nsec % 1000000000)));
	atomic_store(&run->over, 1);
	while (i-- > 0)
		pthread_join(threads[i], NULL);
}

static int stress(const struct kind *kind, double seconds)
{
	struct run *run = calloc(1, sizeof(*run));
	/* A drain takes as many samples as eight producers leave. */
	struct tenon_limits limits = { .sz = sizeof(limits),
				       .max_map_bytes = 64u << 20,
				       .fuel = UINT64_MAX };
	struct tenon_runtime_opts opts = { .sz = sizeof(opts),
					   .limits = &limits,
					   .max_slots = kind->max_slots ? kind->max_slots
									: NR_THREADS + 4 };
	uint64_t ops = 0;
	int failed;

	run->kind = kind;
	run->nr_threads = kind->nr_threads ? kind->nr_threads : NR_THREADS;
	run->workers = calloc(run->nr_threads, sizeof(run->workers[0]));
	run->rt = tenon_runtime_new(&opts);
	if (!run->rt || tenon_runtime_set_packet_ops(run->rt, &packet_ops))
		die(kind, "runtime");
	load(run);
	if (!run->map) {
		printf("%-18s not in the plugin: the compiler has no address spaces\n", kind->name);
		return 0;
	}
	if (kind->begin)
		kind->begin(run);
	run_threads(run, seconds);
	if (kind->end && !atomic_load(&run->failed))
		kind->end(run);
	for (uint32_t i = 0; i < run->nr_threads; i++)
		ops += run->workers[i].ops;
	for (int side = 1; side >= 0; side--)
		if (tenon_object_close(run->obj[side]))
			wrong(run, "close: %s", tenon_last_error()->msg);
	if (tenon_runtime_free(run->rt))
		wrong(run, "runtime_free: %s", tenon_last_error()->msg);
	failed = atomic_load(&run->failed);
	printf("%-18s %12llu operations, %u threads: %s\n", kind->name, (unsigned long long)ops,
	       run->nr_threads, failed ? "WRONG" : "right");
	free(run->workers);
	free(run);
	return failed;
}

/* ---- Side by side ---- */

static uint32_t list_kinds(const struct kind **list)
{
	static const struct kind *const tables[] = { keyed_kinds, ring_kinds, other_kinds,
						     special_kinds };
	uint32_t nr = 0;

	for (uint32_t i = 0; i < 4; i++)
		for (const struct kind *k = tables[i]; k->name && nr < MAX_KINDS; k++)
			list[nr++] = k;
	return nr;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "all";
	double seconds = argc > 2 ? strtod(argv[2], NULL) : 0.5;
	const struct kind *kinds[MAX_KINDS];
	uint32_t nr = list_kinds(kinds), found = 0;
	int failed = 0, status;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!strcmp(name, "list")) {
		for (uint32_t i = 0; i < nr; i++)
			puts(kinds[i]->name);
		return 0;
	}
	for (uint32_t i = 0; i < nr; i++) {
		pid_t pid;

		if (strcmp(name, "all") && strcmp(name, kinds[i]->name))
			continue;
		found++;
		pid = fork();
		if (pid == 0)
			exit(stress(kinds[i], seconds));
		if (pid < 0) {
			perror("fork");
			return 1;
		}
		/* A short run takes them one after the other: many threads on few processors would
		 * spend it waiting to begin. */
		if (seconds < 5 && (waitpid(pid, &status, 0) < 0 || status))
			failed = 1;
	}
	if (!found) {
		fprintf(stderr, "no kind '%s'; 'list' names them\n", name);
		return 1;
	}
	while (wait(&status) > 0) {
		if (WIFSIGNALED(status))
			printf("%-18s ended by signal %d: WRONG\n", name, WTERMSIG(status));
		if (status)
			failed = 1;
	}
	return failed;
}
