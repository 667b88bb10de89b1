/* SPDX-License-Identifier: MIT */
#include "tenon_side.h"

#include <stdio.h>
#include <stdlib.h>

void side_die(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, tenon_last_error()->msg);
	exit(1);
}

struct tenon_runtime *side_runtime(void)
{
	const struct tenon_limits limits = { .sz = sizeof(limits), .fuel = UINT64_MAX };
	const struct tenon_runtime_opts opts = { .sz = sizeof(opts), .limits = &limits };
	struct tenon_runtime *rt = tenon_runtime_new(&opts);

	if (!rt)
		side_die("runtime");
	return rt;
}

const char *side_path(const char *dir, const char *name)
{
	static char paths[4][512];
	static int next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s.bpf.o", dir, name);
	return path;
}

struct tenon_object *side_load(struct tenon_runtime *rt, const char *dir, const char *object)
{
	struct tenon_object *obj = tenon_object_open_file(rt, side_path(dir, object), NULL);

	if (!obj || tenon_object_load(obj))
		side_die(object);
	return obj;
}

struct tenon_program *side_program(struct tenon_object *object, const char *name)
{
	struct tenon_program *prog = tenon_object_find_program(object, name);

	if (!prog)
		side_die(name);
	return prog;
}
