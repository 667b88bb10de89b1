/* SPDX-License-Identifier: MIT */
/*
 * Do both reject a program for the same kind of reason? The kernel has words and no codes: what it
 * says is put into a kind by a part of them, and each kind names the codes that fit. A report for
 * people alone; words that are in no kind compare with nothing.
 */
#include <string.h>

#include "parity.h"

static const struct {
	const char *words, *codes;
} kinds[] = {
	{ "!read_ok", "E_UNINIT" },
	{ "unreachable", "E_STRUCTURE" },
	{ "infinite loop", "E_LOOP" },
	{ "loop detected", "E_LOOP" },
	{ "jump out of range", "E_ENCODING E_STRUCTURE" },
	{ "frame pointer is read only", "E_ENCODING" },
	{ "div by zero", "E_ENCODING" },
	{ "Unreleased reference", "E_REFERENCE" },
	{ "would lead to reference leak", "E_REFERENCE" },
	{ "lock", "E_LOCK" },
	{ "forbidden", "E_READONLY" },
	{ "cannot write into", "E_READONLY E_CTX" },
	{ "isaligned", "E_ALIGN E_STACK" },
	{ "_or_null prohibited", "E_NULL" },
	{ "_or_null'", "E_NULL" },
	{ "_or_null expected", "E_NULL E_ARG" },
	{ "zero-sized read", "E_ARG E_BOUNDS E_STACK" },
	{ "min value is negative", "E_ARG E_BOUNDS E_STACK" },
	{ "min value is outside", "E_BOUNDS" },
	{ "max value is outside", "E_BOUNDS" },
	{ "unbounded memory access", "E_BOUNDS E_ARG E_STACK" },
	{ "invalid access to map value", "E_BOUNDS" },
	{ "invalid access to packet", "E_BOUNDS E_POINTER_MATH" },
	{ "outside of the packet", "E_BOUNDS" },
	{ "invalid bpf_context access", "E_CTX E_ARG" },
	{ "modified ctx ptr", "E_CTX E_ARG" },
	{ "negative offset ctx", "E_CTX E_ARG" },
	{ "to stack", "E_STACK E_ARG" },
	{ "from stack", "E_STACK E_ARG E_LEAK" },
	{ "stack pointer", "E_STACK E_POINTER_MATH" },
	{ "pointer arithmetic", "E_POINTER_MATH E_NULL" },
	{ "pointer += pointer", "E_POINTER_MATH" },
	{ "pointer comparison", "E_POINTER_MATH" },
	{ "invalid mem access 'scalar'", "E_TYPE" },
	{ "invalid mem access 'inv'", "E_TYPE" },
	{ "leaks addr", "E_LEAK" },
};

static bool has_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = list; (p = strstr(p, word)); p += len)
		if ((p == list || p[-1] == ' ') && (p[len] == ' ' || !p[len]))
			return true;
	return false;
}

bool rejected_otherwise(const struct subject *s)
{
	if (!s->expect.fails || s->tenon.judged != REJECTED)
		return false;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strstr(s->expect.message, kinds[i].words))
			return !has_word(kinds[i].codes, s->tenon.code);
	return false;
}
