/* SPDX-License-Identifier: MIT */
/*
 * workers PLUGIN DIR JOBS: a server of three forked workers, each of which does JOBS jobs. The
 * plugin's maps are in DIR. One worker is killed half-way; another does what it left.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <tenon/tenon.h>
#include <unistd.h>

#include "job.h"

#define WORKERS 3
#define CLIENTS 4

static const struct tenon_field fields[] = { TENON_SCALAR(struct job_ctx, client, TENON_R),
					     TENON_SCALAR(struct job_ctx, bytes, TENON_R) };
static const struct tenon_ctx_type type = TENON_CTX_TYPE(job_ctx, fields);
static struct tenon_hook job;

static void work(unsigned int from, unsigned int to)
{
	for (unsigned int i = from; i < to; i++) {
		struct job_ctx ctx = { .client = 100 + i % CLIENTS, .bytes = 10 * (i % 7) };

		tenon_hook_fire(&job, &ctx);
	}
}

static pid_t start(unsigned int from, unsigned int to, int then)
{
	pid_t pid = fork();

	if (!pid) {
		work(from, to);
		if (then)
			raise(then);
		_exit(0);
	}
	return pid;
}

static void serve(unsigned int jobs)
{
	pid_t first = start(0, jobs / 2, SIGKILL);

	for (int i = 1; i < WORKERS; i++)
		start(0, jobs, 0);
	for (int left = WORKERS; left;) {
		int status;
		pid_t pid = wait(&status);

		if (pid == first && WIFSIGNALED(status)) {
			printf("a worker was killed; another one goes on\n");
			start(jobs / 2, jobs, 0);
		} else {
			left--;
		}
	}
}

int main(int argc, char **argv)
{
	struct tenon_hook_desc desc = { .sz = sizeof(desc), .name = "job", .ctx = &type };
	struct tenon_object_open_opts opts = { .sz = sizeof(opts) };
	struct tenon_runtime *rt = tenon_runtime_new(NULL);

	if (argc != 4)
		return fprintf(stderr, "usage: workers PLUGIN DIR JOBS\n"), 2;
	opts.pin_root_path = argv[2];
	if (!rt || tenon_hook_register(rt, &job, &desc) || !tenon_object_plug(rt, argv[1], &opts))
		return fprintf(stderr, "workers: %s\n", tenon_last_error()->msg), 1;
	serve((unsigned int)strtoul(argv[3], NULL, 10));
	return tenon_runtime_free(rt) != 0;
}
