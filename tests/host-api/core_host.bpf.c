/* SPDX-License-Identifier: MIT */
/* Nothing but the host's types as BTF. */
#include "core_new.h"

struct event *core_event;
struct thing *core_thing;
struct part *core_part;
