/* SPDX-License-Identifier: MIT */
/* A hash table of the names taken so far; each remembers which number was given out last. */
#include "vm/btf_names.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "base/mem.h"

/* What the language, or clang's own declarations, leave to nobody else. */
static bool is_reserved(const char *name)
{
	static const char *const words[] = {
		"asm",	    "auto",	 "break",    "case",	"char",	    "const",	"continue",
		"default",  "do",	 "double",   "else",	"enum",	    "extern",	"float",
		"for",	    "goto",	 "if",	     "inline",	"int",	    "long",	"register",
		"restrict", "return",	 "short",    "signed",	"sizeof",   "static",	"struct",
		"switch",   "typedef",	 "typeof",   "union",	"unsigned", "void",	"volatile",
		"while",    "_Alignas",	 "_Alignof", "_Atomic", "_Bool",    "_Complex", "_Generic",
		"_Float16", "_Noreturn",
	};

	for (size_t i = 0; i < TN_ARRAY_SIZE(words); i++)
		if (!strcmp(words[i], name))
			return true;
	return !strncmp(name, "__builtin_", 10) || !strcmp(name, "__int128") ||
	       !strcmp(name, "__int128_t") || !strcmp(name, "__uint128_t") ||
	       !strcmp(name, "__asm__") || !strcmp(name, "__typeof__") ||
	       !strcmp(name, "__attribute__") || !strcmp(name, "__NSConstantString");
}

static bool fits(char c, bool first)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	       (!first && c >= '0' && c <= '9');
}

static bool push(struct tn_c_names *names, char c)
{
	char *slot = tn_vec_push(names->rt, &names->scratch);

	if (slot)
		*slot = c;
	return slot;
}

const char *tn_c_identifier(struct tn_c_names *names, const char *name)
{
	bool ok = true;

	names->scratch.nr = 0;
	if (!fits(*name, true))
		ok = push(names, '_');
	for (const char *c = name; *c && ok; c++)
		ok = push(names, fits(*c, false) ? *c : '_');
	if (ok && is_reserved(name))
		ok = push(names, '_');
	return ok && push(names, 0) ? names->scratch.v : NULL;
}

static uint32_t hash(enum tn_c_space space, const char *s)
{
	uint32_t h = 2166136261u ^ (uint32_t)space;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 16777619u;
	return h ^ h >> 15;
}

static struct tn_c_name *find(const struct tn_c_names *names, enum tn_c_space space,
			      const char *name)
{
	uint32_t i = hash(space, name) & (names->nr_slots - 1);

	while (names->slots[i].name && (names->slots[i].space != (uint32_t)space ||
					strcmp(names->slots[i].name, name) != 0))
		i = (i + 1) & (names->nr_slots - 1);
	return &names->slots[i];
}

static bool grow(struct tn_c_names *names)
{
	struct tn_c_names bigger = *names;

	if (names->nr * 2 < names->nr_slots)
		return true;
	bigger.nr_slots = names->nr_slots ? names->nr_slots * 2 : 256;
	bigger.slots = tn_alloc_array(names->rt, bigger.nr_slots, sizeof(*bigger.slots));
	if (!bigger.slots)
		return false;
	for (uint32_t i = 0; i < names->nr_slots; i++) {
		const struct tn_c_name *n = &names->slots[i];

		if (n->name)
			*find(&bigger, (enum tn_c_space)n->space, n->name) = *n;
	}
	tn_free(names->rt, names->slots);
	names->slots = bigger.slots;
	names->nr_slots = bigger.nr_slots;
	return true;
}

/* Enter `name`, which is owned by the table then, where it is free. */
static bool enter(struct tn_c_names *names, enum tn_c_space space, char *name, bool *taken)
{
	struct tn_c_name *slot;

	if (!name || !grow(names)) {
		tn_free(names->rt, name);
		return false;
	}
	slot = find(names, space, name);
	*taken = slot->name;
	if (*taken) {
		tn_free(names->rt, name);
		return true;
	}
	*slot = (struct tn_c_name){ name, (uint32_t)space, 1 };
	names->nr++;
	return true;
}

uint32_t tn_c_names_take(struct tn_c_names *names, enum tn_c_space space, const char *name)
{
	bool taken;

	if (!enter(names, space, tn_strdup(names->rt, name), &taken))
		return 0;
	while (taken) {
		struct tn_c_name *plain = find(names, space, name);
		uint32_t n = ++plain->uses;

		if (!enter(names, space, tn_asprintf(names->rt, "%s___%u", name, n), &taken))
			return 0;
		if (!taken)
			return n;
	}
	return 1;
}

void tn_c_names_free(struct tn_c_names *names)
{
	for (uint32_t i = 0; i < names->nr_slots; i++)
		tn_free(names->rt, names->slots[i].name);
	tn_free(names->rt, names->slots);
	tn_vec_free(names->rt, &names->scratch);
}
