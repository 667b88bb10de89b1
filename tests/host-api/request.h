/* SPDX-License-Identifier: MIT */
/* The context of the tests' plugins; one is compiled against another layout of it. */
#ifndef TN_TESTS_REQUEST_H
#define TN_TESTS_REQUEST_H

struct request {
	unsigned int kind;
#ifdef OTHER_LAYOUT
	unsigned int inserted;
#endif
	unsigned int verdict;
};

#endif
