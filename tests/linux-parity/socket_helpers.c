/* SPDX-License-Identifier: MIT */
#include "socket_helpers.h"

#include <linux/bpf.h>
#include <string.h>

#define NR(a) (sizeof(a) / sizeof((a)[0]))

/* ---- Structures ---- */

#define SOCK(f) TENON_SCALAR(struct bpf_sock, f, TENON_R)
#define TCP(f)	TENON_SCALAR(struct bpf_tcp_sock, f, TENON_R)

/* What a socket has that is not full: one that waits, or asks to be connected. */
#define COMMON_FIELDS                                                                   \
	SOCK(bound_dev_if), SOCK(family), SOCK(src_ip4), SOCK(src_ip6), SOCK(src_port), \
		SOCK(dst_port), SOCK(dst_ip4), SOCK(dst_ip6), SOCK(state), SOCK(rx_queue_mapping)

static const struct tenon_field common_fields[] = { COMMON_FIELDS };
static const struct tenon_field sock_fields[] = {
	COMMON_FIELDS, SOCK(type), SOCK(protocol), SOCK(mark), SOCK(priority),
};
static const struct tenon_field tcp_fields[] = {
	TCP(snd_cwnd),	    TCP(srtt_us),	 TCP(rtt_min),	    TCP(snd_ssthresh),
	TCP(rcv_nxt),	    TCP(snd_nxt),	 TCP(snd_una),	    TCP(mss_cache),
	TCP(ecn_flags),	    TCP(rate_delivered), TCP(packets_out),  TCP(retrans_out),
	TCP(total_retrans), TCP(segs_in),	 TCP(data_segs_in), TCP(segs_out),
	TCP(data_segs_out), TCP(lost_out),	 TCP(sacked_out),
};

#define STRUCT(tag, c, f, of)                                                               \
	{                                                                                   \
		.sz = sizeof(struct tenon_struct_type), .name = tag, .size = sizeof(c),     \
		.fields = (f), .nr_fields = NR(f), .field_size = sizeof((f)[0]), .base = of \
	}

static const struct tenon_struct_type structs[] = {
	STRUCT("bpf_sock_common", struct bpf_sock, common_fields, NULL),
	STRUCT("bpf_sock", struct bpf_sock, sock_fields, "bpf_sock_common"),
	STRUCT("bpf_tcp_sock", struct bpf_tcp_sock, tcp_fields, "bpf_sock_common"),
	{ .sz = sizeof(struct tenon_struct_type),
	  .name = "tcp_sock", /* the kernel's own: no fields */
	  .size = sizeof(void *),
	  .base = "bpf_sock_common" },
};

/* ---- Functions ---- */

static uint64_t nothing(void)
{
	return 0;
}

static const struct {
	uint32_t id; /* 0: by name alone */
	const char *name, *sig;
} functions[] = {
	{ 84, "sk_lookup_tcp", "?acquire:bpf_sock(ctx, mem, size, u64, u64)" },
	{ 85, "sk_lookup_udp", "?acquire:bpf_sock(ctx, mem, size, u64, u64)" },
	{ 99, "skc_lookup_tcp", "?acquire:bpf_sock_common(ctx, mem, size, u64, u64)" },
	{ 86, "sk_release", "i64(release:bpf_sock_common)" },
	{ 95, "sk_fullsock", "?cast:bpf_sock(handle:bpf_sock_common)" },
	{ 96, "tcp_sock", "?cast:bpf_tcp_sock(handle:bpf_sock_common)" },
	{ 98, "get_listener_sock", "?handle:bpf_sock(handle:bpf_sock_common)" },
	{ 137, "skc_to_tcp_sock", "?cast:tcp_sock(handle:bpf_sock_common)" },
	{ 163, "check_mtu", "i64(ctx, u32, out:u32, i32, u64)" },
	{ 0, "bpf_lookup_user_key", "?acquire:bpf_key(u32, u64)" },
	{ 0, "bpf_lookup_system_key", "?acquire:bpf_key(u64)" },
	{ 0, "bpf_key_put", "void(release:bpf_key)" },
};

int socket_helpers_add(struct tenon_runtime *rt)
{
	for (size_t i = 0; i < NR(structs); i++)
		if (tenon_runtime_add_struct(rt, &structs[i]))
			return -1;
	for (size_t i = 0; i < NR(functions); i++) {
		struct tenon_helper_opts opts = { .sz = sizeof(opts), .id = functions[i].id };

		if (tenon_runtime_add_helper(rt, functions[i].name, functions[i].sig,
					     TENON_FN(nothing), &opts))
			return -1;
	}
	return 0;
}
