/* SPDX-License-Identifier: MIT */
/* Opening an object the way every command does, with the contexts that it asks for. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define CTX_HOOK "tenon-ctx-size"

int cli_fail(const char *what)
{
	const struct tenon_error *err = tenon_last_error();

	fprintf(stderr, "error: %s: ", what);
	if (err->program && strcmp(err->program, what) != 0)
		fprintf(stderr, "program '%s': ", err->program);
	if (err->source)
		fprintf(stderr, "%s: ", err->source);
	else if (err->program && err->insn >= 0)
		fprintf(stderr, "instruction %d: ", (int)err->insn);
	fprintf(stderr, "%s\n", err->msg);
	return EXIT_UNREADABLE;
}

void *cli_read_file(const char *path, size_t *size)
{
	FILE *f = fopen(path, "rb");
	char *data = NULL;
	size_t cap = 0, n;

	*size = 0;
	while (f) {
		if (*size == cap) {
			char *grown = realloc(data, cap = cap ? cap * 2 : 4096);

			if (!grown)
				break;
			data = grown;
		}
		n = fread(data + *size, 1, cap - *size, f);
		*size += n;
		if (n == 0)
			break;
	}
	if (!f || ferror(f)) {
		fprintf(stderr, "error: cannot read '%s': %s\n", path, strerror(errno));
		free(data);
		data = NULL;
	}
	if (f)
		fclose(f);
	return data;
}

void cli_print_json(struct json_object *json)
{
	printf("%s\n", json_object_to_json_string_ext(
			       json, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
					     JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(json);
}

bool cli_selected(const struct cli *cli, const struct tenon_program *prog)
{
	return !cli->program || strcmp(cli->program, tenon_program_name(prog)) == 0;
}

/* A context of cli->ctx_size bytes, all readable and writable, as the hook CTX_HOOK. */
static int register_plain_context(struct cli *cli)
{
	static struct tenon_hook hook;
	static struct tenon_ctx_type type;
	unsigned int size = cli->ctx_size, nr = 0;
	struct tenon_field *fields = calloc(size / 8 + 4, sizeof(*fields));
	struct tenon_hook_desc desc = { .sz = sizeof(desc), .name = CTX_HOOK, .ctx = &type };
	char(*names)[16] = calloc(size / 8 + 4, sizeof(*names));
	int err = -ENOMEM;

	for (unsigned int off = 0, width; fields && names && off < size; off += width, nr++) {
		for (width = 8; width > size - off; width /= 2)
			;
		snprintf(names[nr], sizeof(names[nr]), "byte%u", off);
		fields[nr] = (struct tenon_field){
			.name = names[nr], .offset = off, .size = width, .access = TENON_RW
		};
	}
	if (nr) {
		type = (struct tenon_ctx_type){ .sz = sizeof(type),
						.name = "tenon_ctx_bytes",
						.size = size,
						.fields = fields,
						.nr_fields = nr,
						.field_size = sizeof(*fields) };
		err = tenon_hook_register(cli->rt, &hook, &desc);
	}
	free(fields);
	free(names);
	return err;
}

/* "SECTION=hook/tenon-ctx-size" for each section that has no context of its own; NULL-terminated.
 */
static const char **map_sections(struct tenon_object *obj)
{
	struct tenon_program *prog = NULL;
	const char **list;
	size_t nr = 0;

	while ((prog = tenon_object_next_program(obj, prog)))
		nr++;
	list = calloc(nr + 1, sizeof(*list));
	for (nr = 0; list && (prog = tenon_object_next_program(obj, prog));) {
		struct tenon_program_info info = { .sz = sizeof(info) };
		char *text = NULL;

		if (tenon_program_info(prog, &info) || info.builtin_ctx)
			continue;
		if (asprintf(&text, "%s=hook/" CTX_HOOK, tenon_program_section(prog)) < 0)
			break;
		list[nr++] = text;
	}
	return list;
}

static void free_list(const char **list)
{
	for (size_t i = 0; list && list[i]; i++)
		free((void *)list[i]);
	free(list);
}

struct tenon_object *cli_open(struct cli *cli)
{
	struct tenon_object_open_opts opts = { .sz = sizeof(opts),
					       .log_level = cli->log ? 2 : 0,
					       .addresses_visible = cli->addresses_visible,
					       .strict_alignment = cli->strict_alignment,
					       .explain = cli->explain || cli->visual };
	struct tenon_object *obj;
	struct tenon_program *prog = NULL;
	bool found = !cli->program;

	cli->status = EXIT_UNREADABLE;
	if (cli_add_host(cli))
		return NULL;
	obj = tenon_object_open_file(cli->rt, cli->object, &opts);
	if (obj && cli->ctx_size) {
		const char **list = map_sections(obj);

		opts.hooks = list;
		tenon_object_close(obj);
		obj = list && register_plain_context(cli) == 0
			      ? tenon_object_open_file(cli->rt, cli->object, &opts)
			      : NULL;
		free_list(list);
	}
	if (!obj) {
		cli_fail(cli->object);
		return NULL;
	}
	while ((prog = tenon_object_next_program(obj, prog))) {
		if (cli->only_selected)
			tenon_program_set_autoload(prog, cli_selected(cli, prog));
		found = found || cli_selected(cli, prog);
	}
	if (!found) {
		fprintf(stderr, "error: %s has no program '%s'\n", cli->object, cli->program);
		tenon_object_close(obj);
		return NULL;
	}
	return obj;
}
