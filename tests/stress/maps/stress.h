/* SPDX-License-Identifier: MIT */
/* What the plugin and the host of the stress test of maps share: keys, values, and how a value
 * tells by itself that it is whole. */
#ifndef TN_STRESS_MAPS_STRESS_H
#define TN_STRESS_MAPS_STRESS_H

#define VALUE_WORDS   24 /* three cache lines */
#define SAMPLE_WORDS  32
#define MAX_PRODUCERS 16
#define NR_ENTRIES    512 /* exactly as many as there are keys: tables are full */
#define LRU_ENTRIES   192
#define QUEUE_ENTRIES 64
#define NR_TIMED      16
#define NR_PORT_KEYS  8

enum { TIMER_INIT, TIMER_CALLBACK, TIMER_START, TIMER_CANCEL };

typedef unsigned int u32_t;
typedef unsigned long long u64_t;

/* A prefix of a trie, an opaque key of 16 bytes for the others. */
struct stress_key {
	u32_t bits;
	unsigned char data[12];
};

/* Word i of version `version` of the value of `key`: each word alone says whose it is. */
static inline u64_t stress_word(u32_t key, u32_t version, u32_t i)
{
	u32_t mix = (key + 1) * 0x9e3779b1u ^ version * 0x85ebca6bu ^ i * 0xc2b2ae35u;

	mix ^= mix >> 15;
	return (u64_t)version << 32 | mix * 0x2c1b3c6du;
}

/* What a firing is given and gives: the context's one member points to it. */
struct stress_op {
	struct stress_key key;
	u32_t index, flags;
	u64_t arg, result;
	u64_t value[SAMPLE_WORDS];
};

struct stress_ctx {
	struct stress_op *op;
	struct stress_object *object; /* a handle */
};

#endif
