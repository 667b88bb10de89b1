/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as instructions, through the public API: checked, verified and, where accepted, run by
 * the interpreter and by compiled code. The sanitizers see what the interpreter touches; results,
 * context and maps must be the same from both. A program that asks for time, randomness or its
 * process is run, but not compared.
 */
#include <stdlib.h>
#include <string.h>

#include "vm/insn.h"
#include <tenon/tenon.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

#define CTX_BYTES   64
#define VALUE_BYTES 16
#define MAX_INSNS   4096

static struct tenon_runtime *rt;
static struct tenon_map *maps[2]; /* 0: array of 4, 1: hash of 8; 4-byte keys */

/* What a run leaves behind. */
struct outcome {
	uint64_t retval;
	enum tenon_ended ended;
	uint8_t ctx[CTX_BYTES];
	uint8_t array[4][VALUE_BYTES];
	uint8_t hash[16][VALUE_BYTES + 1];
};

static void must(int holds)
{
	if (!holds)
		__builtin_trap();
}

static void make_host(void)
{
	struct tenon_limits limits = {
		.sz = sizeof(limits),
		.max_verifier_steps = 4000,
		.fuel = 20000,
	};
	TENON_OPTS(tenon_runtime_opts, opts, .limits = &limits, .max_slots = 2);

	rt = tenon_runtime_new(&opts);
	must(rt != NULL);
	maps[0] = tenon_map_new(rt, 2, "array", 4, VALUE_BYTES, 4, NULL);
	maps[1] = tenon_map_new(rt, 1, "hash", 4, VALUE_BYTES, 8, NULL);
	must(maps[0] && maps[1]);
}

/* Every run starts from the same maps. */
static void reset_maps(void)
{
	uint8_t value[VALUE_BYTES];
	uint32_t key, next;

	for (key = 0; key < 4; key++) {
		memset(value, (int)key + 1, sizeof(value));
		must(!tenon_map_update_elem(maps[0], &key, 4, value, sizeof(value), 0));
	}
	while (!tenon_map_get_next_key(maps[1], NULL, &next, 4))
		must(!tenon_map_delete_elem(maps[1], &next, 4, 0));
	for (key = 0; key < 3; key++) {
		memset(value, (int)key + 0x10, sizeof(value));
		must(!tenon_map_update_elem(maps[1], &key, 4, value, sizeof(value), 0));
	}
}

static void read_maps(struct outcome *out)
{
	for (uint32_t key = 0; key < 4; key++)
		must(!tenon_map_lookup_elem(maps[0], &key, 4, out->array[key], VALUE_BYTES, 0));
	for (uint32_t key = 0; key < 16; key++)
		out->hash[key][VALUE_BYTES] = (uint8_t)!tenon_map_lookup_elem(
			maps[1], &key, 4, out->hash[key], VALUE_BYTES, 0);
}

static void run(struct tenon_program *prog, enum tenon_engine engine, struct outcome *out)
{
	/* Of its own allocation, so that an access beyond it is seen. */
	uint8_t *ctx = malloc(CTX_BYTES);
	TENON_OPTS(tenon_test_run_opts, opts, .ctx_size = CTX_BYTES, .engine = engine);

	must(ctx != NULL);
	for (int i = 0; i < CTX_BYTES; i++)
		ctx[i] = (uint8_t)(i * 7 + 1);
	opts.ctx = ctx;
	memset(out, 0, sizeof(*out));
	reset_maps();
	must(tenon_program_test_run(prog, &opts) == 0);
	out->retval = opts.retval;
	out->ended = opts.ended;
	memcpy(out->ctx, ctx, CTX_BYTES);
	read_maps(out);
	free(ctx);
}

/* Only maps, text and loops: nothing that differs from run to run. */
static bool is_repeatable(const struct tn_insn *insns, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		if (tn_insn_is_lddw(&insns[i])) {
			i++;
			continue;
		}
		if (insns[i].code != (TN_JMP | TN_CALL) || insns[i].src != TN_CALL_HELPER)
			continue;
		switch (insns[i].imm) {
		case 1:
		case 2:
		case 3:
		case 165:
		case 181:
		case 182:
			break;
		default:
			return false;
		}
	}
	return true;
}

static void run_both(struct tenon_object *obj, const struct tn_insn *insns, size_t nr)
{
	struct tenon_program *prog = tenon_object_next_program(obj, NULL);
	static struct outcome interp, jit;

	must(prog != NULL);
	run(prog, TENON_ENGINE_INTERP, &interp);
	run(prog, TENON_ENGINE_AUTO, &jit);
	if (!is_repeatable(insns, nr))
		return;
	must(interp.ended == jit.ended && interp.retval == jit.retval);
	must(!memcmp(interp.ctx, jit.ctx, sizeof(jit.ctx)));
	must(!memcmp(interp.array, jit.array, sizeof(jit.array)));
	must(!memcmp(interp.hash, jit.hash, sizeof(jit.hash)));
}

/* ---- Mutations: most random bytes are no instruction, so whole ones are put, moved and dropped
 * ---- */

static uint32_t next_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

static int32_t random_imm(uint32_t *seed)
{
	static const int32_t edges[] = { 0,  1,	 -1, 2,	 4,   7,	 8,	   16,
					 31, 32, 63, 64, 255, INT32_MAX, INT32_MIN };

	if (next_random(seed) % 4 == 0)
		return (int32_t)next_random(seed);
	return edges[next_random(seed) % (sizeof(edges) / sizeof(edges[0]))];
}

/* Some instruction that exists; its registers and distances are small. */
static struct tn_insn random_insn(uint32_t *seed)
{
	static const int16_t offs[] = { 0, 0, 1, 2, 3, 5, -1, -2, -4, -8, -16, -24, 8, 16, 32, 60 };
	struct tn_insn insn;

	for (int tries = 0; tries < 1000; tries++) {
		insn.code = (uint8_t)next_random(seed);
		insn.dst = next_random(seed) % 11 & 0xf;
		insn.src = next_random(seed) % 3 ? next_random(seed) % 11 & 0xf : 0;
		insn.off = offs[next_random(seed) % (sizeof(offs) / sizeof(offs[0]))];
		insn.imm = next_random(seed) % 2 ? random_imm(seed) : 0;
		if (tn_insn_lookup(&insn))
			return insn;
	}
	return (struct tn_insn){ .code = TN_JMP | TN_EXIT };
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed_in)
{
	uint32_t seed = seed_in | 1;
	size_t nr = size / 8, at;
	struct tn_insn insn;

	if (next_random(&seed) % 4 == 0)
		return LLVMFuzzerMutate(data, size, max_size);
	insn = random_insn(&seed);
	at = nr ? next_random(&seed) % nr : 0;
	switch (next_random(&seed) % 4) {
	case 0: /* insert */
		if ((nr + 1) * 8 > max_size)
			break;
		memmove(data + (at + 1) * 8, data + at * 8, (nr - at) * 8);
		memcpy(data + at * 8, &insn, 8);
		return (nr + 1) * 8;
	case 1: /* replace */
		if (nr)
			memcpy(data + at * 8, &insn, 8);
		break;
	case 2: /* drop */
		if (nr < 2)
			break;
		memmove(data + at * 8, data + (at + 1) * 8, (nr - at - 1) * 8);
		return (nr - 1) * 8;
	case 3: /* another number, register or distance */
		if (!nr)
			break;
		memcpy(&insn, data + at * 8, 8);
		if (next_random(&seed) % 2)
			insn.imm = random_imm(&seed);
		else
			insn.off = (int16_t)(insn.off + (int)(next_random(&seed) % 9) - 4);
		if (next_random(&seed) % 4 == 0)
			insn.src = next_random(&seed) % 11 & 0xf;
		memcpy(data + at * 8, &insn, 8);
		break;
	}
	return nr ? nr * 8 : LLVMFuzzerMutate(data, size, max_size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tenon_insns code = { .sz = sizeof(code), .ctx_size = CTX_BYTES };
	TENON_OPTS(tenon_object_open_opts, opts, .name = "fuzz");
	struct tenon_object *obj;
	struct tn_insn *insns;

	if (!rt)
		make_host();
	code.nr_insns = size / sizeof(*insns);
	if (!code.nr_insns || code.nr_insns > MAX_INSNS)
		return 0;
	insns = malloc(code.nr_insns * sizeof(*insns));
	must(insns != NULL);
	memcpy(insns, data, code.nr_insns * sizeof(*insns));
	code.insns = insns;
	code.maps = maps;
	code.nr_maps = 2;
	obj = tenon_object_open_insns(rt, &code, &opts);
	if (obj && !tenon_object_load(obj))
		run_both(obj, insns, code.nr_insns);
	else
		must(*tenon_last_error()->msg);
	tenon_object_close(obj);
	free(insns);
	return 0;
}
