/* SPDX-License-Identifier: MIT */
/*
 * Tracing programs written against vmlinux.h, in the kernel and in Tenon on both engines: raw
 * tracepoints by test runs, kprobe shapes by uprobes on functions of this very process. Equal
 * results and maps. Skipped, with the reason, where bpf(2) or uprobes are refused.
 *
 *   probes_as_kernel OBJECT
 */
#include <asm/ptrace.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tenon/tenon.h>

#define SKIP	77
#define NR_KEYS 5

struct seen {
	uint64_t parms[5];
	uint64_t sum, calls;
};

static const uint64_t tracepoints[][12] = {
	{ 0, 0 },
	{ 7, 35 },
	{ UINT64_C(0x1234567890abcdef), UINT64_C(0xffffffff80000000) },
	{ UINT64_MAX, UINT64_MAX },
};
static const uint64_t calls[][5] = {
	{ 1, 2, 3, 4, 5 },
	{ UINT64_MAX, UINT64_C(1) << 63, 0x1ff, UINT64_C(0x8000000000000000), 0 },
	{ UINT64_C(0xffffffff), UINT64_C(0x123456789), 0xff, 9, UINT64_C(0xfedcba9876543210) },
};
#define NR(a) (sizeof(a) / sizeof((a)[0]))

static int failed, compared;
static volatile uint64_t sink;

/* Where the kernel's probes are. Not static: they are found in the symbol table. */
__attribute__((noinline)) void probed_regs(uint64_t a, uint64_t b, uint64_t c, uint64_t d,
					   uint64_t e);
__attribute__((noinline)) void probed_named(int a, long b, unsigned char c);

void probed_regs(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
	sink = a + b + c + d + e;
}

void probed_named(int a, long b, unsigned char c)
{
	sink = (uint64_t)a + (uint64_t)b + c;
}

struct list {
	struct list *next, *prev;
};

__attribute__((noinline)) void probed_pointers(const struct list *list, const char *name);

void probed_pointers(const struct list *list, const char *name)
{
	sink = (uintptr_t)list + (unsigned char)*name;
}

static int quiet(enum libbpf_print_level level, const char *format, va_list ap)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, ap) : 0;
}

static void die(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	exit(1);
}

static void compare_tracepoint(struct bpf_object *kobj, struct tenon_object *tobj, const char *name,
			       const uint64_t args[12], enum tenon_engine engine)
{
	struct bpf_program *kprog = bpf_object__find_program_by_name(kobj, name);
	struct tenon_program *tprog = tenon_object_find_program(tobj, name);
	uint64_t copy[12];
	LIBBPF_OPTS(bpf_test_run_opts, k, .ctx_in = args, .ctx_size_in = sizeof(copy));
	TENON_OPTS(tenon_test_run_opts, t, .ctx = copy, .ctx_size = sizeof(copy), .engine = engine);

	memcpy(copy, args, sizeof(copy));
	if (!kprog || bpf_prog_test_run_opts(bpf_program__fd(kprog), &k))
		die(name, strerror(errno));
	if (!tprog || tenon_program_test_run(tprog, &t))
		die(name, tenon_last_error()->msg);
	compared++;
	if (k.retval == (uint32_t)t.retval)
		return;
	failed++;
	fprintf(stderr, "%s: kernel returns %d, tenon %d\n", name, (int)k.retval, (int)t.retval);
}

static void fire_in_tenon(struct tenon_object *tobj, const char *name, const uint64_t args[5],
			  enum tenon_engine engine)
{
	struct tenon_program *prog = tenon_object_find_program(tobj, name);
#ifdef __x86_64__
	struct pt_regs regs = {
		.rdi = args[0], .rsi = args[1], .rdx = args[2], .rcx = args[3], .r8 = args[4]
	};
#else
	struct user_pt_regs regs = { .regs = { args[0], args[1], args[2], args[3], args[4] } };
#endif
	TENON_OPTS(tenon_test_run_opts, opts, .ctx = &regs, .ctx_size = sizeof(regs),
		   .engine = engine);

	if (!prog || tenon_program_test_run(prog, &opts))
		die(name, tenon_last_error()->msg);
}

static struct bpf_link *probe(struct bpf_object *kobj, const char *name, const char *function)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(kobj, name);
	LIBBPF_OPTS(bpf_uprobe_opts, opts, .func_name = function);
	struct bpf_link *link = bpf_program__attach_uprobe_opts(prog, 0, "/proc/self/exe", 0,
								&opts);

	if (!link) {
		printf("skipped: uprobes are refused here: %s\n", strerror(errno));
		exit(failed ? 1 : SKIP);
	}
	return link;
}

static void call_both(struct bpf_object *kobj, struct tenon_object *tobj, enum tenon_engine engine)
{
	struct bpf_link *regs = probe(kobj, "probe_regs", "probed_regs");
	struct bpf_link *named = probe(kobj, "probe_named", "probed_named");
	struct bpf_link *pointers = probe(kobj, "probe_pointers", "probed_pointers");
	static const char *const names[] = { "", "name", "longer than the room" };
	static struct list first, second = { &first, &first };

	for (size_t i = 0; i < NR(calls); i++) {
		const uint64_t *a = calls[i];

		probed_regs(a[0], a[1], a[2], a[3], a[4]);
		probed_named((int)a[0], (long)a[1], (unsigned char)a[2]);
		fire_in_tenon(tobj, "probe_regs", a, engine);
		fire_in_tenon(tobj, "probe_named", a, engine);
	}
	first = (struct list){ &second, &second };
	for (size_t i = 0; i < NR(names); i++) {
		const uint64_t args[5] = { (uintptr_t)&first, (uintptr_t)names[i] };

		probed_pointers(&first, names[i]);
		fire_in_tenon(tobj, "probe_pointers", args, engine);
	}
	bpf_link__destroy(pointers);
	bpf_link__destroy(regs);
	bpf_link__destroy(named);
}

static void compare_maps(struct bpf_object *kobj, struct tenon_object *tobj)
{
	int fd = bpf_map__fd(bpf_object__find_map_by_name(kobj, "seen"));
	struct tenon_map *map = tenon_object_find_map(tobj, "seen");
	struct seen k, t;

	for (uint32_t key = 0; key < NR_KEYS; key++) {
		if (bpf_map_lookup_elem(fd, &key, &k))
			die("seen", strerror(errno));
		if (tenon_map_lookup_elem(map, &key, sizeof(key), &t, sizeof(t), 0))
			die("seen", tenon_last_error()->msg);
		compared++;
		if (!memcmp(&k, &t, sizeof(k)) && k.calls)
			continue;
		failed++;
		fprintf(stderr,
			"element %u: kernel %llu calls, sum %llu, parm1 %llx; tenon %llu, %llu, "
			"%llx\n",
			key, (unsigned long long)k.calls, (unsigned long long)k.sum,
			(unsigned long long)k.parms[0], (unsigned long long)t.calls,
			(unsigned long long)t.sum, (unsigned long long)t.parms[0]);
	}
}

static void compare_engine(const char *path, enum tenon_engine engine, const char *words)
{
	static const char *const tracers[] = { "raw_args", "raw_named" };
	/* Programs follow addresses that a number tells. */
	TENON_OPTS(tenon_object_open_opts, opts, .addresses_visible = true);
	struct tenon_runtime *rt = tenon_runtime_new(NULL);
	struct bpf_object *kobj = bpf_object__open(path);
	struct tenon_object *tobj;

	if (!kobj || bpf_object__load(kobj))
		die("the kernel does not load it", strerror(errno));
	tobj = rt ? tenon_object_open_file(rt, path, &opts) : NULL;
	if (!tobj || tenon_object_load(tobj))
		die(path, tenon_last_error()->msg);
	for (size_t i = 0; i < NR(tracers); i++) {
		for (size_t k = 0; k < NR(tracepoints); k++)
			compare_tracepoint(kobj, tobj, tracers[i], tracepoints[k], engine);
	}
	call_both(kobj, tobj, engine);
	compare_maps(kobj, tobj);
	bpf_object__close(kobj);
	if (tenon_object_close(tobj) || tenon_runtime_free(rt))
		die("close", tenon_last_error()->msg);
	printf("%s: %d comparisons, %d differ\n", words, compared, failed);
}

int main(int argc, char **argv)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "probe", 4, 4, 1, NULL);

	if (argc != 2)
		return 2;
	if (fd < 0) {
		printf("skipped: bpf(2) is refused here: %s\n", strerror(-fd));
		return SKIP;
	}
	libbpf_set_print(quiet);
	compare_engine(argv[1], TENON_ENGINE_INTERP, "interpreter");
	compare_engine(argv[1], TENON_ENGINE_AUTO, "native");
	return failed != 0;
}
