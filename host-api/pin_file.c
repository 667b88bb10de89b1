/* SPDX-License-Identifier: MIT */
/*
 * A pinned file is written by whoever may open it for writing, and a writer is trusted with all
 * that the map holds: so neither the file (mode 0600) nor its directory (0700) may be anybody
 * else's. A file has a name only when the map in it is whole: it is made without one (O_TMPFILE)
 * and linked, so that of two processes that pin at once one finds the other's.
 */
#include "host-api/pin_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "maps/segment.h"

#define MAX_PATH 4096

/* Another user's, or open to others? */
static int check_owner(const char *path, const struct stat *st, bool is_dir)
{
	if (st->st_uid != geteuid())
		return tn_err(-EACCES, "'%s' belongs to user %u, expected %u, who pins", path,
			      (unsigned int)st->st_uid, (unsigned int)geteuid());
	if (st->st_mode & 077)
		return tn_err(-EACCES,
			      "'%s' has mode %04o, expected %s: others could change the map", path,
			      (unsigned int)st->st_mode & 07777, is_dir ? "0700" : "0600");
	return 0;
}

struct tn_map *tn_pin_file_open(struct tenon_runtime *rt, const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), err = 0;
	struct tn_segment_file file = { .fd = fd, .attach = true, .writable = true };
	struct tn_segment_header header;
	struct tn_map_attr attr;
	struct tn_map *map = NULL;
	struct stat st;

	if (fd < 0) {
		if (errno != ENOENT)
			tn_err(-errno, "pinned map '%s': %s", path, strerror(errno));
		return NULL;
	}
	if (fstat(fd, &st))
		err = tn_err(-errno, "pinned map '%s': %s", path, strerror(errno));
	if (!err)
		err = check_owner(path, &st, false);
	if (!err)
		err = tn_segment_read_header(fd, &header);
	if (!err) {
		tn_segment_attr(&header, &attr);
		attr.file = &file;
		map = tn_map_create(&rt->rt, &attr);
		err = map ? 0 : -errno;
	}
	close(fd);
	if (err)
		errno = -err;
	return map;
}

static int directory_of(const char *path, char *dir)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;

	if (path[0] != '/' || len >= MAX_PATH)
		return tn_err(-EINVAL,
			      "pin path '%.60s': a shared map is pinned to a file, by an absolute "
			      "path",
			      path);
	memcpy(dir, path, len);
	dir[len] = 0;
	if (!len)
		memcpy(dir, "/", 2);
	return 0;
}

int tn_pin_file_make(const char *path)
{
	char dir[MAX_PATH];
	struct stat st;
	int err = directory_of(path, dir), fd;

	if (err)
		return err;
	if (mkdir(dir, 0700) && errno != EEXIST)
		return tn_err(-errno, "cannot make the directory '%s': %s", dir, strerror(errno));
	if (stat(dir, &st))
		return tn_err(-errno, "'%s': %s", dir, strerror(errno));
	err = check_owner(dir, &st, true);
	if (err)
		return err;
	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		return tn_err(-errno, "cannot make a file in '%s': %s", dir, strerror(errno));
	return fd;
}

int tn_pin_file_name(int fd, const char *path)
{
	char from[32];
	int err;

	snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
	if (!linkat(AT_FDCWD, from, AT_FDCWD, path, AT_SYMLINK_FOLLOW))
		return 0;
	err = -errno;
	return err == -EEXIST ? err : tn_err(err, "cannot pin at '%s': %s", path, strerror(-err));
}

int tn_pin_file_remove(const char *path)
{
	return unlink(path) ? -errno : 0;
}
