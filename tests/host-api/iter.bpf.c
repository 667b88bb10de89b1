// SPDX-License-Identifier: MIT
/* Iterators as they are written for the kernel: over elements of maps, and over the host's
 * objects. */
#include <tenon/plugin.h>

struct bpf_iter_meta {
	struct seq_file *seq;
	u64 session_id, seq_num;
};

struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	void *key, *value;
};

struct conn {
	u32 id, bytes;
};

struct bpf_iter__conn {
	struct bpf_iter_meta *meta;
	struct conn *conn;
};

u64 sum, ended;

SEC("iter/bpf_map_elem")
int elements(struct bpf_iter__bpf_map_elem *ctx)
{
	static const char fmt[] = "%llu: %u = %llu\n";
	struct seq_file *seq = ctx->meta->seq;
	u32 *key = ctx->key;
	u64 *value = ctx->value, args[3];

	if (!key || !value) {
		ended++;
		bpf_seq_write(seq, "end\n", 4);
		return 0;
	}
	args[0] = ctx->meta->seq_num;
	args[1] = *key;
	args[2] = *value;
	sum += *value;
	bpf_seq_printf(seq, fmt, sizeof(fmt), args, sizeof(args));
	*value += 100;
	return 0;
}

SEC("iter/conn")
int conns(struct bpf_iter__conn *ctx)
{
	static const char fmt[] = "conn %u: %u bytes\n";
	struct conn *c = ctx->conn;
	u64 args[2];

	if (!c) {
		ended++;
		return 0;
	}
	args[0] = c->id;
	args[1] = c->bytes;
	bpf_seq_printf(ctx->meta->seq, fmt, sizeof(fmt), args, sizeof(args));
	return 0;
}

char _license[] SEC("license") = "GPL";
