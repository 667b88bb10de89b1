/* SPDX-License-Identifier: MIT */
/*
 * Helpers that ask about the context beyond its fields: a function's arguments and result, the
 * result so far of a hook that has one, where the program was called from, iterators' output. The
 * verifier lets a program call them where its context has what they need (verifier/context.c).
 */
#include <errno.h>
#include <string.h>

#include "vm/ctx_type.h"
#include "vm/helper_body.h"
#include "vm/helpers.h"
#include "vm/image.h"

#define BODY(name) TN_HELPER_BODY(, name)

static uint64_t fails(int err)
{
	return (uint64_t)(int64_t)-err;
}

/* Written in every case, as the verifier takes it. */
static uint64_t give(uint64_t to, uint64_t value, int err)
{
	memcpy((void *)(uintptr_t)to, &value, sizeof(value));
	return err ? fails(err) : 0;
}

/* Programs that were not verified may have no context type. */
static const struct tn_ctx_type *type_of(const struct tn_exec *ex)
{
	static const struct tn_ctx_type none = { .name = (char *)"" };

	return ex->prog->ctx_type ? ex->prog->ctx_type : &none;
}

/* ---- A function's arguments ---- */

/* A number in slot n; addresses are not shown as numbers. */
static uint64_t give_slot(const struct tn_ctx_type *type, uint64_t ctx, uint32_t n, uint64_t to)
{
	const struct tn_field *f = tn_ctx_field_at(type, n * 8, 1);
	uint64_t value;

	if (!f || f->kind != TN_FIELD_SCALAR)
		return give(to, 0, EPERM);
	memcpy(&value, (const unsigned char *)(uintptr_t)ctx + (size_t)n * 8, sizeof(value));
	return give(to, value, 0);
}

/* ctx, number, value */
BODY(tn_helper_get_func_arg)
{
	const struct tn_ctx_type *type = type_of(ex);

	if ((uint32_t)r2 >= type->nr_args)
		return give(r3, 0, EINVAL);
	return give_slot(type, r1, (uint32_t)r2, r3);
}

BODY(tn_helper_get_func_ret)
{
	const struct tn_ctx_type *type = type_of(ex);

	if (!type->has_ret)
		return give(r2, 0, EOPNOTSUPP);
	return give_slot(type, r1, type->nr_args, r2);
}

BODY(tn_helper_get_func_arg_cnt)
{
	return type_of(ex)->nr_args;
}

/* Of contexts that begin with the registers; others do not tell. */
BODY(tn_helper_get_func_ip)
{
	const struct tn_ctx_type *type = type_of(ex);
	uint64_t ip;

	if (!type->builtin || strcmp(type->name, "pt_regs") != 0)
		return 0;
#ifdef __aarch64__
	memcpy(&ip, (const unsigned char *)(uintptr_t)r1 + 256, sizeof(ip));
#else
	memcpy(&ip, (const unsigned char *)(uintptr_t)r1 + 128, sizeof(ip));
#endif
	return ip;
}

/* ---- A hook's result so far: the context's field `retval` ---- */

static unsigned char *retval_at(const struct tn_exec *ex, bool write, uint32_t *size)
{
	const struct tn_ctx_type *type = type_of(ex);
	const struct tn_field *f = tn_ctx_retval(type);

	if (!f || !ex->ctx || (write && !(f->access & TN_ACC_W)))
		return NULL;
	*size = f->host_size;
	return (unsigned char *)ex->ctx + f->host_offset;
}

static uint64_t set_retval(const struct tn_exec *ex, int64_t value)
{
	uint32_t size;
	unsigned char *at = retval_at(ex, true, &size);
	int32_t half = (int32_t)value;

	if (!at)
		return fails(EPERM);
	if (size == sizeof(half))
		memcpy(at, &half, sizeof(half));
	else
		memcpy(at, &value, sizeof(value));
	return 0;
}

BODY(tn_helper_get_retval)
{
	uint32_t size;
	const unsigned char *at = retval_at(ex, false, &size);
	int64_t value = -EINVAL;
	int32_t half;

	if (at && size == sizeof(half)) {
		memcpy(&half, at, sizeof(half));
		value = half;
	} else if (at) {
		memcpy(&value, at, sizeof(value));
	}
	return (uint64_t)value;
}

BODY(tn_helper_set_retval)
{
	return set_retval(ex, (int32_t)r1);
}

/* ctx, value */
BODY(tn_helper_override_return)
{
	return set_retval(ex, (int64_t)r2);
}

/* ---- Output of iterators: through the host's struct tenon_seq_file ---- */

static uint64_t seq_put(uint64_t seq, const void *data, size_t size)
{
	const struct tn_seq_host *out = (const struct tn_seq_host *)(uintptr_t)seq;
	int rc = out->write ? out->write(out->user, data, size) : -EINVAL;

	return rc < 0 ? (uint64_t)(int64_t)rc : 0;
}

/* seq, format, its size, values, their size */
BODY(tn_helper_seq_printf)
{
	char line[TN_FORMAT_MAX_LINE];
	int len = tn_format_values(line, sizeof(line), r2, r3, r4, r5);

	if (len < 0)
		return (uint64_t)(int64_t)len;
	return (size_t)len > sizeof(line) ? fails(EOVERFLOW) : seq_put(r1, line, (size_t)len - 1);
}

BODY(tn_helper_seq_write)
{
	return seq_put(r1, (const void *)(uintptr_t)r2, r3);
}
