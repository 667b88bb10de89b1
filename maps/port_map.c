/* SPDX-License-Identifier: MIT */
/*
 * By index: an array of words, each the value and a mark that it is there, so that one load tells
 * both. A device's word is what programs see of it, struct bpf_devmap_val without a program: its
 * mark is that the port is not 0. By key (DEVMAP_HASH): a hash table of the same words.
 *
 * The order of checks and the numbers are the kernel's, as far as a host's ports are its devices.
 */
#include "maps/port_map.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include "base/pages.h"
#include "maps/index_key.h"

#define PRESENT	   (1ull << 32)
#define MAX_QUEUE  16384u /* the kernel's */
#define MAX_WORKER 8192u  /* the most that the kernel can be built for */

struct port_map {
	struct tn_map map;
	_Atomic uint64_t *words;
	size_t words_bytes;
	struct tn_map *table; /* DEVMAP_HASH */
};

static struct port_map *port_map(const struct tn_map *map)
{
	return TN_CONTAINER_OF(map, struct port_map, map);
}

static bool is_device(const struct tn_map *map)
{
	return map->type == TN_MAP_DEVMAP || map->type == TN_MAP_DEVMAP_HASH;
}

/* ---- Life ---- */

static int check(const struct tn_map *map)
{
	uint32_t allowed = TN_MAP_F_NUMA_NODE | TN_MAP_F_RDONLY | TN_MAP_F_WRONLY;

	if (map->type == TN_MAP_CPUMAP)
		allowed = TN_MAP_F_NUMA_NODE;
	if (map->key_size != 4)
		return tn_map_err(map, -EINVAL, "key size is %u, expected 4", map->key_size);
	if (map->value_size != 4 && (map->value_size != 8 || map->type == TN_MAP_XSKMAP))
		return tn_map_err(map, -EINVAL, "value size is %u, expected 4%s", map->value_size,
				  map->type == TN_MAP_XSKMAP ? "" : " or 8");
	if (!map->max_entries)
		return tn_map_err(map, -EINVAL, "max_entries is 0");
	if (map->type == TN_MAP_CPUMAP && map->max_entries > MAX_WORKER)
		return tn_map_err(map, -E2BIG, "max_entries is %u, expected %u at most",
				  map->max_entries, MAX_WORKER);
	return tn_map_check_flags(map, allowed);
}

static int init(struct tn_map *map)
{
	struct port_map *p = port_map(map);
	int err;

	/* Programs see devices and cannot store into them. */
	map->values_are_copies = true;
	p->words_bytes = (size_t)map->max_entries * sizeof(*p->words);
	err = tn_map_charge(map, p->words_bytes);
	if (err)
		return err;
	p->words = tn_pages_alloc_table(map->rt, p->words_bytes);
	return p->words ? 0 : tn_map_err(map, -ENOMEM, "cannot reserve %zu bytes", p->words_bytes);
}

static int init_hashed(struct tn_map *map)
{
	struct tn_map_attr attr = { .type = TN_MAP_HASH,
				    .key_size = 4,
				    .value_size = 8,
				    .max_entries = map->max_entries,
				    .name = map->name };
	struct port_map *p = port_map(map);

	map->values_are_copies = true;
	p->table = tn_map_create(map->rt, &attr);
	return p->table ? 0 : -errno;
}

static void fini(struct tn_map *map)
{
	struct port_map *p = port_map(map);

	tn_pages_free((void *)p->words, p->words_bytes);
	tn_map_put(p->table);
}

/* ---- Values ---- */

/* The word for a value; 0: none, which takes the element out. Negative: what the host says. */
static int word_for(struct tn_map *map, uint32_t key, const void *value, uint64_t *word)
{
	const struct tn_packet_ops *ops = &map->rt->packet_ops;
	uint32_t port, program = 0;
	int rc;

	memcpy(&port, value, sizeof(port));
	if (map->value_size == 8)
		memcpy(&program, (const char *)value + 4, sizeof(program));
	*word = 0;
	if (map->type == TN_MAP_CPUMAP && port > MAX_QUEUE)
		return -EOVERFLOW;
	/* Programs behind the redirect are the kernel's: no descriptor above 0 is one here. */
	if (is_device(map) && !port)
		return (int32_t)program > 0 ? -EINVAL : 0;
	rc = ops->port ? ops->port(ops->user, map->type, map->type == TN_MAP_CPUMAP ? key : port)
		       : -ENODEV;
	if (rc < 0)
		return is_device(map) ? -EINVAL : rc;
	if ((int32_t)program > 0)
		return -EINVAL;
	if (is_device(map))
		*word = port;
	else if (port || map->type == TN_MAP_XSKMAP)
		*word = PRESENT | port;
	return 0;
}

static void copy_word(const struct tn_map *map, void *value, uint64_t word)
{
	uint64_t plain = (uint32_t)word;

	memcpy(value, &plain, map->value_size);
}

static uint64_t find_word(struct tn_map *map, uint32_t key)
{
	struct port_map *p = port_map(map);
	uint64_t word = 0;

	/* A copy: the element itself may become another key's while it is read. */
	if (p->table)
		return tn_map_host_lookup(p->table, &key, &word, 0) ? 0 : word;
	return key < map->max_entries ? tn_load_acquire(&p->words[key]) : 0;
}

/* ---- From programs ---- */

bool tn_port_map_find(struct tn_map *map, uint32_t key, uint32_t *value)
{
	uint64_t word = find_word(map, key);

	*value = (uint32_t)word;
	return word;
}

/* Devices alone: the verifier lets no program look up the others. */
static void *lookup(struct tn_map *map, const void *key, uint32_t slot)
{
	struct port_map *p = port_map(map);
	uint32_t index = tn_index_of(key);

	if (p->table)
		return p->table->ops->lookup(p->table, key, slot);
	return index < map->max_entries && tn_load_acquire(&p->words[index])
		       ? (void *)&p->words[index]
		       : NULL;
}

/* ---- From the host ---- */

static int host_lookup(struct tn_map *map, const void *key, void *value, uint64_t flags)
{
	uint64_t word;

	(void)flags;
	if (map->type == TN_MAP_XSKMAP)
		return -EOPNOTSUPP;
	word = find_word(map, tn_index_of(key));
	if (!word)
		return -ENOENT;
	copy_word(map, value, word);
	return 0;
}

static int update_indexed(struct tn_map *map, const void *key, const void *value, uint64_t flags)
{
	struct port_map *p = port_map(map);
	uint32_t index = tn_index_of(key);
	uint64_t word, old;
	int err;

	if (flags > TN_MAP_EXIST)
		return -EINVAL;
	if (index >= map->max_entries)
		return -E2BIG;
	if (flags == TN_MAP_NOEXIST && map->type != TN_MAP_XSKMAP)
		return -EEXIST;
	err = word_for(map, index, value, &word);
	if (err || map->type != TN_MAP_XSKMAP) {
		if (!err)
			tn_store_release(&p->words[index], word);
		return err;
	}
	/* Sockets are put in as into a table. */
	old = tn_load_acquire(&p->words[index]);
	do {
		if (old == word)
			return 0;
		if (old && flags == TN_MAP_NOEXIST)
			return -EEXIST;
		if (!old && flags == TN_MAP_EXIST)
			return -ENOENT;
	} while (!tn_cas_acq_rel(&p->words[index], &old, word));
	return 0;
}

/* An element that is not there is put in, whatever EXIST says: so does the kernel. */
static int update_hashed(struct tn_map *map, const void *key, const void *value, uint64_t flags)
{
	struct port_map *p = port_map(map);
	uint64_t word, old;
	uint32_t port;
	int err;

	memcpy(&port, value, sizeof(port));
	if (flags > TN_MAP_EXIST || !port)
		return -EINVAL;
	if (flags == TN_MAP_NOEXIST && !tn_map_host_lookup(p->table, key, &old, 0))
		return -EEXIST;
	err = word_for(map, 0, value, &word);
	if (err)
		return err;
	return tn_map_host_update(p->table, key, &word,
				  flags == TN_MAP_NOEXIST ? TN_MAP_NOEXIST : TN_MAP_ANY);
}

static int delete_indexed(struct tn_map *map, const void *key, uint64_t flags)
{
	uint32_t index = tn_index_of(key);

	(void)flags;
	if (index >= map->max_entries)
		return -EINVAL;
	tn_store_release(&port_map(map)->words[index], 0);
	return 0;
}

static int delete_hashed(struct tn_map *map, const void *key, uint64_t flags)
{
	return tn_map_host_delete(port_map(map)->table, key, flags);
}

static int next_hashed(struct tn_map *map, const void *key, void *next)
{
	return tn_map_next_key(port_map(map)->table, key, next);
}

static uint32_t count_hashed(struct tn_map *map)
{
	struct tn_map *table = port_map(map)->table;

	return table->ops->count(table);
}

#define INDEXED                                                                                   \
	.struct_size = sizeof(struct port_map), .check = check, .init = init, .fini = fini,       \
	.host_lookup = host_lookup, .host_update = update_indexed, .host_delete = delete_indexed, \
	.next_key = tn_index_next_key

const struct tn_map_ops tn_devmap_ops = { INDEXED, .lookup = lookup };
const struct tn_map_ops tn_cpumap_ops = { INDEXED };
const struct tn_map_ops tn_xskmap_ops = { INDEXED };

const struct tn_map_ops tn_devmap_hash_ops = {
	.struct_size = sizeof(struct port_map),
	.check = check,
	.init = init_hashed,
	.fini = fini,
	.lookup = lookup,
	.host_lookup = host_lookup,
	.host_update = update_hashed,
	.host_delete = delete_hashed,
	.next_key = next_hashed,
	.count = count_hashed,
};
