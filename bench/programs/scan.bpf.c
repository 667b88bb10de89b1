/* SPDX-License-Identifier: MIT */
/* A state machine over the packet: counts words, numbers and line ends, as a log parser would. */
#include "work.h"

WORK(scan)
{
	__u32 state = 0, words = 0, numbers = 0, lines = 0;

	for (int i = 0; i < WORK_BYTES; i++) {
		__u8 c = data[i];

		switch (state) {
		case 0:
			if (c >= '0' && c <= '9') {
				state = 1;
				numbers++;
			} else if (c > ' ') {
				state = 2;
				words++;
			}
			break;
		case 1:
			if (c < '0' || c > '9')
				state = c <= ' ' ? 0 : 2;
			break;
		default:
			if (c <= ' ')
				state = 0;
			break;
		}
		if (c == '\n')
			lines++;
	}
	return words << 16 | numbers << 8 | lines;
}
