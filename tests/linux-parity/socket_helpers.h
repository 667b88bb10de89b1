/* SPDX-License-Identifier: MIT */
/*
 * The kernel's sockets and keys as a host would declare them: structures, and functions that
 * acquire, cast and release references to them. None of them finds anything.
 */
#ifndef SOCKET_HELPERS_H
#define SOCKET_HELPERS_H

#include <tenon/tenon.h>

/* Once per runtime, before objects are opened. 0 or -1; tenon_last_error() says why. */
int socket_helpers_add(struct tenon_runtime *rt);

#endif
