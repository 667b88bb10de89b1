/* SPDX-License-Identifier: MIT */
/* What a plugin is told of a job. */
struct job_ctx {
	unsigned int client;
	unsigned int bytes;
};
