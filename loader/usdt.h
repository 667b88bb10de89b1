/* SPDX-License-Identifier: MIT */
/*
 * USDT probes of an executable or a shared library: the notes that sys/sdt.h leaves in section
 * .note.stapsdt, and the places of a probe's arguments as the compiler wrote them there.
 */
#ifndef TN_LOADER_USDT_H
#define TN_LOADER_USDT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

/* Texts are borrowed from the file. A probe has several notes where it was compiled in several
 * places. */
struct tn_usdt_probe {
	const char *provider, *name;
	const char *args;	 /* for tn_usdt_args() */
	uint64_t addr, file_off; /* of the instruction, as linked and in the file */
	/* Of a 2-byte counter of those who listen, in writable data; 0: none. */
	uint64_t semaphore, semaphore_off;
};

/* Called for each probe, in the order of the file; what is not 0 ends the walk and is returned. */
typedef int (*tn_usdt_fn)(void *user, const struct tn_usdt_probe *probe);

/* 0; -ENOENT: no probes; -ENOEXEC, -EINVAL: not a sound ELF file of this machine, in words. Notes
 * are read before `fn` sees their probe, so it may have been called before an error. */
int tn_usdt_each(struct tn_span file, tn_usdt_fn fn, void *user);

#define TN_USDT_MAX_ARGS 12

enum tn_usdt_place {
	TN_USDT_CONST,	/* `value` */
	TN_USDT_REG,	/* register `base` */
	TN_USDT_MEMORY, /* `base` + `index` * `scale` + `value`, read with `size` bytes */
};

/* Registers by their numbers in instructions: rax 0, rcx, rdx, rbx, rsp, rbp, rsi, rdi 7, r8 8. */
#define TN_USDT_RIP    16
#define TN_USDT_NO_REG 255

struct tn_usdt_arg {
	enum tn_usdt_place place;
	uint8_t size; /* 1, 2, 4, 8 */
	bool is_signed;
	bool high_byte; /* of registers: bits 8 to 15 (ah and the like) */
	uint8_t base, index, scale;
	int64_t value;
	/* Of memory beside rip: `symbol` + `value`, relative to nothing else. Borrowed from the
	 * text; empty: none. */
	struct tn_span symbol;
};

/* The arguments of a probe, in their order. 0; -EINVAL names the one that cannot be read; -E2BIG:
 * more than TN_USDT_MAX_ARGS; -ENOTSUP: forms of another machine, or that no integer stands in. */
int tn_usdt_args(const char *text, struct tn_usdt_arg args[TN_USDT_MAX_ARGS], uint32_t *nr);

#endif
