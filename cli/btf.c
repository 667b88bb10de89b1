/* SPDX-License-Identifier: MIT */
/* tenon btf dump, gen header, gen min-btf: the types of objects and hosts. */
#include <ctype.h>
#include <string.h>

#include "cli.h"

/* A description begins with these words; what does not is BTF, or an ELF file with BTF. */
#define DESCRIPTION "tenon-host "

int cli_add_host(struct cli *cli)
{
	char start[sizeof(DESCRIPTION)] = "";
	FILE *f;
	int rc;

	if (!cli->host)
		return 0;
	f = fopen(cli->host, "rb");
	if (f) {
		if (!fgets(start, sizeof(start), f))
			start[0] = 0;
		fclose(f);
	}
	if (!f || strcmp(start, DESCRIPTION) == 0)
		rc = tenon_runtime_add_description(cli->rt, cli->host);
	else
		rc = tenon_runtime_add_btf_file(cli->rt, cli->host, NULL);
	if (rc)
		cli_fail(cli->host);
	return rc;
}

static struct tenon_btf *open_btf(struct cli *cli, struct tenon_btf **base)
{
	struct tenon_btf *btf = NULL;
	const char *what = cli->nr_words ? cli->words[0] : cli->host;

	*base = NULL;
	if (cli->host) {
		if (!cli_add_host(cli) && !(btf = tenon_btf_open_host(cli->rt)))
			cli_fail(what);
		return btf;
	}
	if (cli->base) {
		*base = tenon_btf_open_file(cli->rt, cli->base, NULL);
		if (!*base) {
			cli_fail(cli->base);
			return NULL;
		}
	}
	btf = tenon_btf_open_file(cli->rt, what, *base);
	if (!btf) {
		cli_fail(what);
		tenon_btf_close(*base);
	}
	return btf;
}

/* ---- btf dump ---- */

static int print_line(void *user, const char *line)
{
	(void)user;
	return puts(line) < 0 ? -1 : 0;
}

/* Parsed and put into the list, so that the output is one well-formed document. */
static int add_json(void *user, const char *line)
{
	struct json_object *type = json_tokener_parse(line);

	return type ? json_object_array_add(user, type) : -1;
}

static int dump_json(const struct tenon_btf *btf, struct tenon_btf_dump_opts *opts)
{
	struct json_object *doc = json_object_new_object(), *types = json_object_new_array();
	int rc;

	opts->format = TENON_BTF_JSON;
	json_object_object_add(doc, "types", types);
	rc = tenon_btf_dump(btf, opts, add_json, types);
	if (rc)
		json_object_put(doc);
	else
		cli_print_json(doc);
	return rc;
}

/* The words behind the command, as bpftool takes them: [file] F [format raw|c] [root_id N]...; the
 * options that getopt knows are gone already. */
struct dump_args {
	bool c;
	uint32_t ids[64];
	uint32_t nr_ids;
};

static int parse_dump_word(struct cli *cli, unsigned int *at, struct dump_args *args)
{
	const char *word = cli->words[*at];
	const char *value = *at + 1 < cli->nr_words ? cli->words[*at + 1] : "";
	unsigned int id;

	*at += 2;
	if (!strcmp(word, "format") && (!strcmp(value, "raw") || !strcmp(value, "c"))) {
		args->c = *value == 'c';
		return 0;
	}
	if (!strcmp(word, "root_id") && !cli_parse_number(value, &id)) {
		if (args->nr_ids == sizeof(args->ids) / sizeof(args->ids[0])) {
			fprintf(stderr, "error: more than %u times root_id\n", args->nr_ids);
			return -1;
		}
		args->ids[args->nr_ids++] = id;
		return 0;
	}
	fprintf(stderr, "error: '%s %s', expected format raw|c or root_id N\n", word, value);
	return -1;
}

static int parse_dump(struct cli *cli, struct dump_args *args)
{
	unsigned int at = 0;

	if (!cli->host) {
		if (cli->nr_words > 1 && !strcmp(cli->words[0], "file")) {
			cli->words++;
			cli->nr_words--;
		}
		if (!cli->nr_words) {
			fprintf(stderr, "error: neither a file nor --host\n");
			return -1;
		}
		at = 1;
	}
	while (at < cli->nr_words)
		if (parse_dump_word(cli, &at, args))
			return -1;
	return 0;
}

int cmd_btf_dump(struct cli *cli)
{
	struct dump_args args = { 0 };
	struct tenon_btf_dump_opts opts = { .sz = sizeof(opts) };
	struct tenon_btf *btf, *base;
	int rc;

	if (parse_dump(cli, &args))
		return EXIT_UNREADABLE;
	btf = open_btf(cli, &base);
	if (!btf)
		return EXIT_UNREADABLE;
	opts.ids = args.ids;
	opts.nr_ids = args.nr_ids;
	opts.format = args.c ? TENON_BTF_C : TENON_BTF_RAW;
	if (cli->json && !args.c)
		rc = dump_json(btf, &opts);
	else
		rc = tenon_btf_dump(btf, &opts, print_line, NULL);
	tenon_btf_close(btf);
	tenon_btf_close(base);
	return rc ? cli_fail("btf dump") : EXIT_OK;
}

/* ---- gen header ---- */

static void print_guard(const char *path)
{
	const char *name = strrchr(path, '/');

	printf("TENON_HOST_");
	for (name = name ? name + 1 : path; *name; name++)
		putchar(isalnum((unsigned char)*name) ? toupper((unsigned char)*name) : '_');
	printf("_H\n");
}

int cmd_gen_header(struct cli *cli)
{
	const struct tenon_btf_dump_opts opts = { .sz = sizeof(opts),
						  .format = TENON_BTF_C,
						  .function_suffix = " __ksym" };
	struct tenon_btf *btf, *base;
	int rc;

	if (!cli->host) {
		fprintf(stderr, "error: gen header needs --host FILE\n");
		return EXIT_UNREADABLE;
	}
	btf = open_btf(cli, &base);
	if (!btf)
		return EXIT_UNREADABLE;
	printf("/* The types and functions of a host, for its plugins. Made by `tenon gen header`. */\n");
	printf("#ifndef ");
	print_guard(cli->host);
	printf("#define ");
	print_guard(cli->host);
	printf("\n#ifndef __ksym\n#define __ksym __attribute__((section(\".ksyms\")))\n#endif\n\n"
	       "/* Members are found where they stand in the host that loads the plugin. */\n"
	       "#ifndef TENON_NO_PRESERVE_ACCESS_INDEX\n"
	       "#pragma clang attribute push(__attribute__((preserve_access_index)), "
	       "apply_to = record)\n#endif\n\n");
	rc = tenon_btf_dump(btf, &opts, print_line, NULL);
	printf("#ifndef TENON_NO_PRESERVE_ACCESS_INDEX\n#pragma clang attribute pop\n#endif\n\n"
	       "#endif\n");
	tenon_btf_close(btf);
	return rc ? cli_fail("gen header") : EXIT_OK;
}

/* ---- gen min-btf ---- */

static int write_btf(const struct tenon_btf *btf, const char *path)
{
	size_t size;
	const void *data = tenon_btf_data(btf, &size);
	FILE *out = fopen(path, "wb");
	bool ok = out && fwrite(data, 1, size, out) == size;

	if (out && fclose(out))
		ok = false;
	if (!ok)
		fprintf(stderr, "error: cannot write '%s'\n", path);
	return ok ? EXIT_OK : EXIT_UNREADABLE;
}

int cmd_gen_min_btf(struct cli *cli)
{
	struct tenon_btf *btf, *part;
	int status = EXIT_UNREADABLE;

	if (cli->nr_words < 3) {
		fprintf(stderr, "usage: tenon gen min-btf IN OUT OBJ...\n");
		return status;
	}
	btf = tenon_btf_open_file(cli->rt, cli->words[0], NULL);
	if (!btf)
		return cli_fail(cli->words[0]);
	part = tenon_btf_minimize(btf, (const char *const *)cli->words + 2, cli->nr_words - 2);
	if (part)
		status = write_btf(part, cli->words[1]);
	else
		cli_fail("gen min-btf");
	tenon_btf_close(part);
	tenon_btf_close(btf);
	return status;
}
