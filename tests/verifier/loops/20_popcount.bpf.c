// SPDX-License-Identifier: MIT
// Clears a bit a round; the register does not move by a constant.
// verdict: pays
// result: 4
#include "loops.h"

LOOP(s)
{
	__u32 n = s->count, bits = 0;

	while (n) {
		n &= n - 1;
		bits++;
		OPAQUE(bits);
	}
	return bits;
}
