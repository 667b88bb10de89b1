/* SPDX-License-Identifier: MIT */
/* Bytes as text (RFC 4648), for the BTF in a description of the host. */
#ifndef TN_HOST_BASE64_H
#define TN_HOST_BASE64_H

#include <stddef.h>
#include <sys/types.h>

#define TN_BASE64_CHARS(bytes) (((bytes) + 2) / 3 * 4)

/* `to` has room for TN_BASE64_CHARS(size) and a NUL. */
void tn_base64_encode(const unsigned char *from, size_t size, char *to);
/* Bytes written, at most `room`; -1: not base64, or too long. */
ssize_t tn_base64_decode(const char *from, unsigned char *to, size_t room);

#endif
