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

/* The directory of `path`, looked at and kept open, so that it stays the one that was looked at. */
static int open_directory(const char *path, bool make, const char **name)
{
	char dir[MAX_PATH];
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;
	struct stat st;
	int fd, err = 0;

	if (path[0] != '/' || len >= MAX_PATH)
		return tn_err(-EINVAL,
			      "pin path '%.60s': a shared map is pinned to a file, by an absolute "
			      "path",
			      path);
	*name = slash + 1;
	memcpy(dir, path, len);
	memcpy(dir + len, len ? "" : "/", len ? 1 : 2);
	if (make && mkdir(dir, 0700) && errno != EEXIST)
		return tn_err(-errno, "cannot make the directory '%s': %s", dir, strerror(errno));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ENOENT : tn_err(-errno, "'%s': %s", dir, strerror(errno));
	if (fstat(fd, &st))
		err = tn_err(-errno, "'%s': %s", dir, strerror(errno));
	if (!err)
		err = check_owner(dir, &st, true);
	if (err)
		close(fd);
	return err ? err : fd;
}

static struct tn_map *attach(struct tenon_runtime *rt, int fd, const char *path)
{
	struct tn_segment_file file = { .fd = fd, .attach = true, .writable = true };
	struct tn_segment_header header;
	struct tn_map_attr attr;
	struct stat st;
	int err = 0;

	if (fstat(fd, &st))
		err = tn_err(-errno, "pinned map '%s': %s", path, strerror(errno));
	if (!err)
		err = check_owner(path, &st, false);
	if (!err)
		err = tn_segment_read_header(fd, &header);
	if (err) {
		errno = -err;
		return NULL;
	}
	tn_segment_attr(&header, &attr);
	attr.file = &file;
	return tn_map_create(&rt->rt, &attr);
}

struct tn_map *tn_pin_file_open(struct tenon_runtime *rt, const char *path)
{
	struct tn_map *map = NULL;
	const char *name;
	int dir = open_directory(path, false, &name), fd, err;

	if (dir < 0) {
		errno = -dir;
		return NULL;
	}
	fd = openat(dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd >= 0)
		map = attach(rt, fd, path);
	else if (errno != ENOENT)
		tn_err(-errno, "pinned map '%s': %s", path, strerror(errno));
	err = errno;
	if (fd >= 0)
		close(fd);
	close(dir);
	errno = err;
	return map;
}

int tn_pin_file_make(const char *path)
{
	const char *name;
	int dir = open_directory(path, true, &name), fd, err;

	if (dir < 0)
		return dir == -ENOENT ? tn_err(dir, "there is no directory for '%s'", path) : dir;
	fd = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	err = errno;
	close(dir);
	return fd >= 0 ? fd : tn_err(-err, "cannot make a file for '%s': %s", path, strerror(err));
}

int tn_pin_file_name(int fd, const char *path)
{
	const char *name;
	char from[32];
	int dir = open_directory(path, false, &name), err;

	if (dir < 0)
		return dir == -ENOENT ? tn_err(dir, "there is no directory for '%s'", path) : dir;
	snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
	err = linkat(AT_FDCWD, from, dir, name, AT_SYMLINK_FOLLOW) ? -errno : 0;
	close(dir);
	return !err || err == -EEXIST ? err
				      : tn_err(err, "cannot pin at '%s': %s", path, strerror(-err));
}

int tn_pin_file_remove(const char *path, const struct tn_map *map)
{
	struct stat there, ours;

	if (lstat(path, &there))
		return -errno;
	if (map && (!map->segment || fstat(map->segment->fd, &ours) ||
		    there.st_dev != ours.st_dev || there.st_ino != ours.st_ino))
		return -ESTALE;
	return unlink(path) ? -errno : 0;
}
