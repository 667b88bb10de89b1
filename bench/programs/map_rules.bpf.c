/* SPDX-License-Identifier: MIT */
/*
 * A packet filter of nr_keys rules: what a packet's rule says, found by its addresses and ports in
 * a hash table (RULES_HASH), by the prefix of its source in a trie (RULES_LPM), or by going through
 * a list of prefixes and ranges (RULES_LIST) until one fits, on average half of it. Packets are the
 * same for all three, and each has a rule.
 */
#include "map_loop.h"

struct packet {
	__u32 saddr, daddr;
	__u16 sport, dport;
	__u32 proto;
};

static __always_inline void make_packet(struct packet *packet, __u32 rule)
{
	packet->saddr = (rule * 0x9e3779b1u & ~0xffu) | 7;
	packet->daddr = rule * 0x85ebca6bu;
	packet->sport = 1024;
	packet->dport = rule;
	packet->proto = rule & 1 ? 6 : 17;
}

#if defined(RULES_HASH)
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1000);
	__type(key, struct packet);
	__type(value, __u64);
} map SEC(".maps");

static __always_inline void add(__u32 rule)
{
	struct packet packet;
	__u64 one = 1;

	make_packet(&packet, rule);
	bpf_map_update_elem(&map, &packet, &one, BPF_ANY);
}

static __always_inline __u64 match(struct packet *packet)
{
	__u64 *action = bpf_map_lookup_elem(&map, packet);

	return action ? *action : 0;
}

#elif defined(RULES_LPM)
struct prefix {
	__u32 length, addr;
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1000);
	__type(key, struct prefix);
	__type(value, __u64);
} map SEC(".maps");

static __always_inline void add(__u32 rule)
{
	struct packet packet;
	struct prefix prefix = { .length = 24 };
	__u64 one = 1;

	make_packet(&packet, rule);
	prefix.addr = bpf_htonl(packet.saddr & ~0xffu);
	bpf_map_update_elem(&map, &prefix, &one, BPF_ANY);
}

static __always_inline __u64 match(struct packet *packet)
{
	struct prefix prefix = { 32, bpf_htonl(packet->saddr) };
	__u64 *action = bpf_map_lookup_elem(&map, &prefix);

	return action ? *action : 0;
}

#elif defined(RULES_LIST)
struct rule {
	__u32 saddr, smask, daddr, dmask;
	__u16 sport[2], dport[2]; /* from, to */
	__u32 proto, action;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1000);
	__type(key, __u32);
	__type(value, struct rule);
} map SEC(".maps");

static __always_inline void add(__u32 index)
{
	struct packet packet;
	struct rule rule = { .smask = ~0xffu, .dmask = ~0u, .sport = { 0, 65535 }, .action = 1 };

	make_packet(&packet, index);
	rule.saddr = packet.saddr & rule.smask;
	rule.daddr = packet.daddr;
	rule.dport[0] = rule.dport[1] = packet.dport;
	rule.proto = packet.proto;
	bpf_map_update_elem(&map, &index, &rule, BPF_ANY);
}

struct search {
	struct packet packet;
	__u64 action;
};

static long try_rule(__u32 index, struct search *search)
{
	const struct packet *packet = &search->packet;
	const struct rule *rule = bpf_map_lookup_elem(&map, &index);

	if (!rule)
		return 1;
	if ((packet->saddr & rule->smask) != rule->saddr ||
	    (packet->daddr & rule->dmask) != rule->daddr || packet->sport < rule->sport[0] ||
	    packet->sport > rule->sport[1] || packet->dport < rule->dport[0] ||
	    packet->dport > rule->dport[1] || packet->proto != rule->proto)
		return 0;
	search->action = rule->action;
	return 1;
}

static __always_inline __u64 match(struct packet *packet)
{
	struct search search = { *packet, 0 };

	bpf_loop(nr_keys, try_rule, &search, 0);
	return search.action;
}
#endif

BENCH_PROGRAM(loop)
{
	FOR_RANDOM(x)
	{
		struct packet packet;

		make_packet(&packet, INDEX(x));
		STORED(packet);
	}
	return x;
}

static __u32 filled;

BENCH_PROGRAM(fill)
{
	__u32 at = filled;

	for (int i = 0; i < OPS && at < nr_keys; i++, at++)
		add(at);
	filled = at;
	return 0;
}

BENCH_PROGRAM(classify)
{
	__u64 sum = 0;

	FOR_RANDOM(x)
	{
		struct packet packet;

		make_packet(&packet, INDEX(x));
		sum += match(&packet);
	}
	return sum;
}

/* Each packet has a rule, and each action is 1. */
BENCH_PROGRAM(hits)
{
	__u64 sum = 0;

	FOR_RANDOM(x)
	{
		struct packet packet;

		make_packet(&packet, INDEX(x));
		sum += match(&packet);
	}
	return sum;
}

char _license[] SEC("license") = "MIT";
