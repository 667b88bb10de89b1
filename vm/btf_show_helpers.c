/* SPDX-License-Identifier: MIT */
/*
 * bpf_snprintf_btf and bpf_seq_printf_btf. The address stands in a structure of the program's; what
 * it may be, and whether pointers may be shown as they are, the verifier decides
 * (verifier/btf_ptr.c). It is read as memory that may be gone.
 */
#include <errno.h>
#include <string.h>

#include "base/compiler.h"
#include "vm/btf_ptr.h"
#include "vm/btf_show.h"
#include "vm/helper_body.h"
#include "vm/image.h"
#include "vm/probe.h"

#define BODY(name) TN_HELPER_BODY(, name)

static uint64_t from_int(int64_t value)
{
	return (uint64_t)value;
}

const struct tn_btf *tn_btf_ptr_type(const struct tn_rt *rt, const struct tn_btf *own, uint32_t id,
				     uint32_t *type)
{
	uint32_t which = id >> TN_BTF_TARGET_SHIFT;

	if (id & TN_BTF_LOCAL) {
		*type = id & ~TN_BTF_LOCAL;
		return own;
	}
	*type = id & (UINT32_MAX >> (32 - TN_BTF_TARGET_SHIFT));
	if (which == TN_BTF_TARGET_BUILTIN)
		return rt ? tn_load_acquire(&rt->builtin_btf) : NULL;
	return rt && which < TN_MAX_BTF_TARGETS ? tn_load_acquire(&rt->host_btf[which]) : NULL;
}

struct source {
	const struct tn_rt *rt;
	uint64_t addr;
	int (*put)(void *user, const char *text, size_t len);
	void *user;
};

static int read_source(void *user, void *to, uint64_t off, size_t size)
{
	const struct source *s = user;

	return tn_probe_read(s->rt, to, s->addr + off, size);
}

static int put_source(void *user, const char *text, size_t len)
{
	const struct source *s = user;

	return s->put(s->user, text, len);
}

/* In the kernel's order of errors. */
static int show(struct tn_exec *ex, uint64_t ptr, uint64_t size, uint64_t flags, struct source *s)
{
	const struct tn_image *image = ex->prog->image;
	struct tn_btf_show show = {
		.flags = (uint32_t)flags, .read = read_source, .put = put_source, .user = s
	};
	struct tn_btf_ptr p;

	if (flags & ~(uint64_t)TN_BTF_SHOW_ALL || size != sizeof(p))
		return -EINVAL;
	memcpy(&p, (const void *)(uintptr_t)ptr, sizeof(p));
	if (!p.type_id)
		return -EINVAL;
	show.btf = tn_btf_ptr_type(ex->rt, image ? image->btf : NULL, p.type_id, &show.type);
	if (!show.btf || !tn_btf_type(show.btf, show.type))
		return -ENOENT;
	s->rt = ex->rt;
	s->addr = p.ptr;
	return tn_btf_show(&show);
}

struct text {
	char *to;
	uint32_t size;
	uint64_t len; /* needed, without the NUL */
};

static int put_text(void *user, const char *text, size_t len)
{
	struct text *t = user;

	if (t->len < t->size)
		memcpy(t->to + t->len, text, TN_MIN(len, t->size - t->len));
	t->len += len;
	return 0;
}

/* to, its size, struct btf_ptr, its size, flags: the length needed. */
BODY(tn_helper_snprintf_btf)
{
	struct text t = { .to = (char *)(uintptr_t)r1, .size = (uint32_t)r2 };
	struct source s = { .put = put_text, .user = &t };
	int err = show(ex, r3, (uint32_t)r4, r5, &s);
	uint64_t used = t.size ? TN_MIN(t.len, t.size - 1u) : 0;

	/* The verifier takes the whole buffer as written. */
	memset(t.to + used, 0, t.size - used);
	return err ? from_int(err) : t.len;
}

#define BATCH 256

/* The host gets pieces that are worth its call. */
struct batch {
	const struct tn_seq_host *out;
	size_t len;
	char text[BATCH];
};

static int flush(struct batch *b)
{
	int rc = 0;

	if (b->len)
		rc = b->out->write ? b->out->write(b->out->user, b->text, b->len) : -EINVAL;
	b->len = 0;
	return TN_MIN(rc, 0);
}

static int put_seq(void *user, const char *text, size_t len)
{
	struct batch *b = user;
	int err = len > BATCH - b->len ? flush(b) : 0;

	if (err)
		return err;
	if (len > BATCH) {
		int rc = b->out->write ? b->out->write(b->out->user, text, len) : -EINVAL;

		return TN_MIN(rc, 0);
	}
	memcpy(b->text + b->len, text, len);
	b->len += len;
	return 0;
}

/* seq, struct btf_ptr, its size, flags */
BODY(tn_helper_seq_printf_btf)
{
	struct batch b = { .out = (const struct tn_seq_host *)(uintptr_t)r1 };
	struct source s = { .put = put_seq, .user = &b };
	int err = show(ex, r2, (uint32_t)r3, r4, &s), rest = flush(&b);

	return from_int(err ? err : rest);
}
