// SPDX-License-Identifier: MIT
/* Programs of sockets, with the contexts of the kernel's header. */
#include <linux/bpf.h>
#include <tenon/plugin.h>

/* Copied in test_sockets.c. */
struct seen {
	u32 family, port, uid, window;
	u64 cookie;
	long set_rc, get_rc, unknown;
} seen;

SEC("sockops")
int answers(struct bpf_sock_ops *ops)
{
	struct bpf_sock *sk = ops->sk;
	u8 *header = ops->skb_data, *end = ops->skb_data_end;
	int value = 7;

	if (ops->op != BPF_SOCK_OPS_TIMEOUT_INIT)
		return 0;
	if (sk) {
		seen.family = sk->family;
		seen.port = sk->dst_port;
	}
	if (header + 16 <= end)
		seen.window = header[14] << 8 | header[15];
	seen.cookie = bpf_get_socket_cookie(ops);
	seen.set_rc = bpf_setsockopt(ops, 6, 1, &value, sizeof(value));
	seen.get_rc = bpf_getsockopt(ops, 6, 1, &value, sizeof(value));
	seen.unknown = bpf_sock_ops_cb_flags_set(ops, 0x101);
	ops->reply = value + ops->bpf_sock_ops_cb_flags;
	return 1;
}

SEC("sk_msg")
int censors(struct sk_msg_md *msg)
{
	char *data, *end;

	if (bpf_msg_pull_data(msg, 0, 4, 0))
		return SK_DROP;
	data = msg->data;
	end = msg->data_end;
	if (data + 4 > end)
		return SK_DROP;
	data[0] = '*';
	bpf_msg_apply_bytes(msg, 3);
	bpf_msg_cork_bytes(msg, 5);
	return msg->sk->family == 2 && msg->size == 4 ? SK_PASS : SK_DROP;
}

SEC("sk_reuseport/migrate")
int chooses(struct sk_reuseport_md *reuse)
{
	u8 *data = reuse->data, *end = reuse->data_end, byte = 0;

	if (data + 2 > end || bpf_skb_load_bytes(reuse, 1, &byte, 1))
		return SK_DROP;
	if (reuse->migrating_sk && reuse->migrating_sk->state == 10)
		return SK_DROP;
	return byte == data[1] && reuse->sk->src_port == 80 && reuse->len == 9 ? SK_PASS : SK_DROP;
}

SEC("sk_skb/stream_parser")
int measures(struct __sk_buff *skb)
{
	u8 *data = (u8 *)(long)skb->data, *end = (u8 *)(long)skb->data_end;

	seen.uid = bpf_get_socket_uid(skb);
	skb->priority = 5;
	if (data + 2 > end)
		return 0;
	data[1] = 'x';
	return data[0];
}

SEC("flow_dissector")
int dissects(struct __sk_buff *skb)
{
	u8 *data = (u8 *)(long)skb->data, *end = (u8 *)(long)skb->data_end;
	struct bpf_flow_keys *keys = skb->flow_keys;

	if (data + 34 > end || keys->n_proto != 8)
		return BPF_DROP;
	keys->addr_proto = 0x0800;
	keys->ip_proto = data[23];
	keys->thoff = keys->nhoff + 20;
	__builtin_memcpy(&keys->ipv4_src, data + 26, 8);
	return BPF_OK;
}
