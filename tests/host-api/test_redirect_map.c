/* SPDX-License-Identifier: MIT */
/*
 * bpf_redirect_map() on every kind of map of ports: the verdicts are those of the kernel's test
 * runs, where bpf(2) is allowed, and the context tells the host where to.
 */
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host.h"

static struct tenon_runtime *rt;
static struct tenon_hook hook;

/* 1 is the loopback device of the kernel, and so it is here. */
static int port_exists(void *user, uint32_t map_type, uint32_t port)
{
	(void)user;
	return port == (map_type == BPF_MAP_TYPE_CPUMAP ? 0u : 1u) ? 0 : -ENODEV;
}

static int setup(void **state)
{
	struct tenon_packet_ops ops = { .sz = sizeof(ops), .port = port_exists };
	struct tenon_hook_desc desc = {
		.sz = sizeof(desc), .name = "x", .ctx = tenon_ctx_xdp(), .chain = TENON_CHAIN_LAST
	};

	(void)state;
	rt = new_runtime(NULL);
	memset(&hook, 0, sizeof(hook));
	assert_ok(tenon_runtime_set_packet_ops(rt, &ops));
	assert_ok(tenon_hook_register(rt, &hook, &desc));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return tenon_runtime_free(rt);
}

static int sys_bpf(int cmd, union bpf_attr *attr)
{
	int rc = (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return rc < 0 ? -errno : rc;
}

/* One element: `key` with 1 in it. */
struct row {
	uint32_t type, key;
	uint64_t redirect_key, flags;
	uint32_t verdict;
};

#define DEVMAP	BPF_MAP_TYPE_DEVMAP
#define DEVHASH BPF_MAP_TYPE_DEVMAP_HASH
#define CPUMAP	BPF_MAP_TYPE_CPUMAP
#define XSKMAP	BPF_MAP_TYPE_XSKMAP

static const struct row rows[] = {
	{ DEVMAP, 2, 2, 0, XDP_REDIRECT },
	{ DEVMAP, 2, 2, XDP_PASS, XDP_REDIRECT },
	{ DEVMAP, 2, 2, 4, XDP_ABORTED },
	{ DEVMAP, 2, 2, 32, XDP_ABORTED },
	{ DEVMAP, 2, 2, 1ull << 40, XDP_ABORTED },
	{ DEVMAP, 2, 3, 0, XDP_ABORTED },
	{ DEVMAP, 2, 3, XDP_DROP, XDP_DROP },
	{ DEVMAP, 2, 3, XDP_PASS, XDP_PASS },
	{ DEVMAP, 2, 99, XDP_TX, XDP_TX },
	{ DEVMAP, 2, 99, XDP_TX | BPF_F_EXCLUDE_INGRESS, XDP_TX },
	{ DEVMAP, 2, 99, BPF_F_BROADCAST, XDP_REDIRECT },
	{ DEVMAP, 2, 99, BPF_F_BROADCAST | BPF_F_EXCLUDE_INGRESS | XDP_PASS, XDP_REDIRECT },
	{ DEVMAP, 2, 2, BPF_F_EXCLUDE_INGRESS, XDP_REDIRECT },
	{ DEVHASH, 1000000, 1000000, 0, XDP_REDIRECT },
	{ DEVHASH, 1000000, 7, XDP_PASS, XDP_PASS },
	{ DEVHASH, 1000000, 7, BPF_F_BROADCAST, XDP_REDIRECT },
	{ DEVHASH, 1000000, 7, 64, XDP_ABORTED },
	{ CPUMAP, 0, 0, 0, XDP_REDIRECT },
	{ CPUMAP, 0, 1, XDP_PASS, XDP_PASS },
	{ CPUMAP, 0, 0, BPF_F_BROADCAST, XDP_ABORTED },
	{ XSKMAP, 0, 1, XDP_PASS, XDP_PASS },
	{ XSKMAP, 0, 0, BPF_F_BROADCAST, XDP_ABORTED },
};

static void write_text(char *text, size_t size, const struct row *row)
{
	snprintf(text, size, "r1 = map[0] ll\nr2 = 0x%llx ll\nr3 = 0x%llx ll\ncall 51\nexit\n",
		 (unsigned long long)row->redirect_key, (unsigned long long)row->flags);
}

static void host_is_told_where_to(void **state)
{
	const uint32_t one = 1;
	char text[200];

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i / 2];
		struct tenon_object_open_opts opts = { .sz = sizeof(opts),
						       .engine = engine_at(i & 1) };
		struct tenon_map *map = tenon_map_new(rt, row->type, "ports", 4, 4, 4, NULL);
		struct tenon_xdp_md xdp = { .redirect_ifindex = 55, .redirect_key = 66 };
		bool to_all = row->flags & BPF_F_BROADCAST;
		struct tenon_object *obj;

		write_text(text, sizeof(text), row);
		assert_non_null(map);
		assert_ok(tenon_map_update_elem(map, &row->key, 4, &one, 4, 0) &&
			  row->type != XSKMAP);
		obj = open_text(rt, "x", 0, &map, 1, text, &opts);
		assert_non_null(obj);
		assert_ok(tenon_object_load(obj));
		assert_ok(tenon_object_attach(obj));
		assert_int_equal(tenon_hook_fire(&hook, &xdp), row->verdict);
		if (row->verdict == XDP_REDIRECT) {
			assert_int_equal(xdp.redirect_map_id, tenon_map_id(map));
			assert_int_equal(xdp.redirect_key, row->redirect_key);
			assert_int_equal(xdp.redirect_ifindex, to_all ? 0 : 1);
			assert_int_equal(xdp.redirect_flags, to_all ? row->flags & ~3ull : 0);
		} else {
			assert_int_equal(xdp.redirect_map_id, 0);
			assert_int_equal(xdp.redirect_ifindex, 55);
		}
		assert_ok(tenon_object_close(obj));
		tenon_map_free(map);
	}
}

/* The verdict of a test run in the kernel, or -errno. */
static int kernel_verdict(const struct row *row)
{
	union bpf_attr attr = { .map_type = row->type,
				.key_size = 4,
				.value_size = 4,
				.max_entries = row->type == CPUMAP ? 2 : 4 };
	int map = sys_bpf(BPF_MAP_CREATE, &attr), prog;
	unsigned char packet[64] = { 0 };
	struct tn_insn *insns;
	uint32_t one = 1, nr;
	char text[200];

	if (map < 0)
		return map;
	attr = (union bpf_attr){ .map_fd = (uint32_t)map,
				 .key = (uintptr_t)&row->key,
				 .value = (uintptr_t)&one };
	if (sys_bpf(BPF_MAP_UPDATE_ELEM, &attr) && row->type != XSKMAP)
		fail_msg("the kernel takes no element of type %u", row->type);
	write_text(text, sizeof(text), row);
	assert_ok(tn_asm(NULL, text, &insns, &nr));
	insns[0].src = BPF_PSEUDO_MAP_FD;
	insns[0].imm = map;
	attr = (union bpf_attr){ .prog_type = BPF_PROG_TYPE_XDP,
				 .insns = (uintptr_t)insns,
				 .insn_cnt = nr,
				 .license = (uintptr_t) "GPL" };
	prog = sys_bpf(BPF_PROG_LOAD, &attr);
	tn_free(NULL, insns);
	close(map);
	if (prog < 0)
		fail_msg("the kernel refuses the program: %s", strerror(-prog));
	attr = (union bpf_attr){ .test = { .prog_fd = (uint32_t)prog,
					   .data_in = (uintptr_t)packet,
					   .data_size_in = sizeof(packet),
					   .repeat = 1 } };
	assert_int_equal(sys_bpf(BPF_PROG_TEST_RUN, &attr), 0);
	close(prog);
	return (int)attr.test.retval;
}

static void kernel_gives_the_same_verdicts_where_allowed(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int verdict = kernel_verdict(&rows[i]);

		if (verdict == -EPERM || verdict == -ENOSYS) {
			print_message("bpf(2) is refused: %s\n", strerror(-verdict));
			skip();
		}
		if (verdict != (int)rows[i].verdict)
			fail_msg("row %zu: the kernel says %d, the table %u", i, verdict,
				 rows[i].verdict);
	}
}

#define LOOK                                           \
	"r1 = 2\n*(u32 *)(r10 -4) = r1\n"              \
	"r2 = r10\nr2 += -4\nr1 = map[0] ll\ncall 1\n" \
	"if r0 == 0 goto none\n"

/* Programs look up devices and store nothing into them; the other kinds they only redirect to. */
static void programs_read_devices_alone(void **state)
{
	static const uint32_t types[] = { DEVMAP, DEVHASH, CPUMAP, XSKMAP };
	const uint32_t one = 1, key = 2;

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct tenon_map *map = tenon_map_new(rt, types[i], "ports", 4, 4, 4, NULL);
		struct tenon_object *obj = open_text(
			rt, "x", 0, &map, 1, LOOK "r0 = *(u32 *)(r0 +0)\nnone:\nexit\n", NULL);
		struct tenon_xdp_md xdp = { 0 };

		assert_non_null(obj);
		if (i >= 2) {
			assert_int_equal(tenon_object_load(obj), -EACCES);
			assert_words(i == 2 ? "cpumap" : "xskmap");
		} else {
			assert_ok(tenon_object_load(obj));
			assert_ok(tenon_object_attach(obj));
			assert_int_equal(tenon_hook_fire(&hook, &xdp), 0);
			assert_ok(tenon_map_update_elem(map, &key, 4, &one, 4, 0));
			assert_int_equal(tenon_hook_fire(&hook, &xdp), 1);
			assert_ok(tenon_object_close(obj));
			obj = open_text(rt, "x", 0, &map, 1,
					LOOK "r1 = 1\n*(u32 *)(r0 +0) = r1\nr0 = 0\nnone:\nexit\n",
					NULL);
			assert_int_equal(tenon_object_load(obj), -EACCES);
			assert_words("which only the host changes");
		}
		assert_ok(tenon_object_close(obj));
		tenon_map_free(map);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(host_is_told_where_to),
		TEST(kernel_gives_the_same_verdicts_where_allowed),
		TEST(programs_read_devices_alone),
	};

	return cmocka_run_group_tests_name("host-api/redirect_map", tests, NULL, NULL);
}
