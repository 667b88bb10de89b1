/* SPDX-License-Identifier: MIT */
/*
 * Classic BPF. The oracle is the kernel: a filter on one end of a pair of datagram sockets decides
 * how much of what is sent arrives. Random filters must be accepted by both or by neither, and
 * leave the same bytes of random packets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tenon/tenon.h"

#define NR(a) (sizeof(a) / sizeof((a)[0]))

static struct tenon_runtime *rt;

static struct tenon_object *open_filter(const struct sock_filter *f, size_t nr, bool seccomp)
{
	struct tenon_cbpf filter = {
		.sz = sizeof(filter), .insns = f, .nr_insns = nr, .seccomp = seccomp
	};

	return tenon_object_open_cbpf(rt, &filter, NULL);
}

static struct tenon_object *load_filter(const struct sock_filter *f, size_t nr, bool seccomp)
{
	struct tenon_object *obj = open_filter(f, nr, seccomp);

	if (!obj || tenon_object_load(obj))
		fail_msg("%s", tenon_last_error()->msg);
	return obj;
}

static uint64_t run(struct tenon_object *obj, struct tenon_sk_buff *skb, const void *bytes,
		    size_t size, enum tenon_engine engine)
{
	struct tenon_test_run_opts opts = {
		.sz = sizeof(opts),
		.ctx = skb,
		.ctx_size = skb ? sizeof(*skb) : 0,
		.data_in = bytes,
		.data_in_size = size,
		.engine = engine,
	};

	if (tenon_program_test_run(tenon_object_next_program(obj, NULL), &opts))
		fail_msg("%s", tenon_last_error()->msg);
	assert_int_equal(opts.ended, TENON_ENDED_NORMALLY);
	return opts.retval;
}

static uint64_t run_packet(struct tenon_object *obj, const void *bytes, size_t size)
{
	struct tenon_sk_buff skb = { .len = (uint32_t)size };
	uint64_t native = run(obj, &skb, bytes, size, TENON_ENGINE_AUTO);

	assert_int_equal(run(obj, &skb, bytes, size, TENON_ENGINE_INTERP), native);
	return native;
}

/* ---- Filters as tcpdump writes them ---- */

/* tcpdump -dd 'ip and tcp dst port 80', on Ethernet */
static const struct sock_filter web[] = {
	{ 0x28, 0, 0, 0x0000000c }, { 0x15, 0, 8, 0x00000800 }, { 0x30, 0, 0, 0x00000017 },
	{ 0x15, 0, 6, 0x00000006 }, { 0x28, 0, 0, 0x00000014 }, { 0x45, 4, 0, 0x00001fff },
	{ 0xb1, 0, 0, 0x0000000e }, { 0x48, 0, 0, 0x00000010 }, { 0x15, 0, 1, 0x00000050 },
	{ 0x06, 0, 0, 0x00040000 }, { 0x06, 0, 0, 0x00000000 },
};

static void tcpdump_filter_gives_its_verdict(void **state)
{
	unsigned char frame[64] = { [12] = 8, [14] = 0x46, [23] = 6, [41] = 80 };
	struct tenon_object *obj = load_filter(web, NR(web), false);

	(void)state;
	assert_int_equal(run_packet(obj, frame, sizeof(frame)), 0x40000);
	frame[14] = 0x45; /* the ports stand elsewhere now */
	assert_int_equal(run_packet(obj, frame, sizeof(frame)), 0);
	frame[37] = 80;
	assert_int_equal(run_packet(obj, frame, sizeof(frame)), 0x40000);
	assert_int_equal(run_packet(obj, frame, 37), 0); /* cut off in the port */
	frame[21] = 1;					 /* a later fragment has no ports */
	assert_int_equal(run_packet(obj, frame, sizeof(frame)), 0);
	tenon_object_close(obj);
}

static void ancillary_loads_read_the_context(void **state)
{
	static const struct {
		uint32_t what, want;
	} cases[] = {
		{ SKF_AD_PROTOCOL, 0x0800 },
		{ SKF_AD_PKTTYPE, 3 },
		{ SKF_AD_IFINDEX, 7 },
		{ SKF_AD_MARK, 0xabcdef },
		{ SKF_AD_QUEUE, 5 },
		{ SKF_AD_RXHASH, 0x12345678 },
		{ SKF_AD_VLAN_TAG, 0x2064 },
		{ 48, 1 },
		{ 60, 0x8100 },
	};
	struct tenon_sk_buff skb = {
		.len = 4,
		.protocol = 0x0008, /* as on the wire */
		.pkt_type = 3,
		.ifindex = 7,
		.mark = 0xabcdef,
		.queue_mapping = 5,
		.hash = 0x12345678,
		.vlan_tci = 0x2064,
		.vlan_present = 1,
		.vlan_proto = 0x0081,
	};

	(void)state;
	for (size_t i = 0; i < NR(cases); i++) {
		const struct sock_filter f[] = {
			BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + cases[i].what),
			BPF_STMT(BPF_RET | BPF_A, 0),
		};
		struct tenon_object *obj = load_filter(f, NR(f), false);

		assert_int_equal(run(obj, &skb, "1234", 4, TENON_ENGINE_AUTO), cases[i].want);
		tenon_object_close(obj);
	}
}

static void random_and_cpu_have_a_value(void **state)
{
	static const struct sock_filter f[] = {
		BPF_STMT(BPF_LDX | BPF_IMM, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + 56),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_CPU),
		BPF_STMT(BPF_MISC | BPF_TXA, 0),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};
	struct tenon_object *obj = load_filter(f, NR(f), false);

	(void)state;
	assert_int_equal(run_packet(obj, "1234", 4), 3);
	tenon_object_close(obj);
}

/* ---- seccomp ---- */

static void seccomp_filter_reads_its_data(void **state)
{
	/* As a sandbox: another architecture is killed, getppid (110) fails, a write to any file
	 * but 1 and 2 is traced. */
	static const struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0xc000003e, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 110, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 42),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct seccomp_data data = { .nr = 1, .arch = 0xc000003e, .args = { 1 } };
	struct tenon_test_run_opts opts = { .sz = sizeof(opts),
					    .ctx = &data,
					    .ctx_size = sizeof(data) };
	struct tenon_object *obj = load_filter(f, NR(f), true);
	struct tenon_program *prog = tenon_object_next_program(obj, NULL);

	(void)state;
	assert_int_equal(tenon_program_test_run(prog, &opts), 0);
	assert_int_equal(opts.retval, SECCOMP_RET_ALLOW);
	data.args[0] = 7;
	assert_int_equal(tenon_program_test_run(prog, &opts), 0);
	assert_int_equal(opts.retval, SECCOMP_RET_TRACE);
	data.nr = 110;
	assert_int_equal(tenon_program_test_run(prog, &opts), 0);
	assert_int_equal(opts.retval, SECCOMP_RET_ERRNO | 42);
	data.arch = 3;
	assert_int_equal(tenon_program_test_run(prog, &opts), 0);
	assert_int_equal(opts.retval, SECCOMP_RET_KILL_PROCESS);
	tenon_object_close(obj);
}

/* ---- What is refused ---- */

#define RETURN             \
	{                  \
		6, 0, 0, 0 \
	}

struct refusal {
	const char *words;
	int code;
	bool seccomp;
	size_t nr;
	struct sock_filter f[4];
};

static const struct refusal refusals[] = {
	{ "the last instruction is no return", EINVAL, false, 1, { { 0x00, 0, 0, 1 } } },
	{ "it jumps behind the last instruction", EINVAL, false, 2, { { 0x05, 0, 0, 1 }, RETURN } },
	{ "it jumps behind the last instruction",
	  EINVAL,
	  false,
	  2,
	  { { 0x05, 0, 0, UINT32_MAX }, RETURN } },
	{ "it jumps behind the last instruction", EINVAL, false, 2, { { 0x15, 0, 1, 0 }, RETURN } },
	{ "M[] has 16 words", EINVAL, false, 2, { { 0x02, 0, 0, 16 }, RETURN } },
	{ "was not stored on every path", EINVAL, false, 2, { { 0x60, 0, 0, 3 }, RETURN } },
	{ "was not stored on every path",
	  EINVAL,
	  false,
	  4,
	  { { 0x15, 0, 1, 0 }, { 0x02, 0, 0, 3 }, { 0x61, 0, 0, 3 }, RETURN } },
	{ "division by 0", EINVAL, false, 2, { { 0x34, 0, 0, 0 }, RETURN } },
	{ "a shift by 32 bits or more", EINVAL, false, 2, { { 0x64, 0, 0, 32 }, RETURN } },
	{ "unknown load", EINVAL, false, 2, { { 0x38, 0, 0, 0 }, RETURN } },
	{ "unknown instruction", EINVAL, false, 2, { { 0x0f, 0, 0, 0 }, RETURN } },
	{ "unknown jump", EINVAL, false, 2, { { 0xa5, 0, 0, 0 }, RETURN } },
	{ "no ancillary load has this number",
	  EINVAL,
	  false,
	  2,
	  { { 0x20, 0, 0, 0xfffff001 }, RETURN } },
	{ "SKF_AD_PAY_OFFSET", ENOTSUP, false, 2, { { 0x20, 0, 0, 0xfffff034 }, RETURN } },
	{ "SKF_NET_OFF", ENOTSUP, false, 2, { { 0x20, 0, 0, 0xfff00000 }, RETURN } },
	{ "words of struct seccomp_data", EINVAL, true, 2, { { 0x20, 0, 0, 2 }, RETURN } },
	{ "words of struct seccomp_data", EINVAL, true, 2, { { 0x20, 0, 0, 64 }, RETURN } },
	{ "words of struct seccomp_data", EINVAL, true, 2, { { 0x30, 0, 0, 0 }, RETURN } },
	{ "no packet to load from", EINVAL, true, 2, { { 0x40, 0, 0, 0 }, RETURN } },
	{ "no remainder operation", EINVAL, true, 2, { { 0x94, 0, 0, 3 }, RETURN } },
	{ "0 instructions, expected 1 to 4096", EINVAL, false, 0, { RETURN } },
};

static void malformed_filters_are_refused_by_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR(refusals); i++) {
		const struct refusal *r = &refusals[i];

		errno = 0;
		assert_null(open_filter(r->f, r->nr, r->seccomp));
		assert_int_equal(errno, r->code);
		if (!strstr(tenon_last_error()->msg, r->words))
			fail_msg("error is '%s', expected '%s'", tenon_last_error()->msg, r->words);
	}
}

/* ---- The kernel ---- */

static uint64_t seed = 0x9e3779b97f4a7c15ull;

static uint32_t rnd(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)((seed >> 11) % below);
}

#define PACKET_BYTES 300u
#define MAX_FILTER   40u

static uint32_t some_number(void)
{
	static const uint32_t edges[] = { 0, 1, 2, 31, 32, 255, 256, 0x7fffffff, 0x80000000, ~0u };

	return rnd(3) ? rnd(PACKET_BYTES + 8) : rnd(2) ? edges[rnd(NR(edges))] : (uint32_t)seed;
}

/* Any opcode of the list; `k` mostly fits it. */
static struct sock_filter some_insn(uint32_t left)
{
	static const uint16_t codes[] = {
		0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x07, 0x0c, 0x14, 0x15, 0x15, 0x1c, 0x1d,
		0x20, 0x20, 0x24, 0x25, 0x28, 0x2c, 0x2d, 0x30, 0x30, 0x34, 0x35, 0x3c, 0x3d,
		0x40, 0x44, 0x45, 0x48, 0x4c, 0x4d, 0x50, 0x54, 0x5c, 0x60, 0x61, 0x64, 0x6c,
		0x74, 0x7c, 0x80, 0x81, 0x84, 0x87, 0x94, 0x9c, 0xa4, 0xac, 0xb1, 0x16, 0x06,
	};
	static const uint32_t told[] = { SKF_AD_PROTOCOL, SKF_AD_PKTTYPE,  SKF_AD_MARK,
					 SKF_AD_QUEUE,	  SKF_AD_VLAN_TAG, 48,
					 SKF_AD_ALU_XOR_X };
	struct sock_filter f = { .code = codes[rnd(NR(codes))], .k = some_number() };

	if (rnd(400) == 0)
		f.code = (uint16_t)rnd(0x120);
	switch (BPF_CLASS(f.code)) {
	case BPF_JMP:
		f.jt = (uint8_t)rnd(rnd(50) ? left : left + 3);
		f.jf = (uint8_t)rnd(rnd(50) ? left : left + 3);
		if (f.code == (BPF_JMP | BPF_JA))
			f.k = rnd(rnd(50) ? left : left + 3);
		break;
	case BPF_ST:
	case BPF_STX:
		f.k = rnd(100) ? rnd(4) : rnd(20);
		break;
	case BPF_LDX:
	case BPF_LD:
		if (BPF_MODE(f.code) == BPF_MEM)
			f.k = rnd(100) ? rnd(4) : rnd(20);
		else if (BPF_MODE(f.code) == BPF_ABS && rnd(8) == 0)
			f.k = SKF_AD_OFF + told[rnd(NR(told))];
		else if (BPF_MODE(f.code) != BPF_IMM)
			f.k = rnd(PACKET_BYTES + 8);
		break;
	case BPF_ALU:
		if (BPF_OP(f.code) == BPF_LSH || BPF_OP(f.code) == BPF_RSH)
			f.k = rnd(rnd(50) ? 32 : 34);
		break;
	}
	return f;
}

/* M[0..3] are stored first, or not; the verdict is a length that can be told from others. */
static uint32_t some_filter(struct sock_filter *f)
{
	uint32_t nr = 0, body = 1 + rnd(MAX_FILTER - 10);

	for (uint32_t i = 0; i < 4 && rnd(50); i++)
		f[nr++] = (struct sock_filter){ BPF_ST, 0, 0, i };
	for (uint32_t i = 0; i < body; i++) {
		f[nr] = some_insn(body - i);
		/* Sums that wrap would reach the headers in front of the packet. */
		if (BPF_MODE(f[nr].code) == BPF_IND && BPF_CLASS(f[nr].code) == BPF_LD &&
		    i + 1 < body) {
			f[nr + 1] = f[nr];
			f[nr++] = (struct sock_filter){ BPF_LDX | BPF_IMM, 0, 0, rnd(300) };
			i++;
		}
		nr++;
	}
	f[nr++] = (struct sock_filter){ BPF_ALU | BPF_AND | BPF_K, 0, 0, 0xff };
	f[nr++] = (struct sock_filter){ BPF_RET | BPF_A, 0, 0, 0 };
	return nr;
}

static int pair[2] = { -1, -1 };

static int attach_in_kernel(struct sock_filter *f, uint32_t nr)
{
	struct sock_fprog prog = { .len = (unsigned short)nr, .filter = f };

	return setsockopt(pair[1], SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) ? -errno : 0;
}

/* Bytes that arrive. */
static size_t pass_kernel(const void *bytes, size_t size)
{
	char buf[PACKET_BYTES];
	ssize_t n;

	assert_int_equal(send(pair[0], bytes, size, 0), (ssize_t)size);
	n = recv(pair[1], buf, sizeof(buf), MSG_DONTWAIT);
	if (n < 0)
		assert_int_equal(errno, EAGAIN);
	return n < 0 ? 0 : (size_t)n;
}

static void print_filter(const struct sock_filter *f, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++)
		print_message("{ 0x%02x, %u, %u, 0x%x },\n", f[i].code, f[i].jt, f[i].jf, f[i].k);
}

static void compare_runs(struct tenon_object *obj, const struct sock_filter *f, uint32_t nr)
{
	for (int i = 0; i < 4; i++) {
		unsigned char bytes[PACKET_BYTES];
		size_t size = i ? 1 + rnd(PACKET_BYTES) : PACKET_BYTES, theirs;
		uint64_t ours;

		for (size_t k = 0; k < sizeof(bytes); k++)
			bytes[k] = (unsigned char)(rnd(3) ? rnd(256) : rnd(2));
		ours = run_packet(obj, bytes, size);
		theirs = pass_kernel(bytes, size);
		if (theirs != (ours < size ? ours : size)) {
			print_filter(f, nr);
			fail_msg("verdict is %llu, the kernel leaves %zu of %zu bytes",
				 (unsigned long long)ours, theirs, size);
		}
	}
}

static void random_filters_do_as_in_the_kernel(void **state)
{
	uint32_t taken = 0, refused = 0, apart = 0;
	const char *rounds = getenv("TN_CBPF_ROUNDS");
	struct sock_filter first[] = { BPF_STMT(BPF_RET | BPF_K, 1) };

	(void)state;
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) || attach_in_kernel(first, 1)) {
		print_message("skipped: no filters on sockets here (%s)\n", strerror(errno));
		skip();
	}
	for (int i = 0, n = rounds ? atoi(rounds) : 1500; i < n; i++) {
		struct sock_filter f[2 * MAX_FILTER + 8];
		uint32_t nr = some_filter(f);
		int theirs = attach_in_kernel(f, nr);
		struct tenon_object *obj = open_filter(f, nr, false);

		if (!obj && tenon_last_error()->code == -ENOTSUP) {
			apart++;
			continue;
		}
		if (!obj != !!theirs) {
			print_filter(f, nr);
			fail_msg("the kernel says %s, we say %s", strerror(-theirs),
				 obj ? "yes" : tenon_last_error()->msg);
		}
		if (!obj) {
			refused++;
			continue;
		}
		if (tenon_object_load(obj)) {
			print_filter(f, nr);
			fail_msg("%s", tenon_last_error()->msg);
		}
		compare_runs(obj, f, nr);
		tenon_object_close(obj);
		taken++;
	}
	close(pair[0]);
	close(pair[1]);
	print_message("%u filters agree, %u refused by both, %u not supported\n", taken, refused,
		      apart);
	assert_true(taken > 100 && refused > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tcpdump_filter_gives_its_verdict),
		cmocka_unit_test(ancillary_loads_read_the_context),
		cmocka_unit_test(random_and_cpu_have_a_value),
		cmocka_unit_test(seccomp_filter_reads_its_data),
		cmocka_unit_test(malformed_filters_are_refused_by_name),
		cmocka_unit_test(random_filters_do_as_in_the_kernel),
	};
	int failed;

	rt = tenon_runtime_new(NULL);
	if (!rt)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	return failed + (tenon_runtime_free(rt) ? 1 : 0);
}
