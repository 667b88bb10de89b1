// SPDX-License-Identifier: MIT
// set_header() may move the body; the pointer is older.
// expect: E_UNINIT "set_header" "again"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	__u8 *body = req->body;

	if (req->body_len < 1)
		return 0;
	set_header(req, 3);
	return body[0] == 1; /* HERE */
}

char _license[] SEC("license") = "MIT";
