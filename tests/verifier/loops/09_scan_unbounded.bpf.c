// SPDX-License-Identifier: MIT
// Over all bytes of a buffer, however many.
// verdict: pays
// result: 1
#include "loops.h"

LOOP(s)
{
	__u32 spaces = 0;

	for (__u32 i = 0; i < s->len; i++)
		spaces += s->buf[i] == ' ';
	return spaces;
}
