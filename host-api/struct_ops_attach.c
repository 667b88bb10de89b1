/* SPDX-License-Identifier: MIT */
/* Which tables an object registers, and what takes their place when it is replaced. */
#include <errno.h>
#include <string.h>

#include "host-api/struct_ops.h"

void tn_ops_links_free(struct tenon_link *links)
{
	while (links) {
		struct tenon_link *next = links->next_owned;

		links->next_owned = NULL;
		tn_link_free(links);
		links = next;
	}
}

int tn_ops_links(struct tenon_object *obj, struct tenon_link **out)
{
	struct tenon_link **end = out;

	*out = NULL;
	for (uint32_t i = 0; i < obj->nr_maps; i++) {
		struct tn_ops_table *table = obj->maps[i].ops;
		struct tenon_link *link;

		if (!table || tn_ops_is_registered(table))
			continue;
		link = tn_ops_link_new(table);
		if (!link) {
			tn_ops_links_free(*out);
			*out = NULL;
			return -ENOMEM;
		}
		/* In the plugin's order: of two of one type the last is the newest. */
		link->next_owned = NULL;
		*end = link;
		end = &link->next_owned;
	}
	return 0;
}

void tn_ops_links_own(struct tenon_object *obj, struct tenon_link *links)
{
	while (links) {
		struct tenon_link *next = links->next_owned;

		links->owner = obj;
		links->next_owned = obj->links;
		obj->links = links;
		tn_ops_register(links);
		links = next;
	}
}

struct tenon_link *tenon_map_attach_struct_ops(struct tenon_map *map)
{
	struct tn_ops_table *table = map && map->tag == &tn_map_tag ? map->ops : NULL;
	struct tenon_link *link;

	if (!table)
		return tn_err_null(-EINVAL, "map '%s' is no loaded structure of functions",
				   map && map->tag == &tn_map_tag ? map->name : "");
	tn_lock(map->rt);
	link = tn_ops_link_new(table);
	if (link) {
		tn_ops_register(link);
		map->rt->nr_links++;
	}
	tn_unlock(map->rt);
	return link;
}

/* ---- Replacing ---- */

static struct tn_ops_table *table_named(const struct tenon_object *obj, const char *name)
{
	for (uint32_t i = 0; i < obj->nr_maps; i++)
		if (obj->maps[i].ops && !strcmp(obj->maps[i].name, name))
			return obj->maps[i].ops;
	return NULL;
}

int tn_ops_replace_check(struct tenon_object *from, struct tenon_object *to)
{
	for (uint32_t i = 0; i < from->nr_maps; i++) {
		const struct tenon_map *map = &from->maps[i];
		const struct tn_ops_table *other;

		if (!map->ops || !tn_ops_is_registered(map->ops))
			continue;
		other = table_named(to, map->name);
		if (!other || other->type != map->ops->type)
			return tn_err(-ENOENT, "object '%s' has no '%s' for struct_ops '%s'",
				      to->name, map->name, map->ops->type->name);
	}
	return 0;
}

void tn_ops_replace(struct tenon_object *from, struct tenon_object *to)
{
	for (uint32_t i = 0; i < from->nr_maps; i++) {
		struct tn_ops_table *table = from->maps[i].ops;
		struct tenon_link *link;

		if (!table)
			continue;
		for (link = table->type->regs; link; link = link->next_ops)
			if (link->ops == table)
				tn_ops_exchange(link, table_named(to, from->maps[i].name));
	}
}
