/* SPDX-License-Identifier: MIT */
/*
 * Death at every instruction: a process that writes to a shared map is stepped through one
 * operation, and each state of the segment that it goes through is what a kill there would leave.
 * Of each a copy is found by another process, which must make a valid map of it: every other key as
 * it was, the operation's key as before or as after.
 */
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "maps/testing.h"

#include "maps/segment.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

#define NR_KEYS	    40u
#define NR_SLOTS    4u
#define VALUE_WORDS 3u

struct value {
	uint64_t word[VALUE_WORDS * NR_SLOTS]; /* per-slot maps: each slot's */
};

enum op { UPDATE, UPDATE_SLOT, DELETE, TAKE };

struct death {
	uint32_t type;
	struct tn_map *map;
	enum op op;
	uint64_t key;
	uint64_t version;	      /* what the operation writes */
	uint64_t before[NR_KEYS + 1]; /* versions, 0: none; of slot 1 in per-slot maps */
	bool again;		      /* step through the repair, too */
	uint32_t states, repairs;
};

/* Slots but 1 keep the key for a version where only slot 1 is written. */
static struct value value_of(uint64_t key, uint64_t version)
{
	struct value v;

	for (uint32_t i = 0; i < TN_ARRAY_SIZE(v.word); i++)
		v.word[i] = version + (i % VALUE_WORDS) * key;
	return v;
}

static bool is_lru(const struct death *d)
{
	return d->type == TN_MAP_LRU_HASH || d->type == TN_MAP_LRU_PERCPU_HASH;
}

static struct tn_map *make_map(uint32_t type, uint32_t max)
{
	struct tn_map_attr attr = { .type = type,
				    .key_size = 8,
				    .value_size = VALUE_WORDS * 8,
				    .max_entries = max,
				    .flags = TN_MAP_F_SHARED | TN_MAP_F_ZERO_SEED,
				    .name = "death" };
	struct tn_map *map = tn_map_create(&test_rt, &attr);

	if (!map)
		fail_msg("%s", tn_err_last()->msg);
	return map;
}

static struct tn_map *find_map(int fd)
{
	struct tn_segment_header header;
	struct tn_segment_file file = { .fd = fd, .attach = true, .writable = true };
	struct tn_map_attr attr;

	if (tn_segment_read_header(fd, &header))
		return NULL;
	tn_segment_attr(&header, &attr);
	attr.file = &file;
	return tn_map_create(&test_rt, &attr);
}

static void operate(struct death *d)
{
	struct value v = value_of(d->key, d->version);
	struct tn_map *map = d->map;
	int err = 0;

	switch (d->op) {
	case UPDATE:
		err = tn_map_host_update(map, &d->key, &v, TN_MAP_ANY);
		break;
	case UPDATE_SLOT:
		err = map->ops->update(map, &d->key, &v, TN_MAP_ANY, 1);
		break;
	case DELETE:
		err = map->ops->del(map, &d->key);
		break;
	case TAKE:
		err = tn_map_host_lookup_and_delete(map, &d->key, &v, 0);
		break;
	}
	_exit(err ? 1 : 0);
}

/* ---- What is found afterwards ---- */

static uint64_t version_of(struct tn_map *map, uint64_t key, bool one_slot)
{
	struct value v = { .word = { 0 } }, expected;
	int err = tn_map_host_lookup(map, &key, &v, 0);
	uint32_t words = map->slot_stride ? VALUE_WORDS * NR_SLOTS : VALUE_WORDS, from = 0;
	uint64_t version = one_slot ? v.word[VALUE_WORDS] : v.word[0];

	if (err == -ENOENT)
		return 0;
	assert_int_equal(err, 0);
	expected = value_of(key, version);
	if (one_slot) {
		from = VALUE_WORDS;
		words = VALUE_WORDS;
	}
	if (memcmp(&v.word[from], &expected.word[from], words * 8) != 0)
		fail_msg("key %llu: torn", (unsigned long long)key);
	return version;
}

static void check_found(struct death *d, struct tn_map *map)
{
	bool one_slot = d->op == UPDATE_SLOT;
	uint64_t after = d->op == DELETE || d->op == TAKE ? 0 : d->version;
	uint32_t missing = 0;

	assert_hash_valid(map, NULL);
	for (uint64_t key = 1; key <= NR_KEYS; key++) {
		uint64_t found = version_of(map, key, one_slot && key == d->key);

		if (found == d->before[key] || (key == d->key && found == after))
			continue;
		if (found || !is_lru(d) || missing++)
			fail_msg("state %u: key %llu: found %llu, expected %llu", d->states,
				 (unsigned long long)key, (unsigned long long)found,
				 (unsigned long long)d->before[key]);
	}
}

/* The map is of use: the operation's key is written and removed as ever. */
static void check_use(struct death *d, struct tn_map *map)
{
	struct value v = value_of(d->key, 99);

	assert_int_equal(tn_map_host_update(map, &d->key, &v, TN_MAP_ANY), 0);
	assert_int_equal(version_of(map, d->key, false), 99);
	assert_int_equal(tn_map_host_delete(map, &d->key, 0), 0);
	assert_hash_valid(map, NULL);
}

static int file_of(const void *bytes, size_t size)
{
	int fd = memfd_create("death", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, size, 0), (ssize_t)size);
	return fd;
}

static void check_state(struct death *d, const void *bytes, size_t size)
{
	int fd = file_of(bytes, size);
	struct tn_map *map = find_map(fd);

	if (!map)
		fail_msg("%s", tn_err_last()->msg);
	check_found(d, map);
	check_use(d, map);
	tn_map_put(map);
	close(fd);
}

/* ---- Stepping ---- */

static pid_t start_child(struct death *d, int fd)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			_exit(2);
		raise(SIGSTOP);
		if (fd < 0)
			operate(d);
		_exit(find_map(fd) ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status))
		return 0; /* not allowed here */
	assert_true(WIFSTOPPED(status));
	return pid;
}

typedef void (*state_fn)(struct death *d, const void *bytes, size_t size);

/* Each state of the segment that the child goes through, until it ends. */
static void step_through(struct death *d, pid_t pid, const void *view, size_t size, state_fn fn)
{
	unsigned char *bytes = malloc(size);
	int status = 0;

	assert_non_null(bytes);
	memcpy(bytes, view, size);
	for (;;) {
		if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL))
			fail_msg("ptrace: %s", strerror(errno));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (!WIFSTOPPED(status))
			break;
		if (!memcmp(bytes, view, size))
			continue;
		memcpy(bytes, view, size);
		fn(d, bytes, size);
	}
	free(bytes);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void check_repair_state(struct death *d, const void *bytes, size_t size)
{
	d->repairs++;
	check_state(d, bytes, size);
}

/* The one who repairs dies, too. */
static void die_in_repair(struct death *d, const void *bytes, size_t size)
{
	int fd = file_of(bytes, size);
	void *view = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	pid_t pid;

	assert_true(view != MAP_FAILED);
	pid = start_child(d, fd);
	if (pid)
		step_through(d, pid, view, size, check_repair_state);
	munmap(view, size);
	close(fd);
}

static void die_in_operation(struct death *d, const void *bytes, size_t size)
{
	d->states++;
	check_state(d, bytes, size);
	if (d->again && d->states == 12)
		die_in_repair(d, bytes, size);
}

static void fill(struct death *d, uint64_t rounds)
{
	for (uint64_t round = 1; round <= rounds; round++) {
		for (uint64_t key = 1; key <= NR_KEYS; key++) {
			struct value v = value_of(key, round * 1000);

			if (key % 5 == round % 5)
				tn_map_host_delete(d->map, &key, 0);
			else if (tn_map_host_update(d->map, &key, &v, TN_MAP_ANY))
				fail_msg("%s", tn_err_last()->msg);
		}
	}
	for (uint64_t key = 1; key <= NR_KEYS; key++)
		d->before[key] = version_of(d->map, key, false);
}

static void die(uint32_t type, enum op op, uint64_t key, bool again)
{
	struct death d = { .type = type, .op = op, .key = key, .version = 7, .again = again };
	struct tn_segment *s;
	pid_t pid;

	if (TN_TSAN) {
		print_message("skipped: one thread, and very many instructions\n");
		skip();
	}
	/* LRU maps: full of other keys. */
	d.map = make_map(type, is_lru(&d) ? 24 : NR_KEYS);
	fill(&d, 7);
	s = d.map->segment;
	pid = start_child(&d, -1);
	if (!pid) {
		tn_map_put(d.map);
		print_message("skipped: ptrace(2) is not allowed here\n");
		skip();
	}
	step_through(&d, pid, s->base, s->bytes, die_in_operation);
	assert_true(d.states > 4);
	assert_true(!again || d.repairs > 4);
	print_message("%u states, %u of repairs\n", d.states, d.repairs);
	tn_map_put(d.map);
}

/* ---- Tests ---- */

static void update_is_repaired_at_every_instruction(void **state)
{
	(void)state;
	for (uint64_t key = 1; key <= 2; key++)
		die(TN_MAP_HASH, UPDATE, key, false);
}

static void removal_is_repaired_at_every_instruction(void **state)
{
	(void)state;
	for (uint64_t key = 3; key <= 4; key++)
		die(TN_MAP_HASH, key % 2 ? DELETE : TAKE, key, false);
}

static void lru_update_is_repaired_at_every_instruction(void **state)
{
	(void)state;
	for (uint64_t key = 1; key <= 2; key++)
		die(TN_MAP_LRU_HASH, UPDATE, key, false);
}

static void slot_values_are_repaired_at_every_instruction(void **state)
{
	(void)state;
	for (uint64_t key = 1; key <= 2; key++)
		die(TN_MAP_PERCPU_HASH, UPDATE, key, false);
	die(TN_MAP_PERCPU_HASH, UPDATE_SLOT, 4, false);
	die(TN_MAP_PERCPU_HASH, DELETE, 4, false);
	die(TN_MAP_LRU_PERCPU_HASH, UPDATE, 1, false);
}

static void repair_is_repaired_at_every_instruction(void **state)
{
	(void)state;
	/* Many more instructions where each access is checked. */
	if (!SANITIZED)
		die(TN_MAP_HASH, UPDATE, 4, true);
	die(TN_MAP_PERCPU_HASH, UPDATE, 4, true);
}

/* Stepping changes between two processes at every instruction: faster on one processor. */
static void stay_here(void)
{
	cpu_set_t set;
	int cpu = sched_getcpu();

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(update_is_repaired_at_every_instruction, start_rt,
						stop_rt),
		cmocka_unit_test_setup_teardown(removal_is_repaired_at_every_instruction, start_rt,
						stop_rt),
		cmocka_unit_test_setup_teardown(lru_update_is_repaired_at_every_instruction,
						start_rt, stop_rt),
		cmocka_unit_test_setup_teardown(slot_values_are_repaired_at_every_instruction,
						start_rt, stop_rt),
		cmocka_unit_test_setup_teardown(repair_is_repaired_at_every_instruction, start_rt,
						stop_rt),
	};

	stay_here();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
