/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <tenon/tenon.h>
#include "greet.h"

static const struct tenon_field fields[] = { TENON_SCALAR(struct greet_ctx, visits, TENON_R),
					     TENON_SCALAR(struct greet_ctx, stars, TENON_RW) };
static const struct tenon_ctx_type type = TENON_CTX_TYPE(greet_ctx, fields);
static struct tenon_hook greet;

int main(int argc, char **argv)
{
	struct tenon_hook_desc desc = { .sz = sizeof(desc), .name = "greet", .ctx = &type };
	struct tenon_runtime *rt = tenon_runtime_new(NULL);

	if (argc != 2 || !rt || tenon_hook_register(rt, &greet, &desc) ||
	    !tenon_object_plug(rt, argv[1], NULL))
		return fprintf(stderr, "hello: %s\n", tenon_last_error()->msg), 1;
	for (struct greet_ctx ctx = { .visits = 1 }; ctx.visits <= 3; ctx.visits++) {
		tenon_hook_fire(&greet, &ctx);
		printf("visit %u: %u stars\n", ctx.visits, ctx.stars);
	}
	return tenon_runtime_free(rt) != 0;
}
