/* SPDX-License-Identifier: MIT */
/*
 * A folder of C programs, each compiled for several -mcpu against the host that a description
 * beside them names, and judged: what the loops and the mistakes have in common.
 */
#ifndef TESTS_VERIFIER_CPROGS_H
#define TESTS_VERIFIER_CPROGS_H

#include <stdbool.h>
#include <stdio.h>
#include <tenon/tenon.h>

struct cprog {
	const char *file; /* base name */
	const char *cpu;  /* that it is compiled for; "-" before */
	char path[512];
};

/* A folder's programs and how they are judged. */
struct cprog_set {
	const char *what;      /* "loops": the folder's host is <what>.host */
	unsigned int at_least; /* so many files there are */
	const char *cpus[2];
	/* The expectations in the file's header; false, with words on `why`, where there are none.
	 */
	bool (*read)(const struct cprog *p, FILE *f, const char **why);
	/* `object` is the path of what the compiler made of the program read last. */
	void (*judge)(struct tenon_runtime *rt, const struct cprog *p, const char *object);
};

/* -v was given: judge() prints what it sees. */
extern bool cprog_verbose;

void cprog_fail(const struct cprog *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* main() of such a test: `PROGRAM [-v] CLANG INCLUDE-DIR DIR [FILE...]`. */
int cprog_main(const struct cprog_set *set, int argc, char **argv);

#endif
