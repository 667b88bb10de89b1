/* SPDX-License-Identifier: MIT */
/* tenon map show|dump|lookup|getnext pinned FILE, list DIR: shared maps that some process pinned,
 * from copies of their files: nobody is disturbed, and whatever a file holds does no harm. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* pinned FILE, and nothing more than `most` words. */
static struct tenon_map *open_pinned(struct cli *cli, unsigned int most)
{
	struct tenon_map *map;

	if (cli->nr_words < 2 || cli->nr_words > most || strcmp(cli->words[0], "pinned") != 0) {
		fprintf(stderr, "error: expected 'pinned FILE'; see tenon help\n");
		return NULL;
	}
	map = tenon_map_copy_file(cli->rt, cli->words[1]);
	if (!map)
		cli_fail(cli->words[1]);
	return map;
}

/* ---- What it is ---- */

static void add_number(struct json_object *json, const char *name, uint64_t value)
{
	json_object_object_add(json, name, json_object_new_int64((int64_t)value));
}

static struct json_object *info_json(const struct tenon_map_info *info)
{
	struct json_object *json = json_object_new_object();

	json_object_object_add(json, "type", json_object_new_string(info->type_name));
	json_object_object_add(json, "name", json_object_new_string(info->name));
	add_number(json, "bytes_key", info->key_size);
	add_number(json, "bytes_value", info->value_size);
	add_number(json, "max_entries", info->max_entries);
	add_number(json, "entries", info->nr_entries);
	return json;
}

static void print_info(const struct tenon_map_info *info)
{
	printf("%s  name %s\n\tkey %uB  value %uB  max_entries %u  entries %u\n", info->type_name,
	       info->name, info->key_size, info->value_size, info->max_entries, info->nr_entries);
}

int cmd_map_show(struct cli *cli)
{
	struct tenon_map_info info = { .sz = sizeof(info) };
	struct tenon_map *map = open_pinned(cli, 2);

	if (!map)
		return EXIT_UNREADABLE;
	tenon_map_info(map, &info);
	if (cli->json)
		cli_print_json(info_json(&info));
	else
		print_info(&info);
	tenon_map_free(map);
	return EXIT_OK;
}

static int not_hidden(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* One file of a folder; what is no map is told with its reason, and does not fail the rest. */
static void list_file(struct cli *cli, const char *path, struct json_object *all)
{
	struct tenon_map_info info = { .sz = sizeof(info) };
	struct tenon_map *map = tenon_map_copy_file(cli->rt, path);
	struct json_object *json;

	if (map)
		tenon_map_info(map, &info);
	if (all) {
		json = map ? info_json(&info) : json_object_new_object();
		json_object_object_add(json, "pinned", json_object_new_string(path));
		if (!map)
			json_object_object_add(json, "error",
					       json_object_new_string(tenon_last_error()->msg));
		json_object_array_add(all, json);
	} else if (map) {
		printf("%s: ", path);
		print_info(&info);
	} else {
		printf("%s: %s\n", path, tenon_last_error()->msg);
	}
	tenon_map_free(map);
}

int cmd_map_list(struct cli *cli)
{
	struct json_object *all = cli->json ? json_object_new_array() : NULL;
	struct dirent **entries = NULL;
	char path[4096];
	int nr;

	if (cli->nr_words != 1) {
		fprintf(stderr, "error: expected a folder; see tenon help\n");
		return EXIT_UNREADABLE;
	}
	nr = scandir(cli->words[0], &entries, not_hidden, alphasort);
	if (nr < 0)
		fprintf(stderr, "error: cannot list '%s': %s\n", cli->words[0], strerror(errno));
	for (int i = 0; i < nr; i++) {
		snprintf(path, sizeof(path), "%s/%s", cli->words[0], entries[i]->d_name);
		list_file(cli, path, all);
		free(entries[i]);
	}
	free(entries);
	if (all)
		cli_print_json(all);
	return nr < 0 ? EXIT_UNREADABLE : EXIT_OK;
}

/* ---- Elements ---- */

/* Bytes of a key from bpftool's words: one for each byte, decimal or 0x.., after 'hex' without the
 * 0x; or one number for the whole of a key of at most 8 bytes. False: said why. */
static bool parse_key(const struct cli *cli, unsigned int from, unsigned char *key, size_t size)
{
	bool hex = from < cli->nr_words && strcmp(cli->words[from], "hex") == 0;
	unsigned int nr = cli->nr_words - from - hex;
	char *end;

	if (nr != size && !(nr == 1 && size <= 8)) {
		fprintf(stderr,
			"error: the key has %zu bytes, %u are given; expected each byte, or one "
			"number for keys of at most 8\n",
			size, nr);
		return false;
	}
	for (unsigned int i = 0; i < nr; i++) {
		const char *word = cli->words[from + hex + i];
		unsigned long long v;

		errno = 0;
		v = strtoull(word, &end, hex ? 16 : 0);
		if (end == word || *end || *word < '0' || errno ||
		    (nr == size ? v > 255 : size < 8 && v >> 8 * size)) {
			fprintf(stderr, "error: '%s' is no %s of the key\n", word,
				nr == size ? "byte" : "value");
			return false;
		}
		if (nr == size)
			key[i] = (unsigned char)v;
		else
			memcpy(key, &v, size);
	}
	return true;
}

static unsigned char *alloc_key(size_t size)
{
	unsigned char *key = malloc(size ? size : 1);

	if (!key)
		fprintf(stderr, "error: out of memory for a key of %zu bytes\n", size);
	return key;
}

/* The key behind "key", malloc'ed. NULL: said why. */
static unsigned char *key_from_words(const struct cli *cli, const struct tenon_map *map,
				     size_t *size)
{
	struct tenon_map_info info = { .sz = sizeof(info) };
	unsigned char *key;

	tenon_map_info(map, &info);
	*size = info.key_size;
	if (cli->nr_words < 4 || strcmp(cli->words[2], "key") != 0) {
		fprintf(stderr, "error: expected 'key DATA...' behind the file; see tenon help\n");
		return NULL;
	}
	key = alloc_key(*size);
	if (key && !parse_key(cli, 3, key, *size)) {
		free(key);
		key = NULL;
	}
	return key;
}

static int print_line(void *user, const char *line)
{
	(void)user;
	return puts(line) < 0 ? -1 : 0;
}

int cmd_map_dump(struct cli *cli)
{
	struct tenon_map *map = open_pinned(cli, 2);
	int status = EXIT_OK;

	if (!map)
		return EXIT_UNREADABLE;
	if (tenon_map_dump(map, cli->json, print_line, NULL))
		status = cli_fail(cli->words[1]);
	tenon_map_free(map);
	return status;
}

int cmd_map_lookup(struct cli *cli)
{
	struct tenon_map *map = open_pinned(cli, UINT32_MAX);
	unsigned char *key;
	size_t size;
	int status = EXIT_UNREADABLE;

	if (!map)
		return EXIT_UNREADABLE;
	key = key_from_words(cli, map, &size);
	if (key) {
		int rc = tenon_map_dump_elem(map, key, size, cli->json, print_line, NULL);

		status = !rc ? EXIT_OK : rc == -ENOENT ? EXIT_REJECTED : EXIT_UNREADABLE;
		if (rc == -ENOENT)
			fprintf(stderr, "error: %s: no element has this key\n", cli->words[1]);
		else if (rc)
			cli_fail(cli->words[1]);
	}
	free(key);
	tenon_map_free(map);
	return status;
}

static void print_key(const char *what, const unsigned char *key, size_t size)
{
	printf("%s:", what);
	for (size_t i = 0; i < size; i++)
		printf(" %02x", key[i]);
	printf("\n");
}

static struct json_object *key_json(const unsigned char *key, size_t size)
{
	struct json_object *json = json_object_new_array();
	char byte[8];

	for (size_t i = 0; i < size; i++) {
		snprintf(byte, sizeof(byte), "0x%02x", key[i]);
		json_object_array_add(json, json_object_new_string(byte));
	}
	return json;
}

static void print_next(const struct cli *cli, const unsigned char *key, const unsigned char *next,
		       size_t size)
{
	struct json_object *json;

	if (!cli->json) {
		if (key)
			print_key("key", key, size);
		print_key("next key", next, size);
		return;
	}
	json = json_object_new_object();
	if (key)
		json_object_object_add(json, "key", key_json(key, size));
	json_object_object_add(json, "next_key", key_json(next, size));
	cli_print_json(json);
}

int cmd_map_getnext(struct cli *cli)
{
	struct tenon_map_info info = { .sz = sizeof(info) };
	struct tenon_map *map = open_pinned(cli, UINT32_MAX);
	unsigned char *key = NULL, *next;
	size_t size;
	int status = EXIT_UNREADABLE;

	if (!map)
		return EXIT_UNREADABLE;
	tenon_map_info(map, &info);
	size = info.key_size;
	if (cli->nr_words > 2)
		key = key_from_words(cli, map, &size);
	next = alloc_key(size);
	if (next && (key || cli->nr_words == 2)) {
		int rc = tenon_map_get_next_key(map, key, next, size);

		status = !rc ? EXIT_OK : rc == -ENOENT ? EXIT_REJECTED : EXIT_UNREADABLE;
		if (rc == -ENOENT)
			fprintf(stderr, "error: %s: %s\n", cli->words[1],
				key ? "this key was the last" : "the map is empty");
		else if (rc)
			cli_fail(cli->words[1]);
		else
			print_next(cli, key, next, size);
	}
	free(key);
	free(next);
	tenon_map_free(map);
	return status;
}

/* Writers have the map from the process that made it; its file is sealed against all others. */
int cmd_map_change(struct cli *cli)
{
	(void)cli;
	fprintf(stderr,
		"error: a pinned map is written by the processes that share it (the one that made it "
		"and its children); others read it. Let the host change it: "
		"tenon_map_update_elem(), tenon_map_delete_elem()\n");
	return EXIT_UNREADABLE;
}
