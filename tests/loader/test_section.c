/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/compiler.h"
#include "loader/object.h"
#include "vm/ctx_type.h"

static const struct expected {
	const char *name;
	enum tn_section_kind kind;
	const char *ctx, *rest;
} table[] = {
	{ "hook/greet", TN_SEC_HOOK, NULL, "greet" },
	{ "hook/a/b", TN_SEC_HOOK, NULL, "a/b" },
	{ "?hook/greet", TN_SEC_HOOK, NULL, "greet" },
	{ "hook/", TN_SEC_UNKNOWN, NULL, "" },
	{ "hook", TN_SEC_UNKNOWN, NULL, "" },
	{ "hooks/greet", TN_SEC_UNKNOWN, NULL, "" },
	{ "", TN_SEC_UNKNOWN, NULL, "" },
	{ "?", TN_SEC_UNKNOWN, NULL, "" },
	{ ".text", TN_SEC_UNKNOWN, NULL, "" },
	{ "xdp", TN_SEC_KERNEL, "xdp_md", "" },
	{ "?xdp", TN_SEC_KERNEL, "xdp_md", "" },
	{ "xdp/x", TN_SEC_KERNEL, "xdp_md", "x" },
	{ "xdp/devmap", TN_SEC_KERNEL, "xdp_md", "" },
	{ "xdp.frags", TN_SEC_KERNEL, "xdp_md", "" },
	{ "xdp.frags/cpumap", TN_SEC_KERNEL, "xdp_md", "" },
	{ "xdp_prog", TN_SEC_UNKNOWN, NULL, "" },
	{ "xdpx", TN_SEC_UNKNOWN, NULL, "" },
	{ "xd", TN_SEC_UNKNOWN, NULL, "" },
	{ "tc", TN_SEC_KERNEL, "__sk_buff", "" },
	{ "tc/ingress", TN_SEC_KERNEL, "__sk_buff", "" },
	{ "tc/other", TN_SEC_KERNEL, "__sk_buff", "other" },
	{ "tcx/egress", TN_SEC_KERNEL, "__sk_buff", "" },
	{ "tcx", TN_SEC_UNKNOWN, NULL, "" },
	{ "classifier", TN_SEC_KERNEL, "__sk_buff", "" },
	{ "classifier/a", TN_SEC_KERNEL, "__sk_buff", "a" },
	{ "action", TN_SEC_KERNEL, "__sk_buff", "" },
	{ "socket", TN_SEC_KERNEL, "__sk_buff/socket", "" },
	{ "socket/x", TN_SEC_UNKNOWN, NULL, "" },
	{ "cgroup_skb/ingress", TN_SEC_KERNEL, "__sk_buff", "" },
	{ "cgroup/skb", TN_SEC_KERNEL, "__sk_buff", "" },
	{ "lwt_in", TN_SEC_KERNEL, "__sk_buff", "" },
	{ "lwt_seg6local", TN_SEC_KERNEL, "__sk_buff", "" },
	{ "sk_skb", TN_SEC_KERNEL, "sk_skb", "" },
	{ "sk_skb/stream_parser", TN_SEC_KERNEL, "sk_skb", "" },
	{ "sk_skb/stream_parser/name", TN_SEC_KERNEL, "sk_skb", "name" },
	{ "kprobe/do_it", TN_SEC_KERNEL, "pt_regs", "do_it" },
	{ "kprobe.multi/a*", TN_SEC_KERNEL, "pt_regs", "a*" },
	{ "uprobe.s//bin/sh:main", TN_SEC_KERNEL, "pt_regs", "/bin/sh:main" },
	{ "raw_tp.w/x", TN_SEC_KERNEL, "raw_tracepoint.w", "x" },
	{ "fentry.s/f", TN_SEC_KERNEL, NULL, "f" },
	{ "sockops", TN_SEC_KERNEL, "bpf_sock_ops", "" },
	{ "cgroup/connect_unix", TN_SEC_KERNEL, NULL, "" },
	{ "perf_event", TN_SEC_KERNEL, "perf_event", "" },
	{ "netfilter", TN_SEC_KERNEL, NULL, "" },
};

static void row_41_section_names_give_kind_context_and_rest(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_ARRAY_SIZE(table); i++) {
		struct tn_section_def def;

		tn_section_parse(table[i].name, &def);
		if (def.kind != table[i].kind || !def.rest ||
		    strcmp(def.rest, table[i].rest) != 0 || !def.ctx != !table[i].ctx ||
		    (def.ctx && strcmp(def.ctx, table[i].ctx) != 0))
			fail_msg("'%s': kind %d, context %s, rest '%s'", table[i].name,
				 (int)def.kind, def.ctx ? def.ctx : "none", def.rest);
	}
}

static void row_32_section_parse_gives_the_results_that_the_kernel_takes(void **state)
{
	struct tn_section_def def;

	(void)state;
	tn_section_parse("cgroup/skb", &def);
	assert_true(def.ret_checked && def.ret_min == 0 && def.ret_max == 1);
	tn_section_parse("cgroup_skb/egress", &def);
	assert_true(def.ret_checked && def.ret_min == 0 && def.ret_max == 3);
	tn_section_parse("tc", &def);
	assert_false(def.ret_checked);
	tn_section_parse("fentry.s/serve", &def);
	assert_true(def.ret_checked && def.ret_min == 0 && def.ret_max == 0);
	tn_section_parse("lsm/open", &def);
	assert_true(def.ret_checked && def.ret_min == -4095 && def.ret_max == 0);
	tn_section_parse("fmod_ret/serve", &def);
	assert_true(def.ret_min == INT32_MIN && def.ret_max == INT32_MAX);
}

/* The others belong to hooks of their name: docs/sections.md. */
static void section_contexts_are_known(void **state)
{
	static const struct {
		const char *prefix, *ctx;
	} rows[] = {
#define ANY				   0
#define TN_SECTION(prefix, form, ctx, ...) { prefix, ctx },
#include "loader/sections.def"
#undef TN_SECTION
#undef ANY
	};

	(void)state;
	for (size_t i = 0; i < TN_ARRAY_SIZE(rows); i++) {
		if (rows[i].ctx && !tn_ctx_builtin(rows[i].ctx))
			fail_msg("'%s': no context '%s'", rows[i].prefix, rows[i].ctx);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(row_32_section_parse_gives_the_results_that_the_kernel_takes),
		cmocka_unit_test(row_41_section_names_give_kind_context_and_rest),
		cmocka_unit_test(section_contexts_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
