/* SPDX-License-Identifier: MIT */
/* The header as BTF: compilers write down the types that are used, each by itself. */
#include "server.h"

struct job_event *server_job_event;
struct job *server_job;
struct owner *server_owner;
