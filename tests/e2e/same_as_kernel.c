/* SPDX-License-Identifier: MIT */
/*
 * The same object in the kernel and in Tenon, on both engines: equal return values, equal frames
 * afterwards, equal maps at the end. Skipped, with the reason, where bpf(2) is refused.
 *
 *   same_as_kernel OBJECT
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tenon/tenon.h>

#define SKIP	    77
#define FRAME_BYTES 128

static const struct {
	const char *name;
	size_t size;
	unsigned char bytes[FRAME_BYTES];
} frames[] = {
	{ "udp to port 53", 64, { 2,	0,    0,    0,	0, 1,  2,   0,	 0,  0, 0,    2,
				  8,	0,    0x45, 0,	0, 50, 0,   1,	 0,  0, 64,   17,
				  0x12, 0x34, 10,   0,	0, 1,  10,  0,	 0,  2, 0x30, 0x39,
				  0,	53,   0,    30, 0, 0,  'd', 'n', 's' } },
	{ "udp to port 80", 60, { 2,	0,    0,    0,	0, 1,  2,   0,	 0,  0, 0,    2,
				  8,	0,    0x45, 0,	0, 46, 0,   1,	 0,  0, 1,    17,
				  0xff, 0xff, 10,   0,	0, 1,  10,  0,	 0,  3, 0x30, 0x39,
				  0,	80,   0,    26, 0, 0,  'w', 'w', 'w' } },
	{ "tcp", 74, { 2,    0, 0,  0,	0, 1, 2, 0, 0, 0, 0,	2,    8,  0,
		       0x46, 0, 0,  60, 0, 1, 0, 0, 9, 6, 0xfe, 0xff, 10, 0,
		       0,    9, 10, 0,	0, 2, 1, 1, 1, 1, 0x30, 0x39, 1,  187 } },
	{ "ip options past the end",
	  34,
	  { 2,	0, 0, 0, 0, 1, 2,  0, 0, 0,  0, 2, 8, 0,  0x4f, 0, 0,
	    20, 0, 1, 0, 0, 5, 17, 1, 2, 10, 0, 0, 9, 10, 0,	0, 2 } },
	{ "no ip, 14 bytes", 14, { 8, 255, 255, 255, 255, 255, 0, 1, 2, 3, 4, 5, 8, 6 } },
	{ "noise", 100, { 8,   1,  200, 3,  99, 5,  6,	77, 8,	9,  10,	 11, 12,
			  213, 14, 15,	16, 17, 18, 19, 20, 21, 22, 23,	 24, 25,
			  26,  27, 28,	29, 30, 31, 32, 33, 34, 35, 255, 254 } },
};
#define NR_FRAMES (sizeof(frames) / sizeof(frames[0]))

static int failed, compared;

static int quiet(enum libbpf_print_level level, const char *format, va_list ap)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, ap) : 0;
}

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, tenon_last_error()->msg);
	exit(1);
}

struct outcome {
	uint32_t retval;
	size_t size;
	unsigned char out[FRAME_BYTES];
};

static struct outcome run_in_kernel(int fd, size_t f)
{
	struct outcome o = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frames[f].bytes,
		    .data_size_in = (uint32_t)frames[f].size, .data_out = o.out,
		    .data_size_out = sizeof(o.out), .repeat = 1);

	if (bpf_prog_test_run_opts(fd, &opts)) {
		fprintf(stderr, "BPF_PROG_TEST_RUN, frame '%s': %s\n", frames[f].name,
			strerror(errno));
		exit(1);
	}
	o.retval = opts.retval;
	o.size = opts.data_size_out;
	return o;
}

static struct outcome run_in_tenon(struct tenon_program *prog, size_t f, enum tenon_engine engine)
{
	struct outcome o = { 0 };
	struct tenon_test_run_opts opts = { .sz = sizeof(opts),
					    .data_in = frames[f].bytes,
					    .data_in_size = frames[f].size,
					    .data_out = o.out,
					    .data_out_size = sizeof(o.out),
					    .engine = engine };

	if (tenon_program_test_run(prog, &opts))
		die(tenon_program_name(prog));
	o.retval = (uint32_t)opts.retval;
	o.size = opts.data_out_size;
	return o;
}

static void compare_outcome(const char *prog, size_t f, const struct outcome *k,
			    const struct outcome *t)
{
	/* Socket filters see no Ethernet header: the kernel gives zeroes in its place. */
	size_t from = strstr(prog, "socket") ? 14 : 0;

	compared++;
	if (k->retval == t->retval && k->size == t->size && k->size >= from &&
	    !memcmp(k->out + from, t->out + from, k->size - from))
		return;
	failed++;
	fprintf(stderr, "%s on '%s': kernel returns %d with %zu bytes, tenon %d with %zu%s\n", prog,
		frames[f].name, (int)k->retval, k->size, (int)t->retval, t->size,
		k->size == t->size && memcmp(k->out, t->out, k->size) ? ", frames differ" : "");
}

static void compare_programs(struct bpf_object *kobj, struct tenon_object *tobj,
			     enum tenon_engine engine)
{
	struct bpf_program *kprog;

	bpf_object__for_each_program(kprog, kobj)
	{
		const char *name = bpf_program__name(kprog);
		struct tenon_program *tprog = tenon_object_find_program(tobj, name);

		if (!tprog)
			die(name);
		for (size_t f = 0; f < NR_FRAMES; f++) {
			struct outcome k, t;

			/* __sk_buff test runs want an Ethernet header and an IP header behind it.
			 */
			if (!strncmp(name, "tc_", 3) && frames[f].size < 34)
				continue;
			k = run_in_kernel(bpf_program__fd(kprog), f);
			t = run_in_tenon(tprog, f, engine);
			compare_outcome(name, f, &k, &t);
		}
	}
}

static size_t host_value_size(const struct bpf_map *map)
{
	if (bpf_map__type(map) != BPF_MAP_TYPE_PERCPU_ARRAY)
		return bpf_map__value_size(map);
	return 0;
}

/* Every key of the kernel's map is in Tenon's with the same value, and no other. */
static void compare_map(struct bpf_map *kmap, struct tenon_object *tobj)
{
	const char *name = bpf_map__name(kmap);
	size_t key_size = bpf_map__key_size(kmap), value_size = host_value_size(kmap);
	unsigned char key[64], tkey[64], kval[4096], tval[4096], *prev = NULL, *tprev = NULL;
	bool ordered = bpf_map__type(kmap) == BPF_MAP_TYPE_LPM_TRIE;
	struct tenon_map *tmap = tenon_object_find_map(tobj, name);
	int kkeys = 0, tkeys = 0;

	if (!value_size || value_size > sizeof(kval) || key_size > sizeof(key) || key_size == 0)
		return;
	/* Data that no program refers to is not created. */
	if (tmap && tenon_map_id(tmap) == 0)
		return;
	if (!tmap) {
		fprintf(stderr, "map '%s' is missing in tenon\n", name);
		failed++;
		return;
	}
	while (bpf_map_get_next_key(bpf_map__fd(kmap), prev, key) == 0) {
		prev = key;
		kkeys++;
		if (ordered && (tenon_map_get_next_key(tmap, tprev, tkey, key_size) ||
				memcmp(key, tkey, key_size))) {
			fprintf(stderr, "map '%s': key %d differs\n", name, kkeys - 1);
			failed++;
		}
		tprev = tkey;
		if (bpf_map_lookup_elem(bpf_map__fd(kmap), key, kval))
			continue;
		compared++;
		if (tenon_map_lookup_elem(tmap, key, key_size, tval, value_size, 0) ||
		    memcmp(kval, tval, value_size)) {
			fprintf(stderr, "map '%s': element %d differs\n", name, kkeys - 1);
			failed++;
		}
	}
	for (prev = NULL; tenon_map_get_next_key(tmap, prev, key, key_size) == 0; prev = key)
		tkeys++;
	if (kkeys != tkeys) {
		fprintf(stderr, "map '%s': kernel has %d keys, tenon %d\n", name, kkeys, tkeys);
		failed++;
	}
}

static void compare_engine(const char *path, enum tenon_engine engine, const char *words)
{
	struct tenon_runtime *rt = tenon_runtime_new(NULL);
	struct bpf_object *kobj = bpf_object__open(path);
	struct tenon_object *tobj;
	struct bpf_map *kmap;

	if (!kobj || bpf_object__load(kobj)) {
		fprintf(stderr, "the kernel does not load %s: %s\n", path, strerror(errno));
		exit(1);
	}
	tobj = rt ? tenon_object_open_file(rt, path, NULL) : NULL;
	if (!tobj || tenon_object_load(tobj))
		die(path);
	compare_programs(kobj, tobj, engine);
	bpf_object__for_each_map(kmap, kobj)
	{
		if (bpf_map__type(kmap) != BPF_MAP_TYPE_PROG_ARRAY &&
		    bpf_map__type(kmap) != BPF_MAP_TYPE_RINGBUF)
			compare_map(kmap, tobj);
	}
	bpf_object__close(kobj);
	if (tenon_object_close(tobj) || tenon_runtime_free(rt))
		die("close");
	printf("%s: %d comparisons, %d differ\n", words, compared, failed);
}

static int kernel_refuses(void)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "probe", 4, 4, 1, NULL);

	if (fd < 0)
		return -fd;
	return 0;
}

int main(int argc, char **argv)
{
	int why = kernel_refuses();

	if (argc != 2)
		return 2;
	if (why) {
		printf("skipped: bpf(2) is refused here: %s\n", strerror(why));
		return SKIP;
	}
	libbpf_set_print(quiet);
	compare_engine(argv[1], TENON_ENGINE_INTERP, "interpreter");
	compare_engine(argv[1], TENON_ENGINE_AUTO, "native");
	return failed != 0;
}
