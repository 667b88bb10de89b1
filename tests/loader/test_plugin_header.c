/* SPDX-License-Identifier: MIT */
/* tenon/plugin.h declares what is there: the helpers of vm/helpers.def by number, no other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vm/helpers.h"

static char *read_header(void)
{
	FILE *in = fopen(TN_PLUGIN_H, "rb");
	char *text = calloc(1, 1 << 16);

	assert_non_null(in);
	assert_non_null(text);
	assert_true(fread(text, 1, (1 << 16) - 1, in) > 1000);
	fclose(in);
	return text;
}

static void header_declares_only_helpers_that_exist(void **state)
{
	char *text = read_header();
	const char *at = text;
	int nr = 0;

	(void)state;
	while ((at = strstr(at, "\nTENON_BPF_FN("))) {
		const struct tn_helper *helper;
		unsigned id = (unsigned)strtoul(at + 14, NULL, 10);
		const char *name = strstr(at, "bpf_"), *end;
		char plain[64];

		assert_non_null(name);
		end = strchr(name, ',');
		snprintf(plain, sizeof(plain), "%.*s", (int)(end - name - 4), name + 4);
		helper = tn_helper_by_id(id);
		if (!helper || strcmp(helper->name, plain) != 0)
			fail_msg("%s is declared with number %u", plain, id);
		at = name;
		nr++;
	}
	assert_true(nr > 15);
	free(text);
}

static void header_declares_every_helper(void **state)
{
	char *text = read_header();

	(void)state;
	for (const struct tn_helper *h = tn_helper_next(NULL); h; h = tn_helper_next(h)) {
		char declared[96];

		snprintf(declared, sizeof(declared), "bpf_%s,", h->name);
		if (!strstr(text, declared))
			fail_msg("helper %s is not declared", h->name);
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_declares_only_helpers_that_exist),
		cmocka_unit_test(header_declares_every_helper),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
