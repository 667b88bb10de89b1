/* SPDX-License-Identifier: MIT */
/* The same, but it asks for what may be missing, and knows what release 3 calls the bytes. Built
 * once, with the header of release 1. */
#include <tenon/plugin.h>

#include "v1/server.h"

struct job___v3 {
	uint64_t size;
} __attribute__((preserve_access_index));

static uint64_t bytes_of(struct job *job)
{
	struct job___v3 *v3 = (struct job___v3 *)job;

	if (bpf_core_field_exists(job->bytes))
		return job->bytes;
	return bpf_core_field_exists(v3->size) ? v3->size : 0;
}

SEC("hook/job") int charge(struct job_event *event)
{
	struct job *job = event->job;

	if (job->state != bpf_core_enum_value(enum job_state, JOB_DONE))
		return 0;
	event->charge = bytes_of(job);
	if (bpf_core_field_exists(job->priority) && job->priority < 0)
		event->charge *= 2;
	return job->owner->uid;
}

char _license[] SEC("license") = "MIT";
