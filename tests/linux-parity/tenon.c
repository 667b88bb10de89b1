/* SPDX-License-Identifier: MIT */
/*
 * Tenon's verdict about one program, through the public API, and its runs. What the kernel has and
 * Tenon leaves to its hosts is declared here as a host would: the flat contexts of tracing
 * programs as hooks, and the kernel's own helpers by their numbers. None of these does anything.
 * Privileged programs may see addresses.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#include <tenon/tenon.h>

#include "parity.h"
#include "socket_helpers.h"

#define FRAME_BYTES	 64
#define ETHERNET_BYTES	 14
#define STRICT_ALIGNMENT 1U /* BPF_F_STRICT_ALIGNMENT */
#define NR(a)		 (sizeof(a) / sizeof((a)[0]))

/* ---- Contexts ---- */

struct trace_ctx {
	uint8_t bytes[2048]; /* the largest trace record */
};
struct raw_ctx {
	uint64_t args[12];
};
struct regs_ctx {
	uint64_t regs[21]; /* struct pt_regs */
};
struct event_ctx {
	uint64_t regs[21], sample_period, addr; /* struct bpf_perf_event_data */
};
struct sysctl_ctx {
	uint32_t write, file_pos;
};
struct syscall_ctx {
	uint8_t bytes[65535];
};

static const struct tenon_field trace_fields[] = { TENON_SCALAR(struct trace_ctx, bytes, TENON_R) };
static const struct tenon_field raw_fields[] = { TENON_SCALAR(struct raw_ctx, args, TENON_R) };
static const struct tenon_field regs_fields[] = { TENON_SCALAR(struct regs_ctx, regs, TENON_R) };
static const struct tenon_field event_fields[] = {
	TENON_SCALAR(struct event_ctx, regs, TENON_R),
	TENON_SCALAR(struct event_ctx, sample_period, TENON_R),
	TENON_SCALAR(struct event_ctx, addr, TENON_R),
};
static const struct tenon_field sysctl_fields[] = {
	TENON_SCALAR(struct sysctl_ctx, write, TENON_R),
	TENON_SCALAR(struct sysctl_ctx, file_pos, TENON_RW),
};
static const struct tenon_field syscall_fields[] = {
	TENON_SCALAR(struct syscall_ctx, bytes, TENON_RW),
};

static const struct tenon_ctx_type trace_type = TENON_CTX_TYPE(trace_ctx, trace_fields);
static const struct tenon_ctx_type raw_type = TENON_CTX_TYPE(raw_ctx, raw_fields);
static const struct tenon_ctx_type regs_type = TENON_CTX_TYPE(regs_ctx, regs_fields);
static const struct tenon_ctx_type event_type = TENON_CTX_TYPE(event_ctx, event_fields);
static const struct tenon_ctx_type sysctl_type = TENON_CTX_TYPE(sysctl_ctx, sysctl_fields);
static const struct tenon_ctx_type syscall_type = TENON_CTX_TYPE(syscall_ctx, syscall_fields);

static struct {
	const char *name;
	const struct tenon_ctx_type *type; /* NULL: the packet context */
	bool yes_or_no;			   /* results are 0 and 1 */
	struct tenon_hook hook;
} hooks[] = {
	{ "tracepoint", &trace_type, false, { 0 } },
	{ "raw_tp", &raw_type, false, { 0 } },
	{ "kprobe", &regs_type, false, { 0 } },
	{ "perf_event", &event_type, false, { 0 } },
	{ "cgroup_sysctl", &sysctl_type, true, { 0 } },
	{ "syscall", &syscall_type, false, { 0 } },
	{ "cgroup_skb", NULL, true, { 0 } },
};

static const char *const sections[] = {
	"tracepoint=hook/tracepoint",
	"?tracepoint=hook/tracepoint",
	"raw_tp=hook/raw_tp",
	"?raw_tp=hook/raw_tp",
	"raw_tracepoint.w=hook/raw_tp",
	"kprobe=hook/kprobe",
	"?kprobe=hook/kprobe",
	"perf_event=hook/perf_event",
	"cgroup/sysctl=hook/cgroup_sysctl",
	"cgroup/skb=hook/cgroup_skb",
	"syscall=hook/syscall",
	"?syscall=hook/syscall",
	NULL,
};

static int register_hooks(struct tenon_runtime *rt)
{
	for (size_t i = 0; i < NR(hooks); i++) {
		struct tenon_hook_desc desc = { .sz = sizeof(desc),
						.name = hooks[i].name,
						.ctx = hooks[i].type ? hooks[i].type
								     : tenon_ctx_skb(),
						.ret_checked = hooks[i].yes_or_no,
						.ret_max = 1 };

		if (tenon_hook_register(rt, &hooks[i].hook, &desc))
			return -1;
	}
	return 0;
}

/* ---- Helpers of the kernel ---- */

static uint64_t nothing(void)
{
	return 0;
}

static const struct {
	uint32_t id;
	const char *name, *sig;
	uint64_t flags;
} helpers[] = {
	{ 23, "redirect", "i64(u32, u64)", 0 },
	{ 32, "skb_change_type", "i64(ctx, u32)", 0 },
	{ 46, "get_socket_cookie", "u64(ctx)", 0 },
	{ 69, "fib_lookup", "i64(ctx, mem, size, u32)", 0 },
	{ 83, "skb_ancestor_cgroup_id", "u64(ctx, i32)", 0 },
	{ 101, "sysctl_get_name", "i64(ctx, wmem, size, u64)", 0 },
	{ 113, "probe_read_kernel", "i64(wmem, size, u64)", 0 },
};

static int add_helpers(struct tenon_runtime *rt)
{
	for (size_t i = 0; i < NR(helpers); i++) {
		struct tenon_helper_opts opts = { .sz = sizeof(opts),
						  .flags = helpers[i].flags,
						  .id = helpers[i].id };
		int rc = tenon_runtime_add_helper(rt, helpers[i].name, helpers[i].sig,
						  TENON_FN(nothing), &opts);

		/* One that Tenon brings by itself is better than this one. */
		if (rc && rc != -EEXIST)
			return -1;
	}
	return 0;
}

/* ---- Verdict and runs ---- */

static void keep_line(char *to, size_t size, const char *text)
{
	snprintf(to, size, "%.*s", (int)strcspn(text, "\n"), text);
}

/* Tables of functions for a structure of the kernel's, which this host does not have. */
static void leave_out_tables(struct tenon_object *obj)
{
	struct tenon_map *map = NULL;

	while ((map = tenon_object_next_map(obj, map))) {
		struct tenon_map_info info = { .sz = sizeof(info) };

		if (!tenon_map_info(map, &info) && info.type == BPF_MAP_TYPE_STRUCT_OPS)
			tenon_map_set_autocreate(map, false);
	}
}

static struct tenon_program *open_subject(struct tenon_runtime *rt, const struct subject *s,
					  const struct tenon_object_open_opts *opts,
					  struct tenon_object **obj)
{
	struct tenon_program *prog = NULL;

	*obj = tenon_object_open_file(rt, s->object, opts);
	if (!*obj)
		return NULL;
	while ((prog = tenon_object_next_program(*obj, prog))) {
		const char *name = tenon_program_name(prog);

		tenon_program_set_autoload(prog, strcmp(name, s->program) == 0 ||
							 tags_is_auxiliary(s->object, name));
	}
	leave_out_tables(*obj);
	return tenon_object_find_program(*obj, s->program);
}

static void take_report(struct tenon_program *prog, struct verdict *v, FILE *details)
{
	struct tenon_report r = { .sz = sizeof(r) };

	if (!prog || tenon_program_report(prog, &r)) {
		v->judged = NOT_JUDGED;
		keep_line(v->message, sizeof(v->message), tenon_last_error()->msg);
		return;
	}
	v->judged = r.code ? REJECTED : ACCEPTED;
	snprintf(v->code, sizeof(v->code), "%s", r.code_name);
	keep_line(v->message, sizeof(v->message), r.msg);
	v->steps = r.steps;
	if (details)
		fprintf(details, "%s\n%s\n", r.log, r.msg);
}

/* A program that is malformed in itself is refused before it comes to the verifier, here as in the
 * kernel. What Tenon does not support is no verdict. */
static bool is_refused_at_load(const struct subject *s, int rc)
{
	const struct tenon_error *err = tenon_last_error();

	return rc == -EINVAL && err->program && strcmp(err->program, s->program) == 0 &&
	       !strstr(err->msg, "not supported");
}

static void judge(struct tenon_runtime *rt, struct subject *s, struct verdict *v,
		  bool termination_proved, FILE *details)
{
	TENON_OPTS(tenon_object_open_opts, opts, .hooks = sections, .addresses_visible = true,
		   .termination_proved = termination_proved,
		   .strict_alignment = s->expect.flags & STRICT_ALIGNMENT,
		   .log_level = details ? 2 : 0);
	struct tenon_object *obj = NULL;
	struct tenon_program *prog = open_subject(rt, s, &opts, &obj);
	char words[400] = "";
	bool refused = false;
	int rc = prog ? tenon_object_verify(obj) : -1;

	if (prog)
		snprintf(s->section, sizeof(s->section), "%s", tenon_program_section(prog));
	if (rc) {
		keep_line(words, sizeof(words), tenon_last_error()->msg);
		refused = is_refused_at_load(s, rc);
	}
	take_report(prog, v, details);
	if (v->judged == NOT_JUDGED && rc) {
		v->judged = refused ? REJECTED : NOT_JUDGED;
		snprintf(v->message, sizeof(v->message), "%s", words);
	}
	tenon_object_close(obj);
}

/* Two files of programs expect a value in a map: of 48 bytes, an index and eleven integers. */
static void fill_maps(struct tenon_object *obj, const struct subject *s)
{
	static const struct {
		const char *file, *map;
	} filled[] = {
		{ "verifier_array_access", "map_array_ro" },
		{ "verifier_value_ptr_arith", "map_array_48b" },
	};
	uint32_t value[12] = { [0] = 7 * sizeof(uint32_t), [1 + 6] = 0xabcdef12 }, key = 0;

	for (size_t i = 0; i < NR(filled); i++) {
		struct tenon_map *map = NULL;

		if (strcmp(filled[i].file, s->file) == 0)
			map = tenon_object_find_map(obj, filled[i].map);
		if (map)
			tenon_map_update_elem(map, &key, sizeof(key), value, sizeof(value), 0);
	}
}

/* What the kernel's test runs give beside the frame: it came in on the first device. */
static void fill_ctx(const struct subject *s, struct tenon_test_run_opts *run)
{
	static struct tenon_xdp_md xdp = { .ingress_ifindex = 1 };

	if (strncmp(s->section, "xdp", 3) == 0) {
		run->ctx = &xdp;
		run->ctx_size = sizeof(xdp);
	}
}

static int run_once(struct tenon_program *prog, const struct subject *s, enum tenon_engine engine,
		    uint64_t *retval)
{
	static uint8_t frame[FRAME_BYTES];
	struct tenon_program_info info = { .sz = sizeof(info) };
	struct tenon_test_run_opts run = { .sz = sizeof(run), .engine = engine };
	int rc;

	tenon_program_info(prog, &info);
	if (info.packet) {
		/* Socket filters start behind the Ethernet header. */
		bool inside = strncmp(s->section, "socket", 6) == 0 ||
			      strncmp(s->section, "cgroup", 6) == 0;

		fill_ctx(s, &run);
		run.data_in = frame;
		run.data_in_size = FRAME_BYTES - (inside ? ETHERNET_BYTES : 0);
	} else {
		run.ctx_size = info.ctx_size;
		run.ctx = calloc(1, info.ctx_size ? info.ctx_size : 1);
	}
	rc = tenon_program_test_run(prog, &run);
	if (!info.packet)
		free(run.ctx);
	*retval = run.retval;
	if (!rc && run.ended)
		return -EINTR;
	return rc;
}

static void run_engine(struct tenon_runtime *rt, const struct subject *s, struct verdict *v,
		       unsigned int which)
{
	enum tenon_engine engine = which ? TENON_ENGINE_JIT : TENON_ENGINE_INTERP;
	TENON_OPTS(tenon_object_open_opts, opts, .hooks = sections, .addresses_visible = true,
		   .engine = engine);
	struct tenon_object *obj = NULL;
	struct tenon_program *prog = open_subject(rt, s, &opts, &obj);
	uint64_t retval = 0;
	int rc = prog ? tenon_object_load(obj) : -1;

	if (!rc)
		fill_maps(obj, s);
	if (!rc)
		rc = run_once(prog, s, TENON_ENGINE_AUTO, &retval);
	v->retval[which] = (int32_t)retval;
	if (rc) {
		v->run[which] = RUN_FAILED;
		keep_line(v->run_message, sizeof(v->run_message),
			  rc == -EINTR ? "the run ended early" : tenon_last_error()->msg);
	} else {
		v->run[which] = s->expect.any_retval || v->retval[which] == s->expect.retval
					? RUN_EQUAL
					: RUN_DIFFERS;
	}
	tenon_object_close(obj);
}

void tenon_judge(struct subject *s, struct verdict *v, FILE *details)
{
	struct tenon_runtime *rt = tenon_runtime_new(NULL);
	struct verdict strict = { 0 };

	if (!rt || register_hooks(rt) || add_helpers(rt) || socket_helpers_add(rt)) {
		keep_line(v->message, sizeof(v->message), tenon_last_error()->msg);
		return;
	}
	judge(rt, s, v, false, details);
	if (v->judged == ACCEPTED) {
		judge(rt, s, &strict, true, NULL);
		v->fuelled = strict.judged != ACCEPTED;
	}
	if (v->judged == ACCEPTED && !s->expect.fails && s->expect.has_retval) {
		run_engine(rt, s, v, 0);
		run_engine(rt, s, v, 1);
	}
	tenon_runtime_free(rt);
}
