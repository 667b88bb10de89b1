/* SPDX-License-Identifier: MIT */
#include "verifier/case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/epoch.h"
#include "base/err.h"
#include "vm/asm.h"
#include "vm/held_iter.h"
#include "vm/interp.h"
#include "vm/rewrite.h"

/* The context `test`: one field of each kind. */
struct test_ctx {
	uint32_t kind;	    /*  0 */
	uint32_t out;	    /*  4 writable */
	char *buf;	    /*  8 len bytes, writable */
	uint32_t len;	    /* 16 */
	uint32_t hidden;    /* 20 */
	const char *name;   /* 24 may be NULL, name_len bytes, read-only */
	uint64_t name_len;  /* 32 */
	char *begin, *end;  /* 40, 48 */
	void *fixed;	    /* 56 32 bytes, writable, aligned */
	void *conn;	    /* 64 handle */
	uint64_t *recs;	    /* 72 nr_recs of 8 bytes */
	uint32_t nr_recs;   /* 80 */
	uint32_t hidden2;   /* 84 */
	int64_t wide;	    /* 88 writable */
	char *blocks;	    /* 96 nr_blocks of 1 MiB */
	uint32_t nr_blocks; /* 104 */
	uint32_t hidden3;   /* 108 */
};

#define AT(f)                                                                                   \
	.name = (char *)#f, .offset = offsetof(struct test_ctx, f),                             \
	.size = sizeof(((struct test_ctx *)0)->f), .host_offset = offsetof(struct test_ctx, f), \
	.host_size = sizeof(((struct test_ctx *)0)->f),                                         \
	.elem_size = sizeof(((struct test_ctx *)0)->f)

static struct tn_field test_fields[] = {
	{ AT(kind), .kind = TN_FIELD_SCALAR, .access = TN_ACC_R, .peer = -1 },
	{ AT(out), .kind = TN_FIELD_SCALAR, .access = TN_ACC_RW, .peer = -1 },
	{ AT(buf), .kind = TN_FIELD_SIZED, .access = TN_ACC_RW, .peer = 3 },
	{ AT(len), .kind = TN_FIELD_SIZED_LEN, .access = TN_ACC_R, .peer = 2 },
	{ AT(name), .kind = TN_FIELD_SIZED, .access = TN_ACC_R | TN_ACC_NULLABLE, .peer = 5 },
	{ AT(name_len), .kind = TN_FIELD_SIZED_LEN, .access = TN_ACC_R, .peer = 4 },
	{ AT(begin), .kind = TN_FIELD_REGION, .access = TN_ACC_RW, .peer = 7 },
	{ AT(end), .kind = TN_FIELD_REGION_END, .access = TN_ACC_R, .peer = 6 },
	{ AT(fixed), .kind = TN_FIELD_MEM, .access = TN_ACC_RW | TN_ACC_ALIGNED, .mem_size = 32,
	  .peer = -1 },
	{ AT(conn), .kind = TN_FIELD_HANDLE, .access = TN_ACC_R, .peer = -1,
	  .handle = (char *)"conn" },
	{ AT(recs), .kind = TN_FIELD_SIZED, .access = TN_ACC_RW, .mem_size = 8, .peer = 11 },
	{ AT(nr_recs), .kind = TN_FIELD_SIZED_LEN, .access = TN_ACC_R, .peer = 10 },
	{ AT(wide), .kind = TN_FIELD_SCALAR, .access = TN_ACC_RW, .peer = -1 },
	{ AT(blocks), .kind = TN_FIELD_SIZED, .access = TN_ACC_RW, .mem_size = 1 << 20,
	  .peer = 14 },
	{ AT(nr_blocks), .kind = TN_FIELD_SIZED_LEN, .access = TN_ACC_R, .peer = 13 },
};

const struct tn_ctx_type case_test_ctx = {
	.name = (char *)"test",
	.size = sizeof(struct test_ctx),
	.host_size = sizeof(struct test_ctx),
	.fields = test_fields,
	.nr_fields = TN_ARRAY_SIZE(test_fields),
};

/* A structure behind handles, and the context `nodes` with some of them. */
#define OF(f)                                                                                     \
	.name = (char *)#f, .offset = offsetof(struct case_node, f),                              \
	.size = sizeof(((struct case_node *)0)->f), .host_offset = offsetof(struct case_node, f), \
	.host_size = sizeof(((struct case_node *)0)->f),                                          \
	.elem_size = sizeof(((struct case_node *)0)->f), .peer = -1
#define HANDLE(type) .kind = TN_FIELD_HANDLE, .handle = (char *)(type)

static struct tn_field node_fields[] = {
	{ OF(id), .access = TN_ACC_R },
	{ OF(flags), .access = TN_ACC_R },
	{ OF(tiny), .access = TN_ACC_R },
	{ OF(kind), .access = TN_ACC_R },
	{ OF(port), .access = TN_ACC_R },
	{ OF(next), HANDLE("node"), .access = TN_ACC_UNTRUSTED },
	{ OF(owner), HANDLE("node") },
	{ OF(label), HANDLE("char"), .access = TN_ACC_UNTRUSTED },
	{ OF(counter), .access = TN_ACC_RW },
};

const struct tn_ctx_type case_node = {
	.name = (char *)"node",
	.size = sizeof(struct case_node),
	.host_size = sizeof(struct case_node),
	.fields = node_fields,
	.nr_fields = TN_ARRAY_SIZE(node_fields),
};

struct nodes_ctx {
	struct case_node *first;	/*  0 */
	struct case_node *any;		/*  8 untrusted */
	struct case_node *maybe;	/* 16 or NULL */
	uint64_t number;		/* 24 */
	const struct case_node *pinned; /* 32 */
};

#undef OF
#define OF(f)                                                                   \
	.name = (char *)#f, .offset = offsetof(struct nodes_ctx, f), .size = 8, \
	.host_offset = offsetof(struct nodes_ctx, f), .host_size = 8, .elem_size = 8, .peer = -1

static struct tn_field nodes_fields[] = {
	{ OF(first), HANDLE("node") },
	{ OF(any), HANDLE("node"), .access = TN_ACC_UNTRUSTED },
	{ OF(maybe), HANDLE("node"), .access = TN_ACC_NULLABLE },
	{ OF(number), .access = TN_ACC_RW },
	{ OF(pinned), HANDLE("node"), .access = TN_ACC_CONST },
};

const struct tn_ctx_type case_nodes_ctx = {
	.name = (char *)"nodes",
	.size = sizeof(struct nodes_ctx),
	.host_size = sizeof(struct nodes_ctx),
	.fields = nodes_fields,
	.nr_fields = TN_ARRAY_SIZE(nodes_fields),
};

/* The arguments of a function, and its result; `retval` is a number of the hook besides. */
struct args_ctx {
	uint64_t nr;		/*  0 */
	struct case_node *node; /*  8 */
	int64_t ret;		/* 16 */
	int32_t retval, fixed;	/* 24, 28 */
};

#undef OF
#define OF(f)                                                                                   \
	.name = (char *)#f, .offset = offsetof(struct args_ctx, f),                             \
	.size = sizeof(((struct args_ctx *)0)->f), .host_offset = offsetof(struct args_ctx, f), \
	.host_size = sizeof(((struct args_ctx *)0)->f),                                         \
	.elem_size = sizeof(((struct args_ctx *)0)->f), .peer = -1

static struct tn_field args_fields[] = {
	{ OF(nr), .access = TN_ACC_R },	   { OF(node), HANDLE("node") },
	{ OF(ret), .access = TN_ACC_R },   { OF(retval), .access = TN_ACC_RW },
	{ OF(fixed), .access = TN_ACC_R },
};

static const struct tn_ctx_type case_args_ctx = {
	.name = (char *)"args",
	.size = sizeof(struct args_ctx),
	.host_size = sizeof(struct args_ctx),
	.fields = args_fields,
	.nr_fields = TN_ARRAY_SIZE(args_fields),
	.is_args = true,
	.has_ret = true,
	.nr_args = 2,
};

const struct tn_ctx_type *case_struct_of(void *user, const char *name)
{
	(void)user;
	return strcmp(name, "node") ? NULL : &case_node;
}

static const struct {
	const char *name;
	uint32_t type;
} map_types[] = {
	{ "array", TN_MAP_ARRAY },
	{ "hash", TN_MAP_HASH },
	{ "percpu_array", TN_MAP_PERCPU_ARRAY },
	{ "percpu_hash", TN_MAP_PERCPU_HASH },
	{ "lru_hash", TN_MAP_LRU_HASH },
	{ "lru_percpu_hash", TN_MAP_LRU_PERCPU_HASH },
	{ "lpm_trie", TN_MAP_LPM_TRIE },
	{ "ringbuf", TN_MAP_RINGBUF },
	{ "prog_array", TN_MAP_PROG_ARRAY },
	{ "array_of_maps", TN_MAP_ARRAY_OF_MAPS },
	{ "hash_of_maps", TN_MAP_HASH_OF_MAPS },
	{ "queue", TN_MAP_QUEUE },
	{ "bloom_filter", TN_MAP_BLOOM_FILTER },
	{ "stack", TN_MAP_STACK },
	{ "perf_event_array", TN_MAP_PERF_EVENT_ARRAY },
	{ "arena", TN_MAP_ARENA },
	{ "task_storage", TN_MAP_TASK_STORAGE },
	{ "sk_storage", TN_MAP_SK_STORAGE },
	{ "devmap", TN_MAP_DEVMAP },
	{ "cpumap", TN_MAP_CPUMAP },
	{ "xskmap", TN_MAP_XSKMAP },
};

static bool bad(const struct tn_case *c, const char *what, const char *value)
{
	tn_err(-22, "%s: %s: '%s'", c->name, what, value);
	return false;
}

/* Fill a data map and make it constant, as the loader does with .rodata: hex digits of one value
 * after the other. */
static bool fill_const(struct tn_case *c, struct tn_map *map, const char *hex)
{
	for (uint32_t key = 0; key < map->max_entries && (!key || *hex); key++) {
		unsigned char value[256] = { 0 };

		for (size_t i = 0; i < map->value_size && i < sizeof(value) && hex[0] && hex[1];
		     i++, hex += 2) {
			char byte[3] = { hex[0], hex[1], 0 };

			value[i] = (unsigned char)strtoul(byte, NULL, 16);
		}
		if (tn_map_host_update(map, &key, value, 0))
			return bad(c, "cannot fill", map->name);
	}
	if (tn_map_freeze(map) || tn_map_make_const(map))
		return bad(c, "cannot make constant", map->name);
	return true;
}

/* What the word names, at an offset of the value; in the order of these. */
static bool add_special(struct tn_map_attr *attr, struct tn_map_special specials[4],
			const char *word, const char *offset)
{
	static const struct {
		const char *word;
		uint8_t kind, size;
	} kinds[] = { { "lock", TN_SPECIAL_LOCK, 4 },
		      { "timer", TN_SPECIAL_TIMER, 16 },
		      { "wq", TN_SPECIAL_WQ, 16 } };

	for (size_t i = 0; i < TN_ARRAY_SIZE(kinds); i++) {
		if (strcmp(word, kinds[i].word) || attr->nr_specials == 4)
			continue;
		specials[attr->nr_specials++] = (struct tn_map_special){
			.off = (uint32_t)atoi(offset), .size = kinds[i].size, .kind = kinds[i].kind
		};
		attr->specials = specials;
		return true;
	}
	return false;
}

static bool add_map(struct tn_case *c, char *spec)
{
	struct tn_map_attr attr = { .key_size = 4, .value_size = 8, .max_entries = 1 };
	struct tn_map_special specials[4];
	struct tn_map_attr inner;
	char name[16], *save = NULL, *hex = NULL;
	char *word = strtok_r(spec, " \t", &save);

	attr.type = UINT32_MAX;
	for (size_t i = 0; word && i < TN_ARRAY_SIZE(map_types); i++)
		if (!strcmp(word, map_types[i].name))
			attr.type = map_types[i].type;
	if (attr.type == UINT32_MAX || c->nr_maps == CASE_MAX_MAPS)
		return bad(c, "map", word ? word : "");
	while ((word = strtok_r(NULL, " \t", &save))) {
		if (!strcmp(word, "rdonly")) {
			attr.flags |= TN_MAP_F_RDONLY_PROG;
			continue;
		}
		if (!strcmp(word, "any_length")) {
			attr.flags |= TN_MAP_F_INNER_MAP;
			continue;
		}
		if (!strcmp(word, "wronly")) {
			attr.flags |= TN_MAP_F_WRONLY_PROG;
			continue;
		}
		char *value = strtok_r(NULL, " \t", &save);

		if (!value)
			return bad(c, "map needs a value after", word);
		if (!strcmp(word, "key"))
			attr.key_size = (uint32_t)atoi(value);
		else if (!strcmp(word, "value"))
			attr.value_size = (uint32_t)atoi(value);
		else if (!strcmp(word, "entries"))
			attr.max_entries = (uint32_t)atoi(value);
		else if (!strcmp(word, "const"))
			hex = value;
		else if (add_special(&attr, specials, word, value)) {
			/* at this offset */
		} else
			return bad(c, "map", word);
	}
	if (attr.type == TN_MAP_RINGBUF || attr.type == TN_MAP_ARENA)
		attr.key_size = attr.value_size = 0;
	if (attr.type == TN_MAP_QUEUE || attr.type == TN_MAP_STACK)
		attr.key_size = 0;
	if (attr.type == TN_MAP_PERF_EVENT_ARRAY)
		attr.value_size = 4;
	if (attr.type == TN_MAP_ARENA)
		attr.flags |= TN_MAP_F_MMAPABLE;
	if (attr.type == TN_MAP_LPM_TRIE)
		attr.flags |= TN_MAP_F_NO_PREALLOC;
	if (attr.type == TN_MAP_TASK_STORAGE || attr.type == TN_MAP_SK_STORAGE) {
		attr.flags |= TN_MAP_F_NO_PREALLOC;
		attr.max_entries = 0;
	}
	if (attr.type == TN_MAP_ARRAY_OF_MAPS ||
	    attr.type == TN_MAP_HASH_OF_MAPS) { /* of arrays; all else is said of those */
		inner = attr;
		inner.type = TN_MAP_ARRAY;
		attr = (struct tn_map_attr){ .type = attr.type,
					     .key_size = 4,
					     .value_size = 4,
					     .max_entries = 1,
					     .inner = &inner };
	}
	if (hex)
		attr.flags |= TN_MAP_F_RDONLY_PROG;
	snprintf(name, sizeof(name), "map%u", c->nr_maps);
	attr.name = name;
	c->maps[c->nr_maps] = tn_map_create(c->rt, &attr);
	if (!c->maps[c->nr_maps])
		return false;
	c->nr_maps++;
	return !hex || fill_const(c, c->maps[c->nr_maps - 1], hex);
}

/* Host helpers return 0 and do nothing: what they are declared to do is what counts. */
static uint64_t invoke_nothing(const struct tn_host_helper *self, const uint64_t args[5],
			       struct tn_exec *ex)
{
	(void)self;
	(void)args;
	(void)ex;
	return 0;
}

/* What makes iterators finds what destroys them. */
static void link_iterators(struct tn_case *c)
{
	for (uint32_t i = 0; i < c->nr_helpers; i++)
		for (uint32_t j = 0; j < c->nr_helpers; j++)
			if (tn_sig_iter_role(&c->helpers[i].sig) == TN_ITER_NEW &&
			    tn_sig_iter_role(&c->helpers[j].sig) == TN_ITER_END &&
			    !strcmp(c->helpers[i].sig.args[0].handle,
				    c->helpers[j].sig.args[0].handle))
				c->helpers[i].iter_end = &c->helpers[j];
}

static bool add_helper(struct tn_case *c, char *spec)
{
	struct tn_host_helper *h = &c->helpers[c->nr_helpers];
	char *flags = strstr(spec, "flags:"), *sig = strchr(spec, ' ');

	if (!sig || c->nr_helpers == CASE_MAX_HELPERS)
		return bad(c, "helper", spec);
	*sig++ = '\0';
	if (flags)
		*flags = '\0';
	memset(h, 0, sizeof(*h));
	h->name = tn_strdup(c->rt, spec);
	c->nr_helpers++;
	h->invoke = invoke_nothing;
	while (*sig && sig[strlen(sig) - 1] == ' ')
		sig[strlen(sig) - 1] = '\0';
	if (!h->name || tn_sig_parse(sig, &h->sig))
		return false;
	if (flags && strstr(flags + 1, "may_abort"))
		h->sig.flags |= TN_SIG_MAY_ABORT;
	if (flags && strstr(flags + 1, "invalidates"))
		h->sig.flags |= TN_SIG_INVALIDATES_CTX;
	tn_held_iter_init(h);
	link_iterators(c);
	return true;
}

static bool set_ctx(struct tn_case *c, const char *value)
{
	if (!strncmp(value, "raw ", 4)) {
		c->raw = tn_ctx_type_raw(c->rt, (uint32_t)atoi(value + 4));
		c->prog->ctx_type = c->raw;
	} else if (!strcmp(value, "test")) {
		c->prog->ctx_type = &case_test_ctx;
	} else if (!strcmp(value, "nodes")) {
		c->prog->ctx_type = &case_nodes_ctx;
	} else if (!strcmp(value, "args")) {
		c->prog->ctx_type = &case_args_ctx;
	} else if (!strcmp(value, "none")) {
		c->prog->ctx_type = NULL;
		return true;
	} else {
		c->prog->ctx_type = tn_ctx_builtin(value);
	}
	return c->prog->ctx_type || bad(c, "ctx", value);
}

static bool set_expect(struct tn_case *c, const char *value)
{
	c->has_expect = true;
	if (!strcmp(value, "accept")) {
		c->expect_accept = true;
		return true;
	}
	if (sscanf(value, "reject %31s \"%159[^\"]\"", c->code, c->fragment) < 1)
		return bad(c, "expect", value);
	return true;
}

static _Alignas(8) unsigned char var_bytes[4096];

static bool add_var(struct tn_case *c, char *spec)
{
	static char name[] = "host_var", token[] = "&host_var";
	struct tn_host_var *var = &c->vars[c->nr_vars];
	char *save = NULL, *word = strtok_r(spec, " \t", &save);
	uint32_t at = 0;

	if (!word || c->nr_vars == CASE_MAX_VARS)
		return bad(c, "var", spec);
	for (size_t i = 0; i < sizeof(var_bytes); i++)
		var_bytes[i] = (unsigned char)i;
	*var = (struct tn_host_var){ .name = name, .token = token };
	var->size = (uint32_t)atoi(word);
	while ((word = strtok_r(NULL, " \t", &save))) {
		if (!strcmp(word, "rw"))
			var->writable = true;
		else if (!strcmp(word, "opaque"))
			c->opaque[c->nr_vars] = true;
		else if (!strcmp(word, "at") && (word = strtok_r(NULL, " \t", &save)))
			at = (uint32_t)atoi(word);
		else
			return bad(c, "var", word ? word : "");
	}
	var->addr = var_bytes + at;
	while (var->align_log2 < 3 && at % (2u << var->align_log2) == 0)
		var->align_log2++;
	c->nr_vars++;
	return true;
}

static bool header(struct tn_case *c, const char *key, char *value)
{
	long long lo, hi;

	if (!strcmp(key, "ctx"))
		return set_ctx(c, value);
	if (!strcmp(key, "map"))
		return add_map(c, value);
	if (!strcmp(key, "helper"))
		return add_helper(c, value);
	if (!strcmp(key, "var"))
		return add_var(c, value);
	if (!strcmp(key, "expect"))
		return set_expect(c, value);
	if (!strcmp(key, "license")) {
		snprintf(c->image.license, 64, "%.63s", value);
		return true;
	}
	if (!strcmp(key, "fuel")) {
		c->env.fuel = strtoull(value, NULL, 0);
		return true;
	}
	if (!strcmp(key, "exception")) {
		c->prog->exception_callback = (uint32_t)atoi(value);
		return true;
	}
	if (!strcmp(key, "proved")) {
		c->env.termination_proved = true;
		return true;
	}
	if (!strcmp(key, "alignment")) {
		c->env.strict_alignment = !strcmp(value, "strict");
		return true;
	}
	if (!strcmp(key, "addresses")) {
		c->env.addresses_visible = !strcmp(value, "visible");
		return true;
	}
	if (!strcmp(key, "run")) {
		c->has_run = true;
		c->r0 = strtoull(strchr(value, '=') ? strchr(value, '=') + 1 : value, NULL, 0);
		return true;
	}
	if (!strcmp(key, "facts") && c->nr_facts < TN_ARRAY_SIZE(c->facts)) {
		snprintf(c->facts[c->nr_facts++], sizeof(c->facts[0]), "%.31s", value);
		return true;
	}
	if (!strcmp(key, "ret") && sscanf(value, "%lld..%lld", &lo, &hi) == 2) {
		c->env.ret_checked = true;
		c->env.ret_min = lo;
		c->env.ret_max = hi;
		return true;
	}
	return true; /* an ordinary comment */
}

static bool headers(struct tn_case *c)
{
	char line[512];

	for (const char *p = c->text; *p;) {
		size_t n = strcspn(p, "\n");
		char *colon, *end;

		snprintf(line, sizeof(line), "%.*s", (int)n, p);
		p += n + (p[n] != 0);
		if (line[0] != ';')
			continue;
		end = line + strlen(line);
		while (end > line && (end[-1] == ' ' || end[-1] == '\r'))
			*--end = '\0';
		colon = strchr(line, ':');
		if (!colon && strcmp(line, "; proved"))
			continue;
		if (colon)
			*colon++ = '\0';
		if (!header(c, line + 1 + strspn(line + 1, " \t"),
			    colon ? colon + strspn(colon, " \t") : line))
			return false;
	}
	return c->has_expect || bad(c, "no `; expect:` line", "");
}

static bool read_file(struct tn_case *c, const char *path)
{
	FILE *f = fopen(path, "r");
	size_t n;

	if (!f)
		return bad(c, "cannot open", path);
	c->text = tn_zalloc(c->rt, 65536);
	n = c->text ? fread(c->text, 1, 65535, f) : 0;
	fclose(f);
	return n > 0 || bad(c, "cannot read", path);
}

static bool build(struct tn_case *c)
{
	struct tn_prog *p = c->prog;

	if (tn_asm(c->rt, c->text, &p->insns, &p->nr_insns))
		return false;
	p->maps = tn_alloc_array(c->rt, c->nr_maps + 1, sizeof(p->maps[0]));
	for (uint32_t i = 0; i < c->nr_maps; i++)
		p->maps[i] = tn_map_get(c->maps[i]);
	p->nr_maps = c->nr_maps;
	p->externs = tn_alloc_array(c->rt, c->nr_helpers + c->nr_vars + 1, sizeof(p->externs[0]));
	for (uint32_t i = 0; i < c->nr_helpers; i++) {
		p->externs[i].name = tn_strdup(c->rt, c->helpers[i].name);
		p->externs[i].is_func = true;
		p->externs[i].helper = &c->helpers[i];
	}
	for (uint32_t i = 0; i < c->nr_vars; i++) {
		struct tn_extern *ext = &p->externs[c->nr_helpers + i];

		ext->name = tn_strdup(c->rt, c->vars[i].name);
		ext->var = &c->vars[i];
		ext->value = (uintptr_t)c->vars[i].addr;
		ext->typeless = c->opaque[i];
	}
	p->nr_externs = c->nr_helpers + c->nr_vars;
	return true;
}

bool case_open(struct tn_case *c, struct tn_rt *rt, const char *path)
{
	const char *slash = strrchr(path, '/');

	memset(c, 0, sizeof(*c));
	c->rt = rt;
	snprintf(c->name, sizeof(c->name), "%s", slash ? slash + 1 : path);
	c->env.fuel = rt->limits.fuel;
	c->env.struct_of = case_struct_of;
	c->prog = tn_prog_new(rt, "main");
	c->image.license = tn_zalloc(rt, 64);
	if (!c->prog || !c->image.license)
		return false;
	strcpy(c->image.license, "GPL");
	c->prog->image = &c->image;
	c->raw = NULL;
	if (!read_file(c, path) || !headers(c))
		return false;
	if (!c->prog->ctx_type && !strstr(c->text, "; ctx:")) {
		c->raw = tn_ctx_type_raw(rt, 64);
		c->prog->ctx_type = c->raw;
	}
	return build(c);
}

void case_close(struct tn_case *c)
{
	if (c->prog)
		c->prog->image = NULL;
	tn_prog_free(c->prog);
	if (c->raw)
		tn_ctx_type_free(c->rt, c->raw);
	for (uint32_t i = 0; i < c->nr_maps; i++)
		tn_map_put(c->maps[i]);
	for (uint32_t i = 0; i < c->nr_helpers; i++)
		tn_free(c->rt, c->helpers[i].name);
	tn_free(c->rt, c->image.license);
	tn_free(c->rt, c->text);
}

uint64_t case_run(struct tn_case *c)
{
	static unsigned char data[64], raw[4096], fixed[32];
	static uint64_t recs[4];
	struct test_ctx test = { .kind = 7,
				 .buf = (char *)data,
				 .len = 16,
				 .name = "plugin",
				 .name_len = 6,
				 .begin = (char *)data,
				 .end = (char *)data + 64,
				 .fixed = fixed,
				 .conn = data,
				 .recs = recs,
				 .nr_recs = 4 };
	struct case_node second = { .id = 22, .owner = &second, .label = "two" };
	struct case_node first = { .id = 11, .next = &second, .owner = &second, .tiny = -1 };
	struct nodes_ctx nodes = { .first = &first, .any = NULL };
	struct tn_xdp_host xdp = { .data = data, .data_end = data + 64, .data_meta = data };
	struct tn_skb_host skb = {
		.data = data, .data_end = data + 64, .data_meta = data, .len = 64
	};
	struct tn_exec ex = { .fuel = (int64_t)c->env.fuel,
			      .prog = c->prog,
			      .first = c->prog,
			      .rt = c->rt,
			      .thread = tn_thread_self() };
	uint64_t r0;

	memset(raw, 0, sizeof(raw));
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (unsigned char)i;
	ex.ctx = raw;
	if (c->prog->ctx_type == &case_test_ctx)
		ex.ctx = &test;
	else if (c->prog->ctx_type == &case_nodes_ctx)
		ex.ctx = &nodes;
	else if (c->prog->ctx_type && c->prog->ctx_type->builtin)
		ex.ctx = c->prog->ctx_type->id == 1 ? (void *)&xdp : (void *)&skb;
	ex.ctx_size = c->prog->ctx_type ? c->prog->ctx_type->size : 0;
	tn_epoch_enter(ex.thread);
	r0 = tn_interp_entry(ex.ctx, &ex);
	tn_epoch_leave(ex.thread);
	return r0;
}
