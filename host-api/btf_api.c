/* SPDX-License-Identifier: MIT */
/* BTF for tools: files and the types of the host, as text. */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "host-api/btf_minimize.h"
#include "host-api/host_btf.h"
#include "loader/btf_file.h"
#include "vm/btf_dump.h"
#include "vm/btf_merge.h"

struct tenon_btf {
	struct tenon_runtime *rt;
	struct tn_btf *btf;
};

static struct tenon_btf *wrap(struct tenon_runtime *rt, struct tn_btf *btf)
{
	struct tenon_btf *self;
	int err = errno;

	if (!btf) {
		errno = err;
		return NULL;
	}
	self = tn_new(&rt->rt, struct tenon_btf);
	if (!self) {
		tn_btf_free(btf);
		return tn_err_null(-ENOMEM, "out of memory: BTF");
	}
	self->rt = rt;
	self->btf = btf;
	return self;
}

struct tenon_btf *tenon_btf_open_file(struct tenon_runtime *rt, const char *path,
				      const struct tenon_btf *base)
{
	struct tenon_btf *self;
	unsigned char *buf;
	size_t size;
	int rc;

	if (!rt || !path)
		return tn_err_null(-EINVAL, "tenon_btf_open_file: an argument is NULL");
	rc = tn_read_file(&rt->rt, path, TN_MAX_BTF_BYTES, &buf, &size);
	if (rc) {
		errno = -rc;
		return NULL;
	}
	self = wrap(rt,
		    tn_btf_read_file(&rt->rt, tn_span_make(buf, size), base ? base->btf : NULL));
	rc = errno;
	tn_free(&rt->rt, buf);
	errno = rc;
	return self;
}

struct tenon_btf *tenon_btf_open_host(struct tenon_runtime *rt)
{
	const struct tn_btf **list;
	struct tenon_btf *self;
	uint32_t nr, nr_whole;
	int rc;

	if (!rt)
		return tn_err_null(-EINVAL, "tenon_btf_open_host: the runtime is NULL");
	rc = tn_host_btf_targets(rt, &list, &nr, &nr_whole);
	if (rc) {
		errno = -rc;
		return NULL;
	}
	self = wrap(rt, tn_btf_merge(&rt->rt, list, nr));
	rc = errno;
	tn_free(&rt->rt, list);
	errno = rc;
	return self;
}

void tenon_btf_close(struct tenon_btf *btf)
{
	if (!btf)
		return;
	tn_btf_free(btf->btf);
	tn_free(&btf->rt->rt, btf);
}

uint32_t tenon_btf_nr_types(const struct tenon_btf *btf)
{
	return btf ? btf->btf->nr_types - 1 : 0;
}

const void *tenon_btf_data(const struct tenon_btf *btf, size_t *size)
{
	if (size)
		*size = btf ? btf->btf->size : 0;
	return btf ? btf->btf->data : NULL;
}

struct tenon_btf *tenon_btf_minimize(const struct tenon_btf *btf, const char *const *objects,
				     uint32_t nr)
{
	if (!btf || !objects)
		return tn_err_null(-EINVAL, "tenon_btf_minimize: an argument is NULL");
	return wrap(btf->rt, tn_btf_minimize(&btf->rt->rt, btf->btf, objects, nr));
}

/* ---- Text ---- */

static int dump_raw(const struct tn_btf *btf, const struct tenon_btf_dump_opts *opts,
		    tenon_btf_line_fn line, void *user)
{
	bool json = opts->format == TENON_BTF_JSON;
	int rc = 0;

	if (!opts->nr_ids)
		return tn_btf_dump_raw(btf, btf->first_type, UINT32_MAX, json, line, user);
	for (uint32_t i = 0; i < opts->nr_ids && !rc; i++) {
		if (opts->ids[i] == 0 || opts->ids[i] >= btf->nr_types)
			return tn_err(-ENOENT, "BTF: no type %u, there are 1 to %u", opts->ids[i],
				      btf->nr_types - 1);
		rc = tn_btf_dump_raw(btf, opts->ids[i], opts->ids[i] + 1, json, line, user);
	}
	return rc;
}

int tenon_btf_dump(const struct tenon_btf *btf, const struct tenon_btf_dump_opts *opts,
		   tenon_btf_line_fn line, void *user)
{
	struct tenon_btf_dump_opts want;
	int rc;

	if (!btf || !line)
		return tn_err(-EINVAL, "tenon_btf_dump: an argument is NULL");
	rc = tn_opts_read("tenon_btf_dump_opts", opts, &want, sizeof(want));
	if (rc)
		return rc;
	if (want.nr_ids && !want.ids)
		return tn_err(-EINVAL, "tenon_btf_dump_opts: %u ids, but no array", want.nr_ids);
	switch (want.format) {
	case TENON_BTF_RAW:
	case TENON_BTF_JSON:
		return dump_raw(btf->btf, &want, line, user);
	case TENON_BTF_C:
		return tn_btf_dump_c(btf->btf, want.nr_ids ? want.ids : NULL, want.nr_ids,
				     want.function_suffix, line, user);
	case TENON_BTF_ASSERTS:
		return tn_btf_dump_asserts(btf->btf, line, user);
	}
	return tn_err(-EINVAL, "tenon_btf_dump_opts: unknown format %u", (unsigned)want.format);
}
