/* SPDX-License-Identifier: MIT */
/*
 * A server that lets plugins say what its jobs cost. Built three times, with the header of one
 * release each: server TYPES PLUGIN
 */
#include <stdio.h>
#include <tenon/tenon.h>

#include "server.h"

static struct owner ann = { .uid = 7 }, bob = { .uid = 8 };

static const struct job jobs[] = {
#if SERVER_RELEASE == 1
	{ .id = 1, .bytes = 300, .priority = 5, .state = JOB_DONE, .owner = &ann },
	{ .id = 2, .bytes = 400, .priority = -1, .state = JOB_DONE, .owner = &bob },
	{ .id = 3, .bytes = 500, .priority = 0, .state = JOB_RUNNING, .owner = &bob },
#elif SERVER_RELEASE == 2
	{ .id = 1, .bytes = 300, .priority = 5, .state = JOB_DONE, .owner = &ann },
	{ .id = 2, .bytes = 400ull << 32, .priority = -1, .state = JOB_DONE, .owner = &bob },
	{ .id = 3, .bytes = 500, .priority = 0, .state = JOB_RUNNING, .owner = &bob },
#else
	{ .id = 1, .size = 300, .state = JOB_DONE, .owner = &ann },
	{ .id = 2, .size = 400ull << 32, .state = JOB_DONE, .owner = &bob },
	{ .id = 3, .size = 500, .state = JOB_ACTIVE, .owner = &bob },
#endif
};

static struct tenon_hook hook;

int main(int argc, char **argv)
{
	struct tenon_hook_desc desc = { .sz = sizeof(desc),
					.name = "job",
					.chain = TENON_CHAIN_LAST,
					.ctx_name = "job_event" };
	struct tenon_btf_opts types = { .sz = sizeof(types), .name = "server" };
	struct tenon_runtime *rt = tenon_runtime_new(NULL);

	if (argc != 3)
		return fprintf(stderr, "usage: %s HOST.BTF PLUGIN.bpf.o\n", argv[0]), 2;
	if (!rt || tenon_runtime_add_btf_file(rt, argv[1], &types) ||
	    tenon_hook_register(rt, &hook, &desc))
		return fprintf(stderr, "server: %s\n", tenon_last_error()->msg), 2;
	printf("release %d\n", SERVER_RELEASE);
	if (!tenon_object_plug(rt, argv[2], NULL)) {
		printf("refused: %s: %s\n", tenon_last_error()->source, tenon_last_error()->msg);
		return tenon_runtime_free(rt), 1;
	}
	for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++) {
		struct job job = jobs[i];
		struct job_event event = { .job = &job };
		uint64_t payer = tenon_hook_fire(&hook, &event);

		printf("job %u: %llu for owner %llu\n", (unsigned)job.id,
		       (unsigned long long)event.charge, (unsigned long long)payer);
	}
	return tenon_runtime_free(rt) != 0;
}
