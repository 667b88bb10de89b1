// SPDX-License-Identifier: MIT
// A copy of at most 256 bytes, as far as both buffers go.
// verdict: free 3079
// result: 122
#include "loops.h"

LOOP(s)
{
	for (__u32 i = 0; i < 256; i++) {
		if (i >= s->len || i >= s->out_len)
			break;
		s->out[i] = s->buf[i];
	}
	return s->out_len > 3 ? s->out[3] : 0;
}
