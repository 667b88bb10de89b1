/* SPDX-License-Identifier: MIT */
/*
 * Maps of the kernel by descriptor. The descriptor is duplicated (close-on-exec) and stays open
 * while the map lives; a forked child has it too, and shares the kernel's map with its parent.
 *
 * A program's lookup by system call needs memory for the value. Each slot has a ring of copies, and
 * a lookup takes the next: a pointer shows the value as it was, and stays what it is until the
 * thread has looked up so many values more in this map. Then it shows another element's value:
 * never memory of anything else, for copies live as long as the map and are all of one size.
 * The verifier refuses stores through such pointers (values_are_copies).
 */
#include "maps/kernel_map.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/pages.h"
#include "maps/kernel_ring.h"

/* How many copies a slot has: many of small values, and never less than 8. */
#define MAX_COPIES  64u
#define MIN_COPIES  8u
#define COPY_BYTES  16384u
#define VALUE_LIMIT (64u << 20)

struct kernel_map {
	struct tn_map map;
	struct tn_map_ops ops; /* of an array that is mapped: an array's, with an end of its own */
	int fd;
	uint32_t nr_copies, copy_stride;
	unsigned char *copies; /* nr_copies of each slot */
	uint32_t *next_copy;   /* by slot, whose holder alone changes it */
	size_t copies_bytes;
	struct tn_kernel_ring ring;
};

static struct kernel_map *kernel_map(const struct tn_map *map)
{
	return TN_CONTAINER_OF(map, struct kernel_map, map);
}

int tn_kernel_map_fd(const struct tn_map *map)
{
	return kernel_map(map)->fd;
}

static int sys_bpf(int cmd, union bpf_attr *attr)
{
	int saved = errno, rc = (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	if (rc < 0)
		rc = -errno;
	/* Programs call this on threads of the host's. */
	errno = saved;
	return rc;
}

/* ---- Calls on elements ---- */

static int call(const struct tn_map *map, int cmd, const void *key, const void *value,
		uint64_t flags)
{
	union bpf_attr attr = { .map_fd = (uint32_t)kernel_map(map)->fd,
				.key = (uintptr_t)key,
				.value = (uintptr_t)value,
				.flags = flags };

	return sys_bpf(cmd, &attr);
}

static int host_lookup(struct tn_map *map, const void *key, void *value, uint64_t flags)
{
	return call(map, BPF_MAP_LOOKUP_ELEM, key, value, flags);
}

static int host_update(struct tn_map *map, const void *key, const void *value, uint64_t flags)
{
	return call(map, BPF_MAP_UPDATE_ELEM, key, value, flags);
}

static int host_delete(struct tn_map *map, const void *key, uint64_t flags)
{
	(void)flags; /* 0; of this command the kernel knows none */
	return call(map, BPF_MAP_DELETE_ELEM, key, NULL, 0);
}

static int host_lookup_and_delete(struct tn_map *map, const void *key, void *value, uint64_t flags)
{
	return call(map, BPF_MAP_LOOKUP_AND_DELETE_ELEM, key, value, flags);
}

static int next_key(struct tn_map *map, const void *key, void *next)
{
	return call(map, BPF_MAP_GET_NEXT_KEY, key, next, 0);
}

static int freeze(struct tn_map *map)
{
	union bpf_attr attr = { .map_fd = (uint32_t)kernel_map(map)->fd };

	return sys_bpf(BPF_MAP_FREEZE, &attr);
}

static void *lookup(struct tn_map *map, const void *key, uint32_t slot)
{
	struct kernel_map *k = kernel_map(map);
	uint32_t nr = k->next_copy[slot];
	unsigned char *copy;

	copy = k->copies + ((size_t)slot * k->nr_copies + nr) * k->copy_stride;
	if (call(map, BPF_MAP_LOOKUP_ELEM, key, copy, 0))
		return NULL;
	k->next_copy[slot] = nr + 1 < k->nr_copies ? nr + 1 : 0;
	return copy;
}

static int update(struct tn_map *map, const void *key, const void *value, uint64_t flags,
		  uint32_t slot)
{
	(void)slot;
	return call(map, BPF_MAP_UPDATE_ELEM, key, value, flags);
}

static int del(struct tn_map *map, const void *key)
{
	return call(map, BPF_MAP_DELETE_ELEM, key, NULL, 0);
}

/* ---- Life ---- */

/* The descriptor travels here in `extra`. */
static int init_fd(struct tn_map *map)
{
	struct kernel_map *k = kernel_map(map);

	k->fd = fcntl((int)map->extra, F_DUPFD_CLOEXEC, 3);
	map->extra = 0;
	if (k->fd < 0)
		return tn_map_err(map, -errno, "descriptor: %s", strerror(errno));
	return 0;
}

/* Creation stops before init has run only where nothing is freed but the struct: fd is 0 there, and
 * never otherwise (3 at least). */
static void fini(struct tn_map *map)
{
	struct kernel_map *k = kernel_map(map);

	if (map->type == TN_MAP_ARRAY && map->values)
		munmap(map->values, map->values_size);
	tn_kernel_ring_fini(&k->ring);
	tn_pages_free(k->copies, k->copies_bytes);
	tn_free(map->rt, k->next_copy);
	if (k->fd > 0)
		close(k->fd);
}

static int check(const struct tn_map *map)
{
	if (map->value_size > VALUE_LIMIT)
		return tn_map_err(map, -E2BIG, "value size %u is too large for copies",
				  map->value_size);
	return 0;
}

static int init_copies(struct tn_map *map)
{
	struct kernel_map *k = kernel_map(map);
	uint32_t slots = map->rt->max_slots;
	int err = init_fd(map);

	if (err)
		return err;
	k->copy_stride = TN_ROUND_UP(map->value_size, 8u);
	k->nr_copies = TN_MAX(TN_MIN(COPY_BYTES / TN_MAX(k->copy_stride, 1u), MAX_COPIES),
			      MIN_COPIES);
	/* Below 2^26 * 2^6 * 2^10. */
	k->copies_bytes = (size_t)k->copy_stride * k->nr_copies * slots;
	err = tn_map_charge(map, k->copies_bytes);
	if (err)
		return err;
	k->next_copy = tn_alloc_array(map->rt, slots, sizeof(*k->next_copy));
	k->copies = tn_pages_alloc(map->rt, k->copies_bytes);
	if (!k->next_copy || !k->copies)
		return tn_map_err(map, -ENOMEM, "cannot reserve %zu bytes", k->copies_bytes);
	memset(k->next_copy, 0, slots * sizeof(*k->next_copy));
	map->values_are_copies = true;
	return 0;
}

static int init_ring(struct tn_map *map)
{
	struct kernel_map *k = kernel_map(map);
	int err = init_fd(map);

	return err ? err : tn_kernel_ring_init(&k->ring, map, k->fd);
}

/* Writable, or, of a frozen map, not: then nobody here writes. */
static void *map_values(struct tn_map *map, int fd)
{
	void *at = mmap(NULL, map->values_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED && (errno == EPERM || errno == EACCES)) {
		at = mmap(NULL, map->values_size, PROT_READ, MAP_SHARED, fd, 0);
		map->flags |= TN_MAP_F_RDONLY | TN_MAP_F_RDONLY_PROG;
	}
	return at;
}

static int init_mapped(struct tn_map *map)
{
	struct kernel_map *k = kernel_map(map);
	int err = init_fd(map);
	uint64_t size;
	void *at;

	if (err)
		return err;
	k->ops = *map->ops;
	map->ops = &k->ops;
	map->value_stride = TN_ROUND_UP(map->value_size, 8u);
	size = TN_ROUND_UP((uint64_t)map->value_stride * map->max_entries,
			   (uint64_t)tn_page_size());
	map->values_size = size;
	at = map_values(map, k->fd);
	if (at == MAP_FAILED)
		return tn_map_err(map, -errno, "cannot map the kernel's array: %s",
				  strerror(errno));
	map->values = at;
	return 0;
}

static const struct tn_map_ops copied_ops = {
	.struct_size = sizeof(struct kernel_map),
	.check = check,
	.init = init_copies,
	.fini = fini,
	.lookup = lookup,
	.update = update,
	.del = del,
	.host_lookup = host_lookup,
	.host_update = host_update,
	.host_delete = host_delete,
	.host_lookup_and_delete = host_lookup_and_delete,
	.next_key = next_key,
	.freeze = freeze,
};

static const struct tn_map_ops percpu_ops = {
	.struct_size = sizeof(struct kernel_map),
	.check = check,
	.init = init_fd,
	.fini = fini,
	.host_lookup = host_lookup,
	.host_update = host_update,
	.host_delete = host_delete,
	.host_lookup_and_delete = host_lookup_and_delete,
	.next_key = next_key,
	.freeze = freeze,
};

static const struct tn_map_ops ring_ops = {
	.struct_size = sizeof(struct kernel_map),
	.check = check,
	.init = init_ring,
	.fini = fini,
};

extern const struct tn_map_ops tn_array_ops;

/* An array's, of our struct and with our ends. The map keeps a copy: the caller's is on its stack.
 */
static void array_ops(struct tn_map_ops *ops)
{
	*ops = tn_array_ops;
	ops->struct_size = sizeof(struct kernel_map);
	ops->check = check;
	ops->init = init_mapped;
	ops->fini = fini;
	ops->freeze = freeze;
}

/* ---- Handing in ---- */

/* "0-3" or "0,2-5": one more than the last number. 0: not known. */
static uint32_t possible_cpus(void)
{
	int fd = open("/sys/devices/system/cpu/possible", O_RDONLY | O_CLOEXEC);
	char text[256] = "";
	uint32_t last = 0;
	ssize_t len;

	if (fd < 0)
		return 0;
	len = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (len <= 0)
		return 0;
	for (ssize_t i = 0; i < len; i++) {
		if (text[i] >= '0' && text[i] <= '9')
			last = last * 10 + (uint32_t)(text[i] - '0');
		else if (text[i] == '-' || text[i] == ',')
			last = 0;
	}
	return last < 1u << 16 ? last + 1 : 0;
}

/* The kernel maps nothing of a map through a descriptor that is not for reading and writing. */
static bool can_be_mapped(const struct bpf_map_info *info, int fd)
{
	return info->type == BPF_MAP_TYPE_ARRAY && info->map_flags & BPF_F_MMAPABLE &&
	       (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR;
}

static const struct tn_map_ops *ops_for(const struct bpf_map_info *info, int fd, uint32_t *type,
					struct tn_map_ops *array)
{
	if (can_be_mapped(info, fd)) {
		*type = TN_MAP_ARRAY;
		array_ops(array);
		return array;
	}
	switch (info->type) {
	case BPF_MAP_TYPE_ARRAY:
	case BPF_MAP_TYPE_HASH:
	case BPF_MAP_TYPE_LRU_HASH:
	case BPF_MAP_TYPE_LPM_TRIE:
		*type = TN_MAP_KERNEL;
		return &copied_ops;
	case BPF_MAP_TYPE_PERCPU_HASH:
	case BPF_MAP_TYPE_PERCPU_ARRAY:
	case BPF_MAP_TYPE_LRU_PERCPU_HASH:
		*type = TN_MAP_KERNEL_PERCPU;
		return &percpu_ops;
	case BPF_MAP_TYPE_RINGBUF:
		*type = TN_MAP_KERNEL_RING;
		return &ring_ops;
	default:
		return NULL;
	}
}

static int read_info(int fd, struct bpf_map_info *info)
{
	union bpf_attr attr = { .info = { .bpf_fd = (uint32_t)fd,
					  .info_len = sizeof(*info),
					  .info = (uintptr_t)info } };
	int rc = sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr);

	if (rc == -EPERM || rc == -ENOSYS)
		return tn_err(rc, "kernel map: bpf(2) is refused: %s", strerror(-rc));
	/* Of a program or a link the same call fills another structure; those have no sizes. */
	if (rc || !info->max_entries)
		return tn_err(rc == 0 || rc == -EINVAL ? -EBADF : rc,
			      "kernel map: descriptor %d is no map", fd);
	return 0;
}

/* Programs and links answer the same question with another structure: the file says what it is. */
static int check_is_map(int fd)
{
	char path[64], target[64];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0)
		return fcntl(fd, F_GETFD) < 0
			       ? tn_err(-EBADF, "kernel map: descriptor %d is not open", fd)
			       : 0;
	target[len] = '\0';
	if (strcmp(target, "anon_inode:bpf-map") != 0)
		return tn_err(-EBADF, "kernel map: descriptor %d is '%s', expected a map", fd,
			      target);
	return 0;
}

/* Special fields are for kernel programs: what a copy shows of them are zeros, and what an update
 * writes is not what the caller sees. Nothing is lost by passing them over. */
struct tn_map *tn_kernel_map(struct tn_rt *rt, int fd, const char *name)
{
	struct bpf_map_info info = { 0 };
	struct tn_map_ops array;
	const struct tn_map_ops *ops;
	struct tn_map_attr attr = { 0 };
	struct tn_map *map;
	uint32_t cpus;
	int rc = check_is_map(fd);

	if (!rc)
		rc = read_info(fd, &info);
	if (rc) {
		errno = -rc;
		return NULL;
	}
	info.name[sizeof(info.name) - 1] = '\0';
	attr.name = name ? name : info.name;
	ops = ops_for(&info, fd, &attr.type, &array);
	if (!ops)
		return tn_err_null(
			-ENOTSUP, "map '%s': maps of the kernel of type %u (%s) cannot be shared",
			attr.name, info.type,
			tn_map_type_words(info.type) ? tn_map_type_words(info.type) : "unknown");
	cpus = attr.type == TN_MAP_KERNEL_PERCPU ? possible_cpus() : 0;
	if (attr.type == TN_MAP_KERNEL_PERCPU && !cpus)
		return tn_err_null(-ENOTSUP, "map '%s': the number of possible CPUs is not known",
				   attr.name);
	attr.key_size = info.key_size;
	attr.value_size = info.value_size;
	attr.max_entries = info.max_entries;
	attr.flags = info.map_flags;
	attr.extra = (uint64_t)fd;
	map = tn_map_create_as(rt, &attr, ops);
	if (!map)
		return NULL;
	map->kernel_type = info.type;
	map->kernel_cpus = cpus;
	return map;
}

int tn_kernel_ring_consume(struct tn_map *map, int (*fn)(void *user, void *data, size_t size),
			   void *user)
{
	int rc = tn_kernel_ring_take(&kernel_map(map)->ring, fn, user);

	if (rc == -EPROTO)
		return tn_map_err(map, rc, "the positions in the kernel's ring make no sense");
	return rc;
}
