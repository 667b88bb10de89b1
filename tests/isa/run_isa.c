/* SPDX-License-Identifier: MIT */
#include "isa/run_isa.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "jit/jit.h"
#include "vm/interp.h"
#include "vm/rewrite.h"

static int set_helpers(struct tn_prog *prog, const struct isa_opts *opts)
{
	const struct tn_host_helper *helpers = opts->helpers;
	uint32_t nr = opts->nr_helpers;

	if (!nr)
		return 0;
	prog->externs = tn_alloc_array(prog->rt, nr, sizeof(*prog->externs));
	if (!prog->externs)
		return tn_err_nomem("externs");
	prog->nr_externs = nr;
	for (uint32_t i = 0; i < nr; i++) {
		prog->externs[i].is_func = true;
		prog->externs[i].helper = &helpers[i];
		prog->externs[i].name = tn_strdup(prog->rt, helpers[i].name);
		if (!prog->externs[i].name)
			return tn_err_nomem("externs");
	}
	return 0;
}

int isa_open(struct tn_rt *rt, enum isa_engine engine, const struct tn_insn *insns, uint32_t nr,
	     const struct isa_opts *opts, struct isa_prog *out)
{
	static const struct isa_opts no_opts;
	int err;

	opts = opts ? opts : &no_opts;
	*out = (struct isa_prog){ .prog = tn_prog_new(rt, "isa") };
	if (!out->prog)
		return tn_err_nomem("program");
	err = tn_insns_check(insns, nr);
	if (!err)
		err = tn_prog_set_insns(out->prog, insns, nr);
	if (!err)
		err = tn_prog_find_subprogs(out->prog);
	if (!err)
		err = set_helpers(out->prog, opts);
	if (!err && opts->make_facts)
		err = opts->make_facts(out->prog, opts->user);
	if (!err)
		err = tn_rewrite(out->prog);
	if (!err) {
		out->prog->r2_is_ctx_size = !opts->ctx_type;
		out->prog->ctx_type = opts->ctx_type;
		out->prog->entry = tn_interp_entry;
		if (engine == ISA_JIT)
			err = tn_jit_compile(rt, &out->prog, 1, &out->code);
	}
	if (err)
		isa_close(out);
	return err;
}

void isa_close(struct isa_prog *prog)
{
	if (prog->code)
		tn_jit_code_free(prog->prog->rt, prog->code);
	tn_prog_free(prog->prog);
	*prog = (struct isa_prog){ 0 };
}

uint64_t isa_run_fuel(const struct isa_prog *prog, void *mem, size_t size, int64_t *fuel,
		      uint32_t *abort)
{
	struct tn_exec ex = {
		.fuel = *fuel,
		.prog = prog->prog,
		.first = prog->prog,
		.ctx_size = size,
		.ctx = mem,
		.rt = prog->prog->rt,
		.thread = tn_thread_self(),
	};
	uint64_t r0 = prog->prog->entry(mem, &ex);

	*fuel = ex.fuel;
	*abort = ex.abort;
	return r0;
}

uint64_t isa_run(const struct isa_prog *prog, void *mem, size_t size, uint32_t *abort)
{
	int64_t fuel = INT64_MAX;

	return isa_run_fuel(prog, mem, size, &fuel, abort);
}

int isa_parse_bytes(const char *text, unsigned char *out, size_t max)
{
	size_t nr = 0;

	while (*text) {
		unsigned char byte = 0;

		if (isspace((unsigned char)*text)) {
			text++;
			continue;
		}
		for (int i = 0; i < 2; i++, text++) {
			int c = tolower((unsigned char)*text);

			if (!isxdigit(c))
				return -EINVAL;
			byte = (unsigned char)(byte << 4 | (isdigit(c) ? c - '0' : c - 'a' + 10));
		}
		if (nr == max)
			return -EINVAL;
		out[nr++] = byte;
	}
	return (int)nr;
}
