/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as an object that is opened and verified: it fails with words or is accepted, the same
 * way twice, with the same words and facts to the byte, within the limits, in 2 seconds of
 * processor time. FUZZ_SLOWER: how many times slower this build is than one without coverage and
 * sanitizers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <tenon/tenon.h>

#include "host-api/program.h"
#include "vm/facts.h"
#include "vm/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CTX_BYTES 64
#define MAX_TEXT  ((size_t)1 << 20)

static void must(int holds)
{
	if (!holds)
		__builtin_trap();
}

/* All that the verifier said. */
struct said {
	int rc;
	size_t used;
	char text[MAX_TEXT];
};

static void add(struct said *s, const void *bytes, size_t n)
{
	n = n < sizeof(s->text) - s->used ? n : sizeof(s->text) - s->used;
	memcpy(s->text + s->used, bytes, n);
	s->used += n;
}

/* Without the maps' addresses. */
static void add_facts(struct said *s, const struct tn_prog *prog)
{
	for (uint32_t i = 0; prog->facts && i < prog->nr_insns; i++) {
		const struct tn_insn_fact *f = &prog->facts->insns[i];
		const uint64_t words[] = { f->fuel, f->flags, f->zero_regs, f->value };

		add(s, words, sizeof(words));
	}
	if (prog->facts) {
		const uint64_t words[] = { prog->facts->proved_cost, prog->facts->max_stack_bytes,
					   (uint64_t)prog->facts->ret_min,
					   (uint64_t)prog->facts->ret_max };

		add(s, words, sizeof(words));
		must(prog->facts->max_stack_bytes <= 64 * 4096);
	}
}

static void add_program(struct said *s, struct tenon_program *program)
{
	struct tenon_report report = { .sz = sizeof(report) };
	char line[160];

	if (tenon_program_report(program, &report))
		return;
	must((report.code == 0) == (*report.msg == 0));
	must(report.steps <= 1000001 && report.peak_bytes <= (uint64_t)17 << 20);
	snprintf(line, sizeof(line), "%d %d %llu %llu %llu\n", report.code, report.insn,
		 (unsigned long long)report.steps, (unsigned long long)report.states,
		 (unsigned long long)report.peak_bytes);
	add(s, line, strlen(line));
	add(s, report.msg, strlen(report.msg));
	add(s, report.log, strlen(report.log));
	add_facts(s, program->prog);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void judge(struct tenon_runtime *rt, const uint8_t *data, size_t size, struct said *s)
{
	TENON_OPTS(tenon_object_open_opts, opts, .name = "fuzz", .ctx_size = CTX_BYTES);
	struct tenon_program *program = NULL;
	struct tenon_object *obj;

	s->used = 0;
	obj = tenon_object_open_mem(rt, data, size, &opts);
	s->rc = obj ? tenon_object_verify(obj) : -1;
	if (s->rc) {
		must(*tenon_last_error()->msg);
		add(s, tenon_last_error()->msg, strlen(tenon_last_error()->msg));
	}
	while (obj && (program = tenon_object_next_program(obj, program)))
		add_program(s, program);
	must(!obj || tenon_object_close(obj) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct said first, second;
	static struct tenon_runtime *rt;
	static double slower = 1;
	double start;

	if (!rt) {
		rt = tenon_runtime_new(NULL);
		if (getenv("FUZZ_SLOWER"))
			slower = atof(getenv("FUZZ_SLOWER"));
	}
	must(rt != NULL);
	start = seconds();
	judge(rt, data, size, &first);
	must(seconds() - start < 2 * slower);
	judge(rt, data, size, &second);
	must(first.rc == second.rc && first.used == second.used);
	must(!memcmp(first.text, second.text, first.used));
	return 0;
}
