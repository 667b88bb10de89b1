/* SPDX-License-Identifier: MIT */
/* A hook whose context holds an untrusted pointer and a trusted one, for tests of reads through
 * them. */
#ifndef TN_TESTS_PROBE_H
#define TN_TESTS_PROBE_H

#include "host.h"

struct node {
	uint64_t id;	   /*  0 */
	int8_t tiny;	   /*  8 */
	uint8_t kind;	   /*  9 */
	int16_t small;	   /* 10 */
	int32_t number;	   /* 12 */
	struct node *next; /* 16, untrusted */
	const char *label; /* 24, untrusted */
	uint64_t secret;   /* 32, hidden */
};

struct probe_ctx {
	struct node *any;  /*  0, untrusted */
	struct node *good; /*  8 */
	uint64_t number;   /* 16 */
};

#define PROBE_POINTER(T, f, type, acc)                                                            \
	{                                                                                         \
		TENON_FIELD_(T, f), .kind = TENON_FIELD_HANDLE, .access = (acc), .handle = (type) \
	}

static const struct tenon_field probe_node_fields[] = {
	TENON_SCALAR(struct node, id, TENON_R),
	TENON_SCALAR(struct node, tiny, TENON_R),
	TENON_SCALAR(struct node, kind, TENON_R),
	TENON_SCALAR(struct node, small, TENON_R),
	TENON_SCALAR(struct node, number, TENON_RW),
	PROBE_POINTER(struct node, next, "node", TENON_UNTRUSTED),
	PROBE_POINTER(struct node, label, "char", TENON_UNTRUSTED),
};

static const struct tenon_field probe_ctx_fields[] = {
	PROBE_POINTER(struct probe_ctx, any, "node", TENON_UNTRUSTED),
	PROBE_POINTER(struct probe_ctx, good, "node", 0),
	TENON_SCALAR(struct probe_ctx, number, TENON_R),
};
static const struct tenon_ctx_type probe_ctx_type = TENON_CTX_TYPE(probe_ctx, probe_ctx_fields);

static struct node probe_good = { .id = 9, .next = &probe_good };

static void probe_take(struct node *n)
{
	n->number++;
}

static struct node *probe_give(void)
{
	return (struct node *)(uintptr_t)24;
}

/* Bit 0: compiled; bit 1: with the fault handler. */
enum { PROBE_HANDLER_INTERP = 2, PROBE_HANDLER_JIT = 3, PROBE_WAYS = 4 };

struct probe {
	struct tenon_runtime *rt;
	struct tenon_object *obj;
};

static struct tenon_hook probe_hooks[16];

static inline struct tenon_runtime *probe_runtime(int way)
{
	const struct tenon_struct_type node = {
		.sz = sizeof(node),
		.name = "node",
		.size = sizeof(struct node),
		.fields = probe_node_fields,
		.nr_fields = sizeof(probe_node_fields) / sizeof(probe_node_fields[0]),
		.field_size = sizeof(probe_node_fields[0]),
	};
	struct tenon_runtime_opts opts = { .sz = sizeof(opts), .fault_handler = way & 2 };
	struct tenon_runtime *rt = new_runtime(&opts);
	struct tenon_hook_desc desc = { .sz = sizeof(desc),
					.name = "probe",
					.ctx = &probe_ctx_type,
					.chain = TENON_CHAIN_LAST };
	struct tenon_helper_opts take = { .sz = sizeof(take), .id = 900 };
	struct tenon_helper_opts give = { .sz = sizeof(give), .id = 901 };
	int i = 0;

	while (probe_hooks[i].impl)
		i++;
	assert_ok(tenon_runtime_add_struct(rt, &node));
	assert_ok(tenon_hook_register(rt, &probe_hooks[i], &desc));
	assert_ok(tenon_runtime_add_helper(rt, "take", "void(handle:node)", TENON_FN(probe_take),
					   &take));
	assert_ok(tenon_runtime_add_helper(rt, "give", "untrusted:node()", TENON_FN(probe_give),
					   &give));
	return rt;
}

static inline void probe_open(struct probe *p, int way, const char *text)
{
	struct tenon_object_open_opts opts = { .sz = sizeof(opts), .engine = engine_at(way & 1) };

	p->rt = probe_runtime(way);
	p->obj = open_text(p->rt, "probe", 0, NULL, 0, text, &opts);
	if (!p->obj || tenon_object_load(p->obj))
		fail_msg("%s\n%s", text, tenon_last_error()->msg);
}

static inline uint64_t probe_run(struct probe *p, void *node)
{
	struct probe_ctx ctx = { .any = node, .good = &probe_good };
	struct tenon_test_run_opts run = { .sz = sizeof(run),
					   .ctx = &ctx,
					   .ctx_size = sizeof(ctx) };

	if (tenon_program_test_run(first_program(p->obj), &run))
		return UINT64_C(0xbad);
	return run.retval;
}

static inline void probe_close(struct probe *p)
{
	assert_ok(tenon_runtime_free(p->rt));
}

#endif
