/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as the file of a shared map. The first byte says how: the file itself; or a map that is
 * made, with a few elements and the input's tail as its BTF, and then overwritten in places, which
 * reaches behind the checks of the header. Whatever is in it, a copy is refused with words or is a
 * valid map, which is listed, changed and printed.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "host-api/map_handle.h"
#include "host-api/runtime.h"
#include "maps/hash.h"
#include "maps/segment.h"

#define SHAPE_BYTES 8u
#define PATCH_BYTES 8u /* 4 of its place, 4 to stand there */
#define MAX_PATCHES 32u
#define MAX_STEPS   4096u
#define MAX_TEXT    65536u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
	if (!holds)
		__builtin_trap();
}

static int count_line(void *user, const char *line)
{
	*(size_t *)user += strlen(line);
	return *(size_t *)user > MAX_TEXT;
}

/* A map by the first bytes, with elements. 0: there is none of this shape. */
static size_t make(struct tenon_runtime *rt, int fd, const uint8_t *shape, const uint8_t *btf,
		   size_t btf_bytes)
{
	static const uint32_t types[] = { TN_MAP_HASH,	       TN_MAP_ARRAY,
					  TN_MAP_PERCPU_HASH,  TN_MAP_LRU_HASH,
					  TN_MAP_PERCPU_ARRAY, TN_MAP_LRU_PERCPU_HASH };
	struct tn_segment_file file = { .fd = fd };
	struct tn_map_attr attr = { .type = types[shape[0] % TN_ARRAY_SIZE(types)],
				    .key_size = 4 + shape[1] % 16,
				    .value_size = 1 + shape[2],
				    .max_entries = 1 + shape[3],
				    .flags = TN_MAP_F_SHARED,
				    .name = "fuzz",
				    .file = &file,
				    .btf = btf_bytes ? btf : NULL,
				    .btf_bytes = (uint32_t)btf_bytes,
				    .btf_key_id = shape[4],
				    .btf_value_id = shape[5] };
	unsigned char key[32] = { 0 }, *value;
	struct tn_map *map;

	if (attr.type == TN_MAP_ARRAY || attr.type == TN_MAP_PERCPU_ARRAY)
		attr.key_size = 4;
	map = tn_map_create(&rt->rt, &attr);
	if (!map)
		return 0;
	value = tn_zalloc(&rt->rt, tn_map_host_value_size(map));
	for (uint32_t i = 0; value && i < shape[6] % 64u; i++) {
		memcpy(key, &i, sizeof(i));
		(void)tn_map_host_update(map, key, value, 0);
	}
	tn_free(&rt->rt, value);
	tn_map_put(map);
	return 1;
}

static void overwrite(int fd, const uint8_t *patches, size_t nr, uint8_t cut)
{
	struct tn_segment_header header;
	off_t end = lseek(fd, 0, SEEK_END);

	for (size_t i = 0; end > 4 && i < nr; i++) {
		uint32_t at;

		memcpy(&at, patches + i * PATCH_BYTES, sizeof(at));
		/* Half of them in the header. */
		at = at & 1 ? (at >> 1) % (uint32_t)sizeof(header)
			    : (at >> 1) % (uint32_t)(end - 4);
		must(pwrite(fd, patches + i * PATCH_BYTES + 4, 4, at) == 4);
	}
	if (cut & 1)
		must(ftruncate(fd, end / 256 * cut) == 0);
}

/* What any map takes, this one takes. */
static void use(struct tenon_runtime *rt, struct tn_map *map)
{
	unsigned char *keys = tn_alloc_array(&rt->rt, map->key_size, 2), *next = keys;
	unsigned char *value = tn_zalloc(&rt->rt, tn_map_host_value_size(map));
	uint32_t steps = 0;
	int rc = keys && value ? tn_map_next_key(map, NULL, keys) : -ENOMEM;

	for (; !rc && steps < MAX_STEPS; steps++) {
		unsigned char *key = next;

		next = key == keys ? keys + map->key_size : keys;
		if (map->flags == 0) {
			must(tn_map_host_lookup(map, key, value, 0) == 0);
			must(tn_map_host_update(map, key, value, 0) != -ENOENT);
		}
		rc = tn_map_next_key(map, key, next);
	}
	must(rc == 0 || rc == -ENOENT || rc == -ENOMEM || rc == -EPERM);
	tn_free(&rt->rt, keys);
	tn_free(&rt->rt, value);
}

static bool is_hash(const struct tn_map *map)
{
	return map->type != TN_MAP_ARRAY && map->type != TN_MAP_PERCPU_ARRAY;
}

static void read_back(struct tenon_runtime *rt, int fd)
{
	char path[32];
	struct tenon_map *handle;
	struct tn_map *map;
	size_t bytes = 0;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	handle = tenon_map_copy_file(rt, path);
	if (!handle) {
		must(errno > 0 && *tenon_last_error()->msg);
		return;
	}
	map = tn_map_of(handle);
	must(!is_hash(map) || tn_hash_is_valid(map, NULL));
	(void)tenon_map_dump(handle, false, count_line, &bytes);
	(void)tenon_map_dump(handle, true, count_line, &bytes);
	use(rt, map);
	must(!is_hash(map) || tn_hash_is_valid(map, NULL));
	tenon_map_free(handle);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct tenon_runtime_opts opts = { .sz = sizeof(opts), .max_slots = 3 };
	static struct tenon_runtime *rt;
	size_t nr = 0;
	int fd;

	if (!rt)
		rt = tenon_runtime_new(&opts);
	must(rt != NULL);
	if (size < 1 + SHAPE_BYTES)
		return 0;
	fd = memfd_create("fuzz", MFD_CLOEXEC);
	must(fd >= 0);
	if (data[0] & 1) {
		must(write(fd, data + 1, size - 1) == (ssize_t)(size - 1));
	} else {
		const uint8_t *shape = data + 1, *rest = shape + SHAPE_BYTES;

		size -= 1 + SHAPE_BYTES;
		nr = TN_MIN(size / PATCH_BYTES, (size_t)(data[0] >> 1) % MAX_PATCHES);
		if (make(rt, fd, shape, rest + nr * PATCH_BYTES, size - nr * PATCH_BYTES))
			overwrite(fd, rest, nr, shape[7]);
	}
	read_back(rt, fd);
	close(fd);
	return 0;
}
