/* SPDX-License-Identifier: MIT */
/*
 * What a section of a uprobe or a USDT probe names:
 *
 *   uprobe/PATH:FUNC          uprobe, uretprobe, with .s
 *   uprobe/PATH:FUNC@VERSION  the symbol of that version
 *   uprobe/PATH:FUNC+OFF      OFF decimal, or hexadecimal behind 0x
 *   uprobe/PATH:OFF           a place in the file
 *   uprobe.multi/PATH:PATTERN uretprobe.multi, uprobe.session, with .s; * and ? in the pattern
 *   usdt/PATH:PROVIDER:NAME   with .s
 *
 * PATH without a '/' is a library or a program that is looked for. A section without a ':' names no
 * target: whoever attaches such a program says where.
 */
#ifndef TN_LOADER_PROBE_TARGET_H
#define TN_LOADER_PROBE_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

enum tn_probe_kind { TN_PROBE_NONE = 0, TN_PROBE_FUNC, TN_PROBE_PATTERN, TN_PROBE_USDT };

/* Texts are borrowed from the section's name, and not terminated. */
struct tn_probe_target {
	enum tn_probe_kind kind;
	bool at_return; /* uretprobe */
	struct tn_span path;
	struct tn_span func;	/* or the pattern; empty: `off` counts in the file */
	struct tn_span version; /* empty: the default one */
	uint64_t off;
	struct tn_span provider, name; /* USDT */
};

/* 0, kind TN_PROBE_NONE where the section is another or names no target; -EINVAL with words. */
int tn_probe_target_parse(const char *section, struct tn_probe_target *out);

/* The file of `target`, as it is or looked for: libraries in LD_LIBRARY_PATH and where ld.so looks,
 * programs in PATH. 0, -ENOENT, -ENAMETOOLONG. */
int tn_probe_target_file(const struct tn_probe_target *target, char *path, size_t size);

#endif
