/* SPDX-License-Identifier: MIT */
/*
 * What a compiler must agree with for BTF to be true of its structures: static assertions in C
 * about sizes, places of members and values of enumerators. Bit fields have no address and are left
 * out; the members around them and the size are not.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "vm/btf_dump.h"

/* Unnamed structs in one another. */
#define MAX_DEPTH 32

struct asserts {
	const struct tn_btf *btf;
	tn_btf_line_fn line;
	void *user;
	const char *tag, *name; /* of the struct */
	uint32_t depth;
};

/* C's names alone: what else there may be comes from other languages. */
static bool is_identifier(const char *name)
{
	if (!*name || (*name >= '0' && *name <= '9'))
		return false;
	for (; *name; name++)
		if (!((*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') ||
		      (*name >= '0' && *name <= '9') || *name == '_'))
			return false;
	return true;
}

static int put(const struct asserts *a, const char *what, const char *is, uint64_t value)
{
	char text[1024];
	int n = snprintf(text, sizeof(text),
			 "_Static_assert(%s == %" PRIu64 ", \"%s is not as clang "
			 "has it for eBPF\");",
			 what, value, is);

	return n < (int)sizeof(text) ? a->line(a->user, text) : 0;
}

static int assert_members(struct asserts *a, uint32_t id, uint64_t base);

static int assert_member(struct asserts *a, const struct tn_btf_type *t,
			 const struct tn_btf_member *m, uint64_t base)
{
	const char *name = tn_btf_str(a->btf, m->name_off);
	uint32_t plain = tn_btf_skip_mods(a->btf, m->type);
	uint64_t byte = base + tn_btf_member_bit_off(t, m) / 8;
	char what[512], is[512];
	int rc;

	if (!*name && tn_btf_is_composite(tn_btf_type(a->btf, plain)))
		return assert_members(a, plain, byte);
	if (!is_identifier(name) || tn_btf_member_bit_size(t, m) ||
	    tn_btf_old_bit_field(a->btf, m->type, NULL))
		return 0;
	snprintf(what, sizeof(what), "offsetof(%s %s, %s)", a->tag, a->name, name);
	snprintf(is, sizeof(is), "offset of %s.%s", a->name, name);
	rc = put(a, what, is, byte);
	/* Of an array without a length C knows no size. */
	if (rc || tn_btf_size_of(a->btf, m->type) == 0)
		return rc;
	snprintf(what, sizeof(what), "sizeof(((%s %s *)0)->%s)", a->tag, a->name, name);
	snprintf(is, sizeof(is), "size of %s.%s", a->name, name);
	return put(a, what, is, (uint64_t)tn_btf_size_of(a->btf, m->type));
}

static int assert_members(struct asserts *a, uint32_t id, uint64_t base)
{
	const struct tn_btf_type *t = tn_btf_type(a->btf, id);
	const struct tn_btf_member *m = tn_btf_extra(t);
	int rc = 0;

	if (a->depth == MAX_DEPTH)
		return tn_err(-EINVAL, "BTF: %s '%s' nests deeper than %d", a->tag, a->name,
			      MAX_DEPTH);
	a->depth++;
	for (uint32_t i = 0; i < tn_btf_vlen(t) && !rc; i++)
		rc = assert_member(a, t, &m[i], base);
	a->depth--;
	return rc;
}

static int assert_values(struct asserts *a, const struct tn_btf_type *t)
{
	bool is_long = tn_btf_kind(t) == TN_BTF_ENUM64;
	const uint32_t *e = tn_btf_extra(t);
	char what[512];
	int rc = 0;

	for (uint32_t i = 0; i < tn_btf_vlen(t) && !rc; i++, e += is_long ? 3 : 2) {
		const char *name = tn_btf_str(a->btf, e[0]);

		if (!is_identifier(name))
			continue;
		/* By their bits: the sign of the type is the compiler's choice. */
		snprintf(what, sizeof(what), "(%s)%s",
			 is_long ? "unsigned long long" : "unsigned int", name);
		rc = put(a, what, name, is_long ? (uint64_t)e[2] << 32 | e[1] : e[1]);
	}
	return rc;
}

static int assert_type(struct asserts *a, uint32_t id)
{
	const struct tn_btf_type *t = tn_btf_type(a->btf, id);
	char what[512];
	int rc;

	a->name = tn_btf_str(a->btf, t->name_off);
	switch ((int)tn_btf_kind(t)) {
	case TN_BTF_STRUCT:
		a->tag = "struct";
		break;
	case TN_BTF_UNION:
		a->tag = "union";
		break;
	case TN_BTF_ENUM:
	case TN_BTF_ENUM64:
		return assert_values(a, t);
	default:
		return 0;
	}
	if (!is_identifier(a->name))
		return 0;
	snprintf(what, sizeof(what), "sizeof(%s %s)", a->tag, a->name);
	rc = put(a, what, what, t->size_or_type);
	return rc ? rc : assert_members(a, id, 0);
}

int tn_btf_dump_asserts(const struct tn_btf *btf, tn_btf_line_fn line, void *user)
{
	struct asserts a = { .btf = btf, .line = line, .user = user };
	int rc = 0;

	for (uint32_t id = 1; id < btf->nr_types && !rc; id++)
		rc = assert_type(&a, id);
	return rc;
}
