/* SPDX-License-Identifier: MIT */
/*
 * Text to code, for tests. A line is tried against the pattern of every row of opcodes.def; the
 * patterns tell forms apart, so no keyword is known here. Two passes: labels first.
 */
#include "vm/asm.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/vec.h"
#include "vm/helpers.h"
#include "vm/kfuncs.h"

struct word {
	const char *at;
	size_t len;
};

struct label {
	struct word name;
	uint32_t insn;
};

struct line {
	const char *start;    /* of the whole line, for columns */
	const char *at, *end; /* of the instruction, blanks and comment cut off */
	uint32_t number;
	uint32_t insn;
};

struct assembler {
	struct tn_rt *rt;
	TN_VEC(struct label) labels;
	TN_VEC(struct line) lines;
	TN_VEC(struct tn_insn) insns;
};

/* One attempt to read a line as one row. */
struct match {
	const struct assembler *as;
	const struct line *line;
	const char *at, *end;
	struct tn_insn insn[2];
	bool has_dst, has_src;
};

static bool is_word_char(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '.';
}

/* ---- Operands ---- */

static void skip_blanks(struct match *m)
{
	while (m->at < m->end && isblank((unsigned char)*m->at))
		m->at++;
}

static bool take(struct match *m, char c)
{
	skip_blanks(m);
	if (m->at == m->end || *m->at != c)
		return false;
	m->at++;
	return true;
}

/* Digits at the cursor; `negative` tells the limit. */
static bool take_number(struct match *m, bool negative, int64_t min, uint64_t max, uint64_t *out)
{
	char *end;
	uint64_t value;

	if (m->at == m->end || !isdigit((unsigned char)*m->at))
		return false;
	errno = 0;
	value = strtoull(m->at, &end, 0);
	if (errno || end > m->end || (end < m->end && is_word_char(*end)))
		return false;
	if (negative ? value > 0 - (uint64_t)min : value > max)
		return false;
	m->at = end;
	*out = negative ? 0 - value : value;
	return true;
}

static bool take_signed(struct match *m, bool need_sign, int64_t min, uint64_t max, uint64_t *out)
{
	bool negative = take(m, '-');

	if (!negative && !take(m, '+') && need_sign)
		return false;
	skip_blanks(m);
	return take_number(m, negative, min, max, out);
}

/* Both the signed and the unsigned reading of 32 bits are taken. */
static bool take_imm(struct match *m, bool need_sign, int32_t *out)
{
	uint64_t value;

	if (!take_signed(m, need_sign, INT32_MIN, UINT32_MAX, &value))
		return false;
	*out = (int32_t)(uint32_t)value;
	return true;
}

static bool take_off(struct match *m, int16_t *out)
{
	uint64_t value;

	if (!take_signed(m, true, INT16_MIN, INT16_MAX, &value))
		return false;
	*out = (int16_t)value;
	return true;
}

static bool take_imm64(struct match *m)
{
	uint64_t value;

	if (!take_signed(m, false, INT64_MIN, UINT64_MAX, &value))
		return false;
	tn_insn_set_imm64(m->insn, value);
	return true;
}

static bool take_register(struct match *m, char prefix, uint32_t *out)
{
	uint64_t value;

	if (!take(m, prefix) || !take_number(m, false, 0, TN_R10, &value))
		return false;
	*out = (uint32_t)value;
	return true;
}

/* A register that a pattern names twice must be the same one. */
static bool take_dst(struct match *m, char prefix)
{
	uint32_t reg;

	if (!take_register(m, prefix, &reg) || (m->has_dst && m->insn->dst != reg))
		return false;
	m->insn->dst = reg & 0xf;
	m->has_dst = true;
	return true;
}

static bool take_src(struct match *m, char prefix)
{
	uint32_t reg;

	if (!take_register(m, prefix, &reg) || (m->has_src && m->insn->src != reg))
		return false;
	m->insn->src = reg & 0xf;
	m->has_src = true;
	return true;
}

static struct word peek_word(struct match *m)
{
	struct word word = { 0 };

	skip_blanks(m);
	word.at = m->at;
	while (word.at + word.len < m->end && is_word_char(word.at[word.len]))
		word.len++;
	return word;
}

static const struct label *find_label(const struct assembler *as, struct word name)
{
	for (uint32_t i = 0; i < as->labels.nr; i++) {
		const struct word *have = &as->labels.v[i].name;

		if (have->len == name.len && !memcmp(have->at, name.at, name.len))
			return &as->labels.v[i];
	}
	return NULL;
}

/* "pc+2", "+2" or a label: the distance from the next instruction. */
static bool take_target(struct match *m, int64_t min, int64_t max, int64_t *out)
{
	struct word word = peek_word(m);
	const struct label *label = word.len ? find_label(m->as, word) : NULL;
	uint64_t value;

	if (label) {
		m->at += word.len;
		*out = (int64_t)label->insn - m->line->insn - 1;
		return *out >= min && *out <= max;
	}
	if (word.len == 2 && !memcmp(word.at, "pc", 2))
		m->at += 2;
	if (!take_signed(m, true, min, (uint64_t)max, &value))
		return false;
	*out = (int64_t)value;
	return true;
}

/* The disassembler adds the name of a function: "pc+3#name". */
static bool take_func(struct match *m)
{
	int64_t distance;

	if (!take_target(m, INT32_MIN, INT32_MAX, &distance))
		return false;
	if (take(m, '#'))
		m->at += peek_word(m).len;
	m->insn->imm = (int32_t)distance;
	return true;
}

/* "bpf_loop", "loop", "181", "bpf_loop#181", "unknown#77". */
static bool take_helper(struct match *m)
{
	const struct tn_helper *helper;
	struct word word = peek_word(m);
	char name[64];

	if (!word.len || word.len >= sizeof(name))
		return false;
	if (isdigit((unsigned char)*word.at))
		return take_imm(m, false, &m->insn->imm);
	m->at += word.len;
	if (take(m, '#'))
		return take_imm(m, false, &m->insn->imm);
	memcpy(name, word.at, word.len);
	name[word.len] = 0;
	helper = tn_helper_by_name(strncmp(name, "bpf_", 4) ? name : name + 4);
	if (!helper)
		helper = tn_kfunc_by_name(name);
	if (!helper)
		return false;
	m->insn->imm = (int32_t)helper->id;
	return true;
}

static bool take_operand(struct match *m, char letter)
{
	int64_t distance;

	switch (letter) {
	case 'd':
		return take_dst(m, 'r');
	case 's':
		return take_src(m, 'r');
	case 'w':
		return take_dst(m, 'w');
	case 'x':
		return take_src(m, 'w');
	case 'i':
	case 'h':
	case 'e':
	case 'm':
		return take_imm(m, false, &m->insn->imm);
	case 'l':
		return take_imm64(m);
	case 'o':
		return take_off(m, &m->insn->off);
	case 'j':
		if (!take_target(m, INT16_MIN, INT16_MAX, &distance))
			return false;
		m->insn->off = (int16_t)distance;
		return true;
	case 'J':
	case 'c':
		return take_func(m);
	case 'f':
		return take_helper(m);
	case 'v':
		return take_imm(m, true, &m->insn[1].imm);
	default:
		return take(m, letter);
	}
}

/* ---- Lines ---- */

/* Words of the pattern are matched as they stand; around everything else blanks do not count. */
static bool take_pattern(struct match *m, const char *pattern)
{
	for (const char *p = pattern; *p; p++) {
		bool in_word = p > pattern && isalnum((unsigned char)p[-1]) &&
			       isalnum((unsigned char)*p) && (p - pattern < 2 || p[-2] != '%');

		if (*p == ' ') {
			/* "goto l" is not the beginning of "gotol". */
			if (m->at > m->line->at && is_word_char(m->at[-1]) && m->at < m->end &&
			    is_word_char(*m->at))
				return false;
			skip_blanks(m);
		} else if (*p == '%') {
			if (!take_operand(m, *++p))
				return false;
		} else if (in_word ? m->at == m->end || *m->at++ != *p : !take(m, *p)) {
			return false;
		}
	}
	skip_blanks(m);
	return m->at == m->end;
}

static void fill_reserved(struct match *m, const struct tn_opcode *op)
{
	m->insn->code = op->code;
	if (op->dst < TN_OPND_READ)
		m->insn->dst = op->dst & 0xfu;
	if (op->src < TN_OPND_READ)
		m->insn->src = op->src & 0xfu;
	if (op->off != TN_OPND_ANY)
		m->insn->off = (int16_t)op->off;
	if (op->imm != TN_OPND_ANY)
		m->insn->imm = op->imm;
}

static int assemble_line(struct assembler *as, const struct line *line)
{
	const char *furthest = line->at;

	for (uint32_t row = 0; row < tn_nr_opcodes; row++) {
		struct match m = { .as = as, .line = line, .at = line->at, .end = line->end };
		struct tn_insn *out;
		uint32_t slots;

		if (!take_pattern(&m, tn_opcodes[row].text)) {
			furthest = TN_MAX(furthest, m.at);
			continue;
		}
		fill_reserved(&m, &tn_opcodes[row]);
		slots = tn_insn_is_lddw(m.insn) ? 2 : 1;
		for (uint32_t i = 0; i < slots; i++) {
			out = tn_vec_push(as->rt, &as->insns);
			if (!out)
				return tn_err_nomem("instructions");
			*out = m.insn[i];
		}
		return 0;
	}
	return tn_err(-EINVAL, "line %u, column %d: '%.*s' is no instruction", line->number,
		      (int)(furthest - line->start) + 1, (int)(line->end - line->at), line->at);
}

/* A '#' within a word belongs to it ("call bpf_loop#181"). */
static const char *find_comment(const char *start, const char *end)
{
	for (const char *p = start; p < end; p++) {
		if (*p == ';' || (*p == '/' && p + 1 < end && p[1] == '/'))
			return p;
		if (*p == '#' && (p == start || isblank((unsigned char)p[-1])))
			return p;
	}
	return end;
}

static int add_label(struct assembler *as, struct word name, uint32_t insn, uint32_t line)
{
	struct label *label;

	if (find_label(as, name))
		return tn_err(-EINVAL, "line %u, column 1: label '%.*s' stands here again", line,
			      (int)name.len, name.at);
	label = tn_vec_push(as->rt, &as->labels);
	if (!label)
		return tn_err_nomem("labels");
	label->name = name;
	label->insn = insn;
	return 0;
}

static bool is_two_slots(const struct line *line)
{
	return line->end - line->at > 2 && !memcmp(line->end - 2, "ll", 2) &&
	       isblank((unsigned char)line->end[-3]);
}

/* Cut labels and comment off one line; keep it if an instruction is left. */
static int scan_line(struct assembler *as, struct line line, uint32_t *next_insn)
{
	struct line *kept;
	int err;

	line.end = find_comment(line.at, line.end);
	for (;;) {
		struct word word = { .at = line.at };

		while (line.at < line.end && isspace((unsigned char)*line.at))
			line.at++;
		word.at = line.at;
		while (word.at + word.len < line.end && is_word_char(word.at[word.len]))
			word.len++;
		if (!word.len || word.at + word.len == line.end || word.at[word.len] != ':')
			break;
		err = add_label(as, word, *next_insn, line.number);
		if (err)
			return err;
		line.at = word.at + word.len + 1;
	}
	while (line.end > line.at && isspace((unsigned char)line.end[-1]))
		line.end--;
	if (line.at == line.end)
		return 0;
	kept = tn_vec_push(as->rt, &as->lines);
	if (!kept)
		return tn_err_nomem("lines");
	line.insn = *next_insn;
	*next_insn += is_two_slots(&line) ? 2 : 1;
	*kept = line;
	return 0;
}

static int scan(struct assembler *as, const char *text)
{
	uint32_t number = 0, next_insn = 0;
	int err = 0;

	while (!err && *text) {
		const char *end = text + strcspn(text, "\n");
		struct line line = { .start = text, .at = text, .end = end, .number = ++number };

		err = scan_line(as, line, &next_insn);
		text = *end ? end + 1 : end;
	}
	return err;
}

int tn_asm(struct tn_rt *rt, const char *text, struct tn_insn **out, uint32_t *nr)
{
	struct assembler as = { .rt = rt };
	int err = scan(&as, text);

	for (uint32_t i = 0; !err && i < as.lines.nr; i++)
		err = assemble_line(&as, &as.lines.v[i]);
	if (!err && !as.insns.nr)
		err = tn_err(-EINVAL, "line 1, column 1: no instructions");
	tn_vec_free(rt, &as.labels);
	tn_vec_free(rt, &as.lines);
	if (err) {
		tn_vec_free(rt, &as.insns);
		return err;
	}
	*out = as.insns.v;
	*nr = as.insns.nr;
	return 0;
}
