/* SPDX-License-Identifier: MIT */
/* What the tests of this folder share: a runtime, files, the objects that the build made, and edits
 * of an ELF file's bytes. */
#ifndef TN_TESTS_LOADER_OBJECTS_H
#define TN_TESTS_LOADER_OBJECTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/rt.h"
#include "loader/object.h"

struct file {
	unsigned char *data;
	size_t size;
};

static inline struct file read_file(const char *path)
{
	struct file file = { 0 };
	FILE *in = fopen(path, "rb");
	long size;

	assert_non_null(in);
	assert_int_equal(fseek(in, 0, SEEK_END), 0);
	size = ftell(in);
	assert_true(size > 0);
	rewind(in);
	file.size = (size_t)size;
	file.data = malloc(file.size);
	assert_non_null(file.data);
	assert_int_equal(fread(file.data, 1, file.size, in), file.size);
	fclose(in);
	return file;
}

/* Calls `each` for every object of plugin `name`, with its path; fails where there is none. */
static inline void for_each_object(const char *name,
				   void (*each)(const char *path, struct file file))
{
	DIR *dir = opendir(TN_TEST_OBJECTS);
	struct dirent *entry;
	size_t len = strlen(name);
	int nr = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		char path[4096];
		struct file file;
		size_t end = strlen(entry->d_name);

		if (strncmp(entry->d_name, name, len) != 0 || entry->d_name[len] != '.' ||
		    end < 6 || strcmp(entry->d_name + end - 6, ".bpf.o") != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", TN_TEST_OBJECTS, entry->d_name);
		file = read_file(path);
		each(path, file);
		free(file.data);
		nr++;
	}
	closedir(dir);
	assert_true(nr > 0);
}

/* Any one object of that plugin. */
static inline struct file one_object(const char *name)
{
	static const char *const variants[] = { "clang-19.v3", "clang-14.v3", "clang.v3" };
	char path[4096];

	for (size_t i = 0; i < 3; i++) {
		FILE *in;

		snprintf(path, sizeof(path), "%s/%s.%s.bpf.o", TN_TEST_OBJECTS, name, variants[i]);
		in = fopen(path, "rb");
		if (in) {
			fclose(in);
			return read_file(path);
		}
	}
	fail_msg("no object of %s in %s", name, TN_TEST_OBJECTS);
	return (struct file){ 0 };
}

static inline Elf64_Shdr *section_header(struct file file, const char *name)
{
	Elf64_Ehdr *h = (void *)file.data;
	Elf64_Shdr *s = (void *)(file.data + h->e_shoff);
	const char *names = (const char *)file.data + s[h->e_shstrndx].sh_offset;

	for (unsigned i = 0; i < h->e_shnum; i++)
		if (!strcmp(names + s[i].sh_name, name))
			return &s[i];
	fail_msg("no section %s", name);
	return NULL;
}

static inline unsigned char *section_bytes(struct file file, const char *name)
{
	return file.data + section_header(file, name)->sh_offset;
}

#define TEST_CONFIG                                            \
	"CONFIG_FEATURE=y\nCONFIG_MODULE=m\nCONFIG_LETTER=n\n" \
	"CONFIG_BIG=0x123456789ab\nCONFIG_NAME=\"hello\"\n"

static inline struct tn_image *open_bytes(struct tn_rt *rt, const void *data, size_t size)
{
	const struct tn_load_opts opts = { .name = "rich.bpf.o", .config = TEST_CONFIG };

	return tn_loader_open(rt, tn_span_make(data, size), &opts);
}

/* It must fail with this errno and words that contain `words`. */
static inline void expect_error(struct tn_rt *rt, struct file file, int code, const char *words)
{
	size_t before = tn_load_relaxed(&rt->mem.bytes[TN_CHARGE_HEAP]);
	struct tn_image *image = open_bytes(rt, file.data, file.size);

	if (image)
		fail_msg("opened; expected: %s", words);
	if (!strstr(tn_err_last()->msg, words))
		fail_msg("error is '%s', expected '%s'", tn_err_last()->msg, words);
	assert_int_equal(errno, code);
	assert_int_equal(tn_err_last()->code, -code);
	assert_int_equal(tn_err_last()->stage, TN_STAGE_OPEN);
	assert_string_equal(tn_err_last()->object, "rich.bpf.o");
	assert_int_equal(tn_load_relaxed(&rt->mem.bytes[TN_CHARGE_HEAP]), before);
}

static inline struct tn_prog *find_prog(struct tn_image *image, const char *name)
{
	for (uint32_t i = 0; i < image->nr_progs; i++)
		if (!strcmp(image->progs[i]->name, name))
			return image->progs[i];
	fail_msg("no program %s", name);
	return NULL;
}

static inline struct tn_map_decl *find_map(struct tn_image *image, const char *name)
{
	for (uint32_t i = 0; i < image->nr_maps; i++)
		if (!strcmp(image->maps[i].name, name))
			return &image->maps[i];
	fail_msg("no map %s", name);
	return NULL;
}

#endif
