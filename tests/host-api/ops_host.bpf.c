/* SPDX-License-Identifier: MIT */
/* Nothing but the host's types as BTF. */
#include "ops_api.h"

struct policy_ops *ops_host_policy;
struct lb *ops_host_lb;
