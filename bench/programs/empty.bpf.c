/* SPDX-License-Identifier: MIT */
/* Nothing: what a call costs. */
#include "work.h"

WORK(empty)
{
	(void)data;
	return 0;
}
