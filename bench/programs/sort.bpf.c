/* SPDX-License-Identifier: MIT */
/* Bubble sort of the first 32 bytes, in place, ascending and then descending: branches and stores.
 */
#include "work.h"

#define NR 32

WORK(sort)
{
	__u32 swaps = 0;

	for (int i = 0; i < NR - 1; i++)
		for (int j = 0; j < NR - 1; j++)
			if (data[j] > data[j + 1]) {
				__u8 t = data[j];

				data[j] = data[j + 1];
				data[j + 1] = t;
				swaps++;
			}
	for (int i = 0; i < NR / 2; i++) {
		__u8 t = data[i];

		data[i] = data[NR - 1 - i];
		data[NR - 1 - i] = t;
	}
	return swaps;
}
