/* SPDX-License-Identifier: MIT */
/* The mutation test's hooks: see mutants.def. */
#ifndef TN_VERIFIER_MUTANT_H
#define TN_VERIFIER_MUTANT_H

#ifdef TN_MUTANTS
enum tn_mutant {
#define TN_MUTANT(number, name, words) TN_MUTANT_##name = (number),
#include "verifier/mutants.def"
#undef TN_MUTANT
};

extern int tn_mutant; /* the bug that is switched on, 0: none */
#define TN_MUT(name) (tn_mutant == TN_MUTANT_##name)
#else
#define TN_MUT(name) 0
#endif

#endif
