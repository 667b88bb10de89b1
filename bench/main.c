/* SPDX-License-Identifier: MIT */
/*
 * tenon-bench DIR [NAME [FILTER]] [--quick] [--rounds N] [--json FILE]: the benches, one after the
 * other, in a table and as JSON.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "harness.h"

static const struct {
	const char *name;
	void (*run)(const char *dir);
} benches[] = {
	{ "hooks", bench_hooks },     { "jit", bench_jit },	  { "maps", bench_maps },
	{ "helpers", bench_helpers }, { "verify", bench_verify },
};

struct bench_options bench_options;

/* One core for the whole run: a migration in the middle of a round would be measured. */
static void pin(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		perror("bench: cannot pin to one core; figures will be noisy");
	setpriority(PRIO_PROCESS, 0, -15);
}

int main(int argc, char **argv)
{
	const char *dir = argc > 1 ? argv[1] : ".", *name = NULL, *json = NULL;
	int found = 0;

	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0 && i + 1 < argc)
			json = argv[++i];
		else if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc)
			bench_options.rounds = (unsigned int)atoi(argv[++i]);
		else if (strcmp(argv[i], "--quick") == 0)
			bench_options.quick = true;
		else if (!name)
			name = argv[i];
		else
			bench_options.filter = argv[i];
	}
	/* All benches in a row: the whole matrix of maps would take longer than all others. */
	if (!name)
		bench_options.quick = true;
	pin();
	for (size_t i = 0; i < sizeof(benches) / sizeof(benches[0]); i++) {
		if (name && strcmp(name, benches[i].name) != 0)
			continue;
		benches[i].run(dir);
		found = 1;
	}
	if (!found) {
		fprintf(stderr,
			"bench: no bench '%s'; there are hooks, jit, maps, helpers, verify\n",
			name);
		return 2;
	}
	return json && bench_write_json(json) ? 1 : 0;
}
