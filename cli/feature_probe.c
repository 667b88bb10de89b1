/* SPDX-License-Identifier: MIT */
/* tenon feature probe: engines, map types and helpers of this build on this machine. */
#include "cli.h"

static const struct {
	enum tenon_feature_kind kind;
	const char *title, *json;
} kinds[] = {
	{ TENON_FEATURE_ENGINE, "Engines", "engines" },
	{ TENON_FEATURE_MAP_TYPE, "Map types", "map_types" },
	{ TENON_FEATURE_HELPER, "Helpers", "helpers" },
};

static struct json_object *feature_json(const struct tenon_feature *f)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "name", json_object_new_string(f->name));
	json_object_object_add(o, "id", json_object_new_int64(f->id));
	json_object_object_add(o, "available", json_object_new_boolean(f->available));
	if (!f->available && f->why)
		json_object_object_add(o, "why", json_object_new_string(f->why));
	return o;
}

static void print_feature(enum tenon_feature_kind kind, const struct tenon_feature *f)
{
	const char *prefix = kind == TENON_FEATURE_HELPER ? "bpf_" : "";

	printf("  %s%s is %s", prefix, f->name, f->available ? "available" : "NOT available");
	if (!f->available && f->why)
		printf(": %s", f->why);
	printf("\n");
}

int cmd_feature_probe(struct cli *cli)
{
	struct json_object *all = json_object_new_object();

	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		struct tenon_feature f = { .sz = sizeof(f) };
		struct json_object *list = json_object_new_array();

		if (!cli->json)
			printf("%s:\n", kinds[k].title);
		for (uint32_t i = 0; tenon_feature(kinds[k].kind, i, &f) == 0; i++) {
			if (cli->json)
				json_object_array_add(list, feature_json(&f));
			else
				print_feature(kinds[k].kind, &f);
		}
		json_object_object_add(all, kinds[k].json, list);
	}
	if (cli->json)
		cli_print_json(all);
	else
		json_object_put(all);
	return EXIT_OK;
}
