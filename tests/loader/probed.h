/* SPDX-License-Identifier: MIT */
/* A shared library with functions and probes to be found. It is made for x86-64 alone. */
#ifndef TN_TESTS_LOADER_PROBED_H
#define TN_TESTS_LOADER_PROBED_H

#include <unistd.h>

#include "objects.h"

static struct file probed;

static inline int load_probed(void **state)
{
	(void)state;
	if (access(TN_TEST_OBJECTS "/libprobed.so", R_OK) == 0)
		probed = read_file(TN_TEST_OBJECTS "/libprobed.so");
	return 0;
}

static inline int free_probed(void **state)
{
	(void)state;
	free(probed.data);
	probed = (struct file){ 0 };
	return 0;
}

static inline void need_probed(void)
{
	if (probed.data)
		return;
	print_message("skipped: libprobed.so is built for x86-64 alone\n");
	skip();
}

#endif
