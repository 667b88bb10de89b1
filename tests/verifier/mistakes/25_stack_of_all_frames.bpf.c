// SPDX-License-Identifier: MIT
// Each function fits, the nine frames of the calls do not.
// expect: E_CALL "frames" "8"
#include "mistakes.h"

#define LEVEL(n, next)                                  \
	static __noinline int level##n(volatile int *x) \
	{                                               \
		*x += n;                                \
		return next(x) + *x;                    \
	}

static __noinline int level9(volatile int *x)
{
	return *x;
}
LEVEL(8, level9)
LEVEL(7, level8) /* HERE */
LEVEL(6, level7)
LEVEL(5, level6)
LEVEL(4, level5)
LEVEL(3, level4)
LEVEL(2, level3)
LEVEL(1, level2)

SEC("hook/request")
int on_request(struct request *req)
{
	int x = (int)req->kind;

	return level1(&x) > 0;
}

char _license[] SEC("license") = "MIT";
