/* SPDX-License-Identifier: MIT */
/* What a section name asks for: Tenon's own "hook/<name>", or one of libbpf's (sections.def). */
#include <string.h>

#include "base/compiler.h"
#include "loader/object.h"

enum form { EXACT, REST, BOTH };

static const struct row {
	const char *prefix;
	enum form form;
	const char *ctx;
	int64_t ret_min, ret_max;
} rows[] = {
#define ANY				   INT64_MIN, INT64_MAX
#define TN_SECTION(prefix, form, ctx, ...) { prefix, form, ctx, __VA_ARGS__ },
#include "loader/sections.def"
#undef TN_SECTION
#undef ANY
};

/* What stands behind `prefix` in `name`: "", what follows its '/', or NULL: it does not fit. */
static const char *rest_of(const char *name, const char *prefix, enum form form)
{
	size_t len = strlen(prefix);

	if (strncmp(name, prefix, len) != 0)
		return NULL;
	if (name[len] == '\0')
		return form == REST ? NULL : name + len;
	if (name[len] != '/' || name[len + 1] == '\0' || form == EXACT)
		return NULL;
	return name + len + 1;
}

void tn_section_parse(const char *name, struct tn_section_def *out)
{
	size_t best = 0;

	*out = (struct tn_section_def){ .kind = TN_SEC_UNKNOWN, .rest = "" };
	if (*name == '?')
		name++;
	out->rest = rest_of(name, "hook", REST);
	if (out->rest) {
		out->kind = TN_SEC_HOOK;
		return;
	}
	out->rest = "";
	for (size_t i = 0; i < TN_ARRAY_SIZE(rows); i++) {
		const char *rest = rest_of(name, rows[i].prefix, rows[i].form);

		if (!rest || strlen(rows[i].prefix) <= best)
			continue;
		best = strlen(rows[i].prefix);
		*out = (struct tn_section_def){
			.kind = TN_SEC_KERNEL,
			.ctx = rows[i].ctx,
			.rest = rest,
			.ret_checked = rows[i].ret_min > INT64_MIN,
			.ret_min = rows[i].ret_min,
			.ret_max = rows[i].ret_max,
		};
	}
}
