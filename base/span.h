/* SPDX-License-Identifier: MIT */
/* Checked views of untrusted bytes. Offsets and sizes from a file stay uint64_t until they went
 * through tn_span_sub(); no pointer arithmetic on them before. */
#ifndef TN_BASE_SPAN_H
#define TN_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct tn_span {
	const unsigned char *data;
	size_t size;
};

static inline struct tn_span tn_span_make(const void *data, size_t size)
{
	return (struct tn_span){ data, size };
}

/* The bytes [off, off + len) of `s` into *out; false where they are not all inside. */
static inline bool tn_span_sub(struct tn_span s, uint64_t off, uint64_t len, struct tn_span *out)
{
	if (off > s.size || len > s.size - off)
		return false;
	*out = (struct tn_span){ s.data + off, (size_t)len };
	return true;
}

/* Copy `len` bytes at `off`, unaligned; false where they are not all inside. */
static inline bool tn_span_read(struct tn_span s, uint64_t off, void *out, size_t len)
{
	struct tn_span part;

	if (!tn_span_sub(s, off, len, &part))
		return false;
	memcpy(out, part.data, len);
	return true;
}

/* The NUL-terminated string at `off`, or NULL where it does not end inside. */
static inline const char *tn_span_str(struct tn_span s, uint64_t off)
{
	if (off >= s.size || !memchr(s.data + off, 0, s.size - off))
		return NULL;
	return (const char *)s.data + off;
}

#endif
