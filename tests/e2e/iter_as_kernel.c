/* SPDX-License-Identifier: MIT */
/*
 * A program of SEC("iter/bpf_map_elem") in the kernel and in Tenon, over an array with the same
 * values: equal text, equal values afterwards. Skipped, with the reason, where bpf(2) is refused.
 *
 *   iter_as_kernel OBJECT
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tenon/tenon.h>

#define SKIP	77
#define NR	16
#define PROGRAM "elements"

struct outcome {
	char text[4096];
	uint64_t values[NR];
};

static uint64_t initial(uint32_t i)
{
	return i * 1000003ull << (i & 31);
}

static int quiet(enum libbpf_print_level level, const char *format, va_list ap)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, ap) : 0;
}

/* ---- The kernel ---- */

static int read_all(struct bpf_link *link, char *text, size_t room)
{
	int fd = bpf_iter_create(bpf_link__fd(link));
	size_t used = 0;
	ssize_t n = -1;

	while (fd >= 0 && used + 1 < room && (n = read(fd, text + used, room - used - 1)) > 0)
		used += (size_t)n;
	text[used] = 0;
	if (fd >= 0)
		close(fd);
	return n == 0 ? 0 : -1;
}

static int iterate(struct bpf_program *prog, int map, struct outcome *out)
{
	union bpf_iter_link_info info = { .map.map_fd = (uint32_t)map };
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &info, .link_info_len = sizeof(info));
	struct bpf_link *link;
	int rc;

	for (uint32_t i = 0; i < NR; i++) {
		uint64_t value = initial(i);

		if (bpf_map_update_elem(map, &i, &value, 0))
			return -1;
	}
	link = bpf_program__attach_iter(prog, &opts);
	if (!link)
		return -1;
	rc = read_all(link, out->text, sizeof(out->text));
	bpf_link__destroy(link);
	for (uint32_t i = 0; i < NR && !rc; i++)
		rc = bpf_map_lookup_elem(map, &i, &out->values[i]);
	return rc;
}

static int run_in_kernel(const char *path, struct outcome *out)
{
	struct bpf_object *obj = bpf_object__open_file(path, NULL);
	struct bpf_program *prog;
	int map, rc;

	if (!obj)
		return 1;
	bpf_object__for_each_program(prog, obj)
		bpf_program__set_autoload(prog, !strcmp(bpf_program__name(prog), PROGRAM));
	prog = bpf_object__find_program_by_name(obj, PROGRAM);
	rc = bpf_object__load(obj);
	if (rc) {
		bpf_object__close(obj);
		return rc == -EPERM ? SKIP : 1;
	}
	map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "elements", 4, 8, NR, NULL);
	rc = map < 0 || iterate(prog, map, out) ? 1 : 0;
	if (map >= 0)
		close(map);
	bpf_object__close(obj);
	return rc;
}

/* ---- Tenon ---- */

static int append(void *user, const void *data, size_t size)
{
	struct outcome *out = user;
	size_t used = strlen(out->text);

	if (size >= sizeof(out->text) - used)
		return -EOVERFLOW;
	memcpy(out->text + used, data, size);
	out->text[used + size] = 0;
	return 0;
}

static int fill_and_run(struct tenon_runtime *rt, struct tenon_hook *hook, struct outcome *out)
{
	struct tenon_map *map = tenon_map_new(rt, BPF_MAP_TYPE_ARRAY, "elements", 4, 8, NR, NULL);
	struct tenon_iter_opts opts = {
		.sz = sizeof(opts), .map = map, .write = append, .write_user = out
	};
	int rc = map ? 0 : -1;

	for (uint32_t i = 0; i < NR && !rc; i++) {
		uint64_t value = initial(i);

		rc = tenon_map_update_elem(map, &i, 4, &value, 8, 0);
	}
	rc = rc ? rc : tenon_iter_run(hook, &opts);
	for (uint32_t i = 0; i < NR && !rc; i++)
		rc = tenon_map_lookup_elem(map, &i, 4, &out->values[i], 8, 0);
	tenon_map_free(map);
	return rc;
}

static int run_in_tenon(const char *path, enum tenon_engine engine, struct outcome *out)
{
	const struct tenon_iter_desc desc = { .sz = sizeof(desc), .key_size = 4, .value_size = 8 };
	const struct tenon_runtime_opts opts = { .sz = sizeof(opts), .engine = engine };
	struct tenon_runtime *rt = tenon_runtime_new(&opts);
	struct tenon_hook hook = { 0 };
	struct tenon_object *obj;
	int rc = !rt || tenon_iter_register(rt, &hook, &desc);

	obj = rc ? NULL : tenon_object_open_file(rt, path, NULL);
	if (obj)
		tenon_program_set_autoload(tenon_object_find_program(obj, "conns"), false);
	rc = !obj || tenon_object_load(obj) || tenon_object_attach(obj) ||
	     fill_and_run(rt, &hook, out);
	if (rc)
		fprintf(stderr, "%s\n", tenon_last_error()->msg);
	tenon_object_close(obj);
	tenon_runtime_free(rt);
	return rc;
}

static int compare(const struct outcome *kernel, const struct outcome *tenon, const char *engine)
{
	if (!strcmp(kernel->text, tenon->text) &&
	    !memcmp(kernel->values, tenon->values, sizeof(tenon->values)))
		return 0;
	printf("DIFFERENT, %s; the kernel:\n%s\nTenon:\n%s\n", engine, kernel->text, tenon->text);
	return 1;
}

int main(int argc, char **argv)
{
	static struct outcome kernel, native, interpreted;
	int rc;

	if (argc != 2)
		return 2;
	libbpf_set_print(quiet);
	rc = run_in_kernel(argv[1], &kernel);
	if (rc == SKIP)
		printf("skipped: bpf(2) is refused here\n");
	if (rc)
		return rc;
	if (run_in_tenon(argv[1], TENON_ENGINE_JIT, &native) ||
	    run_in_tenon(argv[1], TENON_ENGINE_INTERP, &interpreted))
		return 1;
	rc = compare(&kernel, &native, "native") + compare(&kernel, &interpreted, "interpreted");
	printf("%zu bytes of text and %d values, two engines: %d differ\n", strlen(kernel.text), NR,
	       rc);
	return rc || !kernel.text[0];
}
