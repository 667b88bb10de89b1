/* SPDX-License-Identifier: MIT */
/* The operator's side of the server: one command a line on standard input, answers on standard
 * output. */
#ifndef CONSOLE_H
#define CONSOLE_H

struct tenon_runtime;

/* Load `plugins` (NULL-terminated paths), then read commands until "quit" or the end of the input.
 * Unloads everything. 0, or 1 where a plugin given on the command line did not load. */
int console_run(struct tenon_runtime *rt, char **plugins);

#endif
