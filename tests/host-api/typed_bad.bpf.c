// SPDX-License-Identifier: MIT
/* Programs that must be rejected; what their reports say stands in test_typed.c. */
#include <tenon/plugin.h>

#include "typed_api.h"

SEC("hook/request")
long untrusted_argument(struct request *r)
{
	return t_conn_id(r->conn->next);
}

SEC("hook/request")
long write_read_only(struct request *r)
{
	r->conn->id = 1;
	return 0;
}

SEC("hook/request")
long write_untrusted(struct request *r)
{
	r->conn->next->bytes = 1;
	return 0;
}

SEC("hook/request")
long read_hidden(struct request *r)
{
	return (long)r->conn->secret;
}

SEC("hook/request")
long null_member(struct request *r)
{
	return t_conn_id(r->other);
}

SEC("hook/request")
long null_body(struct request *r)
{
	return r->body_len > 1 ? r->body[1] : 0;
}

SEC("hook/request")
long beyond_body(struct request *r)
{
	return r->body ? r->body[1] : 0;
}

SEC("hook/request")
long write_body(struct request *r)
{
	if (r->body && r->body_len)
		*(uint8_t *)r->body = 1;
	return 0;
}

SEC("hook/request")
long write_length(struct request *r)
{
	r->body_len = 1000;
	return 0;
}

/* Half of it is a number, half a pointer. */
SEC("hook/request")
long half_a_pointer(struct request *r)
{
	return *(volatile u64 *)((char *)r + 28);
}

SEC("hook/request")
long write_two(struct request *r)
{
	*(volatile u64 *)((char *)r + 16) = 0;
	return 0;
}

SEC("hook/request")
long null_object(struct request *r)
{
	struct conn *c = t_get(1);
	u32 id = t_conn_id(c);

	if (c)
		t_put(c);
	return id;
}

SEC("hook/request")
long leak(struct request *r)
{
	struct conn *c = t_get(1);

	return c ? c->id : 0;
}

SEC("hook/request")
long put_twice(struct request *r)
{
	struct conn *c = t_get(1);

	if (c) {
		t_put(c);
		t_put(c);
	}
	return 0;
}

SEC("hook/request")
long put_borrowed(struct request *r)
{
	t_put(r->conn);
	return 0;
}

SEC("hook/request")
long use_after_put(struct request *r)
{
	struct conn *c = t_get(1);

	if (!c)
		return 0;
	t_put(c);
	return c->id;
}

SEC("hook/request")
long other_type(struct request *r)
{
	return t_peer_family((struct peer *)r->conn);
}

SEC("hook/request")
long address_as_number(struct request *r)
{
	return (long)r->conn->next;
}

SEC("hook/request")
long made_up_object(struct request *r)
{
	struct conn fake = {};

	return t_conn_id(&fake);
}

SEC("hook/request")
long changing_text(struct request *r)
{
	char t[4] = "abc";

	return t_length(t);
}

SEC("hook/request")
long long_read(struct request *r)
{
	u64 n = 0;

	return t_sum(&n, 9);
}

SEC("hook/request")
long long_for_its_type(struct request *r)
{
	char data[200] = { 0 };

	/* Past the compiler's narrowing. */
	return ((u32(*)(const void *, u64))t_small)(data, 150);
}

SEC("hook/request")
long context_of_another_type(struct request *r)
{
	return t_other_ctx((struct stats *)r);
}

char _license[] SEC("license") = "MIT";
