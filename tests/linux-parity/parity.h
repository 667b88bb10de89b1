/* SPDX-License-Identifier: MIT */
/* Judging the kernel's verifier programs: what is expected, what Tenon says, what the kernel says.
 */
#ifndef LINUX_PARITY_H
#define LINUX_PARITY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* What the tags of a program ask for; privileged mode alone. */
struct expectation {
	bool found, fails, auxiliary;
	bool has_retval, any_retval;
	int32_t retval;
	uint32_t flags;	   /* BPF_F_... of the load */
	char message[160]; /* first line that a rejection shows in the kernel */
};

enum judged {
	NOT_JUDGED = 0, /* it did not come to a verdict */
	REJECTED,
	ACCEPTED,
	CRASHED,
};

enum run_state { NOT_RUN = 0, RUN_EQUAL, RUN_DIFFERS, RUN_FAILED };

struct verdict {
	enum judged judged;
	bool fuelled; /* accepted, but not where termination must be proved */
	char code[24];
	char message[400];     /* its first line */
	enum run_state run[2]; /* interpreter, JIT */
	int32_t retval[2];
	char run_message[160];
	uint64_t steps;
};

struct subject {
	char file[64], program[96], tier[4];
	char object[512]; /* path */
	char section[64];
	struct expectation expect;
	struct verdict tenon;
	enum judged kernel;
	const char *class, *reason; /* of reasons.txt, or NULL */
};

/* tags.c: fills the expectation of one program. 0, or -1: no such program. */
int tags_read(struct subject *s);
/* Is this function of the object an auxiliary program? */
bool tags_is_auxiliary(const char *object, const char *program);

/* tenon.c: fills the section, too. */
void tenon_judge(struct subject *s, struct verdict *v, FILE *details);

/* kernel.c */
bool kernel_available(void);
enum judged kernel_judge(const struct subject *s, FILE *details);

/* kinds.c: both reject it, and not for the same kind of reason, as far as words tell. */
bool rejected_otherwise(const struct subject *s);

/* table.c */
enum outcome {
	AGREE = 0,
	FALSE_REJECT,
	ACCEPT_FUEL,
	ACCEPT_REASON,
	UNSAFE_ACCEPT,
	NO_VERDICT,
	NR_OUTCOMES,
};
enum outcome outcome_of(const struct subject *s);
void table_print(FILE *f, const struct subject *list, size_t nr, bool kernel, bool markdown);
void differences_print(FILE *f, const struct subject *list, size_t nr, bool markdown);
void results_print(FILE *f, const struct subject *list, size_t nr);

#endif
