/* SPDX-License-Identifier: MIT */
/* What a plugin sees of the host that mistakes.host describes. */
#ifndef MISTAKES_H
#define MISTAKES_H

#include <tenon/plugin.h>

struct connection;

struct request {
	__u32 kind;
	__u32 verdict;
	const __u8 *path;
	__u64 path_len;
	__u8 *body;
	__u32 body_len;
	__u32 flags;
	struct connection *conn;
	const char *user;  /* 16 bytes, or NULL */
	const __u8 *query; /* or NULL */
	__u64 query_len;
};

struct counter {
	__u64 hits;
	__u32 index, last;
	__u32 sizes[16];
};

struct event {
	__u32 kind;
	__u32 size;
	__u64 time;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32);
	__type(value, struct counter);
	__uint(max_entries, 64);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

extern int log_line(const void *text, __u64 size) __ksym;
extern int set_header(struct request *req, __u32 value) __ksym;
extern __u32 peer_port(struct connection *conn) __ksym;

static __always_inline struct counter *counter_of(__u32 kind)
{
	return bpf_map_lookup_elem(&counters, &kind);
}

#endif
