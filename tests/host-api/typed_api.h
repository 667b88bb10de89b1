/* SPDX-License-Identifier: MIT */
/* The API header of a host: read by the test's compiler, by clang for the host's BTF, and by the
 * plugins. */
#ifndef TN_TESTS_TYPED_API_H
#define TN_TESTS_TYPED_API_H

#include <tenon/host.h>

struct tenon_map;

enum verdict { DENY = -1, PASS = 0, LIMIT = 7 };

struct stats {
	uint64_t sum;
	uint32_t nr, max;
};

TENON_TYPES_BEGIN
struct peer {
	uint32_t port;
	uint16_t family;
};

struct conn {
	uint32_t id;
	int32_t level;
	uint64_t bytes TENON_WRITABLE;
	struct conn *next;
	struct peer *peer TENON_TRUSTED;
	struct peer own;
	unsigned int secure : 3, depth : 5;
	char name[16];
	union {
		uint32_t word;
		uint8_t octets[4];
	};
	uint64_t secret TENON_HIDDEN;
	const char *label;
};

struct request {
	struct conn *conn TENON_NONNULL;
	const uint8_t *body TENON_SIZE_IS(body_len);
	uint32_t body_len;
	uint32_t mark TENON_WRITABLE;
	uint8_t *answer TENON_SIZE_IS(answer_len) TENON_WRITABLE TENON_NONNULL;
	uint32_t answer_len;
	unsigned int urgent : 1, weight : 7;
	uint16_t ports[4];
	struct {
		int32_t x, y;
	} at;
	struct conn *other;
};
TENON_TYPES_END

TENON_HELPER int32_t t_ints(int8_t a, uint16_t b, int32_t c, uint64_t d, bool e);
TENON_HELPER enum verdict t_verdict(enum verdict v);
TENON_HELPER uint32_t t_length(const char *text);
TENON_HELPER int32_t t_sum(const void *data TENON_SIZE_IS(len), uint32_t len);
TENON_HELPER void t_fill(void *data TENON_SIZE_IS(len), uint32_t len);
TENON_HELPER void t_number(uint32_t *out);
TENON_HELPER uint32_t t_read(const uint32_t *in);
TENON_HELPER void t_stats(struct stats *out TENON_OUT);
TENON_HELPER uint64_t t_add(const struct stats *in TENON_IN);
TENON_HELPER uint32_t t_conn_id(struct conn *c);
TENON_HELPER uint32_t t_conn_or(struct conn *c TENON_MAYBE_NULL, uint32_t other);
TENON_HELPER uint16_t t_peer_family(const struct peer *p);
TENON_HELPER TENON_ACQUIRE struct conn *t_get(uint32_t id);
TENON_HELPER TENON_RELEASE TENON_HELPER_FLAGS(CLEANUP) void t_put(struct conn *c);
TENON_HELPER uint32_t t_ctx(struct request *r TENON_CTX);
TENON_HELPER uint32_t t_map(struct tenon_map *map);
TENON_HELPER TENON_HELPER_FLAGS(MAY_ABORT) void t_stop(void);
TENON_HELPER uint32_t t_small(const void *data TENON_SIZE_IS(len), int8_t len);
TENON_HELPER uint32_t t_other_ctx(struct stats *s TENON_CTX);

/* What cannot be lent out. */
struct wide {
	__int128 x;
};
TENON_HELPER int t_format(const char *text, ...);
TENON_HELPER uint32_t t_array(const uint32_t *ids, uint32_t nr);
TENON_HELPER void t_fill_array(uint64_t *ids, int nr);
TENON_HELPER uint32_t t_counted(uint32_t nr, const uint32_t *ids);
TENON_HELPER uint32_t t_count_behind(const uint32_t *ids, struct conn *c, uint32_t nr);
TENON_HELPER int t_bytes(const char *name, uint32_t len);
TENON_HELPER int t_bytes_counted(uint32_t len, const char *name);
TENON_HELPER int t_bytes_far(const char *name, struct conn *c, uint32_t len);
TENON_HELPER void t_wide(struct wide *w TENON_OUT);
TENON_HELPER uint32_t t_bare_pointer(const void *data, uint32_t len);
TENON_HELPER uint32_t t_far_length(const void *data TENON_SIZE_IS(len), struct conn *c,
				   uint32_t len);
TENON_HELPER uint32_t t_elements(const uint64_t *data TENON_SIZE_IS(nr), uint32_t nr);
TENON_HELPER uint32_t t_by_value(struct stats s);
TENON_HELPER uint32_t t_pointers(struct conn *c TENON_OUT);
TENON_HELPER char *t_text(void);
TENON_HELPER TENON_RELEASE void t_nothing(uint32_t x);
TENON_HELPER TENON_HELPER_FLAGS(MAY_FLY) void t_flag(void);
TENON_HELPER uint32_t t_many(int a, int b, int c, int d, int e, int f);

#endif
