/* SPDX-License-Identifier: MIT */
/* Nothing but the host's types as BTF. Not named .bpf.c, since it is no plugin. */
#include "features_api.h"

struct meter *features_meter;
struct meter_ops *features_meter_ops;
