/* SPDX-License-Identifier: MIT */
/* The context that host and plugin share: a plain struct. */
#ifndef GREET_H
#define GREET_H

struct greet_ctx {
	unsigned int visits; /* the plugin may read it */
	unsigned int stars;  /* ... and write this one */
};

#endif
