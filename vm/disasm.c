/* SPDX-License-Identifier: MIT */
/* Code to text: the patterns of opcodes.def, filled in. */
#include "vm/disasm.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/compiler.h"
#include "maps/map.h"
#include "vm/helpers.h"

struct output {
	char *buf;
	size_t size;
	int len;
};

static void put(struct output *out, const char *fmt, ...) TN_PRINTF(2, 3);

static void put(struct output *out, const char *fmt, ...)
{
	size_t used = TN_MIN((size_t)out->len, out->size);
	va_list ap;

	va_start(ap, fmt);
	out->len += vsnprintf(out->size ? out->buf + used : NULL, out->size - used, fmt, ap);
	va_end(ap);
}

static const char *map_name(const struct tn_prog *prog, uint32_t ref)
{
	if (!prog || ref >= prog->nr_maps)
		return NULL;
	if (prog->maps && prog->maps[ref])
		return prog->maps[ref]->name;
	if (prog->image && prog->map_decls && prog->map_decls[ref] < prog->image->nr_maps)
		return prog->image->maps[prog->map_decls[ref]].name;
	return NULL;
}

static const char *extern_name(const struct tn_prog *prog, uint32_t ref)
{
	return prog && ref < prog->nr_externs ? prog->externs[ref].name : NULL;
}

static void put_name_or_index(struct output *out, const char *name, uint32_t idx)
{
	if (name)
		put(out, "%s", name);
	else
		put(out, "%u", idx);
}

static void put_func(struct output *out, const struct tn_prog *prog, uint32_t idx, int32_t distance)
{
	uint32_t target = idx + 1 + (uint32_t)distance;

	put(out, "pc%+" PRId32, distance);
	if (prog && prog->nr_subprogs && target < prog->nr_insns) {
		const struct tn_subprog *sub = &prog->subprogs[tn_prog_subprog_at(prog, target)];

		if (sub->name)
			put(out, "#%s", sub->name);
	}
}

static void put_helper(struct output *out, int32_t id)
{
	const struct tn_helper *helper = tn_helper_by_id((uint32_t)id);

	if (helper)
		put(out, "bpf_%s#%" PRId32, helper->name, id);
	else
		put(out, "unknown#%" PRId32, id);
}

static void put_operand(struct output *out, char letter, const struct tn_prog *prog,
			const struct tn_insn *insn, uint32_t idx)
{
	switch (letter) {
	case 'd':
		put(out, "r%u", insn->dst);
		break;
	case 's':
		put(out, "r%u", insn->src);
		break;
	case 'w':
		put(out, "w%u", insn->dst);
		break;
	case 'x':
		put(out, "w%u", insn->src);
		break;
	case 'i':
		put(out, "%" PRId32, insn->imm);
		break;
	case 'h':
		put(out, "0x%" PRIx32, (uint32_t)insn->imm);
		break;
	case 'l':
		put(out, "0x%" PRIx64, tn_insn_imm64(insn));
		break;
	case 'o':
		put(out, "%+d", insn->off);
		break;
	case 'j':
		put(out, "pc%+d", insn->off);
		break;
	case 'J':
		put(out, "pc%+" PRId32, insn->imm);
		break;
	case 'c':
		put_func(out, prog, idx, insn->imm);
		break;
	case 'f':
		put_helper(out, insn->imm);
		break;
	case 'e':
		put_name_or_index(out, extern_name(prog, (uint32_t)insn->imm), (uint32_t)insn->imm);
		break;
	case 'm':
		put_name_or_index(out, map_name(prog, (uint32_t)insn->imm), (uint32_t)insn->imm);
		break;
	case 'v':
		put(out, "%+" PRId32, insn[1].imm);
		break;
	default:
		put(out, "%c", letter);
	}
}

/* After rewriting a map reference is an address: find the map again. */
static bool put_rewritten_map(struct output *out, const struct tn_prog *prog,
			      const struct tn_insn *insn)
{
	uint64_t value = tn_insn_imm64(insn);

	for (uint32_t i = 0; prog->maps && i < prog->nr_maps; i++) {
		const struct tn_map *map = prog->maps[i];
		uint64_t off = map ? value - (uintptr_t)map->values : 0;

		if (!map)
			continue;
		if (value == (uintptr_t)map) {
			put(out, "r%u = map[%s] ll", insn->dst, map->name);
			return true;
		}
		if (map->values && off < map->values_size) {
			put(out, "r%u = map_value[%s]+%" PRIu64 " ll", insn->dst, map->name, off);
			return true;
		}
	}
	return false;
}

int tn_disasm(const struct tn_prog *prog, const struct tn_insn *insn, uint32_t idx, char *buf,
	      size_t size)
{
	struct output out = { .buf = buf, .size = size };
	const struct tn_opcode *op = tn_insn_lookup(insn);

	if (size)
		buf[0] = 0;
	if (!op) {
		put(&out, "(bad) %02x %x:%x %d %" PRId32, insn->code, insn->dst, insn->src,
		    insn->off, insn->imm);
		return out.len;
	}
	if (prog && prog->rewritten && tn_insn_is_lddw(insn) && put_rewritten_map(&out, prog, insn))
		return out.len;
	for (const char *p = op->text; *p; p++) {
		if (*p == '%')
			put_operand(&out, *++p, prog, insn, idx);
		else
			put(&out, "%c", *p);
	}
	return out.len;
}
