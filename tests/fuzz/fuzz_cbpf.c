/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a classic filter and a packet. What is taken is accepted by the verifier too, since
 * such filters cannot do harm, and both engines give one verdict.
 */
#include <errno.h>
#include <string.h>

#include "tenon/tenon.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
	if (!holds)
		__builtin_trap();
}

static uint64_t run(struct tenon_program *prog, void *ctx, size_t ctx_size, const uint8_t *packet,
		    size_t size, enum tenon_engine engine)
{
	struct tenon_test_run_opts opts = { .sz = sizeof(opts),
					    .ctx = ctx,
					    .ctx_size = ctx_size,
					    .data_in = packet,
					    .data_in_size = size,
					    .engine = engine };

	must(tenon_program_test_run(prog, &opts) == 0);
	must(opts.ended == TENON_ENDED_NORMALLY);
	return opts.retval;
}

/* Does it ask for the processor or a random number? Those differ from run to run. */
static int is_random(const uint8_t *insns, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		uint32_t k;

		memcpy(&k, insns + i * 8 + 4, 4);
		if (k == 0xfffff000u + 36 || k == 0xfffff000u + 56)
			return 1;
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint64_t insns[8192];
	static struct tenon_runtime *rt;
	struct tenon_cbpf filter = { .sz = sizeof(filter), .insns = insns };
	struct tenon_sk_buff skb = { .protocol = 8, .mark = 5, .vlan_present = 1 };
	uint64_t seccomp[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	struct tenon_object *obj;
	uint64_t native;

	if (!rt) {
		rt = tenon_runtime_new(NULL);
		must(rt != NULL);
	}
	if (size < 2)
		return 0;
	filter.seccomp = data[0] & 1;
	filter.nr_insns = (size - 1) / 8 < 8192 ? (size - 1) / 8 : 8192;
	memcpy(insns, data + 1, filter.nr_insns * 8);
	obj = tenon_object_open_cbpf(rt, &filter, NULL);
	if (!obj) {
		must(errno > 0 && tenon_last_error()->code == -errno && *tenon_last_error()->msg);
		return 0;
	}
	if (tenon_object_load(obj))
		must(tenon_last_error()->code == -E2BIG); /* too many ways through it */
	else if (!is_random(data + 1, filter.nr_insns)) {
		struct tenon_program *prog = tenon_object_next_program(obj, NULL);
		void *ctx = filter.seccomp ? (void *)seccomp : (void *)&skb;
		size_t bytes = filter.seccomp ? sizeof(seccomp) : sizeof(skb);
		const uint8_t *packet = filter.seccomp ? NULL : data;

		skb.len = (uint32_t)size;
		native = run(prog, ctx, bytes, packet, packet ? size : 0, TENON_ENGINE_AUTO);
		must(native ==
		     run(prog, ctx, bytes, packet, packet ? size : 0, TENON_ENGINE_INTERP));
	}
	must(tenon_object_close(obj) == 0);
	return 0;
}
