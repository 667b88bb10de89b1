/* SPDX-License-Identifier: MIT */
/* lent DESCRIPTION: writes down what this host offers. lent PLUGIN...: fires its hook once for each
 * plugin. */
#include <stdio.h>
#include <string.h>
#include <tenon/tenon.h>
#include "lent.h"
#include "lent_btf.h"

uint32_t lent_weigh(struct lent_user *user, enum lent_mood mood, uint64_t bytes)
{
	return user->id * 100 + (mood == LENT_CALM ? 10 : 0) + (uint32_t)bytes;
}

static struct tenon_hook hook;

int main(int argc, char **argv)
{
	struct tenon_hook_desc desc = { .sz = sizeof(desc),
					.name = "lent",
					.ctx_name = "lent_ctx",
					.chain = TENON_CHAIN_LAST };
	struct tenon_runtime *rt = tenon_runtime_new(NULL);
	struct lent_user user = { .level = 1, .id = 7, .guest = 1, .name = "seven" };
	struct lent_ctx ctx = { .user = &user, .port = 80, .bytes = 5 };

	if (!rt || tenon_runtime_add_btf(rt, lent_btf, lent_btf_size, NULL) ||
	    tenon_runtime_add_helper(rt, "lent_weigh", NULL, (tenon_fn)lent_weigh, NULL) ||
	    tenon_hook_register(rt, &hook, &desc))
		return fprintf(stderr, "lent: %s\n", tenon_last_error()->msg), 1;
	for (int i = 1; i < argc; i++) {
		size_t len = strlen(argv[i]);

		if (len < 2 || strcmp(argv[i] + len - 2, ".o") != 0) {
			if (tenon_runtime_describe(rt, argv[i]))
				return fprintf(stderr, "lent: %s\n", tenon_last_error()->msg), 1;
			continue;
		}
		if (!tenon_object_plug(rt, argv[i], NULL))
			return fprintf(stderr, "lent: %s\n", tenon_last_error()->msg), 1;
		printf("result %llu\n", (unsigned long long)tenon_hook_fire(&hook, &ctx));
	}
	return tenon_runtime_free(rt) != 0;
}
