/* SPDX-License-Identifier: MIT */
#include "vm/testing.h"

#include <linux/bpf.h>

#include "vm/ctx_socket.h"
#include "vm/ctx_type.h"

#define CHECK(struct_name, field_name)                                                        \
	do {                                                                                  \
		const struct tn_field *f = tn_ctx_field_by_name(tn_ctx_builtin(#struct_name), \
								#field_name);                 \
		assert_non_null(f);                                                           \
		assert_int_equal(f->offset, offsetof(struct struct_name, field_name));        \
		assert_int_equal(f->size, sizeof(((struct struct_name *)0)->field_name));     \
	} while (0)

static void builtins_have_the_layout_of_the_kernel(void **state)
{
	(void)state;
	assert_int_equal(tn_ctx_builtin("xdp_md")->size, sizeof(struct xdp_md));
	assert_int_equal(tn_ctx_builtin("__sk_buff")->size, sizeof(struct __sk_buff));
	CHECK(xdp_md, data);
	CHECK(xdp_md, data_end);
	CHECK(xdp_md, data_meta);
	CHECK(xdp_md, ingress_ifindex);
	CHECK(xdp_md, rx_queue_index);
	CHECK(xdp_md, egress_ifindex);
	CHECK(__sk_buff, len);
	CHECK(__sk_buff, pkt_type);
	CHECK(__sk_buff, mark);
	CHECK(__sk_buff, queue_mapping);
	CHECK(__sk_buff, protocol);
	CHECK(__sk_buff, vlan_present);
	CHECK(__sk_buff, vlan_tci);
	CHECK(__sk_buff, vlan_proto);
	CHECK(__sk_buff, priority);
	CHECK(__sk_buff, ingress_ifindex);
	CHECK(__sk_buff, ifindex);
	CHECK(__sk_buff, tc_index);
	CHECK(__sk_buff, cb);
	CHECK(__sk_buff, hash);
	CHECK(__sk_buff, tc_classid);
	CHECK(__sk_buff, data);
	CHECK(__sk_buff, data_end);
	CHECK(__sk_buff, napi_id);
	CHECK(__sk_buff, family);
	CHECK(__sk_buff, remote_ip4);
	CHECK(__sk_buff, local_ip4);
	CHECK(__sk_buff, remote_ip6);
	CHECK(__sk_buff, local_ip6);
	CHECK(__sk_buff, remote_port);
	CHECK(__sk_buff, local_port);
	CHECK(__sk_buff, data_meta);
	CHECK(__sk_buff, tstamp);
	CHECK(__sk_buff, wire_len);
	CHECK(__sk_buff, gso_segs);
	CHECK(__sk_buff, gso_size);
	CHECK(__sk_buff, sk);
	CHECK(__sk_buff, hwtstamp);
}

static void builtin_fields_are_sorted_and_stay_inside(void **state)
{
	static const char *const names[] = {
		"xdp_md",	   "__sk_buff",	     "__sk_buff/socket",
		"tracepoint",	   "raw_tracepoint", "raw_tracepoint.w",
		"syscall",	   "pt_regs",	     "perf_event",
		"sysctl",	   "bpf_sock_ops",   "sk_msg_md",
		"sk_reuseport_md", "flow_dissector", "sk_skb"
	};

	(void)state;
	for (size_t i = 0; i < TN_ARRAY_SIZE(names); i++) {
		const struct tn_ctx_type *type = tn_ctx_builtin(names[i]);
		uint32_t end = 0;

		for (uint32_t f = 0; f < type->nr_fields; f++) {
			const struct tn_field *field = &type->fields[f];

			assert_non_null(field->name);
			assert_true(field->offset >= end);
			end = field->offset + field->size;
			assert_true(end <= type->size);
			assert_true(field->host_offset + field->host_size <= type->host_size);
			if (field->peer < 0)
				continue;
			assert_true((uint32_t)field->peer < type->nr_fields);
			assert_true(type->fields[field->peer].kind == TN_FIELD_REGION ||
				    type->fields[field->peer].kind == TN_FIELD_REGION_END);
		}
	}
}

static void socket_structs_have_the_layout_of_the_kernel(void **state)
{
	(void)state;
	assert_int_equal(sizeof(struct tn_sock_host), sizeof(struct bpf_sock));
	assert_int_equal(offsetof(struct tn_sock_host, dst_port),
			 offsetof(struct bpf_sock, dst_port));
	assert_int_equal(offsetof(struct tn_sock_host, state), offsetof(struct bpf_sock, state));
	assert_int_equal(offsetof(struct tn_sock_ops_host, sk_txhash),
			 offsetof(struct bpf_sock_ops, sk_txhash));
	assert_int_equal(offsetof(struct tn_sock_ops_host, sk), offsetof(struct bpf_sock_ops, sk));
	assert_int_equal(offsetof(struct tn_sock_ops_host, skb_tcp_flags),
			 offsetof(struct bpf_sock_ops, skb_tcp_flags));
	assert_int_equal(sizeof(struct tn_sk_msg_host), sizeof(struct sk_msg_md));
	assert_int_equal(sizeof(struct tn_sk_reuseport_host), sizeof(struct sk_reuseport_md));
	assert_int_equal(sizeof(struct tn_flow_keys_host), sizeof(struct bpf_flow_keys));
	CHECK(bpf_sock_ops, reply);
	CHECK(bpf_sock_ops, skb_data);
	CHECK(sk_msg_md, remote_ip6);
	CHECK(sk_msg_md, sk);
	CHECK(sk_reuseport_md, migrating_sk);
	assert_string_equal(tn_ctx_builtin_struct("tenon_sock")->base, "tenon_sock_common");
	assert_null(tn_ctx_builtin_struct("bpf_sock"));
}

static void parts_of_fields_are_those_of_the_kernel(void **state)
{
	const struct tn_ctx_type *reuse = tn_ctx_builtin("sk_reuseport_md");
	const struct tn_field *proto = tn_ctx_field_by_name(reuse, "eth_protocol");
	const struct tn_field *port = tn_ctx_field_by_name(tn_ctx_builtin_struct("tenon_sock"),
							   "dst_port");

	(void)state;
	assert_true(tn_field_takes(proto, 22, 2, false));
	assert_false(tn_field_takes(proto, 21, 2, false));
	assert_false(tn_field_takes(proto, 20, 1, false));
	assert_true(tn_field_takes(proto, 20, 4, false));
	assert_true(tn_field_takes(port, 49, 1, false));
	assert_false(tn_field_takes(port, 50, 2, false));
	assert_true(tn_field_takes(port, 48, 4, false));
}

static void builtin_is_found_by_section_name(void **state)
{
	(void)state;
	assert_ptr_equal(tn_ctx_builtin("xdp"), tn_ctx_builtin("xdp_md"));
	assert_ptr_equal(tn_ctx_builtin("xdp.frags/devmap"), tn_ctx_builtin("xdp_md"));
	assert_ptr_equal(tn_ctx_builtin("tc"), tn_ctx_builtin("__sk_buff"));
	assert_ptr_equal(tn_ctx_builtin("tcx/ingress"), tn_ctx_builtin("__sk_buff"));
	assert_ptr_equal(tn_ctx_builtin("socket"), tn_ctx_builtin("__sk_buff/socket"));
	assert_null(tn_ctx_field_by_name(tn_ctx_builtin("socket"), "data"));
	assert_null(tn_ctx_builtin("xdpx"));
	assert_null(tn_ctx_builtin("kprobe/x"));
	assert_null(tn_ctx_builtin(""));
}

static void field_at_wants_the_whole_access_inside(void **state)
{
	const struct tn_ctx_type *type = tn_ctx_builtin("__sk_buff");

	(void)state;
	assert_string_equal(tn_ctx_field_at(type, 48, 4)->name, "cb");
	assert_string_equal(tn_ctx_field_at(type, 64, 4)->name, "cb");
	assert_null(tn_ctx_field_at(type, 66, 4));
	assert_null(tn_ctx_field_at(type, 144, 4)); /* a hole: flow_keys */
	assert_null(tn_ctx_field_at(type, 188, 8));
	assert_null(tn_ctx_field_at(type, 192, 1));
	assert_null(tn_ctx_field_at(type, 0, UINT32_MAX));
}

static void raw_type_is_one_field_of_bytes(void **state)
{
	struct tn_rt *rt = *state;
	struct tn_ctx_type *type = tn_ctx_type_raw(rt, 100), *empty = tn_ctx_type_raw(rt, 0);

	assert_non_null(tn_ctx_field_at(type, 92, 8));
	assert_null(tn_ctx_field_at(type, 93, 8));
	assert_null(tn_ctx_field_at(empty, 0, 1));
	tn_ctx_type_free(rt, type);
	tn_ctx_type_free(rt, empty);
	for (int n = 1; n <= 4; n++) {
		tn_store_relaxed(&rt->mem.fail_after, n);
		assert_null(tn_ctx_type_raw(rt, 8));
	}
	tn_store_relaxed(&rt->mem.fail_after, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(builtins_have_the_layout_of_the_kernel),
		TEST(builtin_fields_are_sorted_and_stay_inside),
		TEST(socket_structs_have_the_layout_of_the_kernel),
		TEST(parts_of_fields_are_those_of_the_kernel),
		TEST(builtin_is_found_by_section_name),
		TEST(field_at_wants_the_whole_access_inside),
		TEST(raw_type_is_one_field_of_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
