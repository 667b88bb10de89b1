/* SPDX-License-Identifier: MIT */
/* Helpers on packets. In a program whose context is no packet they fail. */
#include <errno.h>
#include <string.h>

#include "vm/helper_body.h"
#include "vm/interp.h"

#define BODY(name) TN_HELPER_BODY(, name)

/* ctx, offset, to, length. As in the kernel the target is cleared where the packet is too short. */
BODY(tn_helper_load_bytes)
{
	const unsigned char *data, *end;
	uint32_t off = (uint32_t)r2;
	void *to = (void *)(uintptr_t)r3;

	if (!tn_exec_packet(ex->prog, (const void *)(uintptr_t)r1, &data, &end) ||
	    off > end - data || (uint64_t)(end - data - off) < r4) {
		memset(to, 0, r4);
		return (uint64_t)-EFAULT;
	}
	memcpy(to, data + off, r4);
	return 0;
}

BODY(tn_helper_packet_len)
{
	const unsigned char *data, *end;

	if (!tn_exec_packet(ex->prog, (const void *)(uintptr_t)r1, &data, &end))
		return 0;
	return (uint64_t)(end - data);
}

/* The ones' complement sum of 32-bit words, not yet folded; 2^31 words do not overflow it. */
static uint64_t sum_words(const unsigned char *words, uint64_t bytes)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < bytes; i += 4) {
		uint32_t word;

		memcpy(&word, words + i, sizeof(word));
		sum += word;
	}
	return sum;
}

static uint64_t fold(uint64_t sum, int bits)
{
	uint64_t mask = (1ull << bits) - 1;

	while (sum > mask)
		sum = (sum & mask) + (sum >> bits);
	return sum;
}

/* from, its size, to, its size, seed: the checksum of seed - from + to, in 16 bits (Linux 6.13).
 * Zero has two representations; the order of complements decides which, so it is the kernel's. */
BODY(tn_helper_csum_diff)
{
	uint32_t seed = (uint32_t)r5;
	uint64_t from, sum;

	if (r2 % 4 || r4 % 4)
		return (uint64_t)-EINVAL;
	from = sum_words((const void *)(uintptr_t)r1, r2);
	sum = fold(sum_words((const void *)(uintptr_t)r3, r4) + seed, 32);
	if (r2 && r4)
		sum += (uint32_t)~fold(from, 32);
	else if (r2)
		sum = (uint32_t)~fold(from + (uint32_t)~seed, 32);
	return fold(fold(sum, 32), 16);
}
