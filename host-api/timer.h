/* SPDX-License-Identifier: MIT */
/* Running one callback of a timer; timer.c is the host's side of it all. */
#ifndef TN_HOST_TIMER_H
#define TN_HOST_TIMER_H

#include "host-api/program.h"

struct tn_timer_call;

/* fire.c: inside an epoch, on a thread that runs no program. */
void tn_run_timer(struct tenon_program *program, const struct tn_timer_call *call, const void *key);

#endif
