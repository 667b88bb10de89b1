/* SPDX-License-Identifier: MIT */
/* RFC 4648, section 4, without line breaks. */
#include "host-api/base64.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void tn_base64_encode(const unsigned char *from, size_t size, char *to)
{
	for (size_t i = 0; i < size; i += 3) {
		size_t n = size - i < 3 ? size - i : 3;
		uint32_t bits = (uint32_t)from[i] << 16 | (n > 1 ? (uint32_t)from[i + 1] << 8 : 0) |
				(n > 2 ? from[i + 2] : 0u);

		*to++ = digits[bits >> 18];
		*to++ = digits[bits >> 12 & 63];
		*to++ = '=';
		*to++ = '=';
		if (n > 1)
			to[-2] = digits[bits >> 6 & 63];
		if (n > 2)
			to[-1] = digits[bits & 63];
	}
	*to = 0;
}

static int value_of(char c)
{
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

ssize_t tn_base64_decode(const char *from, unsigned char *to, size_t room)
{
	size_t len = strlen(from), nr = 0;

	if (len % 4)
		return -1;
	for (size_t i = 0; i < len; i += 4) {
		/* Padding stands at the end alone. */
		bool last = i + 4 == len;
		size_t n = last && from[i + 3] == '=' ? from[i + 2] == '=' ? 1 : 2 : 3;
		uint32_t bits = 0;

		for (size_t k = 0; k < n + 1; k++) {
			int v = value_of(from[i + k]);

			if (v < 0)
				return -1;
			bits |= (uint32_t)v << (18 - 6 * k);
		}
		if (room - nr < n)
			return -1;
		for (size_t k = 0; k < n; k++)
			to[nr++] = (unsigned char)(bits >> (16 - 8 * k));
	}
	return (ssize_t)nr;
}
