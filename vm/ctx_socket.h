/* SPDX-License-Identifier: MIT */
/*
 * The host's side of the contexts of socket programs: sockops, sk_msg, sk_reuseport. Host and
 * programs see one layout, that of linux/bpf.h; flow_dissector and sk_skb programs are given a
 * struct tn_skb_host. Public in tenon.h as struct tenon_sock and so on (host-api asserts equality).
 */
#ifndef TN_VM_CTX_SOCKET_H
#define TN_VM_CTX_SOCKET_H

#include <stdint.h>

/* Behind handles of the types "tenon_sock" and "tenon_sock_common". */
struct tn_sock_host {
	uint32_t bound_dev_if, family, type, protocol, mark, priority;
	uint32_t src_ip4, src_ip6[4], src_port;
	uint16_t dst_port, zero;
	uint32_t dst_ip4, dst_ip6[4], state;
	int32_t rx_queue_mapping;
};

struct tn_sock_ops_host {
	uint32_t op;
	union {
		uint32_t args[4];
		uint32_t reply;
		uint32_t replylong[4];
	};
	uint32_t family, remote_ip4, local_ip4, remote_ip6[4], local_ip6[4];
	uint32_t remote_port, local_port, is_fullsock, snd_cwnd, srtt_us;
	uint32_t bpf_sock_ops_cb_flags, state, rtt_min, snd_ssthresh, rcv_nxt, snd_nxt, snd_una;
	uint32_t mss_cache, ecn_flags, rate_delivered, rate_interval_us, packets_out, retrans_out;
	uint32_t total_retrans, segs_in, data_segs_in, segs_out, data_segs_out, lost_out;
	uint32_t sacked_out, sk_txhash;
	uint64_t bytes_received, bytes_acked;
	struct tn_sock_host *sk;
	void *skb_data, *skb_data_end;
	uint32_t skb_len, skb_tcp_flags;
	uint64_t skb_hwtstamp;
};

struct tn_sk_msg_host {
	void *data, *data_end;
	uint32_t family, remote_ip4, local_ip4, remote_ip6[4], local_ip6[4];
	uint32_t remote_port, local_port, size;
	struct tn_sock_host *sk;
};

struct tn_sk_reuseport_host {
	void *data, *data_end;
	uint32_t len, eth_protocol, ip_protocol, bind_inany, hash;
	struct tn_sock_host *sk, *migrating_sk;
};

struct tn_flow_keys_host {
	uint16_t nhoff, thoff, addr_proto;
	uint8_t is_frag, is_first_frag, is_encap, ip_proto;
	uint16_t n_proto, sport, dport;
	union {
		struct {
			uint32_t ipv4_src, ipv4_dst;
		};
		struct {
			uint32_t ipv6_src[4], ipv6_dst[4];
		};
	};
	uint32_t flags, flow_label;
};

#endif
