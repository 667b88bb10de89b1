/* SPDX-License-Identifier: MIT */
/* tenon map show|dump pinned FILE: a shared map that some process pinned, from a copy of its file:
 * nobody is disturbed, and whatever the file holds does no harm. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static struct tenon_map *open_pinned(struct cli *cli)
{
	struct tenon_map *map;

	if (cli->nr_words != 2 || strcmp(cli->words[0], "pinned") != 0) {
		fprintf(stderr, "error: expected 'pinned FILE'; see tenon help\n");
		return NULL;
	}
	map = tenon_map_copy_file(cli->rt, cli->words[1]);
	if (!map)
		cli_fail(cli->words[1]);
	return map;
}

int cmd_map_show(struct cli *cli)
{
	struct tenon_map_info info = { .sz = sizeof(info) };
	struct tenon_map *map = open_pinned(cli);
	struct json_object *json;

	if (!map)
		return EXIT_UNREADABLE;
	tenon_map_info(map, &info);
	if (!cli->json) {
		printf("%s  name %s\n\tkey %uB  value %uB  max_entries %u  entries %u\n",
		       info.type_name, info.name, info.key_size, info.value_size, info.max_entries,
		       info.nr_entries);
	} else {
		json = json_object_new_object();
		json_object_object_add(json, "type", json_object_new_string(info.type_name));
		json_object_object_add(json, "name", json_object_new_string(info.name));
		json_object_object_add(json, "bytes_key", json_object_new_int64(info.key_size));
		json_object_object_add(json, "bytes_value", json_object_new_int64(info.value_size));
		json_object_object_add(json, "max_entries",
				       json_object_new_int64(info.max_entries));
		json_object_object_add(json, "entries", json_object_new_int64(info.nr_entries));
		cli_print_json(json);
	}
	tenon_map_free(map);
	return EXIT_OK;
}

static int print_line(void *user, const char *line)
{
	(void)user;
	return puts(line) < 0 ? -1 : 0;
}

int cmd_map_dump(struct cli *cli)
{
	struct tenon_map *map = open_pinned(cli);
	int status = EXIT_OK;

	if (!map)
		return EXIT_UNREADABLE;
	if (tenon_map_dump(map, cli->json, print_line, NULL))
		status = cli_fail(cli->words[1]);
	tenon_map_free(map);
	return status;
}
