/* SPDX-License-Identifier: MIT */
/* Shared maps for other processes, and maps of files as text. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "host-api/map_handle.h"
#include "host-api/object.h"
#include "host-api/value_text.h"
#include "maps/segment.h"

int tenon_map_fd(const struct tenon_map *handle)
{
	struct tn_map *map = handle ? tn_map_of(handle) : NULL;

	if (!map)
		return tn_err(-EINVAL, "tenon_map_fd: no map, or one whose object is not loaded");
	if (!map->segment)
		return tn_err(-ENOTSUP, "map '%s' is not shared: it has no descriptor", map->name);
	return tn_segment_reader_fd(map->segment);
}

/* The types that stand in the file; a map is of use without. */
static struct tn_btf *read_btf(struct tenon_runtime *rt, int fd, const struct tn_segment_header *h)
{
	struct tn_btf *btf = NULL;
	unsigned char *data;

	if (!h->btf_bytes || h->btf_bytes > TN_MAX_SHARED_BTF_BYTES)
		return NULL;
	data = tn_alloc(&rt->rt, h->btf_bytes);
	if (data && pread(fd, data, h->btf_bytes, (off_t)h->btf_off) == (ssize_t)h->btf_bytes)
		btf = tn_btf_parse(&rt->rt, (struct tn_span){ data, h->btf_bytes });
	tn_free(&rt->rt, data);
	return btf;
}

static struct tenon_map *with_btf(struct tenon_runtime *rt, int fd,
				  const struct tn_segment_header *h, struct tn_map *map)
{
	struct tn_btf *btf = read_btf(rt, fd, h);
	struct tenon_map *handle;

	if (btf) {
		map->btf_key_id = h->btf_key_id;
		map->btf_value_id = h->btf_value_id;
	}
	handle = tn_map_handle_new(rt, map);
	if (handle)
		handle->btf = btf;
	else
		tn_btf_free(btf);
	return handle;
}

struct tenon_map *tn_map_handle_with_btf(struct tenon_runtime *rt, struct tn_map *map)
{
	if (!map->segment)
		return tn_map_handle_new(rt, map);
	return with_btf(rt, map->segment->fd, &map->segment->header, map);
}

struct tenon_map *tenon_map_open_fd(struct tenon_runtime *rt, int fd)
{
	struct tn_segment_file file = { .fd = fd, .attach = true };
	struct tn_segment_header header;
	struct tn_map_attr attr;
	struct tn_map *map;
	int err;

	if (!rt)
		return tn_err_null(-EINVAL, "tenon_map_open_fd: no runtime");
	err = tn_segment_read_header(fd, &header);
	if (err) {
		errno = -err;
		return NULL;
	}
	tn_segment_attr(&header, &attr);
	attr.file = &file;
	map = tn_map_create(&rt->rt, &attr);
	return map ? with_btf(rt, fd, &header, map) : NULL;
}

struct tenon_map *tenon_map_copy_file(struct tenon_runtime *rt, const char *path)
{
	struct tn_segment_header header;
	struct tenon_map *handle = NULL;
	struct tn_map *map;
	int fd, err;

	if (!rt || !path)
		return tn_err_null(-EINVAL, "tenon_map_copy_file: an argument is NULL");
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return tn_err_null(-errno, "cannot open '%s': %s", path, strerror(errno));
	err = tn_segment_read_header(fd, &header);
	map = err ? NULL : tn_segment_copy(&rt->rt, fd);
	if (err)
		errno = -err;
	if (map)
		handle = with_btf(rt, fd, &header, map);
	err = errno;
	close(fd);
	errno = err;
	return handle;
}

/* ---- As text ---- */

struct dump {
	struct tn_map *map;
	const struct tn_btf *btf;
	uint32_t key_id, value_id;
	bool json;
	struct tn_text text;
	tenon_map_line_fn line;
	void *user;
	unsigned char *key, *next, *value;
};

static void put_values(struct dump *d)
{
	size_t stride = TN_ROUND_UP((size_t)d->map->value_size, 8);

	if (!tn_map_is_per_slot(d->map)) {
		tn_text_value(&d->text, d->btf, d->value_id, d->value, d->map->value_size, d->json);
		return;
	}
	tn_text_put(&d->text, d->json ? "[" : "");
	for (uint32_t slot = 0; slot < d->map->nr_slots; slot++) {
		tn_text_put(&d->text, d->json ? "%s{\"slot\":%u,\"value\":" : "%s\n  slot %u: ",
			    slot && d->json ? "," : "", slot);
		tn_text_value(&d->text, d->btf, d->value_id, d->value + slot * stride,
			      d->map->value_size, d->json);
		tn_text_put(&d->text, d->json ? "}" : "");
	}
	tn_text_put(&d->text, d->json ? "]" : "");
}

static int put_line(struct dump *d)
{
	int rc = 0;
	char *line = d->text.s, *end;

	if (d->text.failed)
		return tn_err_nomem("the text of an element");
	for (; line && !rc; line = end) {
		end = strchr(line, '\n');
		if (end)
			*end++ = 0;
		rc = d->line(d->user, line);
	}
	d->text.len = 0;
	return rc;
}

static int put_element(struct dump *d, bool first)
{
	tn_text_put(&d->text, d->json ? "%s{\"key\":" : "%skey: ", d->json && !first ? "," : "");
	tn_text_value(&d->text, d->btf, d->key_id, d->key, d->map->key_size, d->json);
	tn_text_put(&d->text, d->json ? ",\"value\":" : "  value: ");
	put_values(d);
	tn_text_put(&d->text, d->json ? "}" : "");
	return put_line(d);
}

static int dump_elements(struct dump *d)
{
	bool first = true;
	int rc;

	for (rc = tn_map_next_key(d->map, NULL, d->next); !rc;
	     rc = tn_map_next_after(d->map, d->key, d->next)) {
		memcpy(d->key, d->next, d->map->key_size);
		rc = tn_map_host_lookup(d->map, d->key, d->value, 0);
		if (!rc) {
			rc = put_element(d, first);
			first = false;
			if (rc)
				return rc;
		} else if (rc != -ENOENT) {
			break; /* deleted meanwhile is as never seen */
		}
	}
	return rc == -ENOENT ? 0 : tn_map_err(d->map, rc, "dump: %s", strerror(-rc));
}

static void find_types(struct dump *d, const struct tenon_map *handle)
{
	if (handle->tag != &tn_map_tag)
		return;
	if (handle->obj && handle->decl) {
		d->btf = handle->obj->unit ? handle->obj->unit->image->btf : NULL;
		d->key_id = handle->decl->btf_key_id;
		d->value_id = handle->decl->btf_value_id;
	} else {
		d->btf = handle->btf;
		d->key_id = d->map->btf_key_id;
		d->value_id = d->map->btf_value_id;
	}
}

/* Room for an element, and its types. */
static int begin_dump(struct dump *d, const struct tenon_map *handle, const char *what)
{
	if (!d->map || !d->line)
		return tn_err(-EINVAL, "%s: no map, or one whose object is not loaded", what);
	d->text.rt = d->map->rt;
	if (!d->map->ops->next_key || !d->map->ops->host_lookup)
		return tn_map_err(d->map, -ENOTSUP, "maps of type %s have no elements to list",
				  tn_map_type_words(d->map->type));
	find_types(d, handle);
	d->key = tn_alloc_array(d->text.rt, d->map->key_size, 2);
	d->value = tn_alloc_array(d->text.rt, tn_map_host_value_size(d->map), 1);
	d->next = d->key ? d->key + d->map->key_size : NULL;
	return d->key && d->value ? 0 : tn_err_nomem("an element");
}

static void end_dump(struct dump *d)
{
	tn_free(d->text.rt, d->key);
	tn_free(d->text.rt, d->value);
	tn_text_free(&d->text);
}

int tenon_map_dump(const struct tenon_map *handle, bool json, tenon_map_line_fn line, void *user)
{
	struct dump d = {
		.map = handle ? tn_map_of(handle) : NULL, .json = json, .line = line, .user = user
	};
	int rc = begin_dump(&d, handle, "tenon_map_dump");

	if (!rc && json)
		rc = line(user, "[");
	if (!rc)
		rc = dump_elements(&d);
	if (!rc && json)
		rc = line(user, "]");
	end_dump(&d);
	return rc;
}

int tenon_map_dump_elem(const struct tenon_map *handle, const void *key, size_t key_size, bool json,
			tenon_map_line_fn line, void *user)
{
	struct dump d = {
		.map = handle ? tn_map_of(handle) : NULL, .json = json, .line = line, .user = user
	};
	int rc = begin_dump(&d, handle, "tenon_map_dump_elem");

	if (!rc && (!key || key_size != d.map->key_size))
		rc = tn_map_err(d.map, -EINVAL, "the key is of %zu bytes, expected %u",
				key ? key_size : (size_t)0, d.map->key_size);
	if (!rc) {
		memcpy(d.key, key, key_size);
		rc = tn_map_said(tn_map_host_lookup(d.map, d.key, d.value, 0), d.map, "lookup");
	}
	if (!rc)
		rc = put_element(&d, true);
	end_dump(&d);
	return rc;
}
