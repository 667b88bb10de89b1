/* SPDX-License-Identifier: MIT */
/*
 * Test runs: one program outside any hook, with a context and, for packet contexts, a frame.
 */
#include <errno.h>
#include <string.h>

#include "host-api/fire.h"
#include "host-api/object.h"
#include "vm/interp.h"

/* Around the frame: room for metadata and headers in front, as XDP gives it. */
#define HEADROOM  256u
#define TAILROOM  320u
#define MAX_FRAME (1u << 20)
/* What the kernel keeps of a page, in front and behind. */
#define XDP_PAGE  4096u
#define XDP_FRAME 40u
#define XDP_TAIL  320u
#define LOOPBACK  1u /* where the kernel's test runs arrive */

struct frame {
	unsigned char *buf; /* owned: the frame, or zeroes as the context */
	void *ctx;	    /* the host's struct, in the caller's memory or `own` */
	union {
		struct tenon_xdp_md xdp;
		struct tenon_sk_buff skb;
	} own;
	size_t size; /* of buf */
	bool is_xdp;
	/* flow_dissector: of the caller's context, or `own_keys` in their place. */
	struct tenon_flow_keys *keys, own_keys;
};

static bool is_packet(const struct tn_prog *prog)
{
	return prog->ctx_type->is_packet;
}

static bool is_dissector(const struct tn_prog *prog)
{
	return is_packet(prog) && !strcmp(prog->ctx_type->name, "flow_dissector");
}

/* All packet contexts begin with these three. */
static void set_pointers(struct frame *f, size_t size)
{
	struct tenon_xdp_md *md = f->ctx;

	_Static_assert(offsetof(struct tenon_sk_buff, data) == 0 &&
			       offsetof(struct tenon_sk_buff, data_end) ==
				       offsetof(struct tenon_xdp_md, data_end) &&
			       offsetof(struct tenon_sk_buff, data_meta) ==
				       offsetof(struct tenon_xdp_md, data_meta),
		       "packet contexts begin alike");
	md->data = md->data_meta = f->buf + HEADROOM;
	md->data_end = f->buf + HEADROOM + size;
	if (f->is_xdp) {
		md->room = f->buf + XDP_FRAME;
		md->room_end = f->buf + f->size - XDP_TAIL;
	} else {
		struct tenon_sk_buff *skb = f->ctx;

		skb->room = f->buf;
		skb->room_end = f->buf + f->size;
	}
}

/* What the kernel's test run fills in for a frame without a context of its own. */
static void fill_skb(struct tenon_sk_buff *skb, const struct tenon_test_run_opts *opts)
{
	skb->len = (uint32_t)opts->data_in_size;
	if (opts->data_in_size >= 14)
		memcpy(&skb->protocol, (const char *)opts->data_in + 12, 2);
	skb->ifindex = LOOPBACK;
}

static int make_frame(struct tn_rt *rt, const struct tn_prog *prog,
		      const struct tenon_test_run_opts *opts, struct frame *f)
{
	f->is_xdp = !strcmp(prog->ctx_type->name, "xdp_md");
	f->ctx = opts->ctx ? opts->ctx : &f->own;
	if (!opts->data_in) {
		if (opts->ctx)
			return 0;
		return tn_err(-EINVAL,
			      "program '%s': give data_in, or a ctx that points to a frame",
			      prog->name);
	}
	if (opts->data_in_size > MAX_FRAME)
		return tn_err(-E2BIG, "data_in has %zu bytes, at most %u", opts->data_in_size,
			      MAX_FRAME);
	f->size = HEADROOM + opts->data_in_size + TAILROOM;
	if (f->is_xdp)
		f->size = TN_MAX(f->size, (size_t)XDP_PAGE);
	f->buf = tn_zalloc(rt, f->size);
	if (!f->buf)
		return tn_err_nomem("frame");
	memcpy(f->buf + HEADROOM, opts->data_in, opts->data_in_size);
	set_pointers(f, opts->data_in_size);
	if (f->is_xdp && !opts->ctx)
		f->own.xdp.ingress_ifindex = LOOPBACK;
	else if (!opts->ctx)
		fill_skb(f->ctx, opts);
	return 0;
}

/* A dissector begins behind the Ethernet header, as in the kernel's test runs. */
static void set_keys(struct frame *f, const struct tenon_test_run_opts *opts)
{
	struct tenon_sk_buff *skb = f->ctx;

	if (!skb->flow_keys) {
		f->own_keys.nhoff = f->own_keys.thoff = 14;
		if (opts->data_in_size >= 14)
			memcpy(&f->own_keys.n_proto, (const char *)opts->data_in + 12, 2);
		skb->flow_keys = &f->own_keys;
	}
	f->keys = skb->flow_keys;
}

/* And ends within the frame. */
static void settle_keys(struct frame *f, size_t size)
{
	struct tenon_flow_keys *keys = f->keys;
	uint16_t end = (uint16_t)TN_MIN(size, (size_t)UINT16_MAX);

	keys->nhoff = TN_MIN(TN_MAX(keys->nhoff, (uint16_t)14), end);
	keys->thoff = TN_MIN(TN_MAX(keys->thoff, keys->nhoff), end);
}

/* The pair of fields that a frame is given by in a context that is no __sk_buff, if it has one. */
static bool find_frame(const struct tn_prog *prog, const struct tn_field **data,
		       const struct tn_field **end)
{
	const struct tn_ctx_type *type = prog->ctx_type;

	*data = *end = NULL;
	if (type->builtin && !type->is_packet) {
		*data = tn_ctx_field_by_name(type, "data");
		if (!*data)
			*data = tn_ctx_field_by_name(type, "skb_data");
	}
	if (*data && (*data)->kind == TN_FIELD_REGION)
		*end = &type->fields[(*data)->peer];
	return *end != NULL;
}

static int put_frame(struct tn_rt *rt, const struct tn_prog *prog,
		     const struct tenon_test_run_opts *opts, struct frame *f)
{
	const struct tn_field *data, *end;
	const unsigned char *last;

	if (!find_frame(prog, &data, &end))
		return tn_err(-EINVAL, "program '%s': its context '%s' has no data_in", prog->name,
			      prog->ctx_type->name);
	if (opts->data_in_size > MAX_FRAME)
		return tn_err(-E2BIG, "data_in has %zu bytes, at most %u", opts->data_in_size,
			      MAX_FRAME);
	f->buf = tn_zalloc(rt, TN_MAX(opts->data_in_size, (size_t)1));
	if (!f->buf)
		return tn_err_nomem("frame");
	memcpy(f->buf, opts->data_in, opts->data_in_size);
	last = f->buf + opts->data_in_size;
	memcpy((char *)f->ctx + data->host_offset, &f->buf, sizeof(f->buf));
	memcpy((char *)f->ctx + end->host_offset, &last, sizeof(last));
	return 0;
}

/* The caller's, or zeroes in place of it. */
static int make_ctx(struct tn_rt *rt, const struct tn_prog *prog,
		    const struct tenon_test_run_opts *opts, struct frame *f)
{
	f->ctx = opts->ctx;
	if (f->ctx)
		return opts->data_in ? put_frame(rt, prog, opts, f) : 0;
	f->ctx = f->buf = tn_zalloc(rt, TN_MAX(prog->ctx_type->host_size, 1u));
	return f->buf ? 0 : tn_err_nomem("context");
}

/* What is given out: the frame, as from the kernel with the metadata that stands in front; of a
 * dissector the keys. */
static const void *output(const struct tn_prog *prog, const struct frame *f, size_t *size)
{
	const struct tenon_xdp_md *md = f->ctx;
	const struct tn_field *data, *end;
	const char *from, *last;

	if (f->keys) {
		*size = sizeof(*f->keys);
		return f->keys;
	}
	if (find_frame(prog, &data, &end)) {
		memcpy(&from, (const char *)f->ctx + data->host_offset, sizeof(from));
		memcpy(&last, (const char *)f->ctx + end->host_offset, sizeof(last));
	} else {
		from = f->is_xdp && md->data_meta && md->data_meta < md->data ? md->data_meta
									      : md->data;
		last = md->data_end;
	}
	*size = (size_t)(last - from);
	return from;
}

static int copy_out(const struct tn_prog *prog, const struct frame *f,
		    struct tenon_test_run_opts *opts)
{
	size_t size, room = opts->data_out_size;
	const void *from = output(prog, f, &size);

	opts->data_out_size = size;
	if (!opts->data_out)
		return 0;
	memcpy(opts->data_out, from, TN_MIN(size, room));
	if (size > room)
		return tn_err(-ENOSPC, "data_out has %zu bytes, the frame %zu", room, size);
	return 0;
}

static int choose_engine(const struct tenon_program *program, enum tenon_engine engine,
			 tn_native_fn *out)
{
	const struct tn_prog *prog = program->prog;

	*out = prog->entry;
	if (engine == TENON_ENGINE_INTERP)
		*out = prog->facts->holds ? tn_held_interp_entry : tn_interp_entry;
	if (engine > TENON_ENGINE_JIT)
		return tn_err(-EINVAL, "unknown engine %d", (int)engine);
	if (engine == TENON_ENGINE_JIT && !program->unit->code)
		return tn_err(-ENOTSUP, "program '%s' was loaded for the interpreter", prog->name);
	return 0;
}

static int check_ctx(const struct tenon_program *program, const struct tenon_test_run_opts *opts)
{
	const struct tn_prog *prog = program->prog;
	uint32_t want = prog->ctx_type->host_size;

	if (opts->ctx && opts->ctx_size != want)
		return tn_err(-EINVAL, "program '%s': ctx_size is %zu, its context has %u bytes",
			      prog->name, opts->ctx_size, want);
	if (is_packet(prog))
		return 0;
	if (opts->data_in && !(prog->ctx_type->builtin && opts->ctx))
		return tn_err(-EINVAL,
			      "program '%s' has no packet context, so no data_in without ctx",
			      prog->name);
	if (!opts->ctx && tn_ctx_has_pointers(prog->ctx_type))
		return tn_err(-EINVAL,
			      "program '%s': its context '%s' holds pointers, so ctx may not be "
			      "NULL",
			      prog->name, prog->ctx_type->name);
	return 0;
}

static void set_results(struct tenon_test_run_opts *opts, const struct tenon_program *program,
			const struct tn_run_result *res)
{
	_Static_assert((int)TENON_ENDED_OUT_OF_FUEL == TN_ABORT_FUEL &&
			       (int)TENON_ENDED_BY_HOST == TN_ABORT_HOST,
		       "ends are the same numbers inside and outside");
	/* As firing gives it: what is above a C int decides nothing. */
	opts->retval = program->sig.ret_int ? (uint32_t)res->ret : res->ret;
	opts->ns_total = res->ns;
	opts->ns_per_run = res->ns / TN_MAX(opts->repeat, 1u);
	opts->ended = res->skipped ? TENON_ENDED_RECURSION : (enum tenon_ended)res->abort;
	opts->reason = res->abort_reason;
}

static int test_run(struct tenon_program *program, struct tenon_test_run_opts *opts)
{
	struct tn_prog *prog = program->prog;
	struct tn_run_result res;
	struct frame frame = { 0 };
	struct tn_run run = { .program = program,
			      .ctx_size = prog->ctx_type->host_size,
			      .fuel = prog->rt->limits.fuel };
	int rc = check_ctx(program, opts);

	if (!rc)
		rc = choose_engine(program, opts->engine, &run.entry);
	if (!rc)
		rc = is_packet(prog) ? make_frame(prog->rt, prog, opts, &frame)
				     : make_ctx(prog->rt, prog, opts, &frame);
	if (rc)
		return rc;
	if (is_dissector(prog))
		set_keys(&frame, opts);
	run.ctx = frame.ctx;
	rc = tn_run(&run, TN_MAX(opts->repeat, 1u), &res);
	if (!rc) {
		set_results(opts, program, &res);
		if (frame.keys && opts->data_in)
			settle_keys(&frame, opts->data_in_size);
		if (opts->data_in)
			rc = copy_out(prog, &frame, opts);
	}
	if (frame.keys == &frame.own_keys)
		((struct tenon_sk_buff *)frame.ctx)->flow_keys = NULL;
	tn_free(prog->rt, frame.buf);
	return rc;
}

int tenon_program_test_run(struct tenon_program *program, struct tenon_test_run_opts *opts)
{
	struct tenon_test_run_opts local;
	int rc;

	if (!program || !opts)
		return tn_err(-EINVAL, "tenon_program_test_run: an argument is NULL");
	rc = tn_opts_read("tenon_test_run_opts", opts, &local, sizeof(local));
	if (!rc && !program->ready)
		rc = tn_err(-EINVAL, "program '%s' is not loaded", program->prog->name);
	if (!rc)
		rc = test_run(program, &local);
	if (!rc || rc == -ENOSPC)
		tn_opts_write(opts, &local, sizeof(local));
	if (rc)
		tn_err_at(TN_STAGE_RUN, NULL, program->prog->name, -1, NULL);
	return rc;
}
