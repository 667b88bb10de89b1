/* SPDX-License-Identifier: MIT */
/*
 * CO-RE as libbpf does it: core_oracle DIR [PLUGIN TARGET]... Each plugin core_*.bpf.o of DIR is
 * relocated by libbpf and by Tenon's loader against each target core_target_*.o there and the
 * running kernel's types, and each PLUGIN against its TARGET; all instructions must come out equal,
 * poisoned ones too, and what the one refuses the other refuses. Exits with 77 and the reason where
 * libbpf cannot be asked: it relocates only while it loads, for which it needs bpf(2).
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/rt.h"
#include "loader/btf_file.h"
#include "loader/core.h"
#include "loader/object.h"

#define SKIP	  77
#define MAX_PROGS 256
#define KERNEL	  "/sys/kernel/btf/vmlinux"

/* What came out of libbpf. */
struct taken {
	struct bpf_object *obj;
	bool relocated;
	uint32_t nr;
	struct {
		char *name;
		struct bpf_insn *insns;
		size_t nr_insns;
	} progs[MAX_PROGS];
};

static struct taken taken;
static char why[512]; /* libbpf's last warning */
static struct tn_rt rt;

static struct {
	unsigned pairs, refused, programs, records, poisoned, different;
} count;

static void *must(void *p)
{
	if (!p) {
		fprintf(stderr, "core_oracle: out of memory\n");
		exit(1);
	}
	return p;
}

static int keep_warning(enum libbpf_print_level level, const char *format, va_list args)
{
	if (level == LIBBPF_WARN && !taken.relocated && strstr(format, "relo #"))
		vsnprintf(why, sizeof(why), format, args);
	return 0;
}

/* libbpf calls this for the first program, when all are relocated; the load ends here. */
static int take(struct bpf_program *prog, struct bpf_prog_load_opts *opts, long cookie)
{
	struct bpf_program *p;

	(void)prog;
	(void)opts;
	(void)cookie;
	bpf_object__for_each_program(p, taken.obj)
	{
		uint32_t i = taken.nr++;

		if (i == MAX_PROGS)
			exit(1);
		taken.progs[i].name = must(strdup(bpf_program__name(p)));
		taken.progs[i].nr_insns = bpf_program__insn_cnt(p);
		taken.progs[i].insns =
			must(malloc(taken.progs[i].nr_insns * sizeof(struct bpf_insn)));
		memcpy(taken.progs[i].insns, bpf_program__insns(p),
		       taken.progs[i].nr_insns * sizeof(struct bpf_insn));
	}
	taken.relocated = true;
	return -ECANCELED;
}

static void drop(void)
{
	while (taken.nr) {
		taken.nr--;
		free(taken.progs[taken.nr].name);
		free(taken.progs[taken.nr].insns);
	}
	taken.relocated = false;
	*why = '\0';
}

/* Load `only`, or every program (NULL). 0: libbpf relocated it or refused to; -1: it could not be
 * asked. */
static int ask_libbpf(const char *object, const char *target, const char *only)
{
	struct bpf_program *prog;
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = target);
	int err;

	drop();
	taken.obj = bpf_object__open_file(object, &opts);
	if (!taken.obj) {
		printf("libbpf does not open %s: %s\n", object, strerror(errno));
		return -1;
	}
	bpf_object__for_each_program(prog, taken.obj)
	{
		if (only)
			bpf_program__set_autoload(prog, !strcmp(bpf_program__name(prog), only));
	}
	err = bpf_object__load(taken.obj);
	if (!taken.relocated && !*why) {
		printf("libbpf fails before it relocates %s: %s\n", object, strerror(-err));
		bpf_object__close(taken.obj);
		return -1;
	}
	bpf_object__close(taken.obj);
	return 0;
}

static struct tn_span read_all(const char *path)
{
	FILE *in = fopen(path, "rb");
	size_t size = 0, cap = 1 << 16, n;
	unsigned char *data = must(malloc(cap));

	if (!in) {
		free(data);
		return tn_span_make(NULL, 0);
	}
	while ((n = fread(data + size, 1, cap - size, in)) > 0) {
		size += n;
		if (size == cap) {
			cap *= 2;
			data = must(realloc(data, cap));
		}
	}
	fclose(in);
	return tn_span_make(data, size);
}

static const struct tn_prog *find(const struct tn_image *image, const char *name)
{
	for (uint32_t i = 0; i < image->nr_progs; i++)
		if (!strcmp(image->progs[i]->name, name))
			return image->progs[i];
	return NULL;
}

static void differ(const char *object, const char *target, const char *prog, const char *what)
{
	printf("DIFFERENT %s against %s: %s: %s\n", object, target, prog, what);
	count.different++;
}

static void compare_prog(const char *object, const char *target, const struct tn_prog *prog,
			 uint32_t at)
{
	const struct bpf_insn *theirs = taken.progs[at].insns;
	char line[256];

	if (prog->defect) {
		differ(object, target, prog->name, prog->defect);
		return;
	}
	if (prog->nr_insns != taken.progs[at].nr_insns) {
		differ(object, target, prog->name, "another number of instructions");
		return;
	}
	for (uint32_t i = 0; i < prog->nr_insns; i++) {
		const struct tn_core_site *site = tn_prog_core(prog, i);

		count.records += site != NULL;
		count.poisoned += site && site->poison;
		if (!memcmp(&prog->insns[i], &theirs[i], sizeof(theirs[i])))
			continue;
		snprintf(line, sizeof(line),
			 "instruction %u is %02x off %d imm %d, libbpf has %02x off %d imm %d", i,
			 prog->insns[i].code, prog->insns[i].off, prog->insns[i].imm,
			 theirs[i].code, theirs[i].off, theirs[i].imm);
		differ(object, target, prog->name, line);
	}
}

/* What libbpf refuses is a defect here, or poisoned where the words say why. */
static bool is_refused(const struct tn_prog *prog)
{
	if (prog->defect)
		return true;
	for (uint32_t i = 0; i < prog->nr_cores; i++) {
		const char *poison = prog->cores[i].poison;

		if (poison &&
		    (strstr(poison, "an access of ") || strstr(poison, "the instruction holds")))
			return true;
	}
	return false;
}

static void compare_all(const char *object, const char *target, const struct tn_image *image)
{
	for (uint32_t i = 0; i < taken.nr; i++) {
		const struct tn_prog *prog = find(image, taken.progs[i].name);

		if (prog)
			compare_prog(object, target, prog, i);
		else
			differ(object, target, taken.progs[i].name, "no such program");
		count.programs++;
	}
}

/* libbpf refuses an object whole: ask it for one program after the other. */
static int compare_each(const char *object, const char *target, const struct tn_image *image)
{
	for (uint32_t i = 0; i < image->nr_progs; i++) {
		const struct tn_prog *prog = image->progs[i];

		if (ask_libbpf(object, target, prog->name))
			return -1;
		for (uint32_t n = 0; n < taken.nr; n++)
			if (!strcmp(taken.progs[n].name, prog->name))
				compare_prog(object, target, prog, n);
		count.programs++;
		if (taken.relocated)
			continue;
		count.refused++;
		if (!is_refused(prog))
			differ(object, target, prog->name, why);
	}
	return 0;
}

static int compare(const char *object, const char *target, const struct tn_image *image)
{
	int rc = ask_libbpf(object, target, NULL);

	if (rc)
		return rc;
	count.pairs++;
	if (!image)
		differ(object, target, "refused", tn_err_last()->msg);
	else if (taken.relocated)
		compare_all(object, target, image);
	else
		rc = compare_each(object, target, image);
	return rc;
}

static int run_pair(const char *object, const char *target)
{
	struct tn_load_opts opts = { .name = "object", .nr_targets = 1, .nr_whole = 1 };
	struct tn_span file = read_all(object), types = read_all(target);
	const struct tn_btf *btf = tn_btf_read_file(&rt, types, NULL);
	struct tn_image *image;
	int rc = 0;

	if (!btf) {
		differ(object, target, "target", tn_err_last()->msg);
	} else {
		opts.targets = &btf;
		image = tn_loader_open(&rt, file, &opts);
		rc = compare(object, target, image);
		tn_image_free(image);
	}
	tn_btf_free((struct tn_btf *)(uintptr_t)btf);
	free((void *)(uintptr_t)file.data);
	free((void *)(uintptr_t)types.data);
	return rc;
}

static int only_ours(const struct dirent *e)
{
	size_t len = strlen(e->d_name);

	return !strncmp(e->d_name, "core_", 5) && len > 6 && !strcmp(e->d_name + len - 6, ".bpf.o");
}

static bool is_target(const char *name)
{
	return !strncmp(name, "core_target_", 12);
}

static int run_all(const char *dir, struct dirent **names, int nr)
{
	char object[4096], target[4096];

	for (int i = 0; i < nr; i++) {
		if (is_target(names[i]->d_name))
			continue;
		snprintf(object, sizeof(object), "%s/%s", dir, names[i]->d_name);
		for (int n = 0; n < nr; n++) {
			if (!is_target(names[n]->d_name))
				continue;
			snprintf(target, sizeof(target), "%s/%s", dir, names[n]->d_name);
			if (run_pair(object, target))
				return SKIP;
		}
		if (access(KERNEL, R_OK) == 0 && run_pair(object, KERNEL))
			return SKIP;
	}
	return 0;
}

int main(int argc, char **argv)
{
	LIBBPF_OPTS(libbpf_prog_handler_opts, opts, .prog_prepare_load_fn = take);
	struct dirent **names;
	int nr, rc;

	if (argc < 2 || argc % 2 || tn_rt_init(&rt, NULL))
		return 2;
	libbpf_set_print(keep_warning);
	if (libbpf_register_prog_handler(NULL, BPF_PROG_TYPE_SOCKET_FILTER, 0, &opts) < 0)
		return 2;
	nr = scandir(argv[1], &names, only_ours, alphasort);
	rc = nr < 0 ? 2 : run_all(argv[1], names, nr);
	for (int i = 2; i < argc && !rc; i += 2)
		rc = run_pair(argv[i], argv[i + 1]) ? SKIP : 0;
	for (int i = 0; i < nr; i++)
		free(names[i]);
	if (nr >= 0)
		free(names);
	drop();
	tn_rt_fini(&rt);
	printf("%u pairs, %u programs (%u refused by both), %u records (%u poisoned), "
	       "%u differences\n",
	       count.pairs, count.programs, count.refused, count.records, count.poisoned,
	       count.different);
	if (count.different)
		return 1;
	if (rc)
		return rc;
	return !count.records;
}
