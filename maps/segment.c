/* SPDX-License-Identifier: MIT */
/*
 * The file of a shared map: made, sealed, found again, locked by writers, its slots handed out.
 *
 * Locks on bytes of the file belong to an open file description, of which each process has its own:
 * byte 0 to nr_slots - 1 are slots, and every process that writes holds a shared lock on
 * PRESENT. Who gets that one alone is the only one, so that nobody holds or waits for the mutex,
 * and makes it anew: the file may have been carried over from before a restart of the machine.
 */
#include "maps/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/pages.h"

#define PRESENT ((off_t)1 << 32)
#define SEALS	(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL)

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

/* ---- Layout ---- */

static uint64_t place(uint64_t *at, uint64_t bytes)
{
	uint64_t off = *at;

	*at += TN_ROUND_UP(bytes, (uint64_t)4096);
	return off;
}

/* Offsets for parts of these sizes. Sums of a few sizes that fit into memory fit 64 bits. */
static void lay_out(struct tn_segment_header *h, const struct tn_segment_parts *parts,
		    uint64_t btf_bytes)
{
	uint64_t at = 0;

	place(&at, sizeof(*h));
	h->live_off = place(&at, sizeof(struct tn_segment_live));
	h->table_bytes = parts->table;
	h->table_off = place(&at, parts->table);
	h->slots_bytes = parts->slots;
	h->slots_off = place(&at, parts->slots);
	h->journal_bytes = parts->journal;
	h->journal_off = place(&at, parts->journal);
	h->btf_bytes = btf_bytes;
	h->btf_off = place(&at, btf_bytes);
	h->total_bytes = at;
}

static void fill_header(struct tn_segment_header *h, const struct tn_map *map,
			const struct tn_segment_parts *parts, const struct tn_map_attr *attr)
{
	*h = (struct tn_segment_header){
		.magic = TN_SEGMENT_MAGIC,
		.layout = TN_SEGMENT_LAYOUT,
		.header_bytes = sizeof(*h),
		.live_bytes = sizeof(struct tn_segment_live),
		.type = map->type,
		.key_size = map->key_size,
		.value_size = map->value_size,
		.max_entries = map->max_entries,
		.flags = map->flags,
		.nr_slots = map->nr_slots,
		.btf_key_id = attr->btf_key_id,
		.btf_value_id = attr->btf_value_id,
	};
	memcpy(h->name, map->name, sizeof(h->name));
	lay_out(h, parts, attr->btf ? attr->btf_bytes : 0);
}

int tn_segment_read_header(int fd, struct tn_segment_header *out)
{
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st))
		return tn_err(-errno, "shared map: fstat: %s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return tn_err(-EINVAL, "shared map: this is no regular file");
	n = pread(fd, out, sizeof(*out), 0);
	if (n < 0)
		return tn_err(-errno, "shared map: read: %s", strerror(errno));
	if (n >= (ssize_t)sizeof(out->magic) &&
	    memcmp(out->magic, TN_SEGMENT_MAGIC, sizeof(out->magic)) != 0)
		return tn_err(-EINVAL,
			      "this is no map of Tenon: it begins with %02x %02x %02x "
			      "%02x, expected \"" TN_SEGMENT_MAGIC "\"",
			      (uint8_t)out->magic[0], (uint8_t)out->magic[1],
			      (uint8_t)out->magic[2], (uint8_t)out->magic[3]);
	if (n < (ssize_t)sizeof(*out))
		return tn_err(-EINVAL, "shared map: the file has %zd bytes, its header %zu", n,
			      sizeof(*out));
	if (out->layout != TN_SEGMENT_LAYOUT || out->header_bytes != sizeof(*out) ||
	    out->live_bytes != sizeof(struct tn_segment_live))
		return tn_err(-EINVAL,
			      "shared map: layout %u (%u and %u bytes), this library knows %u (%zu "
			      "and %zu)",
			      out->layout, out->header_bytes, out->live_bytes, TN_SEGMENT_LAYOUT,
			      sizeof(*out), sizeof(struct tn_segment_live));
	if (out->total_bytes != (uint64_t)st.st_size)
		return tn_err(-EINVAL, "shared map: the file has %lld bytes, its header says %llu",
			      (long long)st.st_size, (unsigned long long)out->total_bytes);
	out->name[sizeof(out->name) - 1] = 0;
	for (char *c = out->name; *c; c++)
		*c = *c >= ' ' && *c <= '~' ? *c : '?';
	if (!out->nr_slots || out->nr_slots > TN_MAX_SLOTS)
		return tn_err(-EINVAL, "shared map '%s': %u slots, expected 1 to %u", out->name,
			      out->nr_slots, TN_MAX_SLOTS);
	if (out->btf_off > out->total_bytes || out->btf_bytes > out->total_bytes - out->btf_off ||
	    out->btf_bytes > UINT32_MAX)
		return tn_err(-EINVAL, "shared map '%s': BTF at %llu, %llu bytes, outside the file",
			      out->name, (unsigned long long)out->btf_off,
			      (unsigned long long)out->btf_bytes);
	return 0;
}

void tn_segment_attr(const struct tn_segment_header *h, struct tn_map_attr *attr)
{
	*attr = (struct tn_map_attr){
		.type = h->type,
		.key_size = h->key_size,
		.value_size = h->value_size,
		.max_entries = h->max_entries,
		.flags = h->flags | TN_MAP_F_SHARED,
		.name = h->name,
	};
}

/* The header of a file that is there against what the map's attributes ask for. */
static int compare_header(const struct tn_segment *s, const struct tn_segment_parts *parts)
{
	const struct tn_segment_header *h = &s->header;
	const struct tn_map *map = s->map;
	struct tn_segment_header want = *h;

	if (h->type != map->type || h->key_size != map->key_size ||
	    h->value_size != map->value_size || h->max_entries != map->max_entries ||
	    h->flags != map->flags)
		return tn_map_err(map, -EINVAL,
				  "the file has type %u, key %u, value %u, max_entries %u, flags "
				  "0x%x; expected %u, %u, %u, %u, 0x%x",
				  h->type, h->key_size, h->value_size, h->max_entries, h->flags,
				  map->type, map->key_size, map->value_size, map->max_entries,
				  map->flags);
	lay_out(&want, parts, h->btf_bytes);
	if (memcmp(&want, h, sizeof(want)) != 0)
		return tn_map_err(map, -EINVAL,
				  "the file's parts do not stand where its attributes put them");
	return 0;
}

/* ---- Locks on bytes ---- */

static int lock_byte(int fd, off_t at, short type, bool wait)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = 1 };

	return fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &lock) ? -errno : 0;
}

/* ---- The mutex ---- */

static int init_mutex(pthread_mutex_t *lock)
{
	pthread_mutexattr_t attr;
	int err = pthread_mutexattr_init(&attr);

	if (err)
		return -err;
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	memset(lock, 0, sizeof(*lock));
	err = pthread_mutex_init(lock, &attr);
	pthread_mutexattr_destroy(&attr);
	return -err;
}

static void repair(struct tn_segment *s)
{
	tn_store_relaxed(&s->live->writes, tn_load_relaxed(&s->live->writes) | 1);
	atomic_thread_fence(memory_order_release);
	if (s->map->ops->repair)
		s->map->ops->repair(s->map);
	tn_add_relaxed(&s->live->repairs, 1);
}

int tn_segment_lock(struct tn_segment *s)
{
	int err = pthread_mutex_lock(&s->live->lock);

	if (tn_unlikely(err == EOWNERDEAD)) {
		/* Whoever dies in here is followed by another one who does it all. */
		repair(s);
		err = pthread_mutex_consistent(&s->live->lock);
	}
	if (tn_unlikely(err))
		return tn_map_err(s->map, -EIO, "the lock of its writers is broken: %s",
				  strerror(err));
	tn_store_relaxed(&s->live->writes, tn_load_relaxed(&s->live->writes) | 1);
	/* Who sees what is written sees the odd number, too. */
	atomic_thread_fence(memory_order_release);
	return 0;
}

void tn_segment_unlock(struct tn_segment *s)
{
	tn_store_release(&s->live->writes, tn_load_relaxed(&s->live->writes) + 1);
	pthread_mutex_unlock(&s->live->lock);
}

void tn_segment_help(struct tn_segment *s)
{
	struct tn_thread *t;

	if (!s->writable)
		return;
	t = tn_thread_self();
	tn_writer_enter(t);
	if (!tn_segment_lock(s))
		tn_segment_unlock(s);
	tn_writer_leave(t);
}

/* ---- Slots ---- */

static uint32_t claim_slot(struct tn_segment *s, uint32_t slot)
{
	/* Begin where the runtime's number points: alone, both agree. */
	for (uint32_t i = 0; i < s->map->nr_slots && !s->no_slots; i++) {
		uint32_t at = (slot + i) % s->map->nr_slots;
		bool mine = false;

		/* The description does not tell this process from itself. */
		for (uint32_t r = 0; r < s->map->rt->max_slots && !mine; r++)
			mine = tn_load_relaxed(&s->slot_of[r]) == at + 1;
		if (!mine && !lock_byte(s->fd, (off_t)at, F_WRLCK, false)) {
			tn_store_relaxed(&s->slot_of[slot], at + 1);
			return at;
		}
	}
	return TN_SEGMENT_NO_SLOT;
}

uint32_t tn_segment_slot(struct tn_segment *s, uint32_t slot)
{
	static pthread_mutex_t claiming = PTHREAD_MUTEX_INITIALIZER;
	uint32_t at = tn_load_relaxed(&s->slot_of[slot]);
	struct tn_thread *t;

	if (tn_likely(at))
		return at - 1;
	t = tn_thread_self();
	tn_writer_enter(t);
	pthread_mutex_lock(&claiming);
	at = claim_slot(s, slot);
	pthread_mutex_unlock(&claiming);
	tn_writer_leave(t);
	return at;
}

/* ---- fork(2): the mapping stays shared, with the locks of the parent's threads in it. The child
 * takes a description of its own, before it lets go of the parent's. ---- */

static void forked_child(struct tn_fork_ops *ops)
{
	struct tn_segment *s = TN_CONTAINER_OF(ops, struct tn_segment, fork);
	char path[32];
	int fd;

	if (!s->writable)
		return;
	for (uint32_t i = 0; i < s->map->rt->max_slots; i++)
		tn_store_relaxed(&s->slot_of[i], 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", s->fd);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || lock_byte(fd, PRESENT, F_RDLCK, false) || dup3(fd, s->fd, O_CLOEXEC) < 0)
		s->no_slots = true;
	if (fd >= 0)
		close(fd);
}

/* A description of its own, for reading: who gets it shares no lock with us. */
int tn_segment_reader_fd(struct tn_segment *s)
{
	int fd = tn_load_acquire(&s->reader_fd), none = 0;
	char path[32];

	if (fd > 0)
		return fd;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", s->fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd <= 0)
		return tn_map_err(s->map, fd ? -errno : -EMFILE, "cannot open its file again: %s",
				  strerror(fd ? errno : EMFILE));
	if (atomic_compare_exchange_strong(&s->reader_fd, &none, fd))
		return fd;
	close(fd);
	return none;
}

/* ---- Life ---- */

static int make_file(struct tn_segment *s, const struct tn_segment_file *file)
{
	char name[TN_MAP_NAME_BYTES + 8];
	int err;

	snprintf(name, sizeof(name), "tenon:%s", s->map->name);
	s->fd = file ? fcntl(file->fd, F_DUPFD_CLOEXEC, 3)
		     : memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (s->fd < 0)
		return tn_map_err(s->map, -errno, "shared map: %s", strerror(errno));
	/* Who is passed a descriptor for reading opens it anew for reading alone. */
	if (!file && fchmod(s->fd, 0600))
		return tn_map_err(s->map, -errno, "shared map: %s", strerror(errno));
	if (ftruncate(s->fd, (off_t)s->header.total_bytes)) {
		err = -errno;
		return tn_map_err(s->map, err, "shared map of %llu bytes: %s",
				  (unsigned long long)s->header.total_bytes, strerror(-err));
	}
	/* A file system that is full later would end the process with a signal. */
	err = file ? -posix_fallocate(s->fd, 0, (off_t)s->header.total_bytes) : 0;
	return err ? tn_map_err(s->map, err, "shared map of %llu bytes: %s",
				(unsigned long long)s->header.total_bytes, strerror(-err))
		   : 0;
}

static int map_file(struct tn_segment *s)
{
	int prot = s->writable ? PROT_READ | PROT_WRITE : PROT_READ;
	void *p;

	if (tn_mem_should_fail(s->map->rt))
		return tn_map_err(s->map, -ENOMEM, "out of memory");
	p = mmap(NULL, s->bytes, prot, MAP_SHARED | MAP_NORESERVE, s->fd, 0);
	if (p == MAP_FAILED)
		return tn_map_err(s->map, -errno, "cannot map %zu bytes: %s", s->bytes,
				  strerror(errno));
	s->base = p;
	s->live = (struct tn_segment_live *)(void *)(s->base + s->header.live_off);
	s->table = s->base + s->header.table_off;
	s->slots = s->base + s->header.slots_off;
	s->journal = (struct tn_segment_journal *)(void *)(s->base + s->header.journal_off);
	return 0;
}

/* All that the map needs stands in it: let it be found. */
static int start_new(struct tn_segment *s)
{
	const struct tn_map_attr *attr = s->attr;
	int err = lock_byte(s->fd, PRESENT, F_RDLCK, true);

	if (!err)
		err = init_mutex(&s->live->lock);
	if (err)
		return tn_map_err(s->map, err, "shared map: locks: %s", strerror(-err));
	if (attr->btf)
		memcpy(s->base + s->header.btf_off, attr->btf, attr->btf_bytes);
	memcpy(s->base, &s->header, sizeof(s->header));
	if (!attr->file && fcntl(s->fd, F_ADD_SEALS, SEALS))
		return tn_map_err(s->map, -errno, "cannot seal the shared map: %s",
				  strerror(errno));
	return 0;
}

/* Alone, the mutex is whatever the last one left. */
static int start_again(struct tn_segment *s)
{
	int err = 0;

	if (!s->writable)
		return 0;
	if (!lock_byte(s->fd, PRESENT, F_WRLCK, false)) {
		err = init_mutex(&s->live->lock);
		if (!err)
			repair(s);
		tn_store_release(&s->live->writes, (tn_load_relaxed(&s->live->writes) | 1) + 1);
	}
	if (!err)
		err = lock_byte(s->fd, PRESENT, F_RDLCK, true);
	return err ? tn_map_err(s->map, err, "shared map: locks: %s", strerror(-err)) : 0;
}

static int attach(struct tn_segment *s, const struct tn_segment_parts *parts)
{
	int err, seals;

	s->fd = fcntl(s->attr->file->fd, F_DUPFD_CLOEXEC, 3);
	if (s->fd < 0)
		return tn_map_err(s->map, -errno, "shared map: %s", strerror(errno));
	err = compare_header(s, parts);
	if (err || s->writable)
		return err;
	seals = fcntl(s->fd, F_GET_SEALS);
	if (seals < 0 || !(seals & F_SEAL_SHRINK))
		return tn_map_err(s->map, -EINVAL,
				  "the file may be truncated while it is read: it is not sealed "
				  "against that");
	return 0;
}

static int open_file(struct tn_segment *s, const struct tn_segment_parts *parts)
{
	struct tn_map *map = s->map;
	uint64_t sum;

	if (s->attached)
		return attach(s, parts);
	if (__builtin_add_overflow(parts->table, parts->slots, &sum) || sum > (UINT64_C(1) << 46))
		return tn_map_err(map, -E2BIG, "a shared map of %llu bytes is too large",
				  (unsigned long long)sum);
	fill_header(&s->header, map, parts, s->attr);
	return make_file(s, s->attr->file);
}

int tn_segment_new(struct tn_map *map, const struct tn_map_attr *attr)
{
	struct tn_rt *rt = map->rt;
	struct tn_segment *s = tn_zalloc(rt, sizeof(*s));
	int err = 0;

	map->segment = s;
	if (s)
		s->slot_of = tn_alloc_array(rt, rt->max_slots, sizeof(*s->slot_of));
	if (!s || !s->slot_of)
		return tn_map_err(map, -ENOMEM, "out of memory");
	s->map = map;
	s->fd = -1;
	s->attr = attr;
	s->attached = attr->file && attr->file->attach;
	s->writable = !s->attached || attr->file->writable;
	map->for_host_alone = !s->writable;
	if (s->attached)
		err = tn_segment_read_header(attr->file->fd, &s->header);
	if (!err && s->attached)
		map->nr_slots = s->header.nr_slots;
	return err;
}

int tn_segment_init(struct tn_map *map, const struct tn_segment_parts *parts)
{
	struct tn_segment *s = map->segment;
	int err = open_file(s, parts);

	s->bytes = s->header.total_bytes;
	if (!err)
		err = tn_map_charge(map, s->bytes);
	return err ? err : map_file(s);
}

int tn_segment_start(struct tn_map *map)
{
	struct tn_segment *s = map->segment;
	int err = s->attached ? start_again(s) : start_new(s);

	s->attr = NULL;
	if (err)
		return err;
	s->fork.child = forked_child;
	tn_fork_register(&s->fork);
	s->started = true;
	return 0;
}

void tn_segment_fini(struct tn_map *map)
{
	struct tn_segment *s = map->segment;

	if (!s)
		return;
	if (s->started)
		tn_fork_unregister(&s->fork);
	if (s->base)
		munmap(s->base, s->bytes);
	if (s->fd >= 0)
		close(s->fd);
	if (tn_load_relaxed(&s->reader_fd) > 0)
		close(tn_load_relaxed(&s->reader_fd));
	tn_free(map->rt, (void *)s->slot_of);
	tn_free(map->rt, s);
	map->segment = NULL;
}
