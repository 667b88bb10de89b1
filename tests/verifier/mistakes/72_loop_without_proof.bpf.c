// SPDX-License-Identifier: MIT
// No number bounds the rounds, and the host wants a proof.
// expect: E_TERMINATION "bound"
// option: termination_proved
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	__u32 n = 0;

	while (bpf_get_prandom_u32() % 7) /* HERE */
		n++;
	return n > 100;
}

char _license[] SEC("license") = "MIT";
