/* SPDX-License-Identifier: MIT */
/* One record of the ring buffer `samples`. */
#ifndef SAMPLE_H
#define SAMPLE_H

#define SAMPLE_PATH_BYTES 32

struct sample {
	unsigned long long time_ns;
	unsigned int client;
	unsigned int client_port;
	char path[SAMPLE_PATH_BYTES]; /* cut, with a NUL */
};

#endif
