/* SPDX-License-Identifier: MIT */
#include <tenon/plugin.h>
#include "greet.h"

unsigned int total; /* lives as long as the plugin is loaded */

SEC("hook/greet") int count_stars(struct greet_ctx *ctx)
{
	total += ctx->visits;
	ctx->stars = total;
	return 0;
}
char _license[] SEC("license") = "MIT";
