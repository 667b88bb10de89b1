/* SPDX-License-Identifier: MIT */
/*
 * The calling thread's error record: the words that travel beside a negative errno. It is filled
 * once, where the cause is known; callers above pass the number on or add the place. Fixed size,
 * never allocates. host-api shows it as struct tenon_error.
 */
#ifndef TN_BASE_ERR_H
#define TN_BASE_ERR_H

#include <stdarg.h>
#include <stdint.h>

#include "base/compiler.h"

#define TN_ERR_MSG_BYTES   1024
#define TN_ERR_NAME_BYTES  64
#define TN_ERR_PLACE_BYTES 128

/* The same numbers as enum tenon_stage; host-api asserts it. */
enum tn_stage {
	TN_STAGE_NONE = 0,
	TN_STAGE_OPEN,
	TN_STAGE_RESOLVE,
	TN_STAGE_VERIFY,
	TN_STAGE_COMPILE,
	TN_STAGE_ATTACH,
	TN_STAGE_RUN,
};

struct tn_err_record {
	int code;
	enum tn_stage stage;
	int32_t insn; /* -1: none */
	char object[TN_ERR_NAME_BYTES];
	char program[TN_ERR_NAME_BYTES];
	char source[TN_ERR_PLACE_BYTES];
	char msg[TN_ERR_MSG_BYTES];
};

/* Fill the record and return `code` (a negative errno). Clears stage and place. */
int tn_err(int code, const char *fmt, ...) TN_PRINTF(2, 3) TN_COLD;
int tn_verr(int code, const char *fmt, va_list ap) TN_COLD;

/* tn_err() for constructors: sets errno too and returns NULL. */
void *tn_err_null(int code, const char *fmt, ...) TN_PRINTF(2, 3) TN_COLD;

/* -ENOMEM with "out of memory: <what>"; `what` is a noun such as "map 'counts'". */
int tn_err_nomem(const char *what) TN_COLD;

/* Add the place to the record that is there; NULL or -1 leave that part as it is. */
void tn_err_at(enum tn_stage stage, const char *object, const char *program, int32_t insn,
	       const char *source);

struct tn_err_record *tn_err_last(void);

#endif
