/* SPDX-License-Identifier: MIT */
/*
 * Opening and closing objects, and finding what is in them. Loading is in load.c.
 */
#include "host-api/object.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host-api/core_targets.h"
#include "host-api/hook.h"
#include "host-api/section_handler.h"
#include "host-api/struct_ops.h"
#include "loader/object.h"
#include "loader/probe_target.h"

/* ---- Making and freeing ---- */

static void free_hook_map(struct tenon_object *obj)
{
	uint32_t i;

	for (i = 0; obj->hook_map && obj->hook_map[i]; i++)
		tn_free(&obj->rt->rt, obj->hook_map[i]);
	tn_free(&obj->rt->rt, obj->hook_map);
}

/* No links and no firing any more; not in rt->objects. */
static void object_free(struct tenon_object *obj)
{
	struct tn_rt *rt = &obj->rt->rt;
	uint32_t i;

	tn_callbacks_free(obj);
	for (i = 0; i < obj->nr_maps; i++) {
		tn_map_handle_clear(&obj->maps[i]);
		tn_map_put(obj->maps[i].reused);
		tn_ops_table_put(obj->maps[i].ops);
		tn_free(rt, obj->maps[i].pin_path);
	}
	for (i = 0; i < obj->nr_programs; i++)
		tn_program_put(obj->programs[i]);
	tn_free(rt, obj->maps);
	tn_free(rt, obj->programs);
	tn_unit_put(obj->unit);
	for (i = 0; obj->gpl_only && obj->gpl_only[i]; i++)
		tn_free(rt, obj->gpl_only[i]);
	tn_free(rt, obj->gpl_only);
	free_hook_map(obj);
	tn_free(rt, obj->pin_root);
	tn_free(rt, obj->name);
	tn_free(rt, obj);
}

static int copy_hook_map(struct tenon_object *obj, const char *const *hooks)
{
	size_t nr = 0, i;

	if (!hooks)
		return 0;
	while (hooks[nr])
		nr++;
	obj->hook_map = tn_alloc_array(&obj->rt->rt, nr + 1, sizeof(obj->hook_map[0]));
	if (!obj->hook_map)
		return tn_err_nomem("object");
	for (i = 0; i < nr; i++) {
		const char *to = strstr(hooks[i], "=hook/");

		if (!to || to == hooks[i] || !to[strlen("=hook/")])
			return tn_err(-EINVAL, "hooks: '%s' is not of the form section=hook/name",
				      hooks[i]);
		obj->hook_map[i] = tn_strdup(&obj->rt->rt, hooks[i]);
		if (!obj->hook_map[i])
			return tn_err_nomem("object");
	}
	return 0;
}

static int copy_names(struct tenon_object *obj, const char *const *names)
{
	size_t nr = 0;

	while (names && names[nr])
		nr++;
	if (!names)
		return 0;
	obj->gpl_only = tn_alloc_array(&obj->rt->rt, nr + 1, sizeof(obj->gpl_only[0]));
	for (size_t i = 0; obj->gpl_only && i < nr; i++) {
		obj->gpl_only[i] = tn_strdup(&obj->rt->rt, names[i]);
		if (!obj->gpl_only[i])
			return tn_err_nomem("object");
	}
	return obj->gpl_only ? 0 : tn_err_nomem("object");
}

static int read_options(struct tenon_object *obj, const struct tenon_object_open_opts *opts)
{
	int rc;

	if (opts->engine > TENON_ENGINE_JIT || opts->license > TENON_LICENSE_LIST)
		return tn_err(-EINVAL, "object: unknown engine %d or license policy %d",
			      (int)opts->engine, (int)opts->license);
	if (opts->reuse_maps && opts->reuse_maps->rt != obj->rt)
		return tn_err(-EINVAL, "object: reuse_maps belongs to another runtime");
	if (opts->ctx_size > 65536)
		return tn_err(-E2BIG, "object: ctx_size %zu is more than 65536", opts->ctx_size);
	obj->engine = opts->engine ? opts->engine : obj->rt->engine;
	if ((opts->license == TENON_LICENSE_LIST) != (opts->gpl_only != NULL))
		return tn_err(-EINVAL, "object: gpl_only and TENON_LICENSE_LIST go together");
	obj->license = opts->license;
	obj->termination_proved = opts->termination_proved;
	obj->addresses_visible = opts->addresses_visible;
	obj->strict_alignment = opts->strict_alignment;
	obj->log_level = opts->log_level;
	obj->explain = opts->explain;
	obj->log_buf = opts->log_buf;
	obj->log_size = opts->log_buf ? opts->log_size : 0;
	if (obj->log_size)
		obj->log_buf[0] = 0;
	obj->reuse_maps = opts->reuse_maps;
	obj->ctx_size = (uint32_t)opts->ctx_size;
	obj->raw_ctx = opts->ctx_size > 0;
	if (opts->pin_root_path) {
		obj->pin_root = tn_strdup(&obj->rt->rt, opts->pin_root_path);
		if (!obj->pin_root)
			return tn_err_nomem("object");
	}
	rc = copy_names(obj, opts->gpl_only);
	return rc ? rc : copy_hook_map(obj, opts->hooks);
}

/* An object without an image yet. NULL, errno, with words. */
static struct tenon_object *object_new(struct tenon_runtime *rt, const char *name,
				       const struct tenon_object_open_opts *opts)
{
	struct tenon_object *obj = tn_new(&rt->rt, struct tenon_object);
	int rc;

	if (!obj)
		return tn_err_null(-ENOMEM, "out of memory: object");
	obj->rt = rt;
	obj->name = tn_strdup(&rt->rt, name);
	obj->unit = tn_new(&rt->rt, struct tn_unit);
	if (obj->unit) {
		obj->unit->rt = rt;
		tn_store_relaxed(&obj->unit->refs, 1);
	}
	rc = obj->name && obj->unit ? read_options(obj, opts) : tn_err_nomem("object");
	if (rc) {
		object_free(obj);
		return tn_null(rc);
	}
	return obj;
}

/* "section=hook/name" entries come first, then the host's handlers, then what the name itself says.
 */
static const char *hook_of_section(const struct tenon_object *obj, const char *section,
				   const struct tn_section_entry **handler)
{
	struct tn_section_def def;
	size_t len = strlen(section);
	uint32_t i;

	for (i = 0; obj->hook_map && obj->hook_map[i]; i++) {
		const char *to = strstr(obj->hook_map[i], "=hook/");

		if ((size_t)(to - obj->hook_map[i]) == len &&
		    !strncmp(obj->hook_map[i], section, len))
			return to + strlen("=hook/");
	}
	tn_section_parse(section, &def);
	*handler = tn_section_handler(obj->rt, section, false);
	if (!*handler && def.kind == TN_SEC_UNKNOWN)
		*handler = tn_section_handler(obj->rt, section, true);
	if (*handler)
		return (*handler)->h.hook;
	return def.kind == TN_SEC_HOOK ? def.rest : NULL;
}

static int take_program(struct tenon_object *obj, struct tn_prog *prog)
{
	struct tn_rt *rt = &obj->rt->rt;
	const struct tn_section_entry *handler = NULL;
	const char *hook = prog->section ? hook_of_section(obj, prog->section, &handler) : NULL;
	struct tn_probe_target target;
	struct tenon_program *program;
	int rc;

	/* What the name itself says must be sound, unless the host reads it otherwise. */
	if (prog->section && !hook && !handler) {
		rc = tn_probe_target_parse(prog->section, &target);
		if (rc)
			return rc;
	}
	program = tn_program_new(obj->rt, obj->unit, prog);
	if (!program)
		return tn_err_nomem("program");
	program->obj = obj;
	program->handler = handler;
	obj->programs[obj->nr_programs++] = program;
	program->insns = tn_memdup(rt, prog->insns, prog->nr_insns * sizeof(prog->insns[0]));
	program->hook = hook ? tn_strdup(rt, hook) : NULL;
	if (!program->insns || (hook && !program->hook))
		return tn_err_nomem("program");
	return 0;
}

/* Move the programs out of the image, and give each map declaration its handle. */
static int adopt_image(struct tenon_object *obj, struct tn_image *image)
{
	struct tn_rt *rt = &obj->rt->rt;
	uint32_t nr = image->nr_progs, i;
	int rc = 0;

	obj->unit->image = image;
	obj->programs = tn_alloc_array(rt, TN_MAX(nr, 1u), sizeof(obj->programs[0]));
	obj->maps = tn_alloc_array(rt, TN_MAX(image->nr_maps, 1u), sizeof(obj->maps[0]));
	if (!obj->programs || !obj->maps)
		return tn_err_nomem("object");
	for (i = 0; i < image->nr_maps; i++) {
		obj->maps[i].tag = &tn_map_tag;
		obj->maps[i].rt = obj->rt;
		obj->maps[i].obj = obj;
		obj->maps[i].decl = &image->maps[i];
		obj->maps[i].name = image->maps[i].name;
		obj->maps[i].left_out = image->maps[i].no_autocreate;
	}
	obj->nr_maps = image->nr_maps;
	for (i = 0; i < nr && !rc; i++) {
		rc = take_program(obj, image->progs[i]);
		/* Owned by us from here, also when the rest failed. */
		if (obj->nr_programs == i + 1)
			image->progs[i] = NULL;
	}
	if (!rc)
		image->nr_progs = 0;
	return rc;
}

static int publish_object(struct tenon_object *obj)
{
	struct tenon_runtime *rt = obj->rt;
	int rc = 0;

	tn_lock(rt);
	if (obj->nr_programs > rt->rt.limits.max_programs - rt->nr_programs) {
		rc = tn_err(-E2BIG, "object '%s': %u programs, the runtime has %u of at most %u",
			    obj->name, obj->nr_programs, rt->nr_programs,
			    rt->rt.limits.max_programs);
	} else {
		rt->nr_programs += obj->nr_programs;
		obj->nr_counted = obj->nr_programs;
		obj->next = rt->objects;
		rt->objects = obj;
	}
	tn_unlock(rt);
	return rc;
}

static struct tenon_object *finish_open(struct tenon_object *obj, struct tn_image *image)
{
	int rc = adopt_image(obj, image);

	for (uint32_t i = 0; i < obj->nr_programs && !rc; i++)
		rc = tn_section_setup(obj->programs[i]);
	if (!rc)
		rc = publish_object(obj);
	if (!rc)
		return obj;
	tn_err_at(TN_STAGE_OPEN, obj->name, NULL, -1, NULL);
	object_free(obj);
	return tn_null(rc);
}

struct tenon_object *tn_object_from_image(struct tenon_runtime *rt, const char *name,
					  struct tn_image *image,
					  const struct tenon_object_open_opts *opts)
{
	struct tenon_object *obj = object_new(rt, name, opts);
	int rc;

	if (obj)
		return finish_open(obj, image);
	rc = errno;
	tn_image_free(image);
	return tn_null(-rc);
}

/* ---- Opening ---- */

struct tenon_object *tenon_object_open_mem(struct tenon_runtime *rt, const void *buf, size_t size,
					   const struct tenon_object_open_opts *opts)
{
	struct tenon_object_open_opts want;
	struct tn_core_targets targets;
	struct tn_load_opts load;
	struct tn_image *image;
	int rc;

	if (!rt || !buf)
		return tn_err_null(-EINVAL, "tenon_object_open_mem: an argument is NULL");
	rc = tn_opts_read("tenon_object_open_opts", opts, &want, sizeof(want));
	if (rc)
		return tn_null(rc);
	want.sz = sizeof(want);
	if (!want.name)
		want.name = "(memory)";
	load = (struct tn_load_opts){ .name = want.name,
				      .config = want.config,
				      .relaxed_maps = want.relaxed_maps };
	rc = tn_core_targets_get(rt, want.btf_path, &targets);
	if (rc) {
		tn_err_at(TN_STAGE_OPEN, want.name, NULL, -1, NULL);
		return tn_null(rc);
	}
	tn_core_targets_use(&targets, &load);
	image = tn_loader_open(&rt->rt, tn_span_make(buf, size), &load);
	rc = errno;
	tn_core_targets_put(rt, &targets);
	if (!image) {
		tn_err_at(TN_STAGE_OPEN, want.name, NULL, -1, NULL);
		return tn_null(-rc);
	}
	return tn_object_from_image(rt, want.name, image, &want);
}

/* "dir/plugin.bpf.o" -> "plugin" */
static void base_name(const char *path, char *out, size_t size)
{
	const char *base = strrchr(path, '/');
	size_t len;

	base = base ? base + 1 : path;
	len = strcspn(base, ".");
	if (len == 0)
		len = strlen(base);
	len = TN_MIN(len, size - 1);
	memcpy(out, base, len);
	out[len] = 0;
}

static int read_all(int fd, unsigned char *buf, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = read(fd, buf + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO; /* shorter than it was */
		done += (size_t)n;
	}
	return 0;
}

int tn_read_file(struct tn_rt *rt, const char *path, size_t max, unsigned char **out, size_t *size)
{
	unsigned char *buf = NULL;
	struct stat st;
	int fd, rc = 0;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return tn_err(-errno, "cannot open '%s': %s", path, strerror(errno));
	if (fstat(fd, &st))
		rc = tn_err(-errno, "cannot stat '%s': %s", path, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		rc = tn_err(-EINVAL, "'%s' is not a regular file", path);
	else if ((uint64_t)st.st_size > max)
		rc = tn_err(-EFBIG, "'%s' has %lld bytes, at most %zu are read", path,
			    (long long)st.st_size, max);
	if (!rc) {
		/* One more, so that text is terminated. */
		buf = tn_alloc(rt, (size_t)st.st_size + 1);
		rc = buf ? read_all(fd, buf, (size_t)st.st_size) : -ENOMEM;
		if (rc)
			tn_err(rc, "cannot read '%s': %s", path, strerror(-rc));
	}
	close(fd);
	if (rc) {
		tn_free(rt, buf);
		return rc;
	}
	buf[st.st_size] = 0;
	*out = buf;
	*size = (size_t)st.st_size;
	return 0;
}

#define MAX_OBJECT_BYTES ((size_t)256 << 20)

struct tenon_object *tenon_object_open_file(struct tenon_runtime *rt, const char *path,
					    const struct tenon_object_open_opts *opts)
{
	struct tenon_object_open_opts want;
	struct tenon_object *obj;
	char name[TN_ERR_NAME_BYTES];
	unsigned char *buf;
	size_t size;
	int rc;

	if (!rt || !path)
		return tn_err_null(-EINVAL, "tenon_object_open_file: an argument is NULL");
	rc = tn_opts_read("tenon_object_open_opts", opts, &want, sizeof(want));
	if (!rc)
		rc = tn_read_file(&rt->rt, path, MAX_OBJECT_BYTES, &buf, &size);
	if (rc) {
		tn_err_at(TN_STAGE_OPEN, NULL, NULL, -1, NULL);
		return tn_null(rc);
	}
	base_name(path, name, sizeof(name));
	want.sz = sizeof(want);
	if (!want.name)
		want.name = name;
	obj = tenon_object_open_mem(rt, buf, size, &want);
	rc = errno;
	tn_free(&rt->rt, buf);
	errno = rc;
	return obj;
}

struct tenon_object *tenon_object_plug(struct tenon_runtime *rt, const char *path,
				       const struct tenon_object_open_opts *opts)
{
	struct tenon_object *obj = tenon_object_open_file(rt, path, opts);
	int rc;

	if (!obj)
		return NULL;
	rc = tenon_object_load(obj);
	if (!rc)
		rc = tenon_object_attach(obj);
	if (!rc)
		return obj;
	/* Closing does not fail in a way that matters here, nor does it change the record. */
	tenon_object_close(obj);
	return tn_null(rc);
}

/* ---- Closing ---- */

static void leave_runtime(struct tenon_object *obj)
{
	struct tenon_runtime *rt = obj->rt;
	struct tenon_object **at;
	uint32_t i;

	tn_lock(rt);
	while (obj->links) {
		struct tenon_link *link = obj->links;

		tn_hook_detach_link(link);
		tn_link_free(link);
	}
	for (at = &rt->objects; *at != obj; at = &(*at)->next)
		;
	*at = obj->next;
	rt->nr_programs -= obj->nr_counted;
	for (i = 0; i < obj->nr_programs; i++)
		obj->programs[i]->obj = NULL;
	tn_unlock(rt);
}

int tenon_object_close(struct tenon_object *obj)
{
	int rc;

	if (!obj)
		return 0;
	rc = tn_check_outside("tenon_object_close");
	if (rc)
		return rc;
	leave_runtime(obj);
	object_free(obj);
	return tn_epoch_drain();
}

/* ---- Finding ---- */

struct tenon_program *tenon_object_next_program(const struct tenon_object *obj,
						const struct tenon_program *prev)
{
	uint32_t i = 0;

	if (!obj)
		return NULL;
	if (prev) {
		while (i < obj->nr_programs && obj->programs[i] != prev)
			i++;
		i++;
	}
	return i < obj->nr_programs ? obj->programs[i] : NULL;
}

struct tenon_program *tenon_object_find_program(const struct tenon_object *obj, const char *name)
{
	uint32_t i;

	for (i = 0; obj && name && i < obj->nr_programs; i++) {
		if (!strcmp(obj->programs[i]->prog->name, name))
			return obj->programs[i];
	}
	return tn_err_null(-ENOENT, "object '%s' has no program '%s'", obj ? obj->name : "",
			   name ? name : "");
}

struct tenon_map *tenon_object_next_map(const struct tenon_object *obj,
					const struct tenon_map *prev)
{
	uint32_t i;

	if (!obj)
		return NULL;
	i = prev ? (uint32_t)(prev - obj->maps) + 1 : 0;
	return i < obj->nr_maps ? &obj->maps[i] : NULL;
}

struct tenon_map *tenon_object_find_map(const struct tenon_object *obj, const char *name)
{
	uint32_t i;

	for (i = 0; obj && name && i < obj->nr_maps; i++) {
		if (!strcmp(obj->maps[i].name, name))
			return &obj->maps[i];
	}
	return tn_err_null(-ENOENT, "object '%s' has no map '%s'", obj ? obj->name : "",
			   name ? name : "");
}

const char *tenon_object_name(const struct tenon_object *obj)
{
	return obj ? obj->name : NULL;
}
