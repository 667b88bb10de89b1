/* SPDX-License-Identifier: MIT */
/*
 * isa_vectors [--coverage | --kernel] FILE...: every vector of every file, on the interpreter and,
 *where there is one, on the JIT; with --coverage it fails where a row of opcodes.def stands in no
 *vector that has a result. With --kernel they run on the kernel instead, where its verifier takes
 *them; 77 where the machine does not allow bpf(2). A vector is
 *
 *	test NAME			anything after it is part of the name
 *	mem 01 02 ff			r1 points to these bytes, r2 is their number (optional)
 *	packet 01 02 ff			instead: r1 is a context with this packet
 *		instructions, in the assembler's syntax; or lines of "hex 85 00 ..."
 *	result 0x1			r0 at exit
 *	mem-after 01 02 00		the bytes afterwards (optional)
 *	kernel-differs			where Tenon's meaning is its own (optional)
 *
 * or, in the place of the result, "error WORDS": the program is refused with a message that
 * contains them. Expected values are literal: nothing here knows what an instruction does.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/rt.h"
#include "isa/kernel.h"
#include "isa/run_isa.h"
#include "jit/jit.h"
#include "vm/asm.h"

#define MAX_MEM	  4096
#define MAX_INSNS 256

struct vector {
	char name[128];
	char text[65536];
	size_t text_len;
	unsigned char hex[MAX_INSNS * 8];
	int hex_size;
	unsigned char mem[MAX_MEM], after[MAX_MEM];
	int mem_size, after_size; /* after_size -1: not asked */
	bool is_packet;		  /* mem is one */
	bool kernel_differs;
	char error[128];
	uint64_t result;
	bool has_result;
};

struct totals {
	unsigned run, failed, refused;
};

enum engines { ENGINE_INTERP = 1, ENGINE_JIT = 2, ENGINE_KERNEL = 4 };

static struct tn_rt rt;
static bool row_used[256];

/* Forms that refer to what a vector cannot have: maps and externs. Unit tests have them. */
static bool needs_an_object(const struct tn_opcode *op)
{
	return strstr(op->text, "%m") || strstr(op->text, "%e") ||
	       strstr(op->text, "addr_space_cast");
}

static void note_rows(const struct tn_insn *insns, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i += tn_insn_is_lddw(&insns[i]) ? 2 : 1) {
		const struct tn_opcode *op = tn_insn_lookup(&insns[i]);

		if (op)
			row_used[op - tn_opcodes] = true;
	}
}

static unsigned report_unused_rows(void)
{
	unsigned missing = 0;

	for (uint32_t i = 0; i < tn_nr_opcodes; i++) {
		if (row_used[i] || needs_an_object(&tn_opcodes[i]))
			continue;
		fprintf(stderr, "no vector runs %s\n", tn_opcodes[i].name);
		missing++;
	}
	return missing;
}

/* The program's instructions, to be freed; or a negative errno. */
static int make_insns(const struct vector *v, struct tn_insn **insns, uint32_t *nr)
{
	if (!v->hex_size)
		return tn_asm(&rt, v->text, insns, nr);
	*insns = tn_memdup(&rt, v->hex, (size_t)v->hex_size);
	*nr = (uint32_t)v->hex_size / 8;
	return *insns ? 0 : -ENOMEM;
}

static bool expect_error(const struct vector *v, const char *engine)
{
	const char *msg = tn_err_last()->msg;

	if (v->error[0] && strstr(msg, v->error))
		return true;
	fprintf(stderr, "%s (%s): refused: %s\n", v->name, engine, msg);
	return false;
}

static bool check_outcome(const struct vector *v, const char *engine, uint64_t r0, uint32_t abort,
			  const unsigned char *mem)
{
	if (abort || r0 != v->result) {
		fprintf(stderr, "%s (%s): r0 is 0x%llx, expected 0x%llx%s\n", v->name, engine,
			(unsigned long long)r0, (unsigned long long)v->result,
			abort ? " (ended early)" : "");
		return false;
	}
	if (v->after_size >= 0 && memcmp(mem, v->after, (size_t)v->after_size)) {
		fprintf(stderr, "%s (%s): memory differs:", v->name, engine);
		for (int i = 0; i < v->after_size; i++)
			fprintf(stderr, " %02x", mem[i]);
		fprintf(stderr, "\n");
		return false;
	}
	return true;
}

static bool check_run(const struct vector *v, const char *engine, const struct isa_prog *prog)
{
	unsigned char mem[MAX_MEM];
	struct tn_xdp_host packet = { .data = mem, .data_end = mem + v->mem_size };
	uint32_t abort;
	uint64_t r0;

	memcpy(mem, v->mem, sizeof(mem));
	if (v->is_packet)
		r0 = isa_run(prog, &packet, sizeof(packet), &abort);
	else
		r0 = isa_run(prog, v->mem_size ? mem : NULL, (size_t)v->mem_size, &abort);
	return check_outcome(v, engine, r0, abort, mem);
}

static bool run_on_kernel(const struct vector *v, struct totals *totals)
{
	unsigned char mem[MAX_MEM];
	struct tn_insn *insns;
	uint64_t r0 = 0;
	uint32_t nr;
	int err;

	/* What we refuse, and packets, are not asked. */
	if (v->error[0] || v->is_packet || v->kernel_differs || make_insns(v, &insns, &nr)) {
		totals->refused++;
		return true;
	}
	memcpy(mem, v->mem, sizeof(mem));
	err = kernel_run(insns, nr, mem, (size_t)v->mem_size, &r0);
	tn_free(&rt, insns);
	if (err == -EACCES) {
		totals->refused++;
		return true;
	}
	if (err) {
		fprintf(stderr, "%s (kernel): %s\n", v->name, strerror(-err));
		return false;
	}
	return check_outcome(v, "kernel", r0, 0, mem);
}

static bool run_on(const struct vector *v, enum isa_engine engine)
{
	const char *name = engine == ISA_JIT ? "jit" : "interp";
	struct isa_opts opts = { .ctx_type = v->is_packet ? tn_ctx_builtin("xdp_md") : NULL };
	struct tn_insn *insns = NULL;
	struct isa_prog prog;
	uint32_t nr;
	bool ok;

	if (make_insns(v, &insns, &nr))
		return expect_error(v, name);
	if (isa_open(&rt, engine, insns, nr, &opts, &prog)) {
		ok = expect_error(v, name);
	} else if (v->error[0]) {
		fprintf(stderr, "%s (%s): accepted, expected: %s\n", v->name, name, v->error);
		ok = false;
		isa_close(&prog);
	} else {
		note_rows(insns, nr);
		ok = check_run(v, name, &prog);
		isa_close(&prog);
	}
	tn_free(&rt, insns);
	return ok;
}

static void run_vector(const struct vector *v, unsigned engines, struct totals *totals)
{
	bool ok = true;

	if (!v->name[0])
		return;
	totals->run++;
	if (!v->has_result && !v->error[0]) {
		fprintf(stderr, "%s: neither result nor error\n", v->name);
		ok = false;
	}
	if (engines & ENGINE_INTERP)
		ok &= run_on(v, ISA_INTERP);
	if (engines & ENGINE_JIT)
		ok &= run_on(v, ISA_JIT);
	if (engines & ENGINE_KERNEL)
		ok &= run_on_kernel(v, totals);
	totals->failed += !ok;
}

static const char *after_word(const char *line, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(line, word, len) || (line[len] && line[len] != ' '))
		return NULL;
	return line + len + (line[len] == ' ');
}

/* One line into the vector; false: it is malformed. */
static bool add_line(struct vector *v, const char *line)
{
	const char *rest;
	int nr;

	if ((rest = after_word(line, "mem"))) {
		v->mem_size = isa_parse_bytes(rest, v->mem, MAX_MEM);
		return v->mem_size >= 0;
	}
	if (after_word(line, "kernel-differs")) {
		v->kernel_differs = true;
		return true;
	}
	if ((rest = after_word(line, "packet"))) {
		v->is_packet = true;
		v->mem_size = isa_parse_bytes(rest, v->mem, MAX_MEM);
		return v->mem_size >= 0;
	}
	if ((rest = after_word(line, "mem-after"))) {
		v->after_size = isa_parse_bytes(rest, v->after, MAX_MEM);
		return v->after_size >= 0;
	}
	if ((rest = after_word(line, "hex"))) {
		nr = isa_parse_bytes(rest, v->hex + v->hex_size,
				     sizeof(v->hex) - (size_t)v->hex_size);
		v->hex_size += nr < 0 ? 0 : nr;
		return nr >= 0 && v->hex_size % 8 == 0;
	}
	if ((rest = after_word(line, "result"))) {
		v->result = strtoull(rest, NULL, 0);
		v->has_result = true;
		return *rest != 0;
	}
	if ((rest = after_word(line, "error"))) {
		snprintf(v->error, sizeof(v->error), "%s", rest);
		return *rest != 0;
	}
	nr = snprintf(v->text + v->text_len, sizeof(v->text) - v->text_len, "%s\n", line);
	v->text_len += (size_t)nr;
	return v->text_len < sizeof(v->text);
}

static void begin_vector(struct vector *v, const char *name)
{
	memset(v, 0, sizeof(*v));
	v->after_size = -1;
	snprintf(v->name, sizeof(v->name), "%s", name);
}

static int run_file(const char *path, unsigned engines, struct totals *totals)
{
	static struct vector v;
	FILE *file = fopen(path, "r");
	char line[4096];
	unsigned number = 0;

	if (!file) {
		perror(path);
		return 1;
	}
	begin_vector(&v, "");
	while (fgets(line, sizeof(line), file)) {
		const char *name;

		number++;
		line[strcspn(line, "\n")] = 0;
		name = after_word(line, "test");
		if (name) {
			run_vector(&v, engines, totals);
			begin_vector(&v, name);
		} else if (v.name[0] && !add_line(&v, line)) {
			fprintf(stderr, "%s:%u: malformed line\n", path, number);
			totals->failed++;
		}
	}
	run_vector(&v, engines, totals);
	fclose(file);
	return 0;
}

static int run_files(char **paths, int nr, unsigned engines, bool coverage)
{
	struct totals totals = { 0 };
	int err = 0;

	for (int i = 0; i < nr; i++)
		err |= run_file(paths[i], engines, &totals);
	if (coverage)
		totals.failed += report_unused_rows();
	printf("%u vectors on%s%s%s: %u failed", totals.run,
	       engines & ENGINE_INTERP ? " interpreter" : "", engines & ENGINE_JIT ? " JIT" : "",
	       engines & ENGINE_KERNEL ? " kernel" : "", totals.failed);
	printf(totals.refused ? ", %u not for it\n" : "\n", totals.refused);
	return err || totals.failed || !totals.run;
}

int main(int argc, char **argv)
{
	const char *option = argc > 1 && argv[1][0] == '-' ? argv[1] : "";
	unsigned engines = ENGINE_INTERP;
	int first = 1 + (*option != 0), err;

	if (tn_rt_init(&rt, NULL)) {
		fprintf(stderr, "%s\n", tn_err_last()->msg);
		return 1;
	}
	if (!strcmp(option, "--kernel")) {
		engines = ENGINE_KERNEL;
		err = kernel_available();
		if (err) {
			printf("skipped: bpf(2): %s\n", strerror(-err));
			tn_rt_fini(&rt);
			return 77;
		}
	} else if (!tn_jit_available()) {
		engines |= ENGINE_JIT;
	}
	err = run_files(argv + first, argc - first, engines, !strcmp(option, "--coverage"));
	tn_rt_fini(&rt);
	return err;
}
