/* SPDX-License-Identifier: MIT */
/* Declaration tags of the host's BTF. */
#include "host-api/btf_tags.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"

#define PREFIX "tenon:"

int tn_tags_read(struct tn_rt *rt, const struct tn_btf *btf, uint32_t id, struct tn_tags *out)
{
	memset(out, 0, sizeof(*out));
	for (uint32_t at = 1; at < btf->nr_types; at++) {
		const struct tn_btf_type *t = tn_btf_type(btf, at);
		const char *text;
		struct tn_tag *tag;

		if (tn_btf_kind(t) != TN_BTF_DECL_TAG || t->size_or_type != id)
			continue;
		text = tn_btf_str(btf, t->name_off);
		if (strncmp(text, PREFIX, strlen(PREFIX)) != 0)
			continue;
		tag = tn_vec_push(rt, &out->all);
		if (!tag) {
			tn_tags_free(rt, out);
			return tn_err_nomem("BTF of the host");
		}
		tag->text = text + strlen(PREFIX);
		memcpy(&tag->component, tn_btf_extra(t), sizeof(tag->component));
	}
	return 0;
}

void tn_tags_free(struct tn_rt *rt, struct tn_tags *tags)
{
	tn_vec_free(rt, &tags->all);
}

const char *tn_tag_value(const struct tn_tags *tags, int32_t component, const char *word)
{
	size_t len = strlen(word);

	for (uint32_t i = 0; i < tags->all.nr; i++) {
		const struct tn_tag *tag = &tags->all.v[i];

		if (tag->component != component || strncmp(tag->text, word, len) != 0)
			continue;
		if (!tag->text[len])
			return "";
		if (tag->text[len] == '=')
			return tag->text + len + 1;
	}
	return NULL;
}

bool tn_tag_has_arg(const struct tn_tags *tags, int32_t component, uint32_t arg, const char *word)
{
	char name[16];

	if (component == TN_TAG_SELF && tn_tag_has(tags, (int32_t)arg, word))
		return true;
	snprintf(name, sizeof(name), "arg%u", arg + 1);
	for (uint32_t i = 0; i < tags->all.nr; i++) {
		const struct tn_tag *tag = &tags->all.v[i];
		size_t len = strlen(name);

		if (tag->component == component && !strncmp(tag->text, name, len) &&
		    tag->text[len] == '=' && !strcmp(tag->text + len + 1, word))
			return true;
	}
	return false;
}
