// SPDX-License-Identifier: MIT
// No way out.
// verdict: rejected E_LOOP
#include "loops.h"

LOOP(s)
{
	__u32 x = s->count;

	for (;;) {
		x = x * 3 + 1;
		OPAQUE(x);
	}
	return x;
}
