/* SPDX-License-Identifier: MIT */
#define TN_INTERP_TRACE /* the declarations of trace.h */
#include "verifier/world.h"

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "base/epoch.h"
#include "base/err.h"
#include "base/fault.h"
#include "jit/jit.h"
#include "maps/ringbuf.h"
#include "vm/held.h"
#include "vm/held_iter.h"
#include "vm/helpers.h"
#include "vm/interp.h"
#include "vm/kfuncs.h"
#include "vm/rewrite.h"
#include "vm/trace.h"
#include "verifier/case.h"

#define PAGE	      4096
#define MAX_REGIONS   200
#define STACK_BYTES   ((size_t)256 << 10)
#define RANDOM_BYTES  4096 /* of a region are filled; the rest is zero */
#define SMALL_ELEMENT 4096

/* Host functions get no argument of ours. */
static struct world *now;
static size_t region_sizes[MAX_REGIONS];

static uint64_t next_random(struct world *w)
{
	w->seed ^= w->seed << 13;
	w->seed ^= w->seed >> 7;
	w->seed ^= w->seed << 17;
	return w->seed * 0x2545f4914f6cdd1dull >> 11;
}

static uint32_t below(struct world *w, uint32_t n)
{
	return (uint32_t)(next_random(w) % n);
}

/* ---- Pages ---- */

static unsigned char *region_pages(uint32_t i)
{
	static unsigned char *all;
	size_t step = WORLD_REGION_BYTES + PAGE;

	if (!all) {
		all = mmap(NULL, (MAX_REGIONS + WORLD_MAX_MAPS) * step + PAGE, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (all == MAP_FAILED)
			abort();
		for (uint32_t r = 0; r < MAX_REGIONS + WORLD_MAX_MAPS; r++)
			if (mprotect(all + r * step + PAGE, WORLD_REGION_BYTES,
				     PROT_READ | PROT_WRITE))
				abort();
	}
	return all + i * step + PAGE;
}

/* `size` bytes at an edge of pages of their own. */
static unsigned char *place(const struct world *w, uint32_t pages, size_t size)
{
	unsigned char *at = region_pages(pages);

	if (size > WORLD_REGION_BYTES)
		abort();
	return w->at_start ? at : at + WORLD_REGION_BYTES - size;
}

static uint64_t number(struct world *w);

static void fill_random(struct world *w, unsigned char *at, size_t size)
{
	size = TN_MIN(size, (size_t)RANDOM_BYTES);
	for (size_t i = 0; i < size; i += 4) {
		uint32_t any = (uint32_t)number(w);

		memcpy(at + i, &any, TN_MIN(size - i, sizeof(any)));
	}
}

static unsigned char *new_region(struct world *w, size_t size, bool writable)
{
	unsigned char *at = place(w, w->nr_regions, size);

	region_sizes[w->nr_regions++] = size;
	fill_random(w, at, size);
	if (w->embed)
		embed_area_add(w->embed, &(struct embed_area){ .base = (uintptr_t)at,
							       .size = size,
							       .readable = true,
							       .writable = writable });
	return at;
}

uint64_t tn_trace_number(uint64_t real)
{
	return now ? number(now) : real;
}

/* ---- Contexts ---- */

/* A constant of the program: what it compares with is where it changes its mind. */
static uint64_t hint(struct world *w)
{
	return w->nr_hints ? (uint64_t)(int64_t)w->hints[below(w, w->nr_hints)] : below(w, 70);
}

static void find_hints(struct world *w, const struct embed *e)
{
	w->nr_hints = 0;
	for (uint32_t i = 0; i < e->prog->nr_insns && w->nr_hints < WORLD_MAX_HINTS; i++) {
		const struct tn_insn *insn = &e->code[i];

		if (tn_insn_is_lddw(insn))
			i++;
		else if (insn->imm && TN_OP(insn->code) != TN_CALL && TN_OP(insn->code) != TN_EXIT)
			w->hints[w->nr_hints++] = insn->imm;
	}
}

static uint64_t number(struct world *w)
{
	static const uint64_t edges[] = { 0,
					  1,
					  7,
					  8,
					  63,
					  64,
					  255,
					  INT32_MAX,
					  (uint64_t)INT32_MAX + 1,
					  UINT32_MAX,
					  (uint64_t)UINT32_MAX + 1,
					  INT64_MAX,
					  (uint64_t)INT64_MAX + 1,
					  UINT64_MAX };
	uint32_t pick = below(w, 12);

	if (pick < 4)
		return hint(w) + below(w, 3) - 1;
	if (pick < 7)
		return below(w, 70);
	if (pick < 9)
		return edges[below(w, TN_ARRAY_SIZE(edges))] + below(w, 3) - 1;
	return pick < 10 ? (uint64_t)(int64_t)(int32_t)(next_random(w) >> 7)
			 : next_random(w) << 11 ^ next_random(w);
}

static uint32_t length(struct world *w)
{
	static const uint32_t lens[] = { 0,  1,	 2,  3,	 4,  5,	 7,   8,   12,	14,
					 16, 31, 34, 54, 63, 64, 100, 128, 256, 1500 };

	if (below(w, 3) == 0) {
		uint64_t n = hint(w) + below(w, 3) - 1;

		if (n < 2000)
			return (uint32_t)n;
	}
	return lens[below(w, TN_ARRAY_SIZE(lens))];
}

static void put(struct world *w, const struct tn_field *f, uint64_t value)
{
	memcpy(w->ctx + f->host_offset, &value, TN_MIN(f->host_size, (uint32_t)sizeof(value)));
}

static void fill_numbers(struct world *w, const struct tn_field *f)
{
	for (uint32_t i = 0; i < f->host_size; i += 4) {
		uint64_t value = number(w);

		memcpy(w->ctx + f->host_offset + i, &value, TN_MIN(f->host_size - i, i ? 4u : 8u));
	}
}

static void fill_sized(struct world *w, const struct tn_field *f)
{
	uint32_t unit = f->mem_size ? f->mem_size : 1;
	uint32_t n = unit < SMALL_ELEMENT ? length(w) : below(w, 3);

	if (f->access & TN_ACC_NULLABLE && below(w, 4) == 0)
		put(w, f, 0);
	else
		put(w, f, (uintptr_t)new_region(w, (size_t)n * unit, f->access & TN_ACC_W));
	if (f->peer >= 0)
		put(w, &w->type->fields[f->peer], n);
}

/* begin, end; and what ends where this one begins (data_meta). */
static void fill_ends(struct world *w, uint32_t index)
{
	const struct tn_field *f = &w->type->fields[index], *before = NULL;
	uint32_t n = length(w), nr_before = 0;
	unsigned char *at;

	for (uint32_t i = 0; i < w->type->nr_fields; i++)
		if (w->type->fields[i].kind == TN_FIELD_REGION &&
		    w->type->fields[i].peer == (int32_t)index)
			before = &w->type->fields[i];
	if (before)
		nr_before = 4 * below(w, 5);
	at = new_region(w, nr_before + n, f->access & TN_ACC_W);
	if (before)
		put(w, before, (uintptr_t)at);
	put(w, f, (uintptr_t)at + nr_before);
	put(w, &w->type->fields[f->peer], (uintptr_t)at + nr_before + n);
}

/* Addresses where no memory is, and one that is of nobody. */
static uint64_t bad_address(struct world *w)
{
	static const uint64_t bad[] = {
		0, 1, 64, UINT64_C(1) << 47, UINT64_C(0xdead000000000000), UINT64_MAX - 3
	};

	return below(w, 3) ? bad[below(w, TN_ARRAY_SIZE(bad))]
			   : (uintptr_t)region_pages(MAX_REGIONS + WORLD_MAX_MAPS - 1) - 40;
}

/* Nodes of a list whose links lead to each other or astray. No numbers but small ones: what is
 * read of a stale node may be an address, and is none here. */
static struct case_node *new_node(struct world *w, struct case_node *owner, bool writable)
{
	struct case_node *n = (void *)new_region(w, sizeof(*n), writable);

	*n = (struct case_node){ .id = below(w, 1000),
				 .flags = below(w, 4),
				 .tiny = (int8_t)below(w, 256),
				 .kind = (uint8_t)below(w, 3),
				 .port = (uint16_t)below(w, 70000),
				 .owner = owner ? owner : n,
				 .counter = below(w, 9) };
	n->next = (void *)(uintptr_t)(below(w, 2) && owner ? (uintptr_t)owner : bad_address(w));
	n->label = (void *)(uintptr_t)(below(w, 2) ? (uintptr_t) "label" : bad_address(w));
	return n;
}

static uint64_t node_field(struct world *w, const struct tn_field *f)
{
	struct case_node *n = new_node(w, new_node(w, NULL, true), !(f->access & TN_ACC_CONST));

	if (f->access & TN_ACC_UNTRUSTED && below(w, 2))
		return bad_address(w);
	return f->access & TN_ACC_NULLABLE && below(w, 3) == 0 ? 0 : (uintptr_t)n;
}

static void fill_field(struct world *w, uint32_t index)
{
	static char someone;
	const struct tn_field *f = &w->type->fields[index];

	switch (f->kind) {
	case TN_FIELD_SCALAR:
		fill_numbers(w, f);
		return;
	case TN_FIELD_SIZED:
		fill_sized(w, f);
		return;
	case TN_FIELD_REGION:
		if (w->type->fields[f->peer].kind == TN_FIELD_REGION_END)
			fill_ends(w, index);
		return;
	case TN_FIELD_MEM:
		put(w, f, (uintptr_t)new_region(w, f->mem_size, f->access & TN_ACC_W));
		return;
	case TN_FIELD_HANDLE:
		if (!strcmp(f->handle, "node")) {
			put(w, f, node_field(w, f));
			return;
		}
		put(w, f,
		    f->access & TN_ACC_NULLABLE && below(w, 3) == 0 ? 0 : (uintptr_t)&someone);
		return;
	case TN_FIELD_SIZED_LEN:
	case TN_FIELD_REGION_END:
		return; /* with their pointers */
	default:
		fprintf(stderr, "world: no context field of kind %u is known\n", f->kind);
		abort();
	}
}

static void fill_ctx(struct world *w, const struct tn_ctx_type *type)
{
	w->type = type;
	w->nr_regions = 0;
	w->nr_open = 0;
	w->nr_held = 0;
	w->ctx = NULL;
	if (!type)
		return;
	w->ctx = new_region(w, type->host_size, true);
	memset(w->ctx, 0, type->host_size);
	for (uint32_t i = 0; i < type->nr_fields; i++)
		fill_field(w, i);
}

/* ---- Host functions ---- */

/* All that the context points to is elsewhere now, of other sizes, and can not be touched where it
 * was. */
static uint64_t host_move(void *ctx)
{
	struct world *w = now;
	uint32_t first = 1, last = w->nr_regions;

	if (!w->type || last > MAX_REGIONS / 2)
		return 1;
	for (uint32_t i = 0; w->embed && i < w->embed->nr_areas; i++) {
		const struct embed_area *a = &w->embed->areas[i];

		if (!a->obj && !a->held && a->base != (uintptr_t)ctx)
			embed_area_drop(w->embed, w->embed->areas[i--].base);
	}
	for (uint32_t i = 0; i < w->type->nr_fields; i++)
		if (w->type->fields[i].kind != TN_FIELD_SCALAR)
			fill_field(w, i);
	for (uint32_t i = first; i < last; i++)
		mprotect(region_pages(i), WORLD_REGION_BYTES, PROT_NONE);
	w->nr_shut = last;
	return 0;
}

static void open_pages(struct world *w)
{
	for (uint32_t i = 0; i < w->nr_shut; i++)
		mprotect(region_pages(i), WORLD_REGION_BYTES, PROT_READ | PROT_WRITE);
	w->nr_shut = 0;
}

static void *open_one(struct world *w, bool nullable)
{
	static char tokens[64];

	if (nullable && (below(w, 4) == 0 || w->nr_open == TN_ARRAY_SIZE(tokens)))
		return NULL;
	w->nr_open %= TN_ARRAY_SIZE(tokens);
	w->nr_held++;
	return &tokens[w->nr_open++];
}

static void *host_open(void)
{
	return open_one(now, true);
}

static void host_close(void *handle)
{
	now->nr_held -= handle != NULL;
}

static uint64_t host_fill(unsigned char *at, uint64_t size)
{
	fill_random(now, at, size);
	return 0;
}

static uint64_t invoke_host(const struct tn_host_helper *self, const uint64_t args[5],
			    struct tn_exec *ex)
{
	(void)ex;
	switch (self - now->helpers) {
	case WORLD_MOVE:
		return host_move((void *)(uintptr_t)args[0]);
	case WORLD_OPEN:
		return (uintptr_t)host_open();
	case WORLD_CLOSE:
		host_close((void *)(uintptr_t)args[0]);
		return 0;
	default:
		return host_fill((void *)(uintptr_t)args[0], args[1]);
	}
}

/* A handle of a type whose fields are shown. */
static uint64_t give_node(struct world *w, const struct tn_sig *sig)
{
	struct case_node *n = NULL;

	if (sig->flags & TN_SIG_RET_UNTRUSTED && (below(w, 2) || w->nr_regions > MAX_REGIONS / 2))
		return bad_address(w);
	if (!(sig->flags & TN_SIG_RET_NULLABLE) || (below(w, 3) && w->nr_regions < MAX_REGIONS / 2))
		n = new_node(w, NULL, !(sig->flags & TN_SIG_RET_RDONLY));
	w->nr_held += n && sig->flags & TN_SIG_ACQUIRE;
	return (uintptr_t)n;
}

/* An iterator of the host's, where the library keeps it. */
struct played_iter {
	uint64_t left, last; /* elements; the one that is there */
};

/* Nobody may touch the last element any more. */
static void end_element(struct world *w, struct played_iter *it)
{
	if (it->last && w->embed)
		embed_area_drop(w->embed, it->last);
	it->last = 0;
}

static uint64_t play_iter(struct world *w, const struct tn_sig *sig, struct played_iter *it)
{
	static char someone;

	switch (tn_sig_iter_role(sig)) {
	case TN_ITER_NEW:
		if (below(w, 5) == 0)
			return (uint64_t)-1;
		*it = (struct played_iter){ .left = below(w, 6) };
		w->nr_held++;
		return 0;
	case TN_ITER_NEXT:
		end_element(w, it);
		if (!it->left || w->nr_regions > MAX_REGIONS / 2)
			return 0;
		it->left--;
		if (strcmp(sig->ret_handle, "node") != 0)
			return (uintptr_t)&someone;
		it->last = (uintptr_t)new_node(w, NULL, !(sig->flags & TN_SIG_RET_RDONLY));
		return it->last;
	default:
		end_element(w, it);
		w->nr_held--;
		return 0;
	}
}

/* What a host function of this signature may do. */
static uint64_t result_by_sig(struct world *w, const struct tn_sig *sig)
{
	static char someone;
	uint64_t any = number(w);

	if (sig->ret == TN_RET_HANDLE && !strcmp(sig->ret_handle, "node"))
		return give_node(w, sig);
	if (sig->ret == TN_RET_HANDLE && sig->flags & TN_SIG_ACQUIRE)
		return (uintptr_t)open_one(w, sig->flags & TN_SIG_RET_NULLABLE);
	if (sig->ret == TN_RET_HANDLE)
		return sig->flags & TN_SIG_RET_NULLABLE && below(w, 3) == 0 ? 0
									    : (uintptr_t)&someone;
	switch ((enum tn_ctype)sig->ret_ctype) {
	case TN_C_BOOL:
		return any & 1;
	case TN_C_I8:
		return (uint64_t)(int8_t)any;
	case TN_C_U8:
		return (uint8_t)any;
	case TN_C_I16:
		return (uint64_t)(int16_t)any;
	case TN_C_U16:
		return (uint16_t)any;
	case TN_C_I32:
		return (uint64_t)(int32_t)any;
	case TN_C_U32:
		return (uint32_t)any;
	default:
		return any;
	}
}

static uint64_t invoke_by_sig(const struct tn_host_helper *self, const uint64_t args[5],
			      struct tn_exec *ex)
{
	struct world *w = now;

	if (tn_sig_iter_role(&self->sig))
		return play_iter(w, &self->sig, (void *)(uintptr_t)args[0]);
	for (uint32_t i = 0; i + 1 < self->sig.nr_args; i++)
		if (self->sig.args[i].kind == TN_ARG_WMEM && args[i])
			fill_random(w, (void *)(uintptr_t)args[i], args[i + 1]);
	for (uint32_t i = 0; i < self->sig.nr_args; i++)
		if (self->sig.args[i].release)
			host_close((void *)(uintptr_t)args[i]);
	if (self->sig.flags & TN_SIG_INVALIDATES_CTX)
		host_move(w->ctx);
	if (self->sig.flags & TN_SIG_MAY_ABORT && below(w, 4) == 0) {
		ex->abort = TN_ABORT_HOST;
		return 0;
	}
	return result_by_sig(w, &self->sig);
}

void world_play_helper(struct tn_host_helper *helper)
{
	helper->invoke = invoke_by_sig;
	tn_held_iter_init(helper);
}

static bool make_helpers(struct world *w)
{
	static const struct {
		const char *name, *sig;
		tn_host_fn fn;
	} list[WORLD_NR_HELPERS] = {
		[WORLD_MOVE] = { "move", "u64(ctx)", (tn_host_fn)host_move },
		[WORLD_OPEN] = { "open", "?acquire:conn()", (tn_host_fn)host_open },
		[WORLD_CLOSE] = { "close", "void(release:conn)", (tn_host_fn)host_close },
		[WORLD_FILL] = { "fill", "u64(wmem, size)", (tn_host_fn)host_fill },
	};

	for (uint32_t i = 0; i < WORLD_NR_HELPERS; i++) {
		struct tn_host_helper *h = &w->helpers[i];

		h->name = (char *)list[i].name;
		h->fn = list[i].fn;
		h->invoke = invoke_host;
		if (tn_sig_parse(list[i].sig, &h->sig)) {
			fprintf(stderr, "world: %s\n", tn_err_last()->msg);
			return false;
		}
		tn_held_init_helper(h);
	}
	w->helpers[WORLD_MOVE].sig.flags |= TN_SIG_INVALIDATES_CTX;
	return true;
}

bool world_add_helpers(struct world *w, struct tn_prog *prog)
{
	prog->externs = tn_alloc_array(w->rt, WORLD_NR_HELPERS, sizeof(prog->externs[0]));
	for (uint32_t i = 0; prog->externs && i < WORLD_NR_HELPERS; i++) {
		prog->externs[i].name = tn_strdup(w->rt, w->helpers[i].name);
		prog->externs[i].is_func = true;
		prog->externs[i].helper = &w->helpers[i];
		prog->externs[i].value = 1;
		prog->nr_externs++;
	}
	return prog->externs != NULL;
}

/* ---- Maps ---- */

void world_guard_map(struct world *w, struct tn_map *map)
{
	struct world_map *m = &w->maps[w->nr_maps];

	if (map->type != TN_MAP_ARRAY || !map->values || map->const_for_programs ||
	    w->nr_maps == WORLD_MAX_MAPS ||
	    (uint64_t)map->max_entries * map->value_stride > WORLD_REGION_BYTES)
		return;
	for (uint32_t i = 0; i < w->nr_maps; i++)
		if (w->maps[i].map == map)
			return;
	m->map = map;
	m->values = map->values;
	w->nr_maps++;
}

void world_add_inner(struct world *w, struct tn_map *map)
{
	world_guard_map(w, map);
	w->inner[w->nr_inner++] = map;
}

void world_guard_edge(struct world *w, bool at_start)
{
	w->at_start = at_start;
	for (uint32_t i = 0; i < w->nr_maps; i++) {
		struct tn_map *map = w->maps[i].map;

		map->values = place(w, MAX_REGIONS + i,
				    (size_t)map->max_entries * map->value_stride);
	}
}

void world_unguard_maps(struct world *w)
{
	while (w->nr_maps) {
		struct world_map *m = &w->maps[--w->nr_maps];

		m->map->values = m->values;
	}
}

static int drop_record(void *user, void *data, size_t size)
{
	(void)user;
	(void)data;
	(void)size;
	return 0;
}

static void reset_hash(struct world *w, struct tn_map *map)
{
	unsigned char key[512] = { 0 }, value[4096] = { 0 };

	if (map->key_size > sizeof(key) || map->value_size > sizeof(value))
		return;
	while (!tn_map_next_key(map, NULL, key))
		if (tn_map_host_delete(map, key, 0))
			break;
	memset(key, 0, sizeof(key));
	for (key[0] = 0; key[0] < 4; key[0]++) {
		fill_random(w, value, map->value_size);
		if (tn_map_host_update(map, key, value, 0))
			return;
	}
}

/* Anything, but in locks and the like: those are free. */
static void fill_values(struct world *w, struct tn_map *map)
{
	fill_random(w, map->values, (size_t)map->max_entries * map->value_stride);
	for (uint32_t i = 0; i < map->nr_specials; i++)
		for (uint32_t j = 0; j < map->max_entries; j++)
			memset(map->values + (size_t)j * map->value_stride + map->specials[i].off,
			       0, map->specials[i].size);
}

static void reset_maps(struct world *w, struct tn_prog *prog)
{
	for (uint32_t i = 0; i < prog->nr_maps; i++) {
		struct tn_map *map = prog->maps[i];

		if (map->const_for_programs || tn_load_relaxed(&map->frozen))
			continue;
		if (map->type == TN_MAP_ARRAY && map->values)
			fill_values(w, map);
		else if (map->type == TN_MAP_HASH)
			reset_hash(w, map);
		else if (map->type == TN_MAP_RINGBUF)
			tn_ringbuf_consume(map, drop_record, NULL);
	}
	for (uint32_t i = 0; i < w->nr_inner; i++)
		fill_values(w, w->inner[i]);
}

/* ---- What a run leaves behind ---- */

static uint64_t digest_bytes(uint64_t h, const void *at, size_t size)
{
	const unsigned char *bytes = at;

	for (size_t i = 0; i < TN_MIN(size, (size_t)RANDOM_BYTES); i++)
		h = (h ^ bytes[i]) * 0x100000001b3ull;
	return h;
}

/* Independent of the order in which the table is walked. */
static uint64_t digest_hash(struct tn_map *map)
{
	unsigned char key[512], last[512], value[4096];
	uint64_t all = 0;

	if (map->key_size > sizeof(key) || map->value_size > sizeof(value))
		return 0;
	for (uint32_t n = 0; n < 64 && !tn_map_next_key(map, n ? last : NULL, key); n++) {
		if (!tn_map_host_lookup(map, key, value, 0))
			all += digest_bytes(digest_bytes(1, key, map->key_size), value,
					    map->value_size);
		memcpy(last, key, map->key_size);
	}
	return all;
}

/* The context, what it points to, and the values of maps. */
static uint64_t digest(const struct world *w, const struct tn_prog *prog)
{
	uint64_t h = 0xcbf29ce484222325ull;

	for (uint32_t i = 0; i < w->nr_regions; i++)
		if (!i || i >= w->nr_shut)
			h = digest_bytes(h, place(w, i, region_sizes[i]), region_sizes[i]);
	for (uint32_t i = 0; i < prog->nr_maps; i++) {
		struct tn_map *map = prog->maps[i];

		if (map->type == TN_MAP_ARRAY && map->values)
			h = digest_bytes(h, map->values,
					 (size_t)map->max_entries * map->value_stride);
		else if (map->type == TN_MAP_HASH)
			h = digest_bytes(h, &(uint64_t){ digest_hash(map) }, sizeof(uint64_t));
	}
	for (uint32_t i = 0; i < w->nr_inner; i++)
		h = digest_bytes(h, w->inner[i]->values,
				 (size_t)w->inner[i]->max_entries * w->inner[i]->value_stride);
	return h;
}

static void watch_maps(const struct world *w, struct embed *e)
{
	e->inner = w->inner;
	e->nr_inner = w->nr_inner;
	for (uint32_t i = 0; i < w->nr_inner; i++)
		embed_area_map(e, w->inner[i]);
	for (uint32_t i = 0; i < e->prog->nr_maps; i++) {
		struct tn_map *map = e->prog->maps[i];

		if (map->values && !tn_map_is_per_slot(map))
			embed_area_map(e, map);
	}
}

/* What stands in the host's variables that are bytes. */
static void watch_vars(struct embed *e)
{
	for (uint32_t i = 0; i < e->prog->nr_externs; i++) {
		const struct tn_extern *ext = &e->prog->externs[i];
		const struct tn_host_var *var = ext->var;

		if (var && ext->value && !ext->typeless && !var->type)
			embed_area_add(e, &(struct embed_area){ .base = (uintptr_t)var->addr,
								.size = var->size,
								.readable = true,
								.writable = var->writable });
	}
}

/* ---- Faults ---- */

static sigjmp_buf on_fault;
static volatile sig_atomic_t watching;
static void *volatile fault_at, *volatile fault_pc;

static void take_fault(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *uc = context;

	if (!watching) {
		signal(sig, SIG_DFL);
		return; /* again, and for good */
	}
	fault_at = info->si_addr;
#ifdef __x86_64__
	fault_pc = (void *)(uintptr_t)uc->uc_mcontext.gregs[REG_RIP];
#else
	(void)uc;
#endif
	siglongjmp(on_fault, 1);
}

static void catch_faults(void)
{
	static unsigned char stack[65536];
	stack_t alt = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction sa = { .sa_sigaction = take_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	sigaltstack(&alt, NULL);
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
}

/* ---- Compiled: on a stack between guard pages ---- */

static struct {
	ucontext_t here, there;
	struct tn_prog *prog;
	struct tn_exec *ex;
	void *ctx;
	uint64_t r0;
} call;

static void call_entry(void)
{
	struct tn_prog *prog = call.prog;

	prog->inner_entry = prog->entry;
	call.r0 = prog->facts->holds ? tn_held_entry(call.ctx, call.ex)
				     : prog->entry(call.ctx, call.ex);
}

static void *guarded_stack(void)
{
	static unsigned char *stack;

	if (!stack) {
		stack = mmap(NULL, STACK_BYTES + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			     -1, 0);
		if (stack == MAP_FAILED ||
		    mprotect(stack + PAGE, STACK_BYTES, PROT_READ | PROT_WRITE))
			abort();
	}
	return stack + PAGE;
}

/* false: it touched what it may not. */
static bool run_compiled(struct world *w, struct tn_prog *prog, struct tn_exec *ex, uint64_t *r0)
{
	bool ok = true;

	call.prog = prog;
	call.ex = ex;
	call.ctx = w->ctx;
	getcontext(&call.there);
	call.there.uc_stack.ss_sp = guarded_stack();
	call.there.uc_stack.ss_size = STACK_BYTES;
	call.there.uc_link = &call.here;
	makecontext(&call.there, call_entry, 0);
	watching = 1;
	if (!sigsetjmp(on_fault, 1)) {
		swapcontext(&call.here, &call.there);
	} else {
		int32_t at = prog->code ? tn_jit_insn_at(prog, (uint32_t)((uintptr_t)fault_pc -
									  (uintptr_t)prog->entry))
					: -1;

		snprintf(w->why, sizeof(w->why), "compiled code faults at %p, insn %d", fault_at,
			 at);
		ok = false;
	}
	watching = 0;
	*r0 = call.r0;
	return ok;
}

/* ---- Runs ---- */

static struct tn_exec make_exec(struct world *w, struct tn_prog *prog)
{
	return (struct tn_exec){ .fuel = w->fuel,
				 .prog = prog,
				 .first = prog,
				 .rt = w->rt,
				 .thread = tn_thread_self(),
				 .ctx = w->ctx,
				 .ctx_size = prog->ctx_type ? prog->ctx_type->size : 0 };
}

struct outcome {
	uint64_t r0, left; /* left: digest() */
	uint32_t abort;
	bool done;
};

static bool watched(struct world *w, struct embed *e, struct outcome *out)
{
	volatile enum embed_result result = EMBED_UNSOUND;
	struct tn_exec ex;

	e->nr_areas = 0;
	e->low = UINT64_MAX;
	e->high = 0;
	w->embed = e;
	watch_maps(w, e);
	watch_vars(e);
	fill_ctx(w, e->prog->ctx_type);
	ex = make_exec(w, e->prog);
	e->seed = next_random(w) | 1;
	watching = 1;
	if (!sigsetjmp(on_fault, 1))
		result = embed_run(e, w->ctx, &ex, &out->r0);
	else
		snprintf(e->why, sizeof(e->why), "the interpreter faults at %p, in insn %u",
			 fault_at, e->frames[e->nr_frames ? e->nr_frames - 1 : 0].insn);
	watching = 0;
	out->abort = ex.abort;
	out->done = result == EMBED_OK;
	w->runs++;
	w->gave_up += result == EMBED_GAVE_UP;
	w->steps += e->nr_steps;
	if (result == EMBED_UNSOUND)
		snprintf(w->why, sizeof(w->why), "%s", e->why);
	return result != EMBED_UNSOUND;
}

static bool compiled(struct world *w, struct tn_prog *prog, struct outcome *out)
{
	struct tn_exec ex;
	bool ok;

	w->embed = NULL;
	fill_ctx(w, prog->ctx_type);
	ex = make_exec(w, prog);
	next_random(w); /* as the watched run did */
	ok = run_compiled(w, prog, &ex, &out->r0);
	out->abort = ex.abort;
	out->done = ok;
	return ok;
}

/* Nothing that differs from run to run. */
static bool is_repeatable(const struct tn_prog *prog)
{
	for (uint32_t i = 0; i < prog->nr_insns; i++) {
		const struct tn_insn *insn = &prog->insns[i];

		if (tn_insn_is_lddw(insn)) {
			i++;
			continue;
		}
		if (insn->code != (TN_JMP | TN_CALL) || insn->src != TN_CALL_HELPER)
			continue;
		switch (insn->imm) {
		case TN_HELPER_map_lookup_elem:
		case TN_HELPER_map_update_elem:
		case TN_HELPER_map_delete_elem:
		case TN_HELPER_loop:
		case TN_HELPER_get_prandom_u32:
		case TN_HELPER_ktime_get_ns:
		case TN_HELPER_spin_lock:
		case TN_HELPER_spin_unlock:
		case TN_HELPER_tail_call:
		case TN_HELPER_dynptr_from_mem:
		case TN_HELPER_dynptr_read:
		case TN_HELPER_dynptr_write:
		case TN_HELPER_dynptr_data:
		case TN_KFUNC_dynptr_size:
		case TN_KFUNC_dynptr_adjust:
		case TN_KFUNC_iter_num_new:
		case TN_KFUNC_iter_num_next:
		case TN_KFUNC_iter_num_destroy:
		case TN_KFUNC_iter_bits_new:
		case TN_KFUNC_iter_bits_next:
		case TN_KFUNC_iter_bits_destroy:
		case TN_KFUNC_throw:
			break;
		default:
			return false;
		}
	}
	return true;
}

static bool run_input(struct world *w, struct tn_prog *prog, struct embed *e, uint64_t seed,
		      struct outcome *out)
{
	bool ok;

	now = w;
	open_pages(w);
	w->seed = seed | 1;
	reset_maps(w, prog);
	tn_epoch_enter(tn_thread_self());
	ok = e ? watched(w, e, out) : compiled(w, prog, out);
	if (ok && out->done && w->nr_held) {
		snprintf(w->why, sizeof(w->why), "%s: %" PRIu64 " references are left at the end",
			 e ? "interpreted" : "compiled", w->nr_held);
		ok = false;
	}
	if (ok && out->done)
		out->left = digest(w, prog);
	tn_epoch_leave(tn_thread_self());
	return ok;
}

static bool run_jit(struct world *w, struct tn_prog *prog, const struct outcome *outcomes,
		    uint32_t inputs, uint64_t seed)
{
	bool repeatable = is_repeatable(prog) && !w->visible, ok = true;
	struct tn_code *code = NULL;

	for (uint32_t i = 0; i < prog->nr_externs; i++)
		if (prog->externs[i].helper && !prog->externs[i].helper->fn)
			return true;
	/* That is interpreted, and the traced interpreter is for watched runs. */
	if (prog->exception_callback)
		return true;
	if (tn_jit_available() || tn_jit_compile(w->rt, &prog, 1, &code))
		return true;
	w->compiled++;
	for (uint32_t i = 0; ok && i < inputs; i++) {
		struct outcome out = { 0 };

		/* A run that was left is too long, and so is this one. */
		if (!outcomes[i].done)
			continue;
		ok = run_input(w, prog, NULL, seed + i * 0x9e3779b97f4a7c15ull, &out);
		if (!ok || !repeatable)
			continue;
		w->compared++;
		if (out.abort == outcomes[i].abort && out.left == outcomes[i].left &&
		    (out.abort || out.r0 == outcomes[i].r0))
			continue;
		snprintf(w->why, sizeof(w->why),
			 "compiled: r0 %" PRIx64 ", abort %u; interpreted: r0 %" PRIx64
			 ", abort %u%s",
			 out.r0, out.abort, outcomes[i].r0, outcomes[i].abort,
			 out.left == outcomes[i].left ? "" : "; memory is left different");
		ok = false;
	}
	prog->entry = tn_interp_entry;
	prog->code = NULL;
	tn_jit_code_free(w->rt, code);
	return ok;
}

#define MAX_INPUTS 64

bool world_run(struct world *w, struct tn_prog *prog, struct embed *e, uint32_t inputs,
	       uint64_t seed, int64_t fuel)
{
	struct outcome outcomes[MAX_INPUTS] = { 0 };
	bool ok = true;

	inputs = TN_MIN(inputs, (uint32_t)MAX_INPUTS);
	w->fuel = fuel;
	find_hints(w, e);
	if (!embed_accepted(e)) {
		w->not_checked++;
		return true;
	}
	if (tn_rewrite(prog)) {
		snprintf(w->why, sizeof(w->why), "cannot rewrite: %.500s", tn_err_last()->msg);
		return false;
	}
	prog->entry = tn_interp_entry;
	w->rt->fault_handler = TN_FAULT_HANDLER && seed & 1;
	for (uint32_t i = 0; ok && i < inputs; i++)
		ok = run_input(w, prog, e, seed + i * 0x9e3779b97f4a7c15ull, &outcomes[i]);
	if (ok && w->use_jit)
		ok = run_jit(w, prog, outcomes, inputs, seed);
	w->unsound += !ok;
	w->checks += e->nr_checks;
	w->values += e->nr_values;
	w->accesses += e->nr_accesses;
	w->facts += e->nr_facts;
	return ok;
}

bool world_init(struct world *w, struct tn_rt *rt)
{
	memset(w, 0, sizeof(*w));
	w->rt = rt;
	w->use_jit = true;
	catch_faults();
	if (TN_FAULT_HANDLER && tn_fault_install())
		return false;
	return make_helpers(w);
}

void world_fini(struct world *w)
{
	open_pages(w);
	world_unguard_maps(w);
}
