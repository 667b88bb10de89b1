/* SPDX-License-Identifier: MIT */
/* The header as BTF. */
#include "balance.h"

struct balance *balance_state;
struct balance_ops *balance_ops;
