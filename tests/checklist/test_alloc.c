/* SPDX-License-Identifier: MIT */
/* The n-th allocation fails, for n = 1, 2, ... until all goes well, in what the loader and the host
 * make for the features of this checklist: an ordinary error each time, nothing lost. */
#include "checklist/host.h"

#include <linux/filter.h>

static size_t left, used;

static void *limited(void *user, void *p, size_t old, size_t size)
{
	(void)user;
	if (!size) {
		used -= old;
		free(p);
		return NULL;
	}
	if (left && --left == 0)
		return NULL;
	p = realloc(p, size);
	if (p)
		used += size - old;
	return p;
}

static bool load_case(const char *name, const char *config)
{
	TENON_OPTS(tenon_object_open_opts, opts, .config = config, .pin_root_path = "/x");
	struct tenon_object *obj = open_named(name, &opts);
	bool done = obj && !tenon_object_load(obj) && !tenon_object_attach(obj);

	assert_ok(tenon_object_close(obj));
	return done;
}

static bool old_maps(void)
{
	return load_case("case_OLD_MAPS", NULL);
}

static bool config(void)
{
	return load_case("case_CONFIG", "CONFIG_NUMBER=5\nCONFIG_TEXT=\"abc\"\n");
}

static bool variables(void)
{
	return load_case("case_KSYM_VAR", NULL);
}

static bool without_relocations(void)
{
	return !is_built("linked") || load_case("linked", NULL);
}

static bool pinning(void)
{
	bool done = load_case("case_PIN", NULL) && load_case("case_PIN", NULL);
	struct tenon_map *map = done ? tenon_map_get_pinned(rt, "/x/shared") : NULL;

	if (map && tenon_map_pin(map, "/y"))
		done = false;
	done = done && map;
	tenon_map_free(map);
	tenon_map_unpin(rt, "/x/shared");
	tenon_map_unpin(rt, "/y");
	return done;
}

static bool sections(void)
{
	const struct tenon_section_handler handler = { .sz = sizeof(handler),
						       .section = "nothing+",
						       .hook = "call" };
	int id = tenon_runtime_add_section(rt, &handler);
	bool done = id > 0 && load_case("case_UNKNOWN_SECTION", NULL);

	if (id > 0)
		assert_ok(tenon_runtime_remove_section(rt, id));
	return done;
}

static bool added_variable(void)
{
	static int x;
	int rc = tenon_runtime_add_var(rt, "x", &x, sizeof(x), NULL);

	return !rc || rc == -EEXIST;
}

static bool classic(void)
{
	static const struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x800, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct tenon_cbpf filter = { .sz = sizeof(filter), .insns = f, .nr_insns = NR(f) };
	struct tenon_object *obj = tenon_object_open_cbpf(rt, &filter, NULL);
	bool done = obj && !tenon_object_load(obj);

	assert_ok(tenon_object_close(obj));
	return done;
}

static void every_allocation_may_fail(void **state)
{
	static bool (*const lives[])(
		void) = { old_maps, config,   variables,      without_relocations,
			  pinning,  sections, added_variable, classic };
	TENON_OPTS(tenon_runtime_opts, opts, .alloc = limited, .engine = TENON_ENGINE_INTERP);

	(void)state;
	for (size_t i = 0; i < NR(lives); i++) {
		bool done = false;

		rt = tenon_runtime_new(&opts);
		assert_non_null(rt);
		memset(&hook, 0, sizeof(hook));
		memset(&never, 0, sizeof(never));
		add_surface();
		for (size_t n = 1; !done; n++) {
			assert_true(n < 100000);
			left = n;
			done = lives[i]();
			/* What is not reached does not count as a failure. */
			done = done && left > 0;
			if (!done && left == 0)
				assert_true(tenon_last_error()->code < 0);
			left = 0;
		}
		assert_ok(tenon_runtime_free(rt));
		assert_int_equal(used, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
