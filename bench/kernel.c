/* SPDX-License-Identifier: MIT */
/* BPF_PROG_TEST_RUN. The kernel's repeat count is an int; longer runs are cut into several. */
#include "kernel.h"

#include <stdio.h>
#include <stdlib.h>

#ifdef HAVE_LIBBPF
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

struct kernel_prog {
	struct bpf_object *object;
	int fd;
	struct kernel_prog *next; /* further programs of the object; owned */
	struct ring_buffer *ring; /* owned */
};

static int quiet(enum libbpf_print_level level, const char *format, va_list ap)
{
	(void)level;
	(void)format;
	(void)ap;
	return 0;
}

struct kernel_prog *kernel_load(const char *object, const char *program, const char **why)
{
	char text[256];
	struct kernel_prog *prog = calloc(1, sizeof(*prog));
	struct bpf_program *p;
	int err = ENOENT;

	libbpf_set_print(quiet);
	prog->object = bpf_object__open(object);
	if (!prog->object || bpf_object__load(prog->object)) {
		err = errno;
		goto fail;
	}
	p = bpf_object__find_program_by_name(prog->object, program);
	if (!p)
		goto fail;
	prog->fd = bpf_program__fd(p);
	return prog;
fail:
	snprintf(text, sizeof(text), "the kernel refused it: %s", strerror(err));
	*why = strdup(text);
	kernel_unload(prog);
	return NULL;
}

/* An errno, or 0. */
static int set_sizes(struct bpf_object *object, uint32_t max_entries, uint32_t nr_keys)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, "map");
	struct bpf_map *rodata = bpf_object__find_map_by_name(object, ".rodata");
	int err;

	if (!map || !rodata)
		return ENOENT;
	err = -bpf_map__set_initial_value(rodata, &nr_keys, sizeof(nr_keys));
	if (err)
		return err;
	return max_entries ? -bpf_map__set_max_entries(map, max_entries) : 0;
}

struct kernel_prog *kernel_load_sized(const char *object, uint32_t max_entries, uint32_t nr_keys,
				      const char **why)
{
	char text[256];
	struct kernel_prog *prog = calloc(1, sizeof(*prog));
	int err;

	libbpf_set_print(quiet);
	prog->fd = -1;
	prog->object = bpf_object__open(object);
	err = prog->object ? set_sizes(prog->object, max_entries, nr_keys) : errno;
	if (!err)
		err = -bpf_object__load(prog->object);
	if (!err)
		return prog;
	snprintf(text, sizeof(text), "the kernel refused it: %s", strerror(err));
	*why = strdup(text);
	kernel_unload(prog);
	return NULL;
}

struct kernel_prog *kernel_sibling(struct kernel_prog *prog, const char *program)
{
	struct bpf_program *p = bpf_object__find_program_by_name(prog->object, program);
	struct kernel_prog *sibling;

	if (!p)
		return NULL;
	sibling = calloc(1, sizeof(*sibling));
	sibling->fd = bpf_program__fd(p);
	sibling->next = prog->next;
	prog->next = sibling;
	return sibling;
}

void kernel_put_inner(struct kernel_prog *prog, void *keys, uint32_t nr_keys)
{
	int map = bpf_object__find_map_fd_by_name(prog->object, "map");
	int *inner = calloc(nr_keys, sizeof(*inner));
	__u32 count = nr_keys;

	for (uint32_t i = 0; inner && i < nr_keys; i++)
		inner[i] = bpf_object__find_map_fd_by_name(prog->object, "inner");
	/* One by one, the kernel would wait for its readers after each. */
	if (!inner || bpf_map_update_batch(map, keys, inner, &count, NULL)) {
		perror("maps in a map");
		exit(1);
	}
	free(inner);
}

uint32_t kernel_run(struct kernel_prog *prog, const void *frame, size_t size, uint64_t repeat,
		    double *ns)
{
	char out[4096];
	uint32_t result = 0;
	double sum = 0;

	while (repeat) {
		int n = repeat > 1000000 ? 1000000 : (int)repeat;
		LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame,
			    .data_size_in = (uint32_t)size, .data_out = out,
			    .data_size_out = sizeof(out), .repeat = n);

		if (bpf_prog_test_run_opts(prog->fd, &opts)) {
			perror("BPF_PROG_TEST_RUN");
			exit(1);
		}
		result = opts.retval;
		sum += (double)opts.duration * n;
		repeat -= (uint64_t)n;
	}
	if (ns)
		*ns = sum;
	return result;
}

static int ignore_sample(void *user, void *data, size_t size)
{
	(void)user;
	(void)data;
	(void)size;
	return 0;
}

uint64_t kernel_drain(struct kernel_prog *prog, const char *map, bool wait)
{
	int n;

	if (!prog->ring)
		prog->ring = ring_buffer__new(bpf_object__find_map_fd_by_name(prog->object, map),
					      ignore_sample, NULL, NULL);
	n = !prog->ring ? -1
	    : wait	? ring_buffer__poll(prog->ring, 100)
			: ring_buffer__consume(prog->ring);
	if (n < 0) {
		perror("ring buffer");
		exit(1);
	}
	return (uint64_t)n;
}

uint32_t kernel_verified(struct kernel_prog *prog)
{
	struct bpf_prog_info info;
	__u32 size = sizeof(info);

	memset(&info, 0, sizeof(info));
	return bpf_obj_get_info_by_fd(prog->fd, &info, &size) ? 0 : info.verified_insns;
}

double kernel_verify_us(const char *object, int n)
{
	static char log[64 << 10];
	LIBBPF_OPTS(bpf_object_open_opts, opts, .kernel_log_buf = log,
		    .kernel_log_size = sizeof(log), .kernel_log_level = 4 /* statistics alone */);
	double best = 0, us;

	for (int i = 0; i < n; i++) {
		struct bpf_object *obj = bpf_object__open_file(object, &opts);
		const char *at;

		log[0] = 0;
		if (!obj || bpf_object__load(obj) || !(at = strstr(log, "verification time ")) ||
		    sscanf(at, "verification time %lf", &us) != 1)
			us = 0;
		bpf_object__close(obj);
		if (us > 0 && (best == 0 || us < best))
			best = us;
	}
	return best;
}

/* Where the jump at insns[i] goes to; -1: it is none. */
static long target_of(const struct bpf_insn *insns, size_t i)
{
	uint8_t class = BPF_CLASS(insns[i].code), op = BPF_OP(insns[i].code);

	if ((class != BPF_JMP && class != BPF_JMP32) || op == BPF_CALL || op == BPF_EXIT)
		return -1;
	return (long)i + 1 + (class == BPF_JMP32 && op == BPF_JA ? insns[i].imm : insns[i].off);
}

static uint32_t count_joins(const struct bpf_insn *insns, size_t nr)
{
	uint32_t *edges = calloc(nr + 1, sizeof(*edges)), joins = 0;

	for (size_t i = 0; edges && i < nr; i++) {
		uint8_t class = BPF_CLASS(insns[i].code), op = BPF_OP(insns[i].code);
		long target = target_of(insns, i);

		if (target >= 0 && target < (long)nr)
			edges[target]++;
		if (insns[i].code == (BPF_LD | BPF_IMM | BPF_DW))
			i++;
		if (!(target >= 0 && op == BPF_JA) && !(class == BPF_JMP && op == BPF_EXIT))
			edges[i + 1]++;
	}
	for (size_t i = 0; edges && i < nr; i++)
		joins += edges[i] > 1;
	free(edges);
	return joins;
}

uint32_t kernel_joins(const char *object)
{
	struct bpf_object *obj = bpf_object__open(object);
	struct bpf_program *prog = obj ? bpf_object__next_program(obj, NULL) : NULL;
	uint32_t joins = 0;

	if (prog)
		joins = count_joins(bpf_program__insns(prog), bpf_program__insn_cnt(prog));
	bpf_object__close(obj);
	return joins;
}

void kernel_unload(struct kernel_prog *prog)
{
	if (!prog)
		return;
	while (prog->next) {
		struct kernel_prog *next = prog->next;

		prog->next = next->next;
		free(next);
	}
	ring_buffer__free(prog->ring);
	if (prog->object)
		bpf_object__close(prog->object);
	free(prog);
}

#else

struct kernel_prog *kernel_load_sized(const char *object, uint32_t max_entries, uint32_t nr_keys,
				      const char **why)
{
	(void)max_entries;
	(void)nr_keys;
	return kernel_load(object, NULL, why);
}

void kernel_put_inner(struct kernel_prog *prog, void *keys, uint32_t nr_keys)
{
	(void)prog;
	(void)keys;
	(void)nr_keys;
}

struct kernel_prog *kernel_sibling(struct kernel_prog *prog, const char *program)
{
	(void)prog;
	(void)program;
	return NULL;
}

struct kernel_prog *kernel_load(const char *object, const char *program, const char **why)
{
	(void)object;
	(void)program;
	*why = "built without libbpf";
	return NULL;
}

uint32_t kernel_run(struct kernel_prog *prog, const void *frame, size_t size, uint64_t repeat,
		    double *ns)
{
	(void)ns;
	(void)prog;
	(void)frame;
	(void)size;
	(void)repeat;
	return 0;
}

uint64_t kernel_drain(struct kernel_prog *prog, const char *map, bool wait)
{
	(void)prog;
	(void)map;
	(void)wait;
	return 0;
}

uint32_t kernel_verified(struct kernel_prog *prog)
{
	(void)prog;
	return 0;
}

double kernel_verify_us(const char *object, int n)
{
	(void)object;
	(void)n;
	return 0;
}

uint32_t kernel_joins(const char *object)
{
	(void)object;
	return 0;
}

void kernel_unload(struct kernel_prog *prog)
{
	(void)prog;
}
#endif
