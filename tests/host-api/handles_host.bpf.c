// SPDX-License-Identifier: MIT
/* Nothing but the BTF of the header. */
#include "handles_api.h"

const struct visit *handles_host_visit;

void *handles_use_counter(void)
{
	return &h_counter;
}

#define USE(fn)                      \
	void *handles_use_##fn(void) \
	{                            \
		return (void *)fn;   \
	}
USE(h_pair)
USE(item_iter_new)
USE(item_iter_next)
USE(item_iter_destroy)
USE(h_step)
USE(h_id)
USE(h_touch)
USE(h_model)
USE(h_nr)
USE(h_hold)
USE(h_drop)
USE(h_odd)
USE(h_big)
USE(h_new_void)
USE(h_endless)
USE(h_number)
USE(h_two)
USE(h_again)
USE(h_result)
USE(h_none)
USE(h_flags)
