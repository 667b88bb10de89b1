/* SPDX-License-Identifier: MIT */
/*
 * Programs against the soundness oracle (embed.h) and guard pages (world.h):
 *
 *	verifier_random [-p] [-x] [-f] [-d] [-J] [-i INPUTS] [COUNT [SEED]]	random programs
 *(gen.h) verifier_random -c PATH... [-m MUTANTS] [-i INPUTS] [SEED]	cases, and changes of them
 *	verifier_random -k [-d] [COUNT [SEED]]	verdicts against the kernel's; 77: bpf(2) is refused
 *
 * -p: packet programs; -x: with iterators, dynptrs, locks, ...; -f: flip bits; -d: print what is
 *rejected; -J: no compiled runs.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "verifier/case.h"
#include "verifier/embed.h"
#include "verifier/gen.h"
#include "verifier/kernel.h"
#include "verifier/world.h"
#include "vm/disasm.h"

#define FUEL	  20000
#define MAX_PATHS 16
#define MAX_CASES 2000

struct options {
	bool dump, packet, with_kernel, flip, constructs;
	uint32_t inputs, mutants;
	const char *paths[MAX_PATHS];
	uint32_t nr_paths;
	uint64_t count, seed;
};

struct bench {
	struct options o;
	struct tn_rt rt;
	struct world world;
	struct tn_map *maps[GEN_NR_MAPS], *inner[2];
	uint32_t nr_maps;
	struct kernel kernel;
	struct gen gen;
	struct embed embed;
	uint64_t accepted, rejected, unsound;
	uint64_t table[2][2]; /* ours, the kernel's: 1 accepts */
};

static void dump(const struct tn_prog *prog, const struct tn_insn *code)
{
	char text[128];

	for (uint32_t i = 0; i < prog->nr_insns; i++) {
		tn_disasm(prog, &code[i], i, text, sizeof(text));
		printf("%4u: %s\n", i, text);
		i += tn_insn_is_lddw(&code[i]);
	}
}

/* Verify under observation, and run when it is accepted. */
static void check(struct bench *b, struct tn_prog *prog, struct tn_verify_env *env,
		  const char *name, uint64_t seed)
{
	struct tn_verdict v;
	int err;

	embed_init(&b->embed, prog);
	b->embed.visible = b->world.visible = env->addresses_visible;
	env->observe = embed_observe;
	env->observe_user = &b->embed;
	err = tn_verify(prog, env, &v);
	b->accepted += !err;
	b->rejected += err != 0;
	if (err && b->o.dump)
		printf("%s", v.msg ? v.msg : "?\n");
	if (!err && !world_run(&b->world, prog, &b->embed, b->o.inputs, seed, FUEL)) {
		b->unsound++;
		printf("UNSOUND: %s, seed %llu: %s\n", name, (unsigned long long)seed,
		       b->world.why);
		dump(prog, b->embed.code);
		printf("\n");
	}
	tn_verdict_free(&b->rt, &v);
	embed_fini(&b->embed);
}

/* ---- Generated programs ---- */

static struct tn_prog *generated(struct bench *b, uint64_t seed)
{
	struct tn_prog *prog = tn_prog_new(&b->rt, "random");
	struct gen *g = &b->gen;

	g->packet = b->o.packet;
	g->plain = b->o.with_kernel;
	g->constructs = b->o.constructs;
	gen_program(g, seed);
	if (b->o.flip)
		gen_flip_bits(g);
	prog->ctx_type = b->o.packet ? tn_ctx_builtin("xdp") : &case_test_ctx;
	prog->maps = tn_alloc_array(&b->rt, GEN_NR_MAPS, sizeof(prog->maps[0]));
	prog->nr_maps = b->nr_maps;
	for (uint32_t i = 0; i < b->nr_maps; i++)
		prog->maps[i] = tn_map_get(b->maps[i]);
	if (tn_prog_set_insns(prog, g->v, g->nr) || !world_add_helpers(&b->world, prog)) {
		printf("no memory\n");
		exit(1);
	}
	return prog;
}

static void run_generated(struct bench *b, uint64_t seed)
{
	struct tn_verify_env env = { .fuel = FUEL };
	struct tn_prog *prog;

	world_guard_edge(&b->world, seed & 1);
	prog = generated(b, seed);
	check(b, prog, &env, "generated", seed);
	tn_prog_free(prog);
}

/* Tenon alone accepts: 0 where the kernel's reason is a known one and the oracle agrees. */
static bool is_explained(struct bench *b, struct tn_prog *prog, uint64_t seed)
{
	bool better = false;
	int reason = kernel_reason(&b->kernel, &better);

	if (reason < 0)
		return false;
	kernel_reason_count(&b->kernel, reason);
	return !better || world_run(&b->world, prog, &b->embed, b->o.inputs, seed, FUEL);
}

static void compare_with_kernel(struct bench *b, uint64_t seed)
{
	struct tn_verify_env env = { .fuel = FUEL,
				     .observe = embed_observe,
				     .observe_user = &b->embed };
	struct tn_prog *prog = generated(b, seed);
	struct tn_verdict v;
	const char *why;
	int err, kerr;

	embed_init(&b->embed, prog);
	err = tn_verify(prog, &env, &v);
	kerr = kernel_verify(&b->kernel, KERNEL_XDP, b->gen.v, b->gen.nr, false, &why);
	if (!err && kerr)
		kerr = kernel_verify(&b->kernel, KERNEL_XDP, b->gen.v, b->gen.nr, true, &why);
	b->accepted += !err;
	b->rejected += err != 0;
	b->table[!err][!kerr]++;
	if (!err && kerr && !is_explained(b, prog, seed)) {
		b->unsound++;
		printf("seed %llu: accepted here, not explained: the kernel says: %s; %s\n",
		       (unsigned long long)seed, why, b->world.why);
		dump(prog, b->embed.code);
	} else if (b->o.dump && !err != !kerr) {
		printf("seed %llu: %s here, the kernel says: %s\n%s", (unsigned long long)seed,
		       err ? "rejected" : "accepted", kerr ? why : "accepted", err ? v.msg : "");
	}
	tn_verdict_free(&b->rt, &v);
	embed_fini(&b->embed);
	tn_prog_free(prog);
}

#define INNER_ATTR(what)                                                                 \
	{                                                                                \
		.type = TN_MAP_ARRAY, .key_size = 4, .value_size = 16, .max_entries = 4, \
		.name = (what)                                                           \
	}

static bool make_inner_maps(struct bench *b)
{
	static const struct tn_map_attr attr = INNER_ATTR("inner");

	for (uint32_t i = 0; i < TN_ARRAY_SIZE(b->inner); i++) {
		b->inner[i] = tn_map_create(&b->rt, &attr);
		if (!b->inner[i] || tn_map_host_update(b->maps[GEN_OUTER], &i, &b->inner[i]->id, 0))
			return false;
		world_add_inner(&b->world, b->inner[i]);
	}
	return true;
}

static bool make_maps(struct bench *b)
{
	static const struct tn_map_special lock = { .off = 4, .size = 4, .kind = TN_SPECIAL_LOCK };
	static const struct tn_map_attr inner = INNER_ATTR("shape");
	static const struct tn_map_attr attrs[GEN_NR_MAPS] = {
		[GEN_ONE] = { TN_MAP_ARRAY, 4, 64, 1, 0, "one" },
		[GEN_FOUR] = { TN_MAP_ARRAY, 4, 16, 4, 0, "four" },
		[GEN_HASH] = { TN_MAP_HASH, 4, 16, 8, 0, "hash" },
		[GEN_RING] = { TN_MAP_RINGBUF, 0, 0, 65536, 0, "ring" },
		[GEN_LOCKED] = { .type = TN_MAP_ARRAY,
				 .key_size = 4,
				 .value_size = 16,
				 .max_entries = 4,
				 .name = "locked",
				 .specials = &lock,
				 .nr_specials = 1 },
		[GEN_CONST] = { TN_MAP_ARRAY, 4, 64, 1, TN_MAP_F_RDONLY_PROG, "const" },
		[GEN_OUTER] = { .type = TN_MAP_ARRAY_OF_MAPS,
				.key_size = 4,
				.value_size = 4,
				.max_entries = 3,
				.name = "outer",
				.inner = &inner },
		[GEN_PROGS] = { TN_MAP_PROG_ARRAY, 4, 4, 4, 0, "progs" },
		[GEN_ARENA] = { TN_MAP_ARENA, 0, 0, 2, TN_MAP_F_MMAPABLE, "arena" },
	};

	b->nr_maps = b->o.constructs ? GEN_NR_MAPS : GEN_NR_PLAIN_MAPS;
	for (uint32_t i = 0; i < b->nr_maps; i++) {
		b->maps[i] = tn_map_create(&b->rt, &attrs[i]);
		if (!b->maps[i]) {
			printf("%s: %s\n", attrs[i].name, tn_err_last()->msg);
			return false;
		}
		world_guard_map(&b->world, b->maps[i]);
	}
	return !b->o.constructs || make_inner_maps(b);
}

/* Programs are refused that the kernel takes: a few where it knows more. */
static void check_refusals(struct bench *b)
{
	uint64_t refused = b->table[0][1], taken = b->table[1][1] + refused;

	if (taken < 10 || refused * 4 <= taken)
		return;
	b->unsound++;
	printf("not explained: of %llu programs that the kernel accepts %llu are refused here\n",
	       (unsigned long long)taken, (unsigned long long)refused);
}

static int run_all_generated(struct bench *b)
{
	if (!make_maps(b))
		return 1;
	if (b->o.with_kernel && !kernel_open(&b->kernel, b->maps, b->nr_maps)) {
		printf("bpf(2) is refused here\n");
		return 77;
	}
	for (uint64_t i = 0; i < b->o.count && (b->unsound < 5 || b->o.with_kernel); i++) {
		if (b->o.with_kernel)
			compare_with_kernel(b, b->o.seed + i);
		else
			run_generated(b, b->o.seed + i);
	}
	if (b->o.with_kernel) {
		printf("both accept %llu, both reject %llu, kernel alone accepts %llu, Tenon alone "
		       "accepts %llu\n",
		       (unsigned long long)b->table[1][1], (unsigned long long)b->table[0][0],
		       (unsigned long long)b->table[0][1], (unsigned long long)b->table[1][0]);
		kernel_reasons_print(&b->kernel);
		check_refusals(b);
		kernel_close(&b->kernel);
	}
	world_fini(&b->world);
	for (uint32_t i = 0; b->o.constructs && i < TN_ARRAY_SIZE(b->inner); i++)
		tn_map_put(b->inner[i]);
	for (uint32_t i = 0; i < b->nr_maps; i++)
		tn_map_put(b->maps[i]);
	return 0;
}

/* ---- Cases, and small changes of them ---- */

static bool change(struct bench *b, struct tn_case *c, uint64_t seed)
{
	struct gen *g = &b->gen;

	if (c->prog->nr_insns > GEN_MAX_INSNS)
		return false;
	memcpy(g->v, c->prog->insns, c->prog->nr_insns * sizeof(g->v[0]));
	g->nr = c->prog->nr_insns;
	g->seed = seed * 0x9e3779b97f4a7c15ull + 1;
	for (int i = 0; i < 4; i++)
		gen_random(g);
	for (uint64_t n = 1 + gen_random(g) % 3; n; n--)
		if (!gen_mutate(g))
			return false;
	return !tn_prog_set_insns(c->prog, g->v, g->nr);
}

static void run_case(struct bench *b, const char *path, uint64_t mutant)
{
	struct tn_case c;

	if (!case_open(&c, &b->rt, path)) {
		/* verifier_cases says what is wrong with it. */
		printf("%s: not a case: %s\n", path, tn_err_last()->msg);
		case_close(&c);
		return;
	}
	if (!mutant || change(b, &c, b->o.seed + mutant)) {
		for (uint32_t i = 0; i < c.nr_maps; i++)
			world_guard_map(&b->world, c.maps[i]);
		world_guard_edge(&b->world, mutant & 1);
		for (uint32_t i = 0; i < c.nr_helpers; i++)
			world_play_helper(&c.helpers[i]);
		check(b, c.prog, &c.env, c.name, b->o.seed + mutant);
		world_unguard_maps(&b->world);
	}
	case_close(&c);
}

static int is_case(const struct dirent *e)
{
	size_t n = strlen(e->d_name);

	return n > 3 && !strcmp(e->d_name + n - 3, ".tn");
}

static uint32_t list_cases(const char *path, char (*out)[512], uint32_t max)
{
	struct dirent **names;
	struct stat st;
	uint32_t nr = 0;
	int n;

	if (stat(path, &st) || !S_ISDIR(st.st_mode)) {
		snprintf(out[0], sizeof(out[0]), "%s", path);
		return 1;
	}
	n = scandir(path, &names, is_case, alphasort);
	for (int i = 0; i < n; i++) {
		if (nr < max)
			snprintf(out[nr++], sizeof(out[0]), "%s/%s", path, names[i]->d_name);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	return nr;
}

static void run_all_cases(struct bench *b)
{
	static char files[MAX_CASES][512];
	uint32_t nr = 0;

	for (uint32_t i = 0; i < b->o.nr_paths; i++)
		nr += list_cases(b->o.paths[i], files + nr, MAX_CASES - nr);
	for (uint64_t m = 0; m <= b->o.mutants && b->unsound < 5; m++)
		for (uint32_t i = 0; i < nr && b->unsound < 5; i++)
			run_case(b, files[i], m);
	world_fini(&b->world);
}

/* ---- */

static void report(const struct bench *b)
{
	const struct world *w = &b->world;

	printf("%llu accepted, %llu rejected, %llu findings\n", (unsigned long long)b->accepted,
	       (unsigned long long)b->rejected, (unsigned long long)b->unsound);
	if (b->o.with_kernel)
		return;
	printf("%llu watched runs, %llu not to the end, %llu programs with too many states\n"
	       "%llu state-embedding checks, %llu values in them, %llu accesses, %llu facts\n"
	       "%llu programs compiled, %llu runs compared\n",
	       (unsigned long long)w->runs, (unsigned long long)w->gave_up,
	       (unsigned long long)w->not_checked, (unsigned long long)w->checks,
	       (unsigned long long)w->values, (unsigned long long)w->accesses,
	       (unsigned long long)w->facts, (unsigned long long)w->compiled,
	       (unsigned long long)w->compared);
}

static bool parse(struct options *o, int argc, char **argv, bool *jit)
{
	int opt;

	o->inputs = 6;
	while ((opt = getopt(argc, argv, "pdkfxJi:c:m:")) != -1) {
		o->dump |= opt == 'd';
		o->flip |= opt == 'f';
		o->constructs |= opt == 'x';
		o->packet |= opt == 'p' || opt == 'k';
		o->with_kernel |= opt == 'k';
		*jit = *jit && opt != 'J';
		if (opt == 'i')
			o->inputs = (uint32_t)atoi(optarg);
		if (opt == 'm')
			o->mutants = (uint32_t)atoi(optarg);
		if (opt == 'c' && o->nr_paths < MAX_PATHS)
			o->paths[o->nr_paths++] = optarg;
		if (opt == '?')
			return false;
	}
	o->count = 3000;
	o->seed = 1;
	if (!o->nr_paths && optind < argc)
		o->count = strtoull(argv[optind++], NULL, 0);
	if (optind < argc)
		o->seed = strtoull(argv[optind], NULL, 0);
	return true;
}

int main(int argc, char **argv)
{
	static struct bench b;
	bool jit = true;
	int rc = 0;

	if (!parse(&b.o, argc, argv, &jit) || tn_rt_init(&b.rt, NULL) ||
	    !world_init(&b.world, &b.rt))
		return 1;
	b.world.use_jit = jit;
	if (b.o.nr_paths)
		run_all_cases(&b);
	else
		rc = run_all_generated(&b);
	if (!rc)
		report(&b);
	if (!rc && !b.world.compared && b.world.compiled > 50) {
		printf("compiled programs ran, but nothing was compared\n");
		rc = 1;
	}
	tn_rt_fini(&b.rt);
	return rc ? rc : b.unsound != 0;
}
