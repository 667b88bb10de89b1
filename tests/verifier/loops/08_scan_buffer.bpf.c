// SPDX-License-Identifier: MIT
// Over all bytes of a buffer and its length, at most 64 KiB of it.
// verdict: free 720903
// result: 1
#include "loops.h"

LOOP(s)
{
	__u32 n = s->len, spaces = 0;

	if (n > 65536)
		n = 65536;
	for (__u32 i = 0; i < n; i++)
		spaces += s->buf[i] == ' ';
	return spaces;
}
