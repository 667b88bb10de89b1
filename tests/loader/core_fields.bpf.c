/* SPDX-License-Identifier: MIT */
/* Records of fields: every kind, on every shape of field. */
#include "core/types.h"

#define INFO(access, kind) __builtin_preserve_field_info(access, kind)
enum { BYTE_OFF, BYTE_SIZE, EXISTS, SIGNED, LSHIFT, RSHIFT };

#define READ(name, access)                          \
	SEC("core") int read_##name(struct conn *c) \
	{                                           \
		return (int)(access);               \
	}
#define ALL(name, access)                                \
	SEC("core") u64 info_##name(struct conn *c)      \
	{                                                \
		u64 sum = INFO(access, BYTE_OFF);        \
                                                         \
		barrier_var(sum);                        \
		sum = sum * 3 + INFO(access, BYTE_SIZE); \
		barrier_var(sum);                        \
		sum = sum * 3 + INFO(access, EXISTS);    \
		barrier_var(sum);                        \
		return sum;                              \
	}
#define BITS(name, access)                            \
	SEC("core") u64 bits_##name(struct conn *c)   \
	{                                             \
		u64 sum = INFO(access, BYTE_OFF);     \
                                                      \
		barrier_var(sum);                     \
		sum = sum * 3 + INFO(access, LSHIFT); \
		barrier_var(sum);                     \
		sum = sum * 3 + INFO(access, RSHIFT); \
		barrier_var(sum);                     \
		sum = sum * 3 + INFO(access, SIGNED); \
		barrier_var(sum);                     \
		return sum;                           \
	}

READ(id, c->id)
READ(len, c->len)
READ(delta, c->delta)
READ(proto, c->proto)
READ(flag, c->flag)
READ(kind, c->kind)
READ(on, c->on)
READ(name, c->name[3])
READ(in, c->in[2].b)
READ(in_c, c->in[3].c[1])
READ(one, c->one.a)
READ(peer, c->peer->b)
READ(v4, c->v4)
READ(v6, c->v6[7])
READ(anon_a, c->anon_a)
READ(anon_b, c->anon_b)
READ(anon_c, c->anon_c)
READ(anon_d, c->anon_d[1])
READ(port, c->port)
READ(call, (long)c->call)
READ(matrix, c->matrix[2][3])
READ(tail, c->tail[5])
READ(second, c[1].len)
READ(old_name, c->old_name)
READ(new_name, ((struct conn___v2 *)c)->new_name)
READ(missing, ((struct missing *)c)->field)
READ(either, ((union either *)c)->second)

ALL(id, c->id)
ALL(len, c->len)
ALL(proto, c->proto)
ALL(name, c->name)
ALL(name_at, c->name[9])
ALL(in, c->in)
ALL(in_at, c->in[1])
ALL(in_b, c->in[3].b)
ALL(one, c->one)
ALL(peer, c->peer)
ALL(v6, c->v6)
ALL(anon_b, c->anon_b)
ALL(anon_d, c->anon_d)
ALL(state, c->state)
ALL(port, c->port)
ALL(call, c->call)
ALL(matrix, c->matrix[1])
ALL(ratio, c->ratio)
ALL(old_name, c->old_name)
ALL(new_name, ((struct conn___v2 *)c)->new_name)
ALL(next, ((struct conn___v2 *)c)->next)
ALL(missing, ((struct missing *)c)->field)

BITS(bit1, c->bit1)
BITS(bits3, c->bits3)
BITS(bits28, c->bits28)
BITS(sbits, c->sbits)
BITS(wide, c->wide)
BITS(len, c->len)
BITS(delta, c->delta)
BITS(kind, c->kind)

SEC("core") int store_len(struct conn *c)
{
	c->len = (u32)c->id;
	return 0;
}

SEC("core") int store_const(struct conn *c)
{
	c->proto = 7;
	return 0;
}

SEC("core") int guarded(struct conn *c)
{
	struct conn___v2 *v2 = (void *)c;

	if (INFO(v2->new_name, EXISTS))
		return (int)v2->new_name;
	return INFO(c->old_name, EXISTS) ? (int)c->old_name : -1;
}

SEC("core") void *address(struct conn *c)
{
	return __builtin_preserve_access_index(&c->in[1].c[2]);
}

char _license[] SEC("license") = "MIT";
