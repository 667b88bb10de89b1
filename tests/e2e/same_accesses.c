/* SPDX-License-Identifier: MIT */
/*
 * Which bytes of a context, and of the socket behind it, may be read and written: the kernel's
 * verdict and Tenon's on one program for each place, size and direction. Skipped, with the reason,
 * where bpf(2) is refused.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tenon/tenon.h>

#define SKIP	    77
#define NR(x)	    (sizeof(x) / sizeof((x)[0]))
#define MAX_INSNS   8
#define KERNEL_SIZE 8192

static const int sizes[] = { 1, 2, 4, 8 };

static struct table {
	const char *name;
	enum bpf_prog_type type;
	enum bpf_attach_type attach;
	const struct tenon_ctx_type *(*ctx)(void);
	int size;
	int result; /* that such a program may return */
	/* A pointer in the context that is followed, behind a test for NULL; -1: the context
	 * itself. `behind` bytes are there. */
	int through, behind;
	struct tenon_hook hook;
} tables[] = {
	{ "sockops",
	  BPF_PROG_TYPE_SOCK_OPS,
	  BPF_CGROUP_SOCK_OPS,
	  tenon_ctx_sock_ops,
	  sizeof(struct tenon_sock_ops),
	  1,
	  -1,
	  0,
	  { 0 } },
	{ "sockops_sk",
	  BPF_PROG_TYPE_SOCK_OPS,
	  BPF_CGROUP_SOCK_OPS,
	  tenon_ctx_sock_ops,
	  sizeof(struct tenon_sock_ops),
	  1,
	  184,
	  80,
	  { 0 } },
	{ "sk_msg",
	  BPF_PROG_TYPE_SK_MSG,
	  BPF_SK_MSG_VERDICT,
	  tenon_ctx_sk_msg,
	  80,
	  1,
	  -1,
	  0,
	  { 0 } },
	{ "sk_msg_sk",
	  BPF_PROG_TYPE_SK_MSG,
	  BPF_SK_MSG_VERDICT,
	  tenon_ctx_sk_msg,
	  80,
	  1,
	  72,
	  80,
	  { 0 } },
	{ "sk_reuseport",
	  BPF_PROG_TYPE_SK_REUSEPORT,
	  BPF_SK_REUSEPORT_SELECT_OR_MIGRATE,
	  tenon_ctx_sk_reuseport,
	  56,
	  1,
	  -1,
	  0,
	  { 0 } },
	{ "sk_reuseport_sk",
	  BPF_PROG_TYPE_SK_REUSEPORT,
	  BPF_SK_REUSEPORT_SELECT_OR_MIGRATE,
	  tenon_ctx_sk_reuseport,
	  56,
	  1,
	  40,
	  80,
	  { 0 } },
	{ "sk_reuseport_migrating",
	  BPF_PROG_TYPE_SK_REUSEPORT,
	  BPF_SK_REUSEPORT_SELECT_OR_MIGRATE,
	  tenon_ctx_sk_reuseport,
	  56,
	  1,
	  48,
	  80,
	  { 0 } },
	{ "flow_dissector",
	  BPF_PROG_TYPE_FLOW_DISSECTOR,
	  BPF_FLOW_DISSECTOR,
	  tenon_ctx_flow_dissector,
	  192,
	  0,
	  -1,
	  0,
	  { 0 } },
	{ "flow_dissector_keys",
	  BPF_PROG_TYPE_FLOW_DISSECTOR,
	  BPF_FLOW_DISSECTOR,
	  tenon_ctx_flow_dissector,
	  192,
	  0,
	  144,
	  56,
	  { 0 } },
	{ "sk_skb",
	  BPF_PROG_TYPE_SK_SKB,
	  BPF_SK_SKB_STREAM_VERDICT,
	  tenon_ctx_sk_skb,
	  192,
	  1,
	  -1,
	  0,
	  { 0 } },
	{ "sk_skb_sk",
	  BPF_PROG_TYPE_SK_SKB,
	  BPF_SK_SKB_STREAM_VERDICT,
	  tenon_ctx_sk_skb,
	  192,
	  1,
	  168,
	  80,
	  { 0 } },
};

static unsigned char size_code(int size)
{
	return size == 1 ? BPF_B : size == 2 ? BPF_H : size == 4 ? BPF_W : BPF_DW;
}

/* One access; then r0 and out. */
static size_t make(struct bpf_insn *at, const struct table *t, int off, int size, bool write)
{
	unsigned char base = BPF_REG_1, code = (unsigned char)(size_code(size) | BPF_MEM);
	size_t n = 0;

	at[n++] = (struct bpf_insn){ .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = t->result };
	if (t->through >= 0) {
		base = BPF_REG_2;
		at[n++] = (struct bpf_insn){ .code = BPF_LDX | BPF_DW | BPF_MEM,
					     .dst_reg = base,
					     .src_reg = BPF_REG_1,
					     .off = (short)t->through };
		if (strcmp(t->name, "flow_dissector_keys") != 0)
			at[n++] = (struct bpf_insn){ .code = BPF_JMP | BPF_JEQ | BPF_K,
						     .dst_reg = base,
						     .off = write ? 2 : 1 };
	}
	if (write) {
		at[n++] = (struct bpf_insn){ .code = BPF_ALU64 | BPF_MOV | BPF_K,
					     .dst_reg = BPF_REG_3 };
		at[n++] = (struct bpf_insn){ .code = (unsigned char)(BPF_STX | code),
					     .dst_reg = base,
					     .src_reg = BPF_REG_3,
					     .off = (short)off };
	} else {
		at[n++] = (struct bpf_insn){ .code = (unsigned char)(BPF_LDX | code),
					     .dst_reg = BPF_REG_3,
					     .src_reg = base,
					     .off = (short)off };
	}
	at[n++] = (struct bpf_insn){ .code = BPF_JMP | BPF_EXIT };
	return n;
}

static char kernel_log[KERNEL_SIZE];

static int in_kernel(const struct table *t, const struct bpf_insn *insns, size_t nr)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = t->attach,
		    .log_buf = kernel_log, .log_size = sizeof(kernel_log), .log_level = 1);
	int fd;

	kernel_log[0] = '\0';
	fd = bpf_prog_load(t->type, t->name, "GPL", insns, nr, &opts);
	if (fd < 0 && errno != EACCES && errno != EINVAL) {
		fprintf(stderr, "%s: bpf(2): %s\n", t->name, strerror(errno));
		exit(1);
	}
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static int in_tenon(struct tenon_runtime *rt, const struct table *t, const struct bpf_insn *insns,
		    size_t nr)
{
	struct tenon_insns code = {
		.sz = sizeof(code), .insns = insns, .nr_insns = nr, .hook = t->name
	};
	struct tenon_object *obj = tenon_object_open_insns(rt, &code, NULL);
	int rc = obj ? tenon_object_load(obj) : -errno;

	if (rc && rc != -EACCES && rc != -EINVAL) {
		fprintf(stderr, "%s: tenon: %s\n", t->name, tenon_last_error()->msg);
		exit(1);
	}
	if (obj)
		tenon_object_close(obj);
	return rc == 0;
}

static int compare(struct tenon_runtime *rt, struct table *t)
{
	struct tenon_hook_desc desc = { .sz = sizeof(desc), .name = t->name, .ctx = t->ctx() };
	int end = t->through < 0 ? t->size : t->behind, differ = 0, nr = 0, taken = 0;

	if (tenon_hook_register(rt, &t->hook, &desc)) {
		fprintf(stderr, "%s: %s\n", t->name, tenon_last_error()->msg);
		return 1;
	}
	for (int off = -1; off <= end; off++) {
		for (size_t i = 0; i < 2 * NR(sizes); i++) {
			struct bpf_insn insns[MAX_INSNS];
			bool write = i >= NR(sizes);
			int size = sizes[i % NR(sizes)], kernel, tenon;
			size_t n = make(insns, t, off, size, write);

			kernel = in_kernel(t, insns, n);
			tenon = in_tenon(rt, t, insns, n);
			nr++;
			taken += kernel;
			if (kernel == tenon)
				continue;
			differ++;
			printf("%s: a %s of %d at %d: kernel %s, tenon %s: %s\n", t->name,
			       write ? "write" : "read", size, off, kernel ? "takes" : "refuses",
			       tenon ? "takes" : "refuses",
			       tenon ? kernel_log : tenon_last_error()->msg);
		}
	}
	printf("%s: %d accesses, %d of them taken by the kernel, %d differ\n", t->name, nr, taken,
	       differ);
	return differ;
}

int main(void)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "probe", 4, 4, 1, NULL), differ = 0;
	struct tenon_runtime *rt = tenon_runtime_new(NULL);

	if (fd < 0) {
		printf("skipped: bpf(2) is refused here: %s\n", strerror(errno));
		return SKIP;
	}
	close(fd);
	if (!rt)
		return 1;
	for (size_t i = 0; i < NR(tables); i++)
		differ += compare(rt, &tables[i]);
	for (size_t i = 0; i < NR(tables); i++)
		tenon_hook_unregister(&tables[i].hook);
	if (tenon_runtime_free(rt))
		return 1;
	return differ != 0;
}
