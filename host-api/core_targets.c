/* SPDX-License-Identifier: MIT */
/*
 * Which types a plugin is relocated against: those of the host, in the order in which it gave
 * them, or those of one file in their place.
 */
#include "host-api/core_targets.h"

#include <errno.h>
#include <string.h>

#include "host-api/host_btf.h"
#include "host-api/object.h"
#include "loader/btf_file.h"

#define MAX_BTF_BYTES ((size_t)256 << 20)

static int read_target(struct tenon_runtime *rt, const char *path, struct tn_btf **out)
{
	unsigned char *buf;
	size_t size;
	int rc = tn_read_file(&rt->rt, path, MAX_BTF_BYTES, &buf, &size);

	if (rc)
		return rc;
	*out = tn_btf_read_file(&rt->rt, tn_span_make(buf, size), NULL);
	rc = *out ? 0 : -errno;
	tn_free(&rt->rt, buf);
	return rc;
}

/* The host's own stand behind: the file takes the place of whole BTF, not of what the host
 * declared field by field. */
static int use_file(struct tenon_runtime *rt, const char *path, struct tn_core_targets *t)
{
	uint32_t declared = t->nr - t->nr_whole;
	const struct tn_btf **all = tn_alloc_array(&rt->rt, declared + 1u, sizeof(all[0]));
	int rc = all ? read_target(rt, path, &t->file) : tn_err_nomem("BTF of the host");

	if (rc) {
		tn_free(&rt->rt, all);
		return rc;
	}
	all[0] = t->file;
	for (uint32_t i = 0; i < declared; i++)
		all[i + 1] = t->btf[t->nr_whole + i];
	tn_free(&rt->rt, t->btf);
	t->btf = all;
	t->nr = declared + 1;
	t->nr_whole = 1;
	return 0;
}

static const char *file_name(const char *path)
{
	const char *base = strrchr(path, '/');

	return base ? base + 1 : path;
}

int tn_core_targets_get(struct tenon_runtime *rt, const char *path, struct tn_core_targets *out)
{
	int rc;

	memset(out, 0, sizeof(*out));
	rc = tn_host_btf_targets(rt, &out->btf, &out->nr, &out->nr_whole);
	if (!rc && path)
		rc = use_file(rt, path, out);
	if (!rc && out->nr) {
		out->names = tn_alloc_array(&rt->rt, out->nr, sizeof(out->names[0]));
		rc = out->names ? 0 : tn_err_nomem("BTF of the host");
	}
	for (uint32_t i = 0; i < out->nr && !rc; i++)
		out->names[i] = out->file && i == 0 ? file_name(path)
						    : tn_host_btf_name(rt, out->btf[i]);
	if (rc)
		tn_core_targets_put(rt, out);
	return rc;
}

void tn_core_targets_put(struct tenon_runtime *rt, struct tn_core_targets *t)
{
	tn_free(&rt->rt, t->btf);
	tn_free(&rt->rt, t->names);
	tn_btf_free(t->file);
	memset(t, 0, sizeof(*t));
}

void tn_core_targets_use(const struct tn_core_targets *t, struct tn_load_opts *load)
{
	load->targets = t->btf;
	load->target_names = t->names;
	load->nr_targets = t->nr;
	load->nr_whole = t->nr_whole;
}
