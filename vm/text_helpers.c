/* SPDX-License-Identifier: MIT */
/* Numbers out of text: bpf_strtol and bpf_strtoul, with the kernel's results. */
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "vm/helper_body.h"

#define BODY(name) TN_HELPER_BODY(, name)

#define BASE_MASK	 31u
#define MAX_NUMBER_CHARS 63

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

struct number {
	uint64_t value;
	size_t used; /* characters, with what stands before the digits */
	bool negative;
};

static char at(const char *text, size_t size, size_t i)
{
	return i < size ? text[i] : 0;
}

/* 0 stands for: as the text says. */
static uint32_t find_base(const char *text, size_t size, size_t *i, uint32_t base)
{
	bool hex = at(text, size, *i) == '0' &&
		   tolower((unsigned char)at(text, size, *i + 1)) == 'x' &&
		   digit_of(at(text, size, *i + 2)) < 16;

	if (!base)
		base = hex ? 16 : at(text, size, *i) == '0' ? 8 : 10;
	if (base == 16 && hex)
		*i += 2;
	return base;
}

static int parse_number(const char *text, size_t size, uint64_t flags, struct number *out)
{
	uint32_t base = flags & BASE_MASK;
	bool over = false;
	size_t i = 0, first, end;

	if ((base && base != 8 && base != 10 && base != 16) || flags & ~(uint64_t)BASE_MASK)
		return -EINVAL;
	while (i < size && isspace((unsigned char)text[i]))
		i++;
	out->negative = at(text, size, i) == '-';
	i += out->negative;
	end = size - i < MAX_NUMBER_CHARS ? size : i + MAX_NUMBER_CHARS;
	base = find_base(text, end, &i, base);
	out->value = 0;
	for (first = i; i < end && (uint32_t)digit_of(text[i]) < base; i++) {
		over |= __builtin_mul_overflow(out->value, (uint64_t)base, &out->value);
		over |= __builtin_add_overflow(out->value, (uint64_t)digit_of(text[i]),
					       &out->value);
	}
	if (i == first)
		return -EINVAL;
	out->used = i;
	return over ? -ERANGE : 0;
}

static uint64_t finish(uint64_t to, int err, const struct number *n, uint64_t value)
{
	/* Written in every case: what stood there before is nobody's result. */
	if (err)
		value = 0;
	memcpy((void *)(uintptr_t)to, &value, sizeof(value));
	return err ? (uint64_t)(int64_t)err : n->used;
}

BODY(tn_helper_strtol)
{
	struct number n;
	int err = parse_number((const char *)(uintptr_t)r1, r2, r3, &n);

	if (!err && n.value > (uint64_t)INT64_MAX + n.negative)
		err = -ERANGE;
	return finish(r4, err, &n, n.negative ? 0 - n.value : n.value);
}

BODY(tn_helper_strtoul)
{
	struct number n;
	int err = parse_number((const char *)(uintptr_t)r1, r2, r3, &n);

	if (!err && n.negative)
		err = -EINVAL;
	return finish(r4, err, &n, n.value);
}
