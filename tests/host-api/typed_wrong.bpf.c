// SPDX-License-Identifier: MIT
/* One declaration that is not the host's; compiled once for each value of WRONG. */
#include <tenon/plugin.h>

struct conn;
struct peer;
struct conn___old;
enum verdict { NO = -1, YES };

/* The last ones are right: flavours, qualifiers, typedefs and enums for numbers are no difference.
 */
#if WRONG == 1
extern int t_ints(signed char a, u16 b, int c, u64 d) __ksym;
#define CALL t_ints(1, 2, 3, 4)
#elif WRONG == 2
extern u32 t_conn_id(struct peer *c) __ksym;
#define CALL t_conn_id(0)
#elif WRONG == 3
extern int t_verdict(u64 v) __ksym;
#define CALL t_verdict(1)
#elif WRONG == 4
extern int t_sum(const void *data, int len) __ksym;
#define CALL t_sum(0, 0)
#elif WRONG == 5
extern u64 t_length(const char *text) __ksym;
#define CALL t_length(0)
#elif WRONG == 6
extern u32 t_text_sig(struct peer *c, u32 n) __ksym;
#define CALL t_text_sig(0, 0)
#elif WRONG == 7
extern int t_conn_or(struct conn *c, ...) __ksym;
#define CALL t_conn_or(0)
#elif WRONG == 8
extern int t_verdict(enum verdict v) __ksym;
#define CALL t_verdict(1)
#elif WRONG == 9
extern u32 t_conn_or(const struct conn___old *c, unsigned int other) __ksym;
#define CALL t_conn_or(0, 9)
#elif WRONG == 10
extern u32 t_text_sig(struct conn___old *c, u32 n) __ksym;
#define CALL t_text_sig(0, 9)
#endif

SEC("hook/request")
long run(void *ctx)
{
	return CALL;
}

char _license[] SEC("license") = "MIT";
