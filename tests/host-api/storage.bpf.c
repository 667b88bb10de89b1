// SPDX-License-Identifier: MIT
// Values of threads and of the host's sessions; -1: there is none.
#include <tenon/plugin.h>
#include "storage.h"

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, 1 /* BPF_F_NO_PREALLOC */);
	__type(key, int);
	__type(value, struct stored);
} threads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, 1);
	__type(key, int);
	__type(value, struct stored);
} sessions SEC(".maps");

static long use(struct stored *s)
{
	if (!s)
		return -1;
	return (long)++s->nr;
}

SEC("hook/of_thread")
long of_thread(struct storage_ctx *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct stored initial = { .nr = ctx->value, .first = ctx->value };
	struct stored *s;

	switch (ctx->op) {
	case ADD:
		return use(bpf_task_storage_get(&threads, task, NULL, 1));
	case ADD_FROM:
		return use(bpf_task_storage_get(&threads, task, &initial, 1));
	case DROP:
		return bpf_task_storage_delete(&threads, task);
	case FLAGS:
		return use(bpf_task_storage_get(&threads, task, NULL, 3));
	}
	s = bpf_task_storage_get(&threads, task, NULL, 0);
	return s ? (long)s->nr : -1;
}

SEC("hook/of_session")
long of_session(struct storage_ctx *ctx)
{
	struct session *session = ctx->session;
	struct stored initial = { .nr = ctx->value, .first = ctx->value };
	struct stored *s;

	if (!session)
		return -1000;
	switch (ctx->op) {
	case ADD:
		return use(bpf_sk_storage_get(&sessions, session, NULL, 1));
	case ADD_FROM:
		return use(bpf_sk_storage_get(&sessions, session, &initial, 1));
	case DROP:
		return bpf_sk_storage_delete(&sessions, session);
	}
	s = bpf_sk_storage_get(&sessions, session, NULL, 0);
	return s ? (long)s->nr : -1;
}

char _license[] SEC("license") = "GPL";
