/* SPDX-License-Identifier: MIT */
/* Programs as plain C functions, for libraries that want a callback. */
#include <errno.h>
#include <string.h>

#include "host-api/ffi.h"
#include "host-api/fire.h"
#include "host-api/object.h"

struct tn_callback {
	struct tn_callback *next;
	struct tenon_program *program;
	struct tn_ffi_closure *closure;
	int32_t ctx_arg; /* which argument is the context; -1: all of them, as an array */
};

static uint64_t call_program(void *user, const uint64_t *args, uint32_t nr)
{
	const struct tn_callback *cb = user;
	const struct tn_prog *prog = cb->program->prog;
	uint64_t array[TN_SIG_MAX_ARGS];
	struct tn_run run = { .program = cb->program,
			      .entry = prog->entry,
			      .ctx_size = prog->ctx_type->host_size,
			      .fuel = prog->rt->limits.fuel };
	struct tn_run_result res;

	if (cb->ctx_arg >= 0) {
		run.ctx = (void *)(uintptr_t)args[cb->ctx_arg];
	} else {
		memcpy(array, args, nr * sizeof(args[0]));
		run.ctx = array;
	}
	return tn_run(&run, 1, &res) ? 0 : res.ret;
}

static int find_ctx_arg(const struct tenon_program *program, const struct tn_sig *sig, int32_t *out)
{
	const struct tn_ctx_type *ctx = program->prog->ctx_type;
	uint32_t i;

	*out = -1;
	for (i = 0; i < sig->nr_args; i++) {
		if (sig->args[i].kind == TN_ARG_CTX)
			*out = (int32_t)i;
	}
	if (*out >= 0)
		return 0;
	if (program->sig.ctx)
		return tn_err(-EINVAL, "callback '%s': its context is '%s', and no argument is ctx",
			      program->prog->name, ctx->name);
	if (sig->nr_args * 8 != ctx->host_size)
		return tn_err(-EINVAL,
			      "callback '%s': %u arguments make %u bytes, its context has "
			      "%u",
			      program->prog->name, sig->nr_args, sig->nr_args * 8, ctx->host_size);
	return 0;
}

static int make_callback(struct tenon_program *program, const char *text, struct tn_callback *cb)
{
	struct tn_sig sig;
	int rc;

	rc = tn_sig_parse(text, &sig);
	if (!rc)
		rc = find_ctx_arg(program, &sig, &cb->ctx_arg);
	if (rc)
		return rc;
	cb->program = program;
	cb->closure = tn_ffi_closure_new(&program->rt->rt, &sig, call_program, cb);
	return cb->closure ? 0 : -errno;
}

tenon_fn tenon_program_as_callback(struct tenon_program *program, const char *sig)
{
	struct tn_callback *cb;
	int rc;

	if (!program || !sig)
		return tn_err_null(-EINVAL, "tenon_program_as_callback: an argument is NULL");
	if (!program->ready || !program->obj)
		return tn_err_null(-EINVAL, "program '%s' is not loaded", program->prog->name);
	cb = tn_new(&program->rt->rt, struct tn_callback);
	if (!cb)
		return tn_err_null(-ENOMEM, "out of memory: callback");
	rc = make_callback(program, sig, cb);
	if (rc) {
		tn_free(&program->rt->rt, cb);
		return tn_null(rc);
	}
	tn_lock(program->rt);
	cb->next = program->obj->callbacks;
	program->obj->callbacks = cb;
	tn_unlock(program->rt);
	return (tenon_fn)tn_ffi_closure_fn(cb->closure);
}

void tn_callbacks_free(struct tenon_object *obj)
{
	while (obj->callbacks) {
		struct tn_callback *cb = obj->callbacks;

		obj->callbacks = cb->next;
		tn_ffi_closure_free(&obj->rt->rt, cb->closure);
		tn_free(&obj->rt->rt, cb);
	}
}
