/* SPDX-License-Identifier: MIT */
/* What a program expects, from the BTF declaration tags of its function. */
#include <bpf/btf.h>
#include <errno.h>
#include <limits.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "parity.h"

#define PREFIX "comment:test_"

/* BPF_PROG_LOAD flags; headers older than the programs lack some. */
static const struct {
	const char *name;
	uint32_t flag;
} load_flags[] = {
	{ "BPF_F_STRICT_ALIGNMENT", 1U << 0 },	  { "BPF_F_ANY_ALIGNMENT", 1U << 1 },
	{ "BPF_F_TEST_RND_HI32", 1U << 2 },	  { "BPF_F_TEST_STATE_FREQ", 1U << 3 },
	{ "BPF_F_SLEEPABLE", 1U << 4 },		  { "BPF_F_XDP_HAS_FRAGS", 1U << 5 },
	{ "BPF_F_TEST_REG_INVARIANTS", 1U << 7 },
};

static void read_flag(struct expectation *e, const char *text)
{
	bool clear = text[0] == '!';
	uint32_t flag = 0;

	text += clear;
	for (size_t i = 0; i < sizeof(load_flags) / sizeof(load_flags[0]); i++) {
		if (strcmp(text, load_flags[i].name) == 0)
			flag = load_flags[i].flag;
	}
	if (!flag)
		flag = (uint32_t)strtoul(text, NULL, 0);
	e->flags = clear ? e->flags & ~flag : e->flags | flag;
}

static void read_retval(struct expectation *e, const char *text)
{
	e->has_retval = true;
	if (strcmp(text, "INT_MIN") == 0)
		e->retval = INT_MIN;
	else if (strcmp(text, "POINTER_VALUE") == 0)
		e->any_retval = true;
	else if (strcmp(text, "TEST_DATA_LEN") == 0)
		e->retval = 64;
	else
		e->retval = (int32_t)strtoll(text, NULL, 0);
}

static void read_tag(struct expectation *e, const char *tag)
{
	const char *value;

	if (strncmp(tag, PREFIX, strlen(PREFIX)) != 0)
		return;
	tag += strlen(PREFIX);
	value = strchr(tag, '=');
	if (strcmp(tag, "expect_failure") == 0)
		e->fails = e->found = true;
	else if (strcmp(tag, "expect_success") == 0)
		e->found = true;
	else if (strcmp(tag, "auxiliary") == 0)
		e->auxiliary = true;
	else if (value && strncmp(tag, "retval=", 7) == 0)
		read_retval(e, value + 1);
	else if (value && strncmp(tag, "prog_flags=", 11) == 0)
		read_flag(e, value + 1);
	else if (value && strncmp(tag, "expect_msg=", 11) == 0 && !e->message[0] &&
		 strchr(value + 1, '='))
		snprintf(e->message, sizeof(e->message), "%s", strchr(value + 1, '=') + 1);
}

/* Nothing but tags of other modes: success. */
static struct expectation read_all(const struct btf *btf, const char *program)
{
	struct expectation e = { 0 };
	uint32_t nr = btf__type_cnt(btf), i;

	for (i = 1; i < nr; i++) {
		const struct btf_type *tag = btf__type_by_id(btf, i), *func;

		if (!btf_is_decl_tag(tag) || btf_decl_tag(tag)->component_idx != -1)
			continue;
		func = btf__type_by_id(btf, tag->type);
		if (!btf_is_func(func) ||
		    strcmp(btf__name_by_offset(btf, func->name_off), program) != 0)
			continue;
		read_tag(&e, btf__name_by_offset(btf, tag->name_off));
	}
	return e;
}

bool tags_is_auxiliary(const char *object, const char *program)
{
	struct btf *btf = btf__parse_elf(object, NULL);
	bool auxiliary = btf && read_all(btf, program).auxiliary;

	btf__free(btf);
	return auxiliary;
}

int tags_read(struct subject *s)
{
	struct btf *btf = btf__parse_elf(s->object, NULL);
	bool found = btf && btf__find_by_name_kind(btf, s->program, BTF_KIND_FUNC) > 0;

	if (found)
		s->expect = read_all(btf, s->program);
	btf__free(btf);
	return found ? 0 : -1;
}
