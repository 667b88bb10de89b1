/* SPDX-License-Identifier: MIT */
/* Shared maps pinned to files, which outlive their process. */
#ifndef TN_HOST_PIN_FILE_H
#define TN_HOST_PIN_FILE_H

#include "host-api/map_handle.h"

/* The map in the file at `path`, mapped for writing; what a dead writer left is repaired. NULL,
 * errno: ENOENT without words where there is no such file, EACCES (it is not this user's alone),
 * EINVAL (it is no map), with words. */
struct tn_map *tn_pin_file_open(struct tenon_runtime *rt, const char *path);

/* A file without a name yet for a map to be pinned at `path`, whose directory is this user's alone
 * (made with mode 0700 where it is missing). A descriptor, or -errno with words. */
int tn_pin_file_make(const char *path);
/* Give it its name when the map stands in it. 0, -EEXIST (another process was first, no words),
 * -errno with words. */
int tn_pin_file_name(int fd, const char *path);
/* `map`: where it is that map's file, NULL: whatever is there. 0 or -errno, without words. */
int tn_pin_file_remove(const char *path, const struct tn_map *map);

#endif
