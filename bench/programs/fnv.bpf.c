/* SPDX-License-Identifier: MIT */
/* FNV-1a over the packet, byte by byte: a chain of multiplications. */
#include "work.h"

WORK(fnv)
{
	__u32 hash = 2166136261u;

	for (int i = 0; i < WORK_BYTES; i++)
		hash = (hash ^ data[i]) * 16777619u;
	return hash;
}
