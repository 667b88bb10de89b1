/* SPDX-License-Identifier: MIT */
/*
 * From a failed check to words: a headline with the C line, what is known and what is needed, at
 * most six WHY lines taken from the failing path, advice, and the same as JSON. Deterministic and
 * bounded.
 */
#ifndef TN_VERIFIER_EXPLAIN_H
#define TN_VERIFIER_EXPLAIN_H

#include "verifier/state.h"

enum tn_verr {
	TN_VERR_NONE = 0,
#define TN_VERR(name, number, words) name = (number),
#include "verifier/errors.def"
#undef TN_VERR
};

/* "E_NULL"; NULL for a number that is no code. */
const char *tn_verr_name(int code);

#define TN_DIAG_BYTES	 512
#define TN_DIAG_ADVICE	 384
#define TN_WHY_LINES	 6
#define TN_WHY_BYTES	 256
#define TN_WORDS_BUFFERS 8
#define TN_WORDS_BYTES	 96

/* An access that leaves its memory: `size` bytes at register + off, of `total` bytes. */
struct tn_diag_access {
	bool known;
	int64_t off;
	uint64_t size, total;
};

struct tn_diag {
	int code; /* enum tn_verr; 0: none */
	uint32_t insn;
	int reg; /* -1: none */
	char text[TN_DIAG_BYTES];
	char advice[TN_DIAG_ADVICE];
	char why[TN_WHY_LINES][TN_WHY_BYTES];
	uint32_t nr_why;
	struct tn_diag_access access;
	/* Buffers of tn_reg_words() and tn_scalar_words(), used in turn. */
	char words[TN_WORDS_BUFFERS][TN_WORDS_BYTES];
	uint32_t next_word;
};

/* A growing text, bounded; what does not fit is dropped. */
struct tn_log_buf {
	char *text;
	size_t len, cap;
	bool full;
};

struct tn_vf;
struct tn_verdict;

void tn_text_add(struct tn_rt *rt, struct tn_log_buf *b, const char *fmt, ...) TN_PRINTF(3, 4);
/* As a JSON string, with its quotes. */
void tn_text_add_json(struct tn_rt *rt, struct tn_log_buf *b, const char *s);

/* usage.c: where the steps went, "900000 in the loop at line 12, ..."; *insn: the head of the loop
 * that used most, where that is a loop. */
void tn_usage_words(struct tn_vf *vf, char *buf, size_t size, uint32_t *insn);
uint64_t tn_usage_of_loop(const struct tn_vf *vf, uint32_t loop);
void tn_usage_list(struct tn_vf *vf, struct tn_log_buf *out);
void tn_usage_json(struct tn_vf *vf, struct tn_log_buf *out);

/* "a value of map 'counts'", "a number, 0..1023"; valid until seven more of them. */
const char *tn_reg_words(struct tn_vf *vf, const struct tn_reg *r);
const char *tn_scalar_words(struct tn_vf *vf, const struct tn_scalar *v);
/* Where r + off may point, from the start of its memory: "12", "-64..-8". */
const char *tn_offset_words(struct tn_vf *vf, const struct tn_reg *r, int64_t off);
/* "1 byte", "14 bytes". */
const char *tn_bytes_words(struct tn_vf *vf, uint64_t n);
/* The memory that a pointer points into, without its article: "map 'counts'". */
const char *tn_memory_words(struct tn_vf *vf, const struct tn_reg *r);

/* The WHY lines of the diagnosis and what would mend it, from the path that led to vf->s. */
struct tn_trace;
void tn_explain_path(struct tn_vf *vf);
void tn_explain_why(struct tn_trace *t);
/* Fill msg and json of the verdict from the diagnosis. 0 or -ENOMEM. */
int tn_explain(struct tn_vf *vf, struct tn_verdict *verdict);

void tn_log_add(struct tn_vf *vf, const char *fmt, ...) TN_PRINTF(2, 3);
/* The state before the instruction, in the log. */
void tn_log_state(struct tn_vf *vf);

#endif
