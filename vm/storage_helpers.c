/* SPDX-License-Identifier: MIT */
/* Values of threads and of the host's objects; see maps/storage.h. A thread's handle is the address
 * of its record, of which programs see no field. */
#include "base/thread.h"
#include "maps/storage.h"
#include "vm/helper_body.h"

#define BODY(name) TN_HELPER_BODY(, name)

static struct tn_map *map_of(uint64_t reg)
{
	return (struct tn_map *)(uintptr_t)reg;
}

/* The thread that runs the program has a record: it entered an epoch. */
BODY(tn_helper_current_task)
{
	return tn_storage_thread(tn_thread_self());
}

/* map, owner, initial value or NULL, flags */
BODY(tn_helper_storage_get)
{
	return (uintptr_t)tn_storage_get(map_of(r1), r2, (const void *)(uintptr_t)r3, r4);
}

/* map, owner */
BODY(tn_helper_storage_delete)
{
	return (uint64_t)(int64_t)tn_storage_delete(map_of(r1), r2);
}
