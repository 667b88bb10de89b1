/* SPDX-License-Identifier: MIT */
/* The BTF writer, split BTF made with it, and the builtin types beside the system's headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/rt.h"
#include "vm/btf_build.h"
#include "vm/btf_builtin.h"
#include "vm/btf_merge.h"

static struct tn_rt rt;

static struct tn_btf *finish(struct tn_btf_builder *b)
{
	struct tn_btf *btf = tn_btf_build_finish(b);

	if (!btf)
		fail_msg("%s", tn_err_last()->msg);
	return btf;
}

/* One type of each kind. */
static struct tn_btf *build_all_kinds(const struct tn_btf *base)
{
	struct tn_btf_builder *b = tn_btf_build_new(&rt, base);
	uint32_t i, s, p, v, f, d;

	if (!b)
		return NULL;
	i = tn_btf_add_int(b, "int", 4, TN_BTF_INT_SIGNED);
	s = tn_btf_add_struct(b, TN_BTF_STRUCT, "node", 24);
	tn_btf_add_member(b, "next", tn_btf_build_next_id(b), 0, 0);
	tn_btf_add_member(b, "low", i, 64, 3);
	tn_btf_add_member(b, "high", i, 67, 29);
	tn_btf_add_member(b, "last", tn_btf_build_next_id(b), 128, 0);
	p = tn_btf_add_ptr(b, s);
	tn_btf_add_struct(b, TN_BTF_UNION, NULL, 8);
	tn_btf_add_member(b, "p", p, 0, 0);
	d = tn_btf_add_float(b, "double", 8);
	tn_btf_add_fwd(b, "later", true);
	tn_btf_add_array(b, d, i, 4);
	v = tn_btf_add_mod(b, TN_BTF_VOLATILE, i);
	v = tn_btf_add_mod(b, TN_BTF_CONST, v);
	tn_btf_add_mod(b, TN_BTF_RESTRICT, p);
	tn_btf_add_typedef(b, "node_t", s);
	tn_btf_add_type_tag(b, "user", i);
	tn_btf_add_enum(b, TN_BTF_ENUM, "small", 4, true);
	tn_btf_add_enum_value(b, "MINUS", (uint64_t)-1);
	tn_btf_add_enum(b, TN_BTF_ENUM64, "big", 8, false);
	tn_btf_add_enum_value(b, "HUGE", UINT64_MAX);
	f = tn_btf_add_func_proto(b, i);
	tn_btf_add_param(b, "n", p);
	tn_btf_add_param(b, NULL, 0);
	f = tn_btf_add_func(b, "fn", f, TN_BTF_EXTERN);
	v = tn_btf_add_var(b, "counter", v, TN_BTF_GLOBAL);
	tn_btf_add_datasec(b, ".data", 4);
	tn_btf_add_section_var(b, v, 0, 4);
	tn_btf_add_decl_tag(b, "tag", f, 0);
	return tn_btf_build_finish(b);
}

static void build_writes_every_kind(void **state)
{
	struct tn_btf *btf = build_all_kinds(NULL);
	bool seen[TN_BTF_NR_KINDS] = { false };
	const struct tn_btf_member *m;
	const struct tn_btf_type *t;
	uint32_t id;

	(void)state;
	if (!btf)
		fail_msg("%s", tn_err_last()->msg);
	for (id = 0; id < btf->nr_types; id++)
		seen[tn_btf_kind(tn_btf_type(btf, id))] = true;
	for (id = 0; id < TN_BTF_NR_KINDS; id++)
		assert_true(seen[id]);
	id = tn_btf_find(btf, "node", TN_BTF_STRUCT);
	t = tn_btf_type(btf, id);
	m = tn_btf_extra(t);
	assert_int_equal(tn_btf_vlen(t), 4);
	assert_true(tn_btf_kflag(t));
	assert_int_equal(tn_btf_member_bit_off(t, &m[2]), 67);
	assert_int_equal(tn_btf_member_bit_size(t, &m[2]), 29);
	assert_int_equal(tn_btf_member_bit_off(t, &m[3]), 128);
	assert_int_equal(tn_btf_align_of(btf, id), 8);
	assert_string_equal(tn_btf_str(btf, m[1].name_off), "low");
	tn_btf_free(btf);
}

static void build_writes_each_string_once(void **state)
{
	struct tn_btf_builder *b = tn_btf_build_new(&rt, NULL);
	struct tn_btf *btf;
	char name[16];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "t%03d", i % 200);
		tn_btf_add_int(b, name, 4, 0);
	}
	btf = finish(b);
	assert_int_equal(btf->nr_types, 1001);
	assert_int_equal(btf->strs.size, 1 + 200 * 5);
	tn_btf_free(btf);
}

static void build_keeps_its_first_error(void **state)
{
	struct tn_btf_builder *b = tn_btf_build_new(&rt, NULL);

	(void)state;
	tn_btf_add_member(b, "m", 1, 0, 0);
	assert_int_equal(tn_btf_add_int(b, "int", 4, 0), 0);
	assert_null(tn_btf_build_finish(b));
	assert_int_equal(errno, EINVAL);
	assert_string_equal(tn_err_last()->msg, "BTF: a member before any type");
	b = tn_btf_build_new(&rt, NULL);
	tn_btf_add_struct(b, TN_BTF_STRUCT, "s", 1u << 22);
	tn_btf_add_member(b, "far", 2, 1u << 24, 0);
	tn_btf_add_member(b, "bits", 2, (1u << 24) + 32, 4);
	assert_null(tn_btf_build_finish(b));
	assert_non_null(strstr(tn_err_last()->msg, "member 'bits' of 4 bits at bit 16777248"));
	b = tn_btf_build_new(&rt, NULL);
	tn_btf_add_ptr(b, 9);
	assert_null(tn_btf_build_finish(b));
	assert_non_null(strstr(tn_err_last()->msg, "refers to unknown type 9"));
}

static void build_leaks_nothing_when_an_allocation_fails(void **state)
{
	size_t before = tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_HEAP]);
	struct tn_btf *btf = NULL;

	(void)state;
	for (int64_t n = 1; !btf; n++) {
		tn_store_relaxed(&rt.mem.fail_after, n);
		btf = build_all_kinds(NULL);
		tn_store_relaxed(&rt.mem.fail_after, 0);
		if (!btf)
			assert_int_equal(tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_HEAP]), before);
	}
	tn_btf_free(btf);
	assert_int_equal(tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_HEAP]), before);
}

/* ---- Split ---- */

static void split_goes_on_where_its_base_ends(void **state)
{
	struct tn_btf *base = build_all_kinds(NULL), *split, *third;
	struct tn_btf_builder *b = tn_btf_build_new(&rt, base);
	uint32_t node = tn_btf_find(base, "node", TN_BTF_STRUCT), mine, flavour;

	(void)state;
	assert_int_equal(tn_btf_build_next_id(b), base->nr_types);
	mine = tn_btf_add_struct(b, TN_BTF_STRUCT, "mine", 24);
	tn_btf_add_member(b, "node", node, 0, 0);
	flavour = tn_btf_add_struct(b, TN_BTF_STRUCT, "node___new", 24);
	split = finish(b);
	assert_int_equal(mine, base->nr_types);
	assert_int_equal(split->nr_types, base->nr_types + 2);
	assert_int_equal(tn_btf_size_of(split, mine), 24);
	assert_int_equal(tn_btf_align_of(split, mine), 8);
	assert_string_equal(tn_btf_name(split, node), "node");
	assert_string_equal(tn_btf_name(split, mine), "mine");
	assert_int_equal(tn_btf_find(split, "node", TN_BTF_STRUCT), node);
	assert_int_equal(tn_btf_find(split, "mine", TN_BTF_STRUCT), mine);
	assert_int_equal(tn_btf_find(base, "mine", TN_BTF_STRUCT), 0);
	assert_ptr_equal(tn_btf_type(split, node), tn_btf_type(base, node));
	assert_null(tn_btf_type(split, split->nr_types));
	assert_null(tn_btf_type(base, mine));
	/* Both, in order of ids. */
	assert_int_equal(tn_btf_next_named(split, "node", 4, 0), node);
	assert_int_equal(tn_btf_next_named(split, "node", 4, node), flavour);
	assert_int_equal(tn_btf_next_named(split, "node", 4, flavour), 0);
	assert_int_equal(tn_btf_next_named(split, "node", 3, 0), 0);
	/* And one on top of that. */
	b = tn_btf_build_new(&rt, split);
	tn_btf_add_typedef(b, "third", mine);
	third = finish(b);
	assert_int_equal(tn_btf_size_of(third, tn_btf_find(third, "third", TN_BTF_TYPEDEF)), 24);
	assert_int_equal(tn_btf_find(third, "node", TN_BTF_STRUCT), node);
	tn_btf_free(third);
	tn_btf_free(split);
	tn_btf_free(base);
}

static void split_refuses_what_neither_has(void **state)
{
	struct tn_btf *base = build_all_kinds(NULL), *split;
	struct tn_btf_builder *b = tn_btf_build_new(&rt, base);

	(void)state;
	tn_btf_add_ptr(b, base->nr_types + 1);
	assert_null(tn_btf_build_finish(b));
	assert_int_equal(errno, EINVAL);
	assert_non_null(strstr(tn_err_last()->msg, "refers to unknown type"));
	/* On its own it means other types. */
	split = build_all_kinds(base);
	assert_non_null(split);
	assert_null(tn_btf_parse(&rt, tn_span_make(split->data, split->size)));
	tn_btf_free(split);
	tn_btf_free(base);
}

static void split_may_be_empty(void **state)
{
	struct tn_btf *base = build_all_kinds(NULL), *split;

	(void)state;
	split = finish(tn_btf_build_new(&rt, base));
	assert_int_equal(split->nr_types, base->nr_types);
	assert_int_not_equal(tn_btf_find(split, "node", TN_BTF_STRUCT), 0);
	tn_btf_free(split);
	tn_btf_free(base);
}

/* ---- Names ---- */

static void essential_len_ends_at_the_flavour(void **state)
{
	(void)state;
	assert_int_equal(tn_btf_essential_len("conn"), 4);
	assert_int_equal(tn_btf_essential_len("conn___v2"), 4);
	assert_int_equal(tn_btf_essential_len("a___b___c"), 5);
	assert_int_equal(tn_btf_essential_len("conn____v2"), 10);
	assert_int_equal(tn_btf_essential_len("___v2"), 5);
	assert_int_equal(tn_btf_essential_len("conn___"), 7);
	assert_int_equal(tn_btf_essential_len("a___b"), 1);
	assert_int_equal(tn_btf_essential_len(""), 0);
}

static void find_gives_the_lowest_of_a_name(void **state)
{
	struct tn_btf_builder *b = tn_btf_build_new(&rt, NULL);
	struct tn_btf *btf;

	(void)state;
	for (int i = 0; i < 50; i++) {
		tn_btf_add_fwd(b, "s", false);
		tn_btf_add_struct(b, TN_BTF_STRUCT, "s", 4);
		tn_btf_add_struct(b, TN_BTF_STRUCT, i % 2 ? "s___x" : "t", 8);
	}
	btf = finish(b);
	assert_int_equal(tn_btf_find(btf, "s", TN_BTF_STRUCT), 2);
	assert_int_equal(tn_btf_find(btf, "s", TN_BTF_FWD), 1);
	assert_int_equal(tn_btf_find(btf, "s", TN_BTF_UNION), 0);
	assert_int_equal(tn_btf_find(btf, "s___x", TN_BTF_STRUCT), 6);
	assert_int_equal(tn_btf_find(btf, "", TN_BTF_STRUCT), 0);
	for (uint32_t id = 0, last = 0, nr = 0; nr <= 125; nr++, last = id) {
		id = tn_btf_next_named(btf, "s", 1, last);
		assert_true(nr == 125 ? id == 0 : id > last);
	}
	/* From an id of another name on. */
	assert_int_equal(tn_btf_next_named(btf, "s", 1, 3), 4);
	tn_btf_free(btf);
}

/* ---- Builtin types ---- */

/* Bits from the start of type `id` to a member, through structs without a name. */
static bool find_member(const struct tn_btf *btf, uint32_t id, const char *name, uint64_t *bit,
			uint64_t *size)
{
	const struct tn_btf_type *t = tn_btf_type(btf, id);
	const struct tn_btf_member *m = tn_btf_extra(t);

	for (uint32_t i = 0; i < tn_btf_vlen(t); i++) {
		const char *own = tn_btf_str(btf, m[i].name_off);
		uint64_t off = tn_btf_member_bit_off(t, &m[i]);

		if (!strcmp(own, name)) {
			*bit = off;
			*size = tn_btf_member_bit_size(t, &m[i]);
			if (!*size)
				*size = (uint64_t)tn_btf_size_of(btf, m[i].type) * 8;
			return true;
		}
		if (!*own && find_member(btf, m[i].type, name, bit, size)) {
			*bit += off;
			return true;
		}
	}
	return false;
}

static void expect_member(const char *type, const char *name, uint64_t byte, uint64_t bytes)
{
	const struct tn_btf *btf = tn_btf_builtin(&rt);
	uint32_t id = tn_btf_find(btf, type, TN_BTF_STRUCT);
	uint64_t bit, bits;

	if (!id || !find_member(btf, id, name, &bit, &bits))
		fail_msg("no %s.%s", type, name);
	if (bit != byte * 8 || bits != bytes * 8)
		fail_msg("%s.%s is at bit %d, %d long, expected %d, %d", type, name, (int)bit,
			 (int)bits, (int)byte * 8, (int)bytes * 8);
}

static void expect_size(const char *type, size_t size)
{
	const struct tn_btf *btf = tn_btf_builtin(&rt);
	uint32_t id = tn_btf_find(btf, type, TN_BTF_STRUCT);

	if (tn_btf_size_of(btf, id) != (int64_t)size)
		fail_msg("%s has %d bytes, expected %zu", type, (int)tn_btf_size_of(btf, id), size);
}

#define M(s, m) expect_member(#s, #m, offsetof(struct s, m), sizeof(((struct s *)0)->m))
#define S(s)	expect_size(#s, sizeof(struct s))

static void builtin_packet_headers_are_as_the_headers_say(void **state)
{
	uint64_t bit, bits;
	const struct tn_btf *btf = tn_btf_builtin(&rt);

	(void)state;
	if (!btf)
		fail_msg("%s", tn_err_last()->msg);
	S(ethhdr), M(ethhdr, h_dest), M(ethhdr, h_source), M(ethhdr, h_proto);
	S(iphdr), M(iphdr, tos), M(iphdr, tot_len), M(iphdr, frag_off), M(iphdr, ttl);
	M(iphdr, protocol), M(iphdr, check), M(iphdr, saddr), M(iphdr, daddr), M(iphdr, addrs);
	S(ipv6hdr), M(ipv6hdr, flow_lbl), M(ipv6hdr, payload_len), M(ipv6hdr, nexthdr);
	M(ipv6hdr, hop_limit), M(ipv6hdr, saddr), M(ipv6hdr, daddr), M(ipv6hdr, addrs);
	S(in6_addr), M(in6_addr, in6_u), S(arphdr), M(arphdr, ar_op), M(arphdr, ar_hln);
	S(tcphdr), M(tcphdr, source), M(tcphdr, seq), M(tcphdr, ack_seq), M(tcphdr, window);
	M(tcphdr, check), M(tcphdr, urg_ptr), S(udphdr), M(udphdr, len), M(udphdr, check);
	S(icmphdr), M(icmphdr, checksum), M(icmphdr, un), S(icmp6hdr), M(icmp6hdr, icmp6_dataun);
	expect_size("vlan_hdr", 4);
	expect_size("vlan_ethhdr", 18);
	assert_true(
		find_member(btf, tn_btf_find(btf, "tcphdr", TN_BTF_STRUCT), "syn", &bit, &bits));
	assert_true(bit == 105 && bits == 1);
	assert_true(
		find_member(btf, tn_btf_find(btf, "tcphdr", TN_BTF_STRUCT), "doff", &bit, &bits));
	assert_true(bit == 100 && bits == 4);
	assert_true(
		find_member(btf, tn_btf_find(btf, "iphdr", TN_BTF_STRUCT), "version", &bit, &bits));
	assert_true(bit == 4 && bits == 4);
}

static void builtin_contexts_are_as_the_headers_say(void **state)
{
	(void)state;
	S(xdp_md), M(xdp_md, data), M(xdp_md, data_end), M(xdp_md, data_meta);
	M(xdp_md, egress_ifindex), S(__sk_buff), M(__sk_buff, mark), M(__sk_buff, cb);
	M(__sk_buff, tc_classid), M(__sk_buff, data_end), M(__sk_buff, remote_ip6);
	M(__sk_buff, local_port), M(__sk_buff, data_meta), M(__sk_buff, flow_keys);
	M(__sk_buff, tstamp), M(__sk_buff, gso_segs), M(__sk_buff, sk), M(__sk_buff, gso_size);
	M(__sk_buff, tstamp_type), M(__sk_buff, hwtstamp);
	S(bpf_sock), M(bpf_sock, src_port), M(bpf_sock, dst_port), M(bpf_sock, rx_queue_mapping);
	S(bpf_flow_keys), M(bpf_flow_keys, ipv6_dst), M(bpf_flow_keys, flow_label);
	expect_size("bpf_sock_ops", 224); /* since 6.2 with skb_hwtstamp */
	M(bpf_sock_ops, state), M(bpf_sock_ops, bytes_acked);
	M(bpf_sock_ops, sk), M(bpf_sock_ops, skb_data_end), M(bpf_sock_ops, skb_tcp_flags);
	S(sk_msg_md), M(sk_msg_md, data_end), M(sk_msg_md, size), M(sk_msg_md, sk);
	S(sk_reuseport_md), M(sk_reuseport_md, hash), M(sk_reuseport_md, migrating_sk);
	S(bpf_sk_lookup), M(bpf_sk_lookup, cookie), M(bpf_sk_lookup, remote_port);
	M(bpf_sk_lookup, ingress_ifindex), S(bpf_sock_addr), M(bpf_sock_addr, sk);
	S(bpf_sock_tuple), M(bpf_sock_tuple, ipv6), S(bpf_sysctl), M(bpf_sysctl, file_pos);
	expect_member("trace_event_raw_sys_enter", "args", 16, 48);
	expect_member("bpf_raw_tracepoint_args", "args", 0, 0);
#ifdef __x86_64__
	expect_size("pt_regs", 168);
	expect_member("pt_regs", "di", 112, 8);
	expect_member("pt_regs", "rdi", 112, 8);
	expect_member("pt_regs", "ip", 128, 8);
	expect_member("pt_regs", "ss", 160, 8);
	expect_size("bpf_perf_event_data", 184);
#else
	expect_size("pt_regs", 272);
	expect_size("bpf_perf_event_data", 288);
#endif
}

static void builtin_is_made_once_and_survives_a_failed_allocation(void **state)
{
	struct tn_rt own;
	const struct tn_btf *btf = NULL;
	size_t before;
	int64_t n;

	(void)state;
	assert_int_equal(tn_rt_init(&own, NULL), 0);
	before = tn_load_relaxed(&own.mem.bytes[TN_CHARGE_HEAP]);
	for (n = 1; !btf; n++) {
		tn_store_relaxed(&own.mem.fail_after, n);
		btf = tn_btf_builtin(&own);
		tn_store_relaxed(&own.mem.fail_after, 0);
		if (!btf)
			assert_int_equal(tn_load_relaxed(&own.mem.bytes[TN_CHARGE_HEAP]), before);
	}
	assert_ptr_equal(tn_btf_builtin(&own), btf);
	tn_rt_fini(&own);
	assert_true(n > 5);
	assert_true(tn_load_relaxed(&own.mem.bytes[TN_CHARGE_HEAP]) <= before);
}

static struct tn_btf *two_structs(struct tn_rt *own)
{
	struct tn_btf_builder *b = tn_btf_build_new(own, NULL);
	uint32_t i = tn_btf_add_int(b, "int", 4, TN_BTF_INT_SIGNED), inner;

	inner = tn_btf_add_struct(b, TN_BTF_STRUCT, "inner", 8);
	tn_btf_add_member(b, "x", i, 0, 0);
	tn_btf_add_member(b, "y", i, 32, 0);
	tn_btf_add_struct(b, TN_BTF_STRUCT, "outer", 16);
	tn_btf_add_member(b, "a", inner, 0, 0);
	tn_btf_add_member(b, "b", inner, 64, 0);
	return tn_btf_build_finish(b);
}

/* The n-th allocation fails, n = 1, 2, ...: NULL with words, and nothing is lost. */
static void copies_leak_nothing_when_an_allocation_fails(void **state)
{
	unsigned char wanted[4] = { [3] = 1 }, bits[2] = { 1, 1 };
	unsigned char *members[4] = { [2] = &bits[0], [3] = &bits[1] };
	const struct tn_btf *list[2];
	size_t before;

	(void)state;
	assert_int_equal(tn_rt_init(&rt, NULL), 0);
	list[0] = two_structs(&rt);
	list[1] = two_structs(&rt);
	assert_true(list[0] && list[1]);
	before = tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_HEAP]);
	for (int part = 0; part < 2; part++) {
		struct tn_btf *made = NULL;
		int64_t n;

		for (n = 1; !made; n++) {
			tn_store_relaxed(&rt.mem.fail_after, n);
			made = part ? tn_btf_subset(&rt, list[0], wanted, members)
				    : tn_btf_merge(&rt, list, 2);
			tn_store_relaxed(&rt.mem.fail_after, 0);
			if (made)
				break;
			assert_int_equal(errno, ENOMEM);
			assert_int_equal(tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_HEAP]), before);
		}
		assert_true(n > 5);
		assert_int_equal(made->nr_types, 4);
		assert_int_equal(tn_btf_vlen(tn_btf_type(made, 3)), part ? 1 : 2);
		tn_btf_free(made);
	}
	tn_btf_free((struct tn_btf *)(uintptr_t)list[0]);
	tn_btf_free((struct tn_btf *)(uintptr_t)list[1]);
	tn_rt_fini(&rt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(build_writes_every_kind),
		cmocka_unit_test(build_writes_each_string_once),
		cmocka_unit_test(copies_leak_nothing_when_an_allocation_fails),
		cmocka_unit_test(build_keeps_its_first_error),
		cmocka_unit_test(build_leaks_nothing_when_an_allocation_fails),
		cmocka_unit_test(split_goes_on_where_its_base_ends),
		cmocka_unit_test(split_refuses_what_neither_has),
		cmocka_unit_test(split_may_be_empty),
		cmocka_unit_test(essential_len_ends_at_the_flavour),
		cmocka_unit_test(find_gives_the_lowest_of_a_name),
		cmocka_unit_test(builtin_packet_headers_are_as_the_headers_say),
		cmocka_unit_test(builtin_contexts_are_as_the_headers_say),
		cmocka_unit_test(builtin_is_made_once_and_survives_a_failed_allocation),
	};
	int failed;

	if (tn_rt_init(&rt, NULL))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	tn_rt_fini(&rt);
	return failed;
}
