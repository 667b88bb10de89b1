/* SPDX-License-Identifier: MIT */
/*
 * tenon-conformance [MEMORY] [--program HEX] [--interpret | --jit]: the adapter through which the
 * public bpf_conformance suite runs programs. Memory and program are bytes in hex, blanks between;
 * the program comes from standard input unless it is given. Prints r0 in hex.
 *
 * The suite's programs are run as they are, without the verifier: some of them read what nobody
 * wrote, to see what an engine does. Nothing else in the project can do that.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/rt.h"
#include "isa/run_isa.h"

#define MAX_BYTES (1u << 20)

/* ---- The helpers 0 to 5 of the suite ---- */

static uint64_t gather_bytes(const struct tn_host_helper *self, const uint64_t a[5],
			     struct tn_exec *ex)
{
	(void)self;
	(void)ex;
	return (a[0] & 0xff) << 32 | (a[1] & 0xff) << 24 | (a[2] & 0xff) << 16 |
	       (a[3] & 0xff) << 8 | (a[4] & 0xff);
}

static uint64_t frob_memory(const struct tn_host_helper *self, const uint64_t a[5],
			    struct tn_exec *ex)
{
	unsigned char *p = (unsigned char *)(uintptr_t)a[0];

	(void)self;
	(void)ex;
	for (uint64_t i = 0; i < a[1]; i++)
		p[i] ^= 42;
	return a[0];
}

static uint64_t no_op(const struct tn_host_helper *self, const uint64_t a[5], struct tn_exec *ex)
{
	(void)self;
	(void)a;
	(void)ex;
	return 0;
}

static uint64_t square_root(const struct tn_host_helper *self, const uint64_t a[5],
			    struct tn_exec *ex)
{
	uint64_t root = 0;

	(void)self;
	(void)ex;
	for (uint64_t bit = 1ull << 31; bit; bit >>= 1) {
		uint64_t next = root | bit;

		if (next * next <= a[0])
			root = next;
	}
	return root;
}

static uint64_t compare_strings(const struct tn_host_helper *self, const uint64_t a[5],
				struct tn_exec *ex)
{
	(void)self;
	(void)ex;
	return (uint64_t)strcmp((const char *)(uintptr_t)a[0], (const char *)(uintptr_t)a[1]);
}

/* Ends the program when its result is 0, with that result. */
static uint64_t unwind(const struct tn_host_helper *self, const uint64_t a[5], struct tn_exec *ex)
{
	(void)self;
	if (!a[0])
		ex->abort = TN_ABORT_HOST;
	return a[0];
}

#define NR_HELPERS 6

static int make_helpers(struct tn_host_helper helpers[NR_HELPERS])
{
	static const struct {
		const char *name, *sig;
		uint64_t (*invoke)(const struct tn_host_helper *, const uint64_t[5],
				   struct tn_exec *);
	} table[NR_HELPERS] = {
		{ "gather_bytes", "u64(u64, u64, u64, u64, u64)", gather_bytes },
		{ "memfrob", "u64(u64, u64)", frob_memory },
		{ "no_op", "u64()", no_op },
		{ "sqrti", "u64(u64)", square_root },
		{ "strcmp_ext", "u64(u64, u64)", compare_strings },
		{ "unwind", "u64(u64)", unwind },
	};

	for (int i = 0; i < NR_HELPERS; i++) {
		helpers[i] = (struct tn_host_helper){ .name = (char *)table[i].name,
						      .invoke = table[i].invoke };
		if (tn_sig_parse(table[i].sig, &helpers[i].sig))
			return -EINVAL;
		/* Through invoke() in both engines: these want the firing. */
		helpers[i].sig.flags |= TN_SIG_VARIADIC | TN_SIG_MAY_ABORT;
	}
	return 0;
}

/* The suite calls by number; the numbers are indexes into our table. */
static void bind_helpers(struct tn_insn *insns, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i += tn_insn_is_lddw(&insns[i]) ? 2 : 1) {
		if (insns[i].code == (TN_JMP | TN_CALL) && insns[i].src == TN_CALL_HELPER &&
		    (uint32_t)insns[i].imm < NR_HELPERS)
			insns[i].src = TN_CALL_EXTERN;
	}
}

struct args {
	const char *memory, *program;
	enum isa_engine engine;
};

static int parse_args(int argc, char **argv, struct args *args)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--interpret"))
			args->engine = ISA_INTERP;
		else if (!strcmp(argv[i], "--jit"))
			args->engine = ISA_JIT;
		else if (!strcmp(argv[i], "--program") && i + 1 < argc)
			args->program = argv[++i];
		else if (argv[i][0] != '-' && !args->memory)
			args->memory = argv[i];
		else
			return -EINVAL;
	}
	return 0;
}

/* How many bytes `text` holds, in `out`; -1 with a message. */
static int read_bytes(const char *what, const char *text, unsigned char *out)
{
	int nr = isa_parse_bytes(text, out, MAX_BYTES);

	if (nr < 0)
		fprintf(stderr, "tenon-conformance: %s: expected bytes in hex\n", what);
	return nr;
}

static int run(struct tn_rt *rt, enum isa_engine engine, struct tn_insn *insns, uint32_t nr,
	       void *memory, size_t memory_size)
{
	struct tn_host_helper helpers[NR_HELPERS];
	struct isa_opts opts = { .helpers = helpers, .nr_helpers = NR_HELPERS };
	struct isa_prog prog;
	uint32_t abort;
	uint64_t r0;

	bind_helpers(insns, nr);
	if (make_helpers(helpers) || isa_open(rt, engine, insns, nr, &opts, &prog)) {
		fprintf(stderr, "tenon-conformance: %s\n", tn_err_last()->msg);
		return 1;
	}
	r0 = isa_run(&prog, memory, memory_size, &abort);
	isa_close(&prog);
	printf("%llx\n", (unsigned long long)r0);
	return 0;
}

static char line[MAX_BYTES * 3 + 2];
static unsigned char memory[MAX_BYTES];
static struct tn_insn program[MAX_BYTES / sizeof(struct tn_insn)];

int main(int argc, char **argv)
{
	struct args args = { .engine = ISA_JIT };
	int memory_size = 0, program_size, ret;
	struct tn_rt rt;

	if (parse_args(argc, argv, &args)) {
		fprintf(stderr, "usage: %s [MEMORY] [--program HEX] [--interpret | --jit]\n",
			argv[0]);
		return 2;
	}
	if (!args.program)
		args.program = fgets(line, sizeof(line), stdin) ? line : "";
	if (args.memory)
		memory_size = read_bytes("memory", args.memory, memory);
	program_size = read_bytes("program", args.program, (unsigned char *)program);
	if (memory_size < 0 || program_size < 0)
		return 2;
	if (program_size % sizeof(struct tn_insn)) {
		fprintf(stderr, "tenon-conformance: %d bytes are no whole instructions\n",
			program_size);
		return 2;
	}
	if (tn_rt_init(&rt, NULL)) {
		fprintf(stderr, "tenon-conformance: %s\n", tn_err_last()->msg);
		return 1;
	}
	ret = run(&rt, args.engine, program, (uint32_t)program_size / sizeof(struct tn_insn),
		  memory_size ? memory : NULL, (size_t)memory_size);
	tn_rt_fini(&rt);
	return ret;
}
