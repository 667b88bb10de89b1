/* SPDX-License-Identifier: MIT */
/*
 * Compiled objects under the oracle: `verifier_objects [-v] [-i INPUTS] [-H HOST] FILE...`. Each
 * program that is accepted runs on random contexts of its type, watched and compiled, as in
 * random.c. -v: programs may see addresses; -H: a host's description. Objects that cannot be
 * resolved are counted and passed over.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tenon/tenon.h>

#include "host-api/program.h"
#include "host-api/runtime.h"
#include "verifier/structure.h"
#include "verifier/world.h"

#define CTX_BYTES    64
#define FUEL	     20000
#define MAX_PROGRAMS 256

/* The programs of one object, as the verifier meets them. */
static struct embed *embeds[MAX_PROGRAMS];
static uint32_t nr_embeds;
static bool visible;

static struct embed *embed_of(const struct tn_prog *prog)
{
	for (uint32_t i = 0; i < nr_embeds; i++)
		if (embeds[i]->prog == prog)
			return embeds[i];
	return NULL;
}

static void observe(void *user, struct tn_state_env *senv, const struct tn_state *s, bool fresh)
{
	struct tn_prog *prog = (struct tn_prog *)senv->structure->prog;
	struct embed *e = embed_of(prog);

	(void)user;
	if (!e) {
		if (nr_embeds == MAX_PROGRAMS)
			return;
		e = malloc(sizeof(*e));
		if (!e)
			abort();
		embed_init(e, prog);
		e->visible = visible;
		embeds[nr_embeds++] = e;
	}
	embed_observe(e, senv, s, fresh);
}

static void drop_embeds(void)
{
	while (nr_embeds) {
		embed_fini(embeds[--nr_embeds]);
		free(embeds[nr_embeds]);
	}
}

struct totals {
	uint64_t objects, refused, accepted, findings;
};

static void run_programs(struct world *w, struct tenon_object *obj, const char *path,
			 uint32_t inputs, struct totals *t)
{
	struct tenon_program *program = NULL;

	while ((program = tenon_object_next_program(obj, program))) {
		struct tn_prog *prog = program->prog;
		struct embed *e = embed_of(prog);

		if (!prog->facts || !e)
			continue;
		t->accepted++;
		/* Functions that are only described do what they may. */
		for (uint32_t i = 0; i < prog->nr_externs; i++)
			if (prog->externs[i].helper && !prog->externs[i].helper->fn)
				world_play_helper((struct tn_host_helper *)prog->externs[i].helper);
		for (uint32_t i = 0; i < prog->nr_maps; i++)
			world_guard_map(w, prog->maps[i]);
		world_guard_edge(w, t->accepted & 1);
		if (!world_run(w, prog, e, inputs, t->accepted * 7919, FUEL)) {
			t->findings++;
			printf("UNSOUND: %s: %s: %s\n", path, tenon_program_name(program), w->why);
		}
		world_unguard_maps(w);
	}
}

static void run_object(struct tenon_runtime *rt, struct world *w, const char *path, uint32_t inputs,
		       struct totals *t)
{
	TENON_OPTS(tenon_object_open_opts, opts, .ctx_size = CTX_BYTES,
		   .addresses_visible = visible);
	struct tenon_object *obj = tenon_object_open_file(rt, path, &opts);
	int rc = obj ? tenon_object_verify(obj) : -1;

	t->objects++;
	t->refused += rc != 0;
	if (obj)
		run_programs(w, obj, path, inputs, t);
	drop_embeds();
	tenon_object_close(obj);
}

int main(int argc, char **argv)
{
	static struct world w;
	struct tenon_runtime *rt = tenon_runtime_new(NULL);
	struct totals t = { 0 };
	uint32_t inputs = 8;
	int opt;

	if (!rt)
		return 1;
	while ((opt = getopt(argc, argv, "vi:H:")) != -1) {
		visible |= opt == 'v';
		if (opt == 'i')
			inputs = (uint32_t)atoi(optarg);
		if (opt == 'H' && tenon_runtime_add_description(rt, optarg)) {
			printf("%s\n", tenon_last_error()->msg);
			return 1;
		}
	}
	if (!world_init(&w, &rt->rt))
		return 1;
	w.visible = visible;
	rt->observe = observe;
	for (int i = optind; i < argc; i++)
		run_object(rt, &w, argv[i], inputs, &t);
	printf("%llu objects, %llu of them not as a whole; %llu programs accepted, %llu findings\n",
	       (unsigned long long)t.objects, (unsigned long long)t.refused,
	       (unsigned long long)t.accepted, (unsigned long long)t.findings);
	printf("%llu watched runs, %llu not to the end, %llu programs with too many states\n"
	       "%llu state-embedding checks, %llu programs compiled, %llu runs compared\n",
	       (unsigned long long)w.runs, (unsigned long long)w.gave_up,
	       (unsigned long long)w.not_checked, (unsigned long long)w.checks,
	       (unsigned long long)w.compiled, (unsigned long long)w.compared);
	tenon_runtime_free(rt);
	return t.findings != 0;
}
