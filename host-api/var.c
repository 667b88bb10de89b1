/* SPDX-License-Identifier: MIT */
/* Host variables, see var.h. What a program may do with one is decided in verifier/memory.c. */
#include "host-api/var.h"

#include <errno.h>
#include <string.h>

#include "host-api/btf_types.h"
#include "host-api/host_btf.h"
#include "host-api/host_type.h"

#define MAX_VAR_BYTES ((size_t)1 << 30)

static const struct tn_host_var *find_var(struct tenon_runtime *rt, const char *name)
{
	const struct tn_var_entry *e;

	for (e = rt->vars; e && strcmp(e->var.name, name) != 0; e = e->next)
		;
	return e ? &e->var : NULL;
}

static void entry_free(struct tenon_runtime *rt, struct tn_var_entry *e)
{
	if (!e)
		return;
	tn_free(&rt->rt, e->var.name);
	tn_free(&rt->rt, e->var.token);
	tn_free(&rt->rt, e->var.type);
	tn_free(&rt->rt, e);
}

static struct tn_var_entry *entry_new(struct tenon_runtime *rt, const char *name, void *addr,
				      size_t size, const struct tenon_var_opts *opts)
{
	struct tn_var_entry *e = tn_new(&rt->rt, struct tn_var_entry);

	if (!e)
		return NULL;
	e->var.addr = addr;
	e->var.size = (uint32_t)size;
	e->var.writable = opts->writable;
	e->var.read_only = opts->read_only;
	e->var.name = tn_strdup(&rt->rt, name);
	/* No handle type of a host is named so: the token is nothing but itself. */
	e->var.token = tn_asprintf(&rt->rt, "&%s", name);
	e->var.type = opts->type ? tn_strdup(&rt->rt, opts->type) : NULL;
	if (e->var.name && e->var.token && (e->var.type || !opts->type))
		return e;
	entry_free(rt, e);
	return NULL;
}

static int check_type(struct tenon_runtime *rt, const char *name, size_t size, uint32_t align,
		      const struct tenon_var_opts *opts)
{
	const struct tn_ctx_type *type;

	if (opts->writable || strlen(opts->type) >= TN_SIG_HANDLE_BYTES)
		return tn_err(-EINVAL,
			      "variable '%s': of a structure, its fields say what is writable",
			      name);
	type = tn_struct_find(rt, opts->type);
	if (!type)
		return tn_err(-ENOENT, "variable '%s': no structure '%s' is declared", name,
			      opts->type);
	if (size < type->host_size || align < 8)
		return tn_err(-EINVAL,
			      "variable '%s': %zu bytes at a multiple of %u; structure '%s' has %u "
			      "and stands at a multiple of 8",
			      name, size, align, opts->type, type->host_size);
	return 0;
}

int tn_var_add(struct tenon_runtime *rt, const char *name, void *addr, size_t size, uint32_t align,
	       const struct tenon_var_opts *opts)
{
	struct tn_var_entry *e;
	int rc = 0;

	if (!*name || strlen(name) >= TN_SIG_HANDLE_BYTES)
		return tn_err(-EINVAL, "variable '%.40s': its name has 1 to %d characters", name,
			      TN_SIG_HANDLE_BYTES - 1);
	if (size == 0 || size > MAX_VAR_BYTES)
		return tn_err(-EINVAL, "variable '%s': it has %zu bytes, expected 1 to %zu", name,
			      size, MAX_VAR_BYTES);
	if (opts->read_only && !opts->type)
		return tn_err(-EINVAL, "variable '%s': bytes are read-only unless writable", name);
	rc = opts->type ? check_type(rt, name, size, align, opts) : 0;
	if (rc)
		return rc;
	e = entry_new(rt, name, addr, size, opts);
	if (!e)
		return tn_err_nomem("variable");
	while (e->var.align_log2 < 3 && 2u << e->var.align_log2 <= align)
		e->var.align_log2++;
	tn_lock(rt);
	if (find_var(rt, name)) {
		rc = tn_err(-EEXIST, "variable '%s' is registered already", name);
	} else {
		e->next = rt->vars;
		rt->vars = e;
	}
	tn_unlock(rt);
	if (rc)
		entry_free(rt, e);
	return rc;
}

/* The largest power of two up to 8 that divides it. */
static uint32_t alignment(const void *addr)
{
	uint32_t low = (uint32_t)(uintptr_t)addr | 8;

	return low & -low;
}

int tenon_runtime_add_var(struct tenon_runtime *rt, const char *name, void *addr, size_t size,
			  const struct tenon_var_opts *opts)
{
	struct tenon_var_opts want;
	int rc;

	if (!rt || !name || !addr)
		return tn_err(-EINVAL, "tenon_runtime_add_var: an argument is NULL");
	rc = tn_opts_read("tenon_var_opts", opts, &want, sizeof(want));
	return rc ? rc : tn_var_add(rt, name, addr, size, alignment(addr), &want);
}

/* Is it what the plugin's author meant? By the host's BTF where that has the variable. Accesses are
 * proved against the host's alone. */
static int check_declared(struct tenon_runtime *rt, const struct tn_btf *btf,
			  const struct tn_extern *ext, const struct tn_host_var *var)
{
	const struct tn_btf *host;
	uint32_t id = tn_host_btf_find(rt, ext->name, TN_BTF_VAR, &host);

	if (var->type)
		return tn_var_check_struct(btf, ext->btf_id, var->type, ext->name);
	return id ? tn_var_check(btf, ext->btf_id, host, id, ext->name) : 0;
}

/* Bytes of the plugin's declaration; 0 for `extern const void x`, whose type says nothing. */
static int declared_bytes(const struct tn_btf *btf, const struct tn_extern *ext, bool *typeless,
			  int64_t *bytes)
{
	const struct tn_btf_type *var = tn_btf_type(btf, ext->btf_id);
	uint32_t id = var ? tn_btf_skip_mods(btf, var->size_or_type) : 0;

	*typeless = id == 0;
	*bytes = id ? tn_btf_size_of(btf, id) : 0;
	if (*bytes < 0)
		return tn_err(-ESTALE,
			      "variable '%s': the plugin declares it with a type of no size",
			      ext->name);
	return 0;
}

int tn_var_resolve(struct tenon_runtime *rt, const struct tn_btf *btf, struct tn_extern *ext,
		   bool verify_only)
{
	const struct tn_host_var *var;
	int64_t bytes;
	int rc;

	tn_lock(rt);
	var = find_var(rt, ext->name);
	tn_unlock(rt);
	ext->var = NULL;
	ext->value = 0;
	if (!var && ext->is_weak)
		return 0;
	if (!var)
		return tn_err(-ENOENT, "variable '%s' is not offered by the host", ext->name);
	if (!var->addr && !verify_only)
		return tn_err(-ENOSYS, "variable '%s' is known by description only", ext->name);
	rc = declared_bytes(btf, ext, &ext->typeless, &bytes);
	if (!rc && !ext->typeless)
		rc = check_declared(rt, btf, ext, var);
	if (rc)
		return rc;
	/* What the plugin does not know of is no harm; what it only believes to be there is. */
	if (bytes > (int64_t)var->size)
		return tn_err(-ESTALE, "variable '%s' has %u bytes in the host, %lld in the plugin",
			      ext->name, var->size, (long long)bytes);
	ext->var = var;
	ext->value = var->addr ? (uintptr_t)var->addr : 1;
	return 0;
}

void tn_vars_fini(struct tenon_runtime *rt)
{
	while (rt->vars) {
		struct tn_var_entry *e = rt->vars;

		rt->vars = e->next;
		entry_free(rt, e);
	}
}
