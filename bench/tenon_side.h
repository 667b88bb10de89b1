/* SPDX-License-Identifier: MIT */
/* Loading programs into Tenon for a bench: failures end the bench with the library's words. */
#ifndef BENCH_TENON_SIDE_H
#define BENCH_TENON_SIDE_H

#include <tenon/tenon.h>

struct tenon_runtime *side_runtime(void);
struct tenon_object *side_load(struct tenon_runtime *rt, const char *dir, const char *object);
struct tenon_program *side_program(struct tenon_object *object, const char *name);
void side_die(const char *what);

/* "DIR/NAME.bpf.o", in one of a few static buffers. */
const char *side_path(const char *dir, const char *name);

#endif
