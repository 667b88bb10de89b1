/* SPDX-License-Identifier: MIT */
/*
 * Lookups in hash tables: behind a program stands one routine for each table that it looks into,
 * with the key size, seeds, addresses and sizes as constants. It does what find_...() of
 * maps/hash.c does: hash the key, compare the 16 control bytes of its home group at once, then the
 * keys they point to. A hit or a miss counts if the group's number was even and is the same after
 * it; loads are not reordered here, so plain ones do. What that does not settle (a key that is
 * beyond its home group, a number that changed, a control byte that promised what no key kept)
 * goes to the map's own function, which starts over.
 *
 * In: rsi the key, r12 the firing. Out: rax. Fuel in r9 stays. While it looks: rdx the group,
 * r8 its first element, r10 slots that may be it, rdi the offset of the one looked at, r11 the
 * number, rcx a key of one word.
 */
#include "jit/x86_64/emit.h"
#include "maps/hash.h"
#include "maps/hash_key.h"
#include "vm/helpers.h"

/* Longer keys are left to C: their hash takes longer than a call. */
#define MAX_KEY 64u
/* Tables that may lie in the nearest cache need nothing fetched ahead. */
#define NEAR_CACHE_BYTES (32u << 10)

struct stub {
	struct tn_emit *e;
	const struct tn_map *map;
	const struct tn_hash *h;
	uint32_t words; /* of a key */
	uint32_t slow, candidate, next, miss;
};

/* rax = the halves of rax * `times`, folded */
static void fold(struct tn_codebuf *b, uint8_t times)
{
	tn_x86_unary(b, X86_MUL, true, times);
	tn_x86_alu_rr(b, X86_XOR, true, RAX, RDX);
}

static void fold_imm(struct tn_codebuf *b, uint64_t times)
{
	tn_x86_mov_ri(b, RDX, times);
	fold(b, RDX);
}

static void xor_imm(struct tn_codebuf *b, uint64_t imm)
{
	tn_x86_mov_ri(b, RDX, imm);
	tn_x86_alu_rr(b, X86_XOR, true, RAX, RDX);
}

/* dst = word `i` of the key, padded with zeros; not a byte behind the key is read. rdi is scratch
 * where the key has less than 8 bytes. */
static void load_word(const struct stub *s, uint8_t dst, uint32_t i)
{
	struct tn_codebuf *b = s->e->b;
	uint32_t size = s->map->key_size, rest = TN_MIN(size - 8 * i, 8u);
	int32_t at = (int32_t)(8 * i);

	if ((rest & (rest - 1)) == 0) {
		tn_x86_load(b, (uint8_t)rest, dst, tn_x86_at(RSI, at));
	} else if (size > 8) {
		tn_x86_load(b, 8, dst, tn_x86_at(RSI, (int32_t)size - 8));
		tn_x86_shift_ri(b, X86_SHR, true, dst, (uint8_t)(8 * (8 - rest)));
	} else if (rest == 3) {
		tn_x86_load(b, 2, dst, tn_x86_at(RSI, 0));
		tn_x86_load(b, 1, RDI, tn_x86_at(RSI, 2));
		tn_x86_shift_ri(b, X86_SHL, true, RDI, 16);
		tn_x86_alu_rr(b, X86_OR, true, dst, RDI);
	} else { /* 5, 6, 7: two of four bytes that overlap */
		tn_x86_load(b, 4, dst, tn_x86_at(RSI, 0));
		tn_x86_load(b, 4, RDI, tn_x86_at(RSI, (int32_t)size - 4));
		tn_x86_shift_ri(b, X86_SHL, true, RDI, (uint8_t)(8 * (size - 4)));
		tn_x86_alu_rr(b, X86_OR, true, dst, RDI);
	}
}

/* tn_hash_two(): rax and r11 in, rcx and r8 the multipliers. */
static void hash_two(const struct stub *s)
{
	struct tn_codebuf *b = s->e->b;

	xor_imm(b, s->h->seed[0]);
	fold(b, RCX);
	tn_x86_alu_rr(b, X86_ADD, true, RAX, R11);
	xor_imm(b, s->h->seed[0] ^ TN_HASH_MIX1);
	fold(b, R8);
}

/* tn_hash_long(): chains in r10 and r11. */
static void hash_long(const struct stub *s)
{
	struct tn_codebuf *b = s->e->b;

	tn_x86_mov_ri(b, R10, s->h->seed[0]);
	tn_x86_mov_ri(b, R11, s->h->seed[0] ^ TN_HASH_MIX2);
	for (uint32_t i = 0; i < s->words; i++) {
		uint8_t chain = i % 2 ? R11 : R10;

		load_word(s, RAX, i);
		tn_x86_alu_rr(b, X86_XOR, true, RAX, chain);
		fold(b, i % 2 ? R8 : RCX);
		tn_x86_mov_rr(b, true, chain, RAX);
	}
	tn_x86_mov_rr(b, true, RAX, R10);
	hash_two(s);
}

/* rax = tn_hash_key(), rcx = the key where it has one word */
static void hash_key(const struct stub *s)
{
	struct tn_codebuf *b = s->e->b;
	const uint64_t *seed = s->h->seed;

	if (s->map->key_size == 4 || s->map->key_size == 8) {
		load_word(s, RCX, 0);
		tn_x86_mov_ri(b, RAX, seed[0]);
		tn_x86_alu_rr(b, X86_XOR, true, RAX, RCX);
		fold_imm(b, seed[1]);
		xor_imm(b, TN_HASH_MIX1);
		fold_imm(b, TN_HASH_MIX2);
		return;
	}
	tn_x86_mov_ri(b, RCX, seed[1]);
	tn_x86_mov_ri(b, R8, seed[1] ^ TN_HASH_MIX3);
	if (s->map->key_size == 16) {
		load_word(s, RAX, 0);
		load_word(s, R11, 1);
		hash_two(s);
		return;
	}
	hash_long(s);
	if (s->words == 1)
		load_word(s, RCX, 0);
}

/* The level of use of slot i of the group is at (tn_hash.use - groups / 2) + rdx / 2 + i. */
static uint64_t use_base(const struct tn_hash *h)
{
	return (uintptr_t)h->use - (uintptr_t)h->groups / 2;
}

/* rdx and r8 from the hash; what is read later is fetched. */
static void find_home(const struct stub *s)
{
	const struct tn_hash *h = s->h;
	struct tn_codebuf *b = s->e->b;
	int32_t stride = (int32_t)h->elem_stride;

	tn_x86_mov_rr(b, true, RDX, RAX);
	tn_x86_shift_ri(b, X86_SHR, true, RDX, 32);
	tn_x86_imul_rri(b, true, RDX, RDX, (int32_t)h->nr_groups);
	tn_x86_shift_ri(b, X86_SHR, true, RDX, 32);
	tn_x86_imul_rri(b, true, R8, RDX, stride * (int32_t)TN_HASH_GROUP_SLOTS);
	tn_x86_mov_ri(b, R10, (uintptr_t)h->elems);
	tn_x86_alu_rr(b, X86_ADD, true, R8, R10);
	tn_x86_shift_ri(b, X86_SHL, true, RDX, (uint8_t)__builtin_ctz(sizeof(h->groups[0])));
	tn_x86_mov_ri(b, R10, (uintptr_t)h->groups);
	tn_x86_alu_rr(b, X86_ADD, true, RDX, R10);
	if (h->table_bytes <= NEAR_CACHE_BYTES)
		return;
	tn_x86_mov_rr(b, false, R10, RAX);
	tn_x86_shift_ri(b, X86_SHR, false, R10, TN_HASH_NEAR_SHIFT);
	tn_x86_alu_ri(b, X86_AND, false, R10, h->near_mask);
	tn_x86_imul_rri(b, true, R10, R10, stride);
	tn_x86_prefetch(b, (struct tn_x86_mem){ R8, R10, 0, 0 });
	if (!h->use)
		return;
	tn_x86_mov_rr(b, true, R10, RDX);
	tn_x86_shift_ri(b, X86_SHR, true, R10, 1);
	tn_x86_mov_ri(b, R11, use_base(h));
	tn_x86_prefetch(b, (struct tn_x86_mem){ R10, R11, 0, 0 });
}

/* r11 = the number, r10 = slots whose control byte is the hash's */
static void match_group(const struct stub *s)
{
	struct tn_codebuf *b = s->e->b;

	tn_x86_mov_rr(b, false, R10, RAX);
	tn_x86_alu_ri(b, X86_AND, false, R10, 0x7f);
	tn_x86_alu_ri(b, X86_OR, false, R10, TN_HASH_LIVE);
	tn_x86_imul_rri(b, false, R10, R10, 0x01010101);
	tn_x86_movq_xr(b, false, 0, R10);
	tn_x86_pshufd_0(b, 0, 0);
	tn_x86_load(b, 4, R11, tn_x86_at(RDX, offsetof(struct tn_hash_group, seq)));
	tn_x86_pcmpeqb_m(b, 0, tn_x86_at(RDX, offsetof(struct tn_hash_group, ctrl)));
	tn_x86_pmovmskb(b, R10, 0);
	tn_x86_test_rr(b, false, R10, R10);
	tn_codebuf_item(b, TN_ITEM_JCC, CC_E, s->miss);
}

static void go_slow(const struct stub *s, uint8_t cc)
{
	tn_codebuf_item(s->e->b, TN_ITEM_JCC, cc, s->slow);
}

/* What was read is true of one moment, or the map's function decides. */
static void check_number(const struct stub *s)
{
	struct tn_codebuf *b = s->e->b;

	tn_x86_alu_rm(b, X86_CMP, false, R11, tn_x86_at(RDX, offsetof(struct tn_hash_group, seq)));
	go_slow(s, CC_NE);
	tn_x86_test_ri(b, false, R11, 1);
	go_slow(s, CC_NE);
}

static void compare_key(const struct stub *s)
{
	struct tn_codebuf *b = s->e->b;
	struct tn_x86_mem elem = { R8, RDI, 0, 0 };

	if (s->words == 1) {
		tn_x86_alu_rm(b, X86_CMP, true, RCX, elem);
	} else {
		load_word(s, RCX, 0);
		tn_x86_alu_rm(b, X86_XOR, true, RCX, elem);
		for (uint32_t i = 1; i < s->words; i++) {
			load_word(s, RAX, i);
			elem.disp = (int32_t)(8 * i);
			tn_x86_alu_rm(b, X86_XOR, true, RAX, elem);
			tn_x86_alu_rr(b, X86_OR, true, RCX, RAX);
		}
		tn_x86_test_rr(b, true, RCX, RCX);
	}
	tn_codebuf_item(b, TN_ITEM_JCC, CC_NE, s->next);
}

/* tn_hash_use(): `at` is its level. */
static void note_use(const struct stub *s, struct tn_x86_mem at)
{
	struct tn_codebuf *b = s->e->b;
	uint32_t done;

	tn_x86_alu_mi(b, X86_CMP, 1, at, TN_HASH_USE_SEEN);
	done = tn_x86_jcc8(b, CC_E);
	tn_x86_store_i(b, 1, at, TN_HASH_USE_SEEN);
	tn_x86_here(b, done);
}

static void give_value(const struct stub *s)
{
	struct tn_codebuf *b = s->e->b;

	tn_x86_lea(b, true, RAX, (struct tn_x86_mem){ R8, RDI, 0, (int32_t)s->h->value_off });
	if (s->h->use) {
		tn_x86_tzcnt(b, RDI, R10);
		tn_x86_shift_ri(b, X86_SHR, true, RDX, 1);
		tn_x86_mov_ri(b, RCX, use_base(s->h));
		tn_x86_alu_rr(b, X86_ADD, true, RDX, RCX);
		note_use(s, (struct tn_x86_mem){ RDX, RDI, 0, 0 });
	}
	tn_x86_ret(b);
}

/* Index of the element: (rdx - groups) / 2 + slot. A part not yet accounted for is C's. */
static void give_slot_value(const struct stub *s)
{
	const struct tn_hash *h = s->h;
	struct tn_codebuf *b = s->e->b;

	tn_x86_tzcnt(b, RAX, R10);
	tn_x86_shift_ri(b, X86_SHR, true, RDX, 1);
	tn_x86_alu_rr(b, X86_ADD, true, RAX, RDX);
	if (h->use) {
		tn_x86_mov_ri(b, RCX, use_base(h));
		note_use(s, (struct tn_x86_mem){ RAX, RCX, 0, 0 });
	}
	tn_x86_load(b, 4, RCX, tn_x86_at(REG_EX, offsetof(struct tn_exec, slot)));
	tn_x86_mov_ri(b, RDX, (uintptr_t)s->map->slot_used);
	tn_x86_alu_mi(b, X86_CMP, 1, (struct tn_x86_mem){ RDX, RCX, 0, 0 }, 0);
	go_slow(s, CC_E);
	tn_x86_mov_ri(b, RDX, (uintptr_t)h->groups / 2);
	tn_x86_alu_rr(b, X86_SUB, true, RAX, RDX);
	tn_x86_imul_rri(b, true, RAX, RAX, (int32_t)s->map->value_stride);
	tn_x86_imul_rri(b, true, RCX, RCX, (int32_t)s->map->slot_stride);
	tn_x86_mov_ri(b, RDX, (uintptr_t)h->slot_values);
	tn_x86_alu_rr(b, X86_ADD, true, RAX, RDX);
	tn_x86_alu_rr(b, X86_ADD, true, RAX, RCX);
	tn_x86_ret(b);
}

static void look_at_candidates(const struct stub *s)
{
	struct tn_codebuf *b = s->e->b;

	tn_codebuf_bind(b, s->candidate);
	tn_x86_tzcnt(b, RDI, R10);
	tn_x86_imul_rri(b, true, RDI, RDI, (int32_t)s->h->elem_stride);
	compare_key(s);
	check_number(s);
	if (s->h->slot_values)
		give_slot_value(s);
	else
		give_value(s);
	tn_codebuf_bind(b, s->next);
	tn_x86_lea(b, false, RDI, tn_x86_at(R10, -1));
	tn_x86_alu_rr(b, X86_AND, false, R10, RDI);
	tn_codebuf_item(b, TN_ITEM_JCC, CC_NE, s->candidate);
	tn_codebuf_item(b, TN_ITEM_JMP, 0, s->slow);
}

/* None here, and none of its class passed by. */
static void miss(const struct stub *s)
{
	struct tn_codebuf *b = s->e->b;

	tn_codebuf_bind(b, s->miss);
	tn_x86_shift_ri(b, X86_SHR, false, RAX, 7);
	tn_x86_alu_ri(b, X86_AND, false, RAX, TN_HASH_CLASSES - 1);
	tn_x86_load(b, 1, RAX,
		    (struct tn_x86_mem){ RDX, RAX, 0, offsetof(struct tn_hash_group, passed) });
	check_number(s);
	tn_x86_test_rr(b, false, RAX, RAX);
	go_slow(s, CC_NE);
	tn_x86_ret(b);
}

static void call_map(const struct stub *s)
{
	struct tn_codebuf *b = s->e->b;

	tn_codebuf_bind(b, s->slow);
	tn_emit_save_fuel(s->e);
	tn_x86_alu_ri(b, X86_SUB, true, RSP, 8);
	tn_x86_mov_ri(b, RDI, (uintptr_t)s->map);
	tn_x86_load(b, 4, RDX, tn_x86_at(REG_EX, offsetof(struct tn_exec, slot)));
	tn_codebuf_extern(b, (const void *)(uintptr_t)s->map->ops->lookup);
	tn_x86_alu_ri(b, X86_ADD, true, RSP, 8);
	tn_emit_load_fuel(s->e);
	tn_x86_ret(b);
}

/* ---- What the rest of the emitter calls ---- */

/* The table whose lookup the call is, NULL: another call, or a table whose numbers do not fit. */
static const struct tn_hash *table_of(const struct tn_emit *e, uint32_t i)
{
	const struct tn_map *map = tn_flow_map(e->prog, i);
	const struct tn_hash *h;

	if (!map || e->prog->insns[i].imm != TN_HELPER_map_lookup_elem || map->key_size > MAX_KEY)
		return NULL;
	h = tn_hash_for_code(map);
	if (!h || h->elem_stride > INT32_MAX / TN_HASH_GROUP_SLOTS || h->nr_groups > INT32_MAX ||
	    map->value_stride > INT32_MAX || map->slot_stride > INT32_MAX)
		return NULL;
	return h;
}

static struct tn_hash_stub *find_stub(const struct tn_emit *e, const struct tn_map *map)
{
	for (uint32_t n = 0; n < e->hash_stubs.nr; n++)
		if (e->hash_stubs.v[n].map == map)
			return &e->hash_stubs.v[n];
	return NULL;
}

int tn_emit_hash_survey(struct tn_emit *e)
{
	struct tn_hash_stub *stub;
	int err;

	for (uint32_t i = 0; i < e->prog->nr_insns; i++) {
		const struct tn_hash *h = e->flow.flags[i] & TN_FLOW_REACHED ? table_of(e, i)
									     : NULL;

		if (!h || find_stub(e, &h->map))
			continue;
		stub = tn_vec_push(e->prog->rt, &e->hash_stubs);
		if (!stub)
			return tn_err_nomem("lookups of a program");
		stub->map = &h->map;
		err = tn_codebuf_labels(e->b, 5, &stub->label);
		if (err)
			return err;
	}
	return 0;
}

bool tn_emit_hash_lookup(struct tn_emit *e, uint32_t i)
{
	const struct tn_hash *h = table_of(e, i);

	if (!h)
		return false;
	tn_codebuf_item(e->b, TN_ITEM_CALL, 0, find_stub(e, &h->map)->label);
	return true;
}

int tn_emit_hash_stubs(struct tn_emit *e)
{
	for (uint32_t n = 0; n < e->hash_stubs.nr; n++) {
		uint32_t label = e->hash_stubs.v[n].label;
		struct stub s = { .e = e,
				  .map = e->hash_stubs.v[n].map,
				  .slow = label + 1,
				  .candidate = label + 2,
				  .next = label + 3,
				  .miss = label + 4 };
		int err = tn_codebuf_reserve(e->b);

		if (err)
			return err;
		s.h = tn_hash_for_code(s.map);
		s.words = (s.map->key_size + 7) / 8;
		tn_codebuf_item(e->b, TN_ITEM_ALIGN, 0, 0);
		tn_codebuf_bind(e->b, label);
		hash_key(&s);
		find_home(&s);
		match_group(&s);
		look_at_candidates(&s);
		miss(&s);
		call_map(&s);
	}
	return 0;
}
