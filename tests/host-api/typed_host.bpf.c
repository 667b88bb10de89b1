// SPDX-License-Identifier: MIT
/* Nothing but the BTF of the header: compilers write down what is used. */
#include "typed_api.h"

const struct request *typed_host_request;

#define USE(fn)                    \
	void *typed_use_##fn(void) \
	{                          \
		return (void *)fn; \
	}
USE(t_ints)
USE(t_verdict)
USE(t_length)
USE(t_sum)
USE(t_fill)
USE(t_number)
USE(t_read)
USE(t_stats)
USE(t_add)
USE(t_conn_id)
USE(t_conn_or)
USE(t_peer_family)
USE(t_get)
USE(t_put)
USE(t_ctx)
USE(t_map)
USE(t_stop)
USE(t_bare_pointer)
USE(t_far_length)
USE(t_elements)
USE(t_by_value)
USE(t_pointers)
USE(t_text)
USE(t_nothing)
USE(t_flag)
USE(t_many)
USE(t_small)
USE(t_other_ctx)
USE(t_format)
USE(t_array)
USE(t_fill_array)
USE(t_counted)
USE(t_count_behind)
USE(t_bytes)
USE(t_bytes_counted)
USE(t_bytes_far)
USE(t_wide)
