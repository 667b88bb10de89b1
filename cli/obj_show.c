/* SPDX-License-Identifier: MIT */
/* tenon obj show: what an object file holds. Built as JSON once; the text is printed from the same
 * calls. */
#include <string.h>

#include "cli.h"

static void add_string(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, json_object_new_string(value ? value : ""));
}

static void add_number(struct json_object *o, const char *key, uint64_t value)
{
	json_object_object_add(o, key, json_object_new_uint64(value));
}

static struct json_object *sections_json(const struct tenon_object *obj)
{
	struct json_object *list = json_object_new_array();
	struct tenon_section_info s = { .sz = sizeof(s) };

	for (uint32_t i = 0; tenon_object_section(obj, i, &s) == 0; i++) {
		struct json_object *o = json_object_new_object();

		add_string(o, "name", s.name);
		add_string(o, "holds", s.what);
		add_number(o, "bytes", s.size);
		add_number(o, "relocations", s.nr_relocs);
		json_object_array_add(list, o);
	}
	return list;
}

static struct json_object *helpers_json(const struct tenon_program *prog)
{
	struct json_object *list = json_object_new_array();
	struct tenon_helper_use use = { .sz = sizeof(use) };

	for (uint32_t i = 0; tenon_program_helper(prog, i, &use) == 0; i++) {
		char text[128];

		if (use.host)
			snprintf(text, sizeof(text), "%s%s", use.name ? use.name : "?",
				 use.weak ? " (weak)" : "");
		else
			snprintf(text, sizeof(text), "bpf_%s#%u", use.name ? use.name : "unknown",
				 use.id);
		json_object_array_add(list, json_object_new_string(text));
	}
	return list;
}

static struct json_object *programs_json(const struct tenon_object *obj)
{
	struct json_object *list = json_object_new_array();
	struct tenon_program *prog = NULL;

	while ((prog = tenon_object_next_program(obj, prog))) {
		struct tenon_program_info info = { .sz = sizeof(info) };
		struct json_object *o = json_object_new_object();

		tenon_program_info(prog, &info);
		add_string(o, "name", tenon_program_name(prog));
		add_string(o, "section", tenon_program_section(prog));
		add_number(o, "instructions", info.nr_insns);
		add_number(o, "functions", info.nr_subprogs);
		json_object_object_add(o, "autoload", json_object_new_boolean(info.autoload));
		json_object_object_add(o, "helpers", helpers_json(prog));
		json_object_array_add(list, o);
	}
	return list;
}

static struct json_object *maps_json(const struct tenon_object *obj)
{
	struct json_object *list = json_object_new_array();
	struct tenon_map *map = NULL;

	while ((map = tenon_object_next_map(obj, map))) {
		struct tenon_map_info info = { .sz = sizeof(info) };
		struct json_object *o = json_object_new_object();
		char number[32];

		tenon_map_info(map, &info);
		snprintf(number, sizeof(number), "type %u", info.type);
		add_string(o, "name", info.name);
		add_string(o, "type", info.type_name ? info.type_name : number);
		add_number(o, "key", info.key_size);
		add_number(o, "value", info.value_size);
		add_number(o, "max_entries", info.max_entries);
		add_number(o, "flags", info.flags);
		json_object_array_add(list, o);
	}
	return list;
}

static struct json_object *relocs_json(const struct tenon_object *obj)
{
	struct json_object *list = json_object_new_array();
	struct tenon_reloc_info r = { .sz = sizeof(r) };

	for (uint32_t i = 0; tenon_object_reloc(obj, i, &r) == 0; i++) {
		struct json_object *o = json_object_new_object();

		add_string(o, "section", r.section);
		add_number(o, "offset", r.off);
		add_string(o, "type", r.type);
		add_string(o, "symbol", r.symbol);
		json_object_array_add(list, o);
	}
	return list;
}

static const char *value_text(struct json_object *value, char *buf, size_t size)
{
	size_t used = 0;

	if (!json_object_is_type(value, json_type_array))
		return json_object_get_string(value);
	buf[0] = 0;
	for (size_t i = 0; i < json_object_array_length(value) && used < size; i++)
		used += (size_t)snprintf(
			buf + used, size - used, "%s%s", i ? ", " : "",
			json_object_get_string(json_object_array_get_idx(value, i)));
	return buf;
}

#define MAX_COLUMNS 8

/* A list of objects with the same members, as a table. */
static void print_table(const char *title, struct json_object *list)
{
	size_t widths[MAX_COLUMNS] = { 0 }, n = json_object_array_length(list);
	char buf[1024];

	printf("%s: %zu\n", title, n);
	for (size_t row = 0; row < n; row++) {
		size_t col = 0;

		json_object_object_foreach(json_object_array_get_idx(list, row), key, value)
		{
			size_t len = strlen(value_text(value, buf, sizeof(buf)));

			if (col == MAX_COLUMNS)
				break;
			if (widths[col] < len)
				widths[col] = len;
			if (widths[col] < strlen(key))
				widths[col] = strlen(key);
			col++;
		}
	}
	for (size_t row = 0; row <= n && n; row++) {
		struct json_object *o = json_object_array_get_idx(list, row ? row - 1 : 0);
		size_t col = 0;

		json_object_object_foreach(o, key, value)
		{
			if (col == MAX_COLUMNS)
				break;
			printf("  %-*s", (int)widths[col],
			       row ? value_text(value, buf, sizeof(buf)) : key);
			col++;
		}
		printf("\n");
	}
	printf("\n");
}

int cmd_obj_show(struct cli *cli)
{
	static const char *const titles[] = { "sections", "programs", "maps", "relocations" };
	struct tenon_object *obj = cli_open(cli);
	struct json_object *all;

	if (!obj)
		return cli->status;
	all = json_object_new_object();
	add_string(all, "license", tenon_object_license(obj));
	json_object_object_add(all, titles[0], sections_json(obj));
	json_object_object_add(all, titles[1], programs_json(obj));
	json_object_object_add(all, titles[2], maps_json(obj));
	json_object_object_add(all, titles[3], relocs_json(obj));
	tenon_object_close(obj);
	if (cli->json) {
		cli_print_json(all);
		return EXIT_OK;
	}
	printf("license: %s\n\n", json_object_get_string(json_object_object_get(all, "license")));
	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		print_table(titles[i], json_object_object_get(all, titles[i]));
	json_object_put(all);
	return EXIT_OK;
}
