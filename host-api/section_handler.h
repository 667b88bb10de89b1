/* SPDX-License-Identifier: MIT */
/* Section names of the host's own: what becomes of programs in them. A handler lives as long as the
 * runtime, also once it is removed: programs of open objects refer to it. */
#ifndef TN_HOST_SECTION_HANDLER_H
#define TN_HOST_SECTION_HANDLER_H

#include "host-api/program.h"

struct tn_section_entry {
	struct tn_section_entry *next;
	struct tenon_section_handler h; /* its strings are owned */
	int id;
	bool prefix; /* "name+" */
	bool removed;
};

/* The handler of a section name, or NULL; `fallback`: the one for names that nothing knows. */
const struct tn_section_entry *tn_section_handler(struct tenon_runtime *rt, const char *section,
						  bool fallback);
/* The handler's calls; 0 where it has none. With words where it refuses. */
int tn_section_setup(struct tenon_program *program);
int tn_section_prepare(struct tenon_program *program);
/* *link may stay NULL: the host attached it in a way of its own. */
int tn_section_attach(struct tenon_program *program, struct tenon_link **link);
void tn_section_handlers_fini(struct tenon_runtime *rt);

#endif
