/* SPDX-License-Identifier: MIT */
/* BTF of the host: reading it, keeping it, finding types in it. */
#include "host-api/host_btf.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "host-api/host_type.h"
#include "loader/btf_file.h"

#define MAX_BTF_BYTES ((size_t)256 << 20)
#define MAX_NAME      (TN_ERR_NAME_BYTES - 1)

static void free_entry(struct tn_rt *rt, struct tn_host_btf *e)
{
	if (!e)
		return;
	tn_btf_free(e->btf);
	tn_free(rt, e->name);
	tn_free(rt, e);
}

/* Split BTF stands on the first one. The list only grows: it stays where it is. */
static int find_base(struct tenon_runtime *rt, const struct tenon_btf_opts *opts,
		     const struct tn_host_btf **out)
{
	*out = NULL;
	if (!opts->split)
		return 0;
	tn_lock(rt);
	*out = rt->btfs;
	tn_unlock(rt);
	return *out ? 0
		    : tn_err(-ENOENT, "BTF '%s': split, but there is no BTF before it", opts->name);
}

static int publish(struct tenon_runtime *rt, struct tn_host_btf *e)
{
	struct tn_host_btf **at;
	uint32_t nr = 0;
	int rc = 0;

	tn_lock(rt);
	for (at = &rt->btfs; *at && !rc; at = &(*at)->next, nr++) {
		if (!strcmp((*at)->name, e->name))
			rc = tn_err(-EEXIST, "BTF '%s': one of that name is there already",
				    e->name);
	}
	if (!rc)
		*at = e;
	/* Pairs with the acquire in tn_btf_ptr_type(). */
	if (!rc && nr < TN_MAX_BTF_TARGETS)
		tn_store_release(&rt->rt.host_btf[nr], e->btf);
	tn_unlock(rt);
	return rc;
}

/* `file`: raw BTF or ELF; else raw BTF alone. */
static int add(struct tenon_runtime *rt, struct tn_span blob, bool file,
	       const struct tenon_btf_opts *opts)
{
	const struct tn_host_btf *base;
	struct tn_host_btf *e;
	int rc;

	if (strlen(opts->name) > MAX_NAME)
		return tn_err(-EINVAL, "BTF: its name is longer than %d bytes", MAX_NAME);
	rc = find_base(rt, opts, &base);
	if (rc)
		return rc;
	e = tn_new(&rt->rt, struct tn_host_btf);
	if (!e)
		return tn_err_nomem("BTF of the host");
	e->base = base;
	e->name = tn_strdup(&rt->rt, opts->name);
	if (!e->name) {
		rc = tn_err_nomem("BTF of the host");
	} else {
		e->btf = file ? tn_btf_read_file(&rt->rt, blob, base ? base->btf : NULL)
			      : tn_btf_parse_split(&rt->rt, base ? base->btf : NULL, blob);
		rc = e->btf ? publish(rt, e) : -errno;
	}
	if (rc)
		free_entry(&rt->rt, e);
	return rc;
}

static int read_opts(const struct tenon_btf_opts *opts, const char *name,
		     struct tenon_btf_opts *out)
{
	int rc = tn_opts_read("tenon_btf_opts", opts, out, sizeof(*out));

	if (!rc && !out->name)
		out->name = name;
	return rc;
}

static int finish(int rc)
{
	if (rc)
		tn_err_at(TN_STAGE_RESOLVE, NULL, NULL, -1, NULL);
	return rc;
}

int tenon_runtime_add_btf(struct tenon_runtime *rt, const void *btf, size_t size,
			  const struct tenon_btf_opts *opts)
{
	struct tenon_btf_opts want;
	int rc;

	if (!rt || !btf)
		return tn_err(-EINVAL, "tenon_runtime_add_btf: an argument is NULL");
	rc = read_opts(opts, "host", &want);
	if (!rc)
		rc = add(rt, tn_span_make(btf, size), false, &want);
	return finish(rc);
}

int tenon_runtime_add_btf_file(struct tenon_runtime *rt, const char *path,
			       const struct tenon_btf_opts *opts)
{
	struct tenon_btf_opts want;
	unsigned char *buf = NULL;
	const char *base;
	size_t size;
	int rc;

	if (!rt || !path)
		return tn_err(-EINVAL, "tenon_runtime_add_btf_file: an argument is NULL");
	base = strrchr(path, '/');
	rc = read_opts(opts, base ? base + 1 : path, &want);
	if (!rc)
		rc = tn_read_file(&rt->rt, path, MAX_BTF_BYTES, &buf, &size);
	if (rc)
		return finish(rc);
	rc = add(rt, tn_span_make(buf, size), true, &want);
	tn_free(&rt->rt, buf);
	return finish(rc);
}

/* Makes what is missing of the declared ones in `list`, and puts them into *out where there is room
 * for them; *nr counts on. Under rt.lock. */
static int add_declared(struct tenon_runtime *rt, struct tn_ctx_entry *list,
			const struct tn_btf **out, uint32_t *nr)
{
	for (struct tn_ctx_entry *e = list; e; e = e->next) {
		if (!tn_declared_wanted(rt, e))
			continue;
		if (!e->btf)
			e->btf = tn_btf_of_declared(rt, e->type);
		if (!e->btf)
			return -errno;
		if (out)
			out[*nr] = e->btf;
		++*nr;
	}
	return 0;
}

static int add_all_declared(struct tenon_runtime *rt, const struct tn_btf **out, uint32_t *nr)
{
	int rc = add_declared(rt, rt->ctx_types, out, nr);

	return rc ? rc : add_declared(rt, rt->structs, out, nr);
}

static int get_targets(struct tenon_runtime *rt, const struct tn_btf ***out, uint32_t *nr,
		       uint32_t *nr_whole)
{
	const struct tn_host_btf *e;
	uint32_t n = 0;
	int rc;

	for (e = rt->btfs; e; e = e->next)
		n++;
	rc = add_all_declared(rt, NULL, &n);
	if (rc || !n)
		return rc;
	*out = tn_alloc_array(&rt->rt, n, sizeof((*out)[0]));
	if (!*out)
		return tn_err_nomem("BTF of the host");
	for (e = rt->btfs; e; e = e->next)
		(*out)[(*nr)++] = e->btf;
	*nr_whole = *nr;
	return add_all_declared(rt, *out, nr);
}

int tn_host_btf_targets(struct tenon_runtime *rt, const struct tn_btf ***out, uint32_t *nr,
			uint32_t *nr_whole)
{
	int rc;

	*nr = *nr_whole = 0;
	*out = NULL;
	tn_lock(rt);
	rc = get_targets(rt, out, nr, nr_whole);
	tn_unlock(rt);
	return rc;
}

uint32_t tn_host_btf_find(struct tenon_runtime *rt, const char *name, enum tn_btf_kind kind,
			  const struct tn_btf **btf)
{
	const struct tn_host_btf *e;
	uint32_t id = 0;

	*btf = NULL;
	tn_lock(rt);
	for (e = rt->btfs; e && !id; e = e->next) {
		id = tn_btf_find(e->btf, name, kind);
		if (id)
			*btf = e->btf;
	}
	tn_unlock(rt);
	return id;
}

const char *tn_host_btf_name(struct tenon_runtime *rt, const struct tn_btf *btf)
{
	const struct tn_host_btf *e;
	const char *name = "host";

	tn_lock(rt);
	for (e = rt->btfs; e; e = e->next) {
		if (e->btf == btf)
			name = e->name;
	}
	tn_unlock(rt);
	return name;
}

/* Split ones stand behind what they are built on and go first. */
void tn_host_btf_fini(struct tenon_runtime *rt)
{
	struct tn_host_btf *reversed = NULL;

	while (rt->btfs) {
		struct tn_host_btf *e = rt->btfs;

		rt->btfs = e->next;
		e->next = reversed;
		reversed = e;
	}
	while (reversed) {
		struct tn_host_btf *e = reversed;

		reversed = e->next;
		free_entry(&rt->rt, e);
	}
}
