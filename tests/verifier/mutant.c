/* SPDX-License-Identifier: MIT */
/* Which seeded bug (verifier/mutants.def) is switched on: its number in the environment. */
#include <stdlib.h>

#include "verifier/mutant.h"

int tn_mutant;

__attribute__((constructor)) static void choose(void)
{
	const char *number = getenv("TN_MUTANT");

	tn_mutant = number ? atoi(number) : 0;
}
