/* SPDX-License-Identifier: MIT */
/*
 * Arguments of USDT probes: SIZE@OPERAND, parted by blanks. SIZE is 1, 2, 4 or 8, negative for
 * signed numbers. OPERAND is one of the assembler's (AT&T syntax, x86-64):
 *
 *   $5  $-5               a constant
 *   %eax                  a register, under any of its names
 *   (%rbx)  -16(%rbp)  8(%rax,%rdx,4)  (,%rdx,8)  sym(%rip)  sym+8(%rip)  8+sym(%rip)
 */
#include <errno.h>
#include <string.h>

#include "base/compiler.h"
#include "base/err.h"
#include "loader/usdt.h"

struct text {
	const char *at, *end;
};

static const struct {
	char names[4][5]; /* 64, 32, 16, 8 bits */
} registers[16] = {
	{ { "rax", "eax", "ax", "al" } },      { { "rcx", "ecx", "cx", "cl" } },
	{ { "rdx", "edx", "dx", "dl" } },      { { "rbx", "ebx", "bx", "bl" } },
	{ { "rsp", "esp", "sp", "spl" } },     { { "rbp", "ebp", "bp", "bpl" } },
	{ { "rsi", "esi", "si", "sil" } },     { { "rdi", "edi", "di", "dil" } },
	{ { "r8", "r8d", "r8w", "r8b" } },     { { "r9", "r9d", "r9w", "r9b" } },
	{ { "r10", "r10d", "r10w", "r10b" } }, { { "r11", "r11d", "r11w", "r11b" } },
	{ { "r12", "r12d", "r12w", "r12b" } }, { { "r13", "r13d", "r13w", "r13b" } },
	{ { "r14", "r14d", "r14w", "r14b" } }, { { "r15", "r15d", "r15w", "r15b" } },
};
static const char high_bytes[4][3] = { "ah", "ch", "dh", "bh" };

static bool take(struct text *t, char c)
{
	if (t->at == t->end || *t->at != c)
		return false;
	t->at++;
	return true;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_name_char(char c)
{
	return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_' || c == '.' ||
	       c == '$';
}

static struct tn_span take_name(struct text *t)
{
	const char *start = t->at;

	while (t->at < t->end && is_name_char(*t->at))
		t->at++;
	return tn_span_make(start, (size_t)(t->at - start));
}

/* Digits; false where there are none or the number needs more than 64 bits. */
static bool take_digits(struct text *t, uint64_t *out)
{
	uint64_t base = 10, value = 0;
	const char *start;

	if (t->end - t->at > 2 && t->at[0] == '0' && (t->at[1] | 0x20) == 'x') {
		base = 16;
		t->at += 2;
	}
	for (start = t->at; t->at < t->end; t->at++) {
		char low = (char)(*t->at | 0x20);
		uint64_t digit = is_digit(*t->at)	    ? (uint64_t)(*t->at - '0')
				 : low >= 'a' && low <= 'f' ? (uint64_t)(low - 'a' + 10)
							    : base;

		if (digit >= base)
			break;
		if (__builtin_mul_overflow(value, base, &value) ||
		    __builtin_add_overflow(value, digit, &value))
			return false;
	}
	*out = value;
	return t->at > start;
}

/* A number with its sign: -2^63 to 2^64 - 1, the upper half as the assembler reads it. */
static bool take_number(struct text *t, int64_t *out)
{
	bool minus = take(t, '-');
	uint64_t value;

	if (!minus)
		take(t, '+');
	if (!take_digits(t, &value) || (minus && value > 1ull << 63))
		return false;
	*out = (int64_t)(minus ? 0 - value : value);
	return true;
}

static bool same(struct tn_span name, const char *word)
{
	return name.size == strlen(word) && !memcmp(name.data, word, name.size);
}

/* *width: of the name, 3 for 8 bytes down to 0 for one. */
static bool take_register(struct text *t, uint8_t *out, int *width, bool *high)
{
	struct tn_span name;

	*high = false;
	if (!take(t, '%'))
		return false;
	name = take_name(t);
	*width = 3;
	*out = TN_USDT_RIP;
	if (same(name, "rip"))
		return true;
	for (uint8_t i = 0; i < TN_ARRAY_SIZE(registers); i++)
		for (*width = 3; *width >= 0; --*width)
			if (same(name, registers[i].names[3 - *width])) {
				*out = i;
				return true;
			}
	*width = 0;
	*high = true;
	for (uint8_t i = 0; i < TN_ARRAY_SIZE(high_bytes); i++)
		if (same(name, high_bytes[i])) {
			*out = i;
			return true;
		}
	return false;
}

/* Number and symbol in front of "(": either, or both with a sign between. */
static bool take_displacement(struct text *t, struct tn_usdt_arg *arg)
{
	bool number = false;

	while (t->at < t->end && *t->at != '(') {
		bool sign = *t->at == '-' || *t->at == '+';

		if ((number || arg->symbol.size) && !sign)
			return false;
		if (is_digit(t->at[sign])) {
			if (number || !take_number(t, &arg->value))
				return false;
			number = true;
		} else {
			if (*t->at == '-' || arg->symbol.size)
				return false;
			take(t, '+');
			arg->symbol = take_name(t);
			if (!arg->symbol.size)
				return false;
		}
	}
	return true;
}

/* Addresses are made of 64-bit registers; of rip alone, and of rsp without an index. */
static bool take_address_register(struct text *t, uint8_t *out)
{
	bool high;
	int width;

	return take_register(t, out, &width, &high) && width == 3 && !high;
}

static bool take_memory(struct text *t, struct tn_usdt_arg *arg)
{
	uint64_t scale = 1;

	arg->place = TN_USDT_MEMORY;
	if (!take_displacement(t, arg) || !take(t, '('))
		return false;
	if (t->at < t->end && *t->at == '%' && !take_address_register(t, &arg->base))
		return false;
	if (take(t, ',')) {
		if (!take_address_register(t, &arg->index) || arg->index == 4 ||
		    arg->index == TN_USDT_RIP || arg->base == TN_USDT_RIP)
			return false;
		if (take(t, ',') && !take_digits(t, &scale))
			return false;
		if (scale != 1 && scale != 2 && scale != 4 && scale != 8)
			return false;
		arg->scale = (uint8_t)scale;
	}
	if (arg->base == TN_USDT_NO_REG && arg->index == TN_USDT_NO_REG)
		return false;
	/* A symbol has an address of its own only beside rip. */
	return take(t, ')') && (!arg->symbol.size || arg->base == TN_USDT_RIP);
}

static bool take_operand(struct text *t, struct tn_usdt_arg *arg)
{
	int width;

	if (take(t, '$')) {
		arg->place = TN_USDT_CONST;
		return take_number(t, &arg->value);
	}
	if (t->at == t->end || *t->at != '%')
		return take_memory(t, arg);
	arg->place = TN_USDT_REG;
	return take_register(t, &arg->base, &width, &arg->high_byte) && arg->base != TN_USDT_RIP;
}

static int read_arg(struct text t, uint32_t n, struct tn_usdt_arg *arg)
{
	struct text whole = t;
	int64_t size;
	int len = (int)TN_MIN(t.end - t.at, (ptrdiff_t)80);

	*arg = (struct tn_usdt_arg){ .base = TN_USDT_NO_REG, .index = TN_USDT_NO_REG, .scale = 1 };
	if (!take_number(&t, &size))
		return tn_err(-EINVAL, "argument %u '%.*s': expected its size", n, len, whole.at);
	arg->is_signed = size < 0;
	if (take(&t, 'f'))
		return tn_err(-ENOTSUP, "argument %u '%.*s' is a floating point number", n, len,
			      whole.at);
	if (size < -8 || size > 8 || !size || (size < 0 ? -size & ~size : size & (size - 1)))
		return tn_err(-EINVAL, "argument %u '%.*s': its size is none of 1, 2, 4, 8", n, len,
			      whole.at);
	arg->size = (uint8_t)(size < 0 ? -size : size);
	if (!take(&t, '@'))
		return tn_err(-EINVAL, "argument %u '%.*s': expected '@' behind its size", n, len,
			      whole.at);
#ifndef __x86_64__
	return tn_err(-ENOTSUP, "argument %u '%.*s': only those of x86-64 are read", n, len,
		      whole.at);
#endif
	if (!take_operand(&t, arg) || t.at != t.end)
		return tn_err(-EINVAL, "argument %u '%.*s': its operand is none that is known", n,
			      len, whole.at);
	return 0;
}

int tn_usdt_args(const char *text, struct tn_usdt_arg args[TN_USDT_MAX_ARGS], uint32_t *nr)
{
	*nr = 0;
	for (;;) {
		struct text one;
		int err;

		text += strspn(text, " ");
		if (!*text)
			return 0;
		if (*nr == TN_USDT_MAX_ARGS)
			return tn_err(-E2BIG, "more than %d arguments", TN_USDT_MAX_ARGS);
		one = (struct text){ text, text + strcspn(text, " ") };
		err = read_arg(one, *nr + 1, &args[*nr]);
		if (err)
			return err;
		++*nr;
		text = one.end;
	}
}
