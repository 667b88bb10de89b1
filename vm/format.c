/* SPDX-License-Identifier: MIT */
/*
 * bpf_snprintf and bpf_printk: the subset of printf that the kernel gives programs. The format is
 * checked as it is used; a pointer that %s or %pI4 follows is any number that a program made up, so
 * it is read through the kernel, which refuses instead of faulting.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/compiler.h"
#include "vm/helpers.h"

struct output {
	char *buf;
	size_t size;
	size_t len; /* needed, without the NUL */
};

struct spec {
	char flags[6];
	int width;
	char length;	 /* 0, 'l' or 'L' (ll) */
	char conversion; /* d i u x X c s p, or % */
	char kind;	 /* after p: 4 or 6 for addresses, else 0 */
	bool upper;	 /* pI: as opposed to pi */
};

#define MAX_WIDTH 512

static void put(struct output *out, const char *text, size_t len)
{
	if (out->len < out->size)
		memcpy(out->buf + out->len, text, TN_MIN(len, out->size - out->len));
	out->len += len;
}

/* Copy up to `size` bytes from an address that may not exist; how many could be had. */
static size_t read_untrusted(uint64_t addr, char *out, size_t size)
{
	size_t done = 0;

	while (done < size) {
		/* One page at a time: a transfer that meets a hole gives nothing of its segment. */
		size_t part = TN_MIN(size - done, 4096 - (addr + done) % 4096);
		struct iovec local = { out + done, part };
		struct iovec remote = { (void *)(uintptr_t)(addr + done), part };
		ssize_t got = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);

		if (got <= 0)
			break;
		done += (size_t)got;
		if (memchr(out + done - got, 0, (size_t)got))
			break;
	}
	return done;
}

/* Pad `text` to the width of the specification. */
static void put_padded(struct output *out, const struct spec *spec, const char *text, size_t len)
{
	size_t pad = spec->width > (int)len ? (size_t)spec->width - len : 0;
	bool left = strchr(spec->flags, '-') != NULL;

	if (left)
		put(out, text, len);
	while (pad--)
		put(out, " ", 1);
	if (!left)
		put(out, text, len);
}

static void put_string(struct output *out, const struct spec *spec, uint64_t addr)
{
	char text[256];
	size_t got = read_untrusted(addr, text, sizeof(text) - 1);

	if (!got) {
		put_padded(out, spec, "(efault)", 8);
		return;
	}
	text[got] = 0;
	put_padded(out, spec, text, strlen(text));
}

static void put_ipv6(struct output *out, const struct spec *spec, const unsigned char a[16])
{
	char text[48];
	int len = 0;

	for (int i = 0; i < 16; i += 2)
		len += snprintf(text + len, sizeof(text) - (size_t)len, "%s%02x%02x",
				i && spec->upper ? ":" : "", a[i], a[i + 1]);
	put_padded(out, spec, text, (size_t)len);
}

static void put_address(struct output *out, const struct spec *spec, uint64_t addr)
{
	unsigned char a[16] = { 0 };
	char text[16];
	size_t want = spec->kind == '4' ? 4 : 16, got = 0;
	int len;

	/* Zero bytes are no end here. */
	while (got < want && read_untrusted(addr + got, (char *)a + got, 1) == 1)
		got++;
	if (got < want) {
		put_padded(out, spec, "(efault)", 8);
		return;
	}
	if (spec->kind == '6') {
		put_ipv6(out, spec, a);
		return;
	}
	len = snprintf(text, sizeof(text), spec->upper ? "%u.%u.%u.%u" : "%03u.%03u.%03u.%03u",
		       a[0], a[1], a[2], a[3]);
	put_padded(out, spec, text, (size_t)len);
}

static void put_number(struct output *out, const struct spec *spec, uint64_t value)
{
	char format[32], text[MAX_WIDTH + 32];
	bool is_signed = spec->conversion == 'd' || spec->conversion == 'i';
	char width[12] = "";
	int len;

	if (!spec->length)
		value = is_signed ? (uint64_t)(int32_t)value : (uint32_t)value;
	if (spec->width)
		snprintf(width, sizeof(width), "%d", spec->width);
	snprintf(format, sizeof(format), "%%%s%sll%c", spec->flags, width, spec->conversion);
	len = snprintf(text, sizeof(text), format, (unsigned long long)value);
	put(out, text, (size_t)len);
}

static void put_value(struct output *out, const struct spec *spec, uint64_t value)
{
	char text[20];

	switch (spec->conversion) {
	case 'c':
		text[0] = (char)value;
		put_padded(out, spec, text, 1);
		break;
	case 's':
		put_string(out, spec, value);
		break;
	case 'p':
		if (spec->kind) {
			put_address(out, spec, value);
		} else {
			snprintf(text, sizeof(text), "%016llx", (unsigned long long)value);
			put_padded(out, spec, text, 16);
		}
		break;
	default:
		put_number(out, spec, value);
	}
}

/* After "%p": a kind of pointer. Those that name symbols in the kernel print the number. */
static const char *parse_pointer(const char *at, struct spec *spec)
{
	spec->conversion = 'p';
	if (*at && strchr("KxsSB", *at))
		return at + 1;
	if (*at != 'i' && *at != 'I')
		return isalnum((unsigned char)*at) ? NULL : at;
	spec->upper = *at == 'I';
	spec->kind = at[1];
	return spec->kind == '4' || spec->kind == '6' ? at + 2 : NULL;
}

/* What follows a '%'; where it ends, or NULL: not supported. */
static const char *parse_spec(const char *at, struct spec *spec)
{
	size_t nr_flags = 0;

	memset(spec, 0, sizeof(*spec));
	for (; *at && strchr("0+- ", *at); at++) {
		if (!strchr(spec->flags, *at))
			spec->flags[nr_flags++] = *at;
	}
	for (; isdigit((unsigned char)*at); at++) {
		spec->width = spec->width * 10 + (*at - '0');
		if (spec->width > MAX_WIDTH)
			return NULL;
	}
	if (*at == 'p')
		return parse_pointer(at + 1, spec);
	if (*at == 'c' || *at == 's') {
		spec->conversion = *at;
		return at + 1;
	}
	if (*at == 'l') {
		spec->length = 'l';
		at += at[1] == 'l' ? 2 : 1;
	}
	if (!*at || !strchr("diuxX", *at))
		return NULL;
	spec->conversion = *at;
	return at + 1;
}

/* No control characters but blanks, as in the kernel; newer ones let UTF-8 through. */
static bool is_plain_text(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == 0x7f || (c < ' ' && !(c >= '\t' && c <= '\r')))
			return false;
	}
	return true;
}

int tn_format(char *buf, uint32_t size, const char *fmt, const uint64_t *args, uint32_t nr_args)
{
	struct output out = { .buf = buf, .size = size };
	uint32_t used = 0;

	while (*fmt) {
		size_t plain = strcspn(fmt, "%");
		struct spec spec;

		if (!is_plain_text(fmt, plain))
			return -EINVAL;
		put(&out, fmt, plain);
		fmt += plain;
		if (!*fmt)
			break;
		if (fmt[1] == '%') {
			put(&out, "%", 1);
			fmt += 2;
			continue;
		}
		fmt = parse_spec(fmt + 1, &spec);
		if (!fmt || used == nr_args)
			return -EINVAL;
		put_value(&out, &spec, args[used++]);
	}
	if (size)
		buf[TN_MIN(out.len, (size_t)size - 1)] = 0;
	return (int)out.len + 1;
}

bool tn_format_reads_memory(const char *fmt)
{
	for (; *fmt; fmt++) {
		if (*fmt != '%')
			continue;
		fmt += 1 + strspn(fmt + 1, "-+ #0123456789.l");
		if (*fmt == 's' || (*fmt == 'p' && (fmt[1] == 'i' || fmt[1] == 'I')))
			return true;
		if (!*fmt)
			return false;
	}
	return false;
}
