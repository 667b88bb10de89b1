/* SPDX-License-Identifier: MIT */
/*
 * Maps, as an object declares them. A map of .maps is a variable whose type says everything: each
 * member is a pointer, numbers are the length of an array that it points to, types are what it
 * points to. Data sections become arrays of one element.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "loader/load.h"
#include "maps/map.h"

/* There are eleven different ones. Many maps may share one definition, so its length counts. */
#define MAX_MEMBERS 32

/* What the members of one definition said. */
struct map_def {
	const char *name;
	uint32_t key_size, value_size;
	bool has_key_size, has_value_size, has_key, has_value;
	struct tn_map_decl *decl;
	uint32_t values_off;
	bool is_inner;
};

static int bad_member(const struct map_def *def, const char *member, const char *what)
{
	return tn_err(-EINVAL, "map '%s': member '%s' %s", def->name, member, what);
}

/* __uint(name, n): int (*name)[n]. */
static int read_number(const struct tn_btf *btf, const struct map_def *def, const char *name,
		       uint32_t type, uint32_t *out)
{
	const struct tn_btf_type *t = tn_btf_type(btf, tn_btf_skip_mods(btf, type));

	if (tn_btf_kind(t) != TN_BTF_PTR)
		return bad_member(def, name, "is no pointer; write it with __uint()");
	t = tn_btf_type(btf, tn_btf_skip_mods(btf, t->size_or_type));
	if (tn_btf_kind(t) != TN_BTF_ARRAY)
		return bad_member(def, name, "points to no array; write it with __uint()");
	*out = ((const struct tn_btf_array *)tn_btf_extra(t))->nelems;
	return 0;
}

/* __ulong(name, n): enum { unique = n } name. */
static int read_ulong(const struct tn_btf *btf, const struct map_def *def, const char *name,
		      uint32_t type, uint64_t *out)
{
	const struct tn_btf_type *t = tn_btf_type(btf, tn_btf_skip_mods(btf, type));
	const uint32_t *value = tn_btf_extra(t);
	uint32_t n;
	int err;

	if (tn_btf_kind(t) == TN_BTF_ENUM && tn_btf_vlen(t) == 1) {
		*out = value[1]; /* after its name */
		return 0;
	}
	if (tn_btf_kind(t) == TN_BTF_ENUM64 && tn_btf_vlen(t) == 1) {
		*out = (uint64_t)value[2] << 32 | value[1];
		return 0;
	}
	err = read_number(btf, def, name, type, &n);
	*out = n;
	return err;
}

/* __type(name, T): T *name. */
static int read_type(const struct tn_btf *btf, const struct map_def *def, const char *name,
		     uint32_t type, uint32_t *id, uint32_t *size)
{
	const struct tn_btf_type *t = tn_btf_type(btf, tn_btf_skip_mods(btf, type));
	int64_t bytes;

	if (tn_btf_kind(t) != TN_BTF_PTR)
		return bad_member(def, name, "is no pointer; write it with __type()");
	bytes = tn_btf_size_of(btf, t->size_or_type);
	if (bytes < 0)
		return bad_member(def, name, "points to a type without a size");
	*id = t->size_or_type;
	*size = (uint32_t)bytes;
	return 0;
}

static int agree(const struct map_def *def, const char *what, bool known, uint32_t before,
		 uint32_t now)
{
	if (known && before != now)
		return tn_err(-EINVAL, "map '%s': %s is %u by one member and %u by another",
			      def->name, what, before, now);
	return 0;
}

static int read_key_size(const struct tn_btf *btf, struct map_def *def, const char *name,
			 uint32_t type)
{
	uint32_t n;
	int err = read_number(btf, def, name, type, &n);

	if (!err)
		err = agree(def, "key_size", def->has_key_size || def->has_key, def->key_size, n);
	def->has_key_size = true;
	if (!err)
		def->key_size = n;
	return err;
}

static int read_value_size(const struct tn_btf *btf, struct map_def *def, const char *name,
			   uint32_t type)
{
	uint32_t n;
	int err = read_number(btf, def, name, type, &n);

	if (!err)
		err = agree(def, "value_size", def->has_value_size || def->has_value,
			    def->value_size, n);
	def->has_value_size = true;
	if (!err)
		def->value_size = n;
	return err;
}

static int read_key(const struct tn_btf *btf, struct map_def *def, const char *name, uint32_t type)
{
	uint32_t size;
	int err = read_type(btf, def, name, type, &def->decl->btf_key_id, &size);

	if (!err)
		err = agree(def, "key_size", def->has_key_size || def->has_key, def->key_size,
			    size);
	def->has_key = true;
	if (!err)
		def->key_size = size;
	return err;
}

static int read_value(const struct tn_btf *btf, struct map_def *def, const char *name,
		      uint32_t type)
{
	uint32_t size;
	int err = read_type(btf, def, name, type, &def->decl->btf_value_id, &size);

	if (!err)
		err = agree(def, "value_size", def->has_value_size || def->has_value,
			    def->value_size, size);
	def->has_value = true;
	if (!err)
		def->value_size = size;
	return err;
}

static int read_def(struct tn_load *ld, struct map_def *def, const struct tn_btf_type *t);

/* The definition that inner maps follow. One level: what it says of values of its own is refused.
 */
static int read_inner(struct tn_load *ld, struct map_def *def, const struct tn_btf_type *t)
{
	struct map_def inner = { .name = def->name, .is_inner = true, .values_off = TN_NO_INDEX };

	if (def->is_inner)
		return tn_err(-ENOTSUP, "map '%s': maps of maps of maps are not supported",
			      def->name);
	inner.decl = tn_new(ld->rt, struct tn_map_decl);
	if (!inner.decl)
		return tn_err_nomem("maps");
	def->decl->inner = inner.decl;
	return read_def(ld, &inner, t);
}

/* __array(values, T): T *values[]. T is a function for arrays of programs, a map for maps of maps.
 */
static int read_values(struct tn_load *ld, struct map_def *def, uint32_t type, uint32_t off,
		       bool is_last)
{
	const struct tn_btf *btf = ld->image->btf;
	const struct tn_btf_type *t = tn_btf_type(btf, tn_btf_skip_mods(btf, type));

	if (!is_last)
		return bad_member(def, "values", "is not the last one");
	if (tn_btf_kind(t) != TN_BTF_ARRAY)
		return bad_member(def, "values", "is no array; write it with __array()");
	type = ((const struct tn_btf_array *)tn_btf_extra(t))->type;
	t = tn_btf_type(btf, tn_btf_skip_mods(btf, type));
	if (tn_btf_kind(t) != TN_BTF_PTR)
		return bad_member(def, "values",
				  "is no array of pointers; write it with __array()");
	t = tn_btf_type(btf, tn_btf_skip_mods(btf, t->size_or_type));
	def->values_off = off;
	if (tn_btf_kind(t) == TN_BTF_STRUCT)
		return read_inner(ld, def, t);
	if (tn_btf_kind(t) != TN_BTF_FUNC_PROTO)
		return bad_member(def, "values", "holds neither functions nor maps");
	return 0;
}

static int read_member(struct tn_load *ld, struct map_def *def, const char *name,
		       const struct tn_btf_member *m, bool is_last)
{
	const struct tn_btf *btf = ld->image->btf;
	struct tn_map_decl *decl = def->decl;
	uint32_t ignored;

	if (!strcmp(name, "type"))
		return read_number(btf, def, name, m->type, &decl->type);
	if (!strcmp(name, "max_entries"))
		return read_number(btf, def, name, m->type, &decl->max_entries);
	if (!strcmp(name, "map_flags"))
		return read_number(btf, def, name, m->type, &decl->flags);
	if (!strcmp(name, "numa_node"))
		return read_number(btf, def, name, m->type, &ignored);
	if (!strcmp(name, "key_size"))
		return read_key_size(btf, def, name, m->type);
	if (!strcmp(name, "value_size"))
		return read_value_size(btf, def, name, m->type);
	if (!strcmp(name, "key"))
		return read_key(btf, def, name, m->type);
	if (!strcmp(name, "value"))
		return read_value(btf, def, name, m->type);
	if (!strcmp(name, "map_extra"))
		return read_ulong(btf, def, name, m->type, &decl->map_extra);
	if (!strcmp(name, "pinning")) {
		int err = read_number(btf, def, name, m->type, &decl->pinning);

		if (!err && decl->pinning > 1)
			err = tn_err(-EINVAL, "map '%s': pinning is %u, expected 0 or 1 (by name)",
				     def->name, decl->pinning);
		return err;
	}
	if (!strcmp(name, "values"))
		return read_values(ld, def, m->type, m->offset / 8, is_last);
	return tn_err(-ENOTSUP, "map '%s': unknown member '%s'", def->name, name);
}

static int read_def(struct tn_load *ld, struct map_def *def, const struct tn_btf_type *t)
{
	const struct tn_btf *btf = ld->image->btf;
	const struct tn_btf_member *m = tn_btf_extra(t);
	uint32_t nr = tn_btf_vlen(t);
	int err = 0;

	if (nr > MAX_MEMBERS)
		return tn_err(-EINVAL, "map '%s': it has %u members, expected at most %d",
			      def->name, nr, MAX_MEMBERS);
	for (uint32_t i = 0; i < nr && !err; i++)
		err = read_member(ld, def, tn_btf_str(btf, m[i].name_off), &m[i], i + 1 == nr);
	if (err)
		return err;
	if (def->decl->type == 0)
		return tn_err(-EINVAL, "map '%s': its type is not given", def->name);
	/* As libbpf: what stands in an array of programs has 4 bytes, said or not. */
	if (def->values_off != TN_NO_INDEX) {
		err = agree(def, "value_size", def->has_value_size || def->has_value,
			    def->value_size, 4);
		if (err)
			return err;
		def->value_size = 4;
	}
	def->decl->key_size = def->key_size;
	def->decl->value_size = def->value_size;
	return 0;
}

static int add_map(struct tn_load *ld, const struct tn_btf_var_secinfo *info)
{
	const struct tn_btf *btf = ld->image->btf;
	const struct tn_btf_type *var = tn_btf_type(btf, info->type), *t;
	struct map_def def = { .values_off = TN_NO_INDEX };
	struct tn_load_map *map;
	int err;

	def.name = tn_btf_str(btf, var->name_off);
	if (tn_btf_kind(var) != TN_BTF_VAR || !*def.name || !tn_elf_name_fits(def.name))
		return tn_err(-EINVAL, "section '.maps': type %u is no named variable", info->type);
	if (*(const uint32_t *)tn_btf_extra(var) > 1)
		return tn_err(-ENOTSUP, "map '%s' is extern; link the objects first", def.name);
	t = tn_btf_type(btf, tn_btf_skip_mods(btf, var->size_or_type));
	if (tn_btf_kind(t) != TN_BTF_STRUCT)
		return tn_err(-EINVAL, "map '%s' is of kind %s, expected a struct", def.name,
			      tn_btf_kind_name(tn_btf_kind(t)));
	if (t->size_or_type > info->size)
		return tn_err(-EINVAL, "map '%s': its variable has %u bytes, its type %u", def.name,
			      info->size, t->size_or_type);
	map = tn_vec_push(ld->rt, &ld->maps);
	if (!map)
		return tn_err_nomem("maps");
	def.decl = tn_load_add_map(ld);
	if (!def.decl)
		return -ENOMEM;
	map->decl = ld->image->nr_maps - 1;
	map->section = ld->maps_section;
	map->off = info->offset;
	map->size = info->size;
	def.decl->name = tn_strdup(ld->rt, def.name);
	def.decl->section = tn_strdup(ld->rt, ".maps");
	if (!def.decl->name || !def.decl->section)
		return tn_err_nomem("maps");
	err = read_def(ld, &def, t);
	map->values_off = def.values_off;
	return err;
}

static int by_offset(const void *a, const void *b)
{
	const struct tn_load_map *x = a, *y = b;

	if (x->section != y->section)
		return x->section < y->section ? -1 : 1;
	return x->off < y->off ? -1 : x->off > y->off;
}

static int check_places(const struct tn_load *ld)
{
	for (uint32_t i = 0; i < ld->maps.nr; i++) {
		const struct tn_load_map *map = &ld->maps.v[i];
		bool is_last = i + 1 == ld->maps.nr || map[1].section != map->section;
		uint64_t end = (uint64_t)map->off + map->size;
		uint64_t limit = is_last ? ld->elf.sections[map->section].size : map[1].off;

		if (end > limit)
			return tn_err(-EINVAL,
				      "section '%s': map '%s' at byte %u, %u long, leaves its "
				      "place of %llu bytes",
				      ld->elf.sections[map->section].name,
				      ld->image->maps[map->decl].name, map->off, map->size,
				      (unsigned long long)(limit - TN_MIN(limit, map->off)));
	}
	return 0;
}

static int load_typed_maps(struct tn_load *ld)
{
	uint32_t id = ld->sections[ld->maps_section].datasec;
	const struct tn_btf_var_secinfo *info;
	const struct tn_btf_type *t;
	int err = 0;

	if (!ld->maps_section || ld->elf.sections[ld->maps_section].size == 0)
		return 0;
	/* The bytes bound how large tables of initial values can be. */
	if (!ld->elf.sections[ld->maps_section].has_bytes)
		return tn_err(-EINVAL, "section '.maps' has no bytes");
	if (!id)
		return tn_err(-EINVAL,
			      "section '.maps' is not described by BTF; compile with clang -g");
	t = tn_btf_type(ld->image->btf, id);
	info = tn_btf_extra(t);
	for (uint32_t i = 0; i < tn_btf_vlen(t) && !err; i++)
		err = add_map(ld, &info[i]);
	return err;
}

int tn_load_maps(struct tn_load *ld)
{
	int err = load_typed_maps(ld);

	if (!err)
		err = tn_load_old_maps(ld);
	if (err || !ld->maps.nr)
		return err;
	qsort(ld->maps.v, ld->maps.nr, sizeof(ld->maps.v[0]), by_offset);
	return check_places(ld);
}

/* The last map of the section that begins at or before `off`. */
static const struct tn_load_map *map_before(const struct tn_load *ld, uint32_t section,
					    uint64_t off)
{
	uint32_t lo = 0, hi = ld->maps.nr;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		const struct tn_load_map *map = &ld->maps.v[mid];

		if (map->section < section || (map->section == section && map->off <= off))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && ld->maps.v[lo - 1].section == section ? &ld->maps.v[lo - 1] : NULL;
}

const struct tn_load_map *tn_load_map_at(const struct tn_load *ld, uint32_t section, uint64_t off)
{
	const struct tn_load_map *map = map_before(ld, section, off);

	return map && map->off == off ? map : NULL;
}

/* ---- Initial values of arrays of programs and of maps ---- */

static int bad_value(const struct tn_load *ld, const struct tn_elf_reloc *rel, const char *what)
{
	return tn_err(-EINVAL, "section '.maps': relocation %u at byte %llu (%s, symbol '%s') %s",
		      rel->entry, (unsigned long long)rel->off, tn_elf_reloc_name(rel->type),
		      ld->elf.symbols[rel->symbol].name, what);
}

/* The table of `nr` initial values of a map, all -1 at first. */
static int make_table(struct tn_load *ld, int32_t **table, uint32_t nr)
{
	if (*table)
		return 0;
	*table = tn_alloc_array(ld->rt, nr, sizeof(**table));
	if (!*table)
		return tn_err_nomem("maps");
	for (uint32_t i = 0; i < nr; i++)
		(*table)[i] = -1;
	return 0;
}

static int set_prog(struct tn_load *ld, const struct tn_elf_reloc *rel, struct tn_map_decl *decl,
		    uint32_t nr, uint32_t idx, uint64_t at)
{
	const struct tn_elf_symbol *sym = &ld->elf.symbols[rel->symbol];
	struct tn_load_func *fn = NULL;
	int err;

	if (sym->section != TN_ELF_UNDEF && sym->section != TN_ELF_NOWHERE && at % 8 == 0)
		fn = tn_load_func_at(ld, sym->section, at / 8);
	if (!fn || fn->prog == TN_NO_INDEX)
		return bad_value(ld, rel, "does not name a program");
	err = make_table(ld, &decl->init_progs, nr);
	if (err)
		return err;
	decl->nr_init_progs = TN_MIN(nr, decl->max_entries);
	decl->init_progs[idx] = (int32_t)fn->prog;
	return 0;
}

static int set_map(struct tn_load *ld, const struct tn_elf_reloc *rel, struct tn_map_decl *decl,
		   uint32_t nr, uint32_t idx, uint64_t at)
{
	const struct tn_elf_symbol *sym = &ld->elf.symbols[rel->symbol];
	const struct tn_load_map *inner = NULL;
	int err;

	if (sym->section == ld->maps_section || sym->section == ld->old_maps_section)
		inner = tn_load_map_at(ld, sym->section, at);
	if (!inner || ld->image->maps[inner->decl].inner)
		return bad_value(ld, rel, "does not name a map that can be an inner one");
	err = make_table(ld, &decl->init_maps, nr);
	if (err)
		return err;
	decl->nr_init_maps = TN_MIN(nr, decl->max_entries);
	decl->init_maps[idx] = (int32_t)inner->decl;
	return 0;
}

static int set_value(struct tn_load *ld, const struct tn_elf_reloc *rel)
{
	const struct tn_elf_symbol *sym = &ld->elf.symbols[rel->symbol];
	const struct tn_load_map *map = map_before(ld, ld->maps_section, rel->off);
	struct tn_map_decl *decl;
	uint64_t idx, addend;
	uint32_t nr;
	int err;

	/* clang before 13 had one type for all of 8 bytes. */
	if (rel->type != TN_R_BPF_64_ABS64 && rel->type != TN_R_BPF_64_64)
		return bad_value(ld, rel, "is of a type that initial values do not have");
	if (!map || map->values_off == TN_NO_INDEX || rel->off - map->off < map->values_off ||
	    rel->off - map->off >= map->size || (rel->off - map->off - map->values_off) % 8)
		return bad_value(ld, rel, "is in no map's values");
	if (!tn_span_read(ld->elf.sections[ld->maps_section].data, rel->off, &addend, 8))
		return bad_value(ld, rel, "is cut off");
	decl = &ld->image->maps[map->decl];
	idx = (rel->off - map->off - map->values_off) / 8;
	if (idx >= decl->max_entries)
		return bad_value(ld, rel, "lies behind the map's max_entries");
	nr = (map->size - map->values_off) / 8;
	if (decl->inner)
		err = set_map(ld, rel, decl, nr, (uint32_t)idx, sym->value + addend);
	else
		err = set_prog(ld, rel, decl, nr, (uint32_t)idx, sym->value + addend);
	return err ? err : tn_load_note_reloc(ld, ld->maps_section, rel);
}

int tn_load_map_values(struct tn_load *ld)
{
	const struct tn_load_section *s = &ld->sections[ld->maps_section];
	int err = 0;

	for (uint32_t i = 0; i < s->nr_relocs && !err; i++)
		err = set_value(ld, &s->relocs[i]);
	return err;
}

/* ---- Data sections ---- */

/* libbpf's name: at most 8 characters of the object, up to its first dot, and the section; a
 * section with a suffix of its own (.rodata.str1.1) stands for itself. */
char *tn_load_data_name(const struct tn_load *ld, const char *section)
{
	const char *object = ld->image->name ? ld->image->name : "";
	size_t tail = strlen(section);
	size_t len = strcspn(object, ".");
	char *name;

	if (strchr(section + 1, '.'))
		return tn_strdup(ld->rt, section);
	/* 15 characters, of which the section is given at least 7. */
	len = TN_MIN(len, 15 - TN_MIN(TN_MAX(tail, 7), 15));
	name = tn_asprintf(ld->rt, "%.*s%s", (int)len, object, section);
	for (char *c = name; c && *c; c++)
		if (!isalnum((unsigned char)*c) && *c != '_' && *c != '.')
			*c = '_';
	return name;
}

static int add_data(struct tn_load *ld, uint32_t section)
{
	const struct tn_elf_section *s = &ld->elf.sections[section];
	struct tn_load_section *out = &ld->sections[section];
	struct tn_map_decl *decl;

	if (s->size > INT32_MAX)
		return tn_err(-EINVAL, "section '%s': %llu bytes are more than a map holds",
			      s->name, (unsigned long long)s->size);
	decl = tn_load_add_map(ld);
	if (!decl)
		return -ENOMEM;
	out->map = ld->image->nr_maps - 1;
	decl->type = TN_MAP_ARRAY;
	decl->key_size = 4;
	decl->value_size = (uint32_t)s->size;
	decl->max_entries = 1;
	decl->is_data = true;
	decl->is_rodata = out->role == TN_ROLE_RODATA;
	decl->flags = TN_MAP_F_MMAPABLE | (decl->is_rodata ? TN_MAP_F_RDONLY_PROG : 0);
	decl->unused = true;
	decl->btf_value_id = out->datasec;
	decl->name = tn_load_data_name(ld, s->name);
	decl->section = tn_strdup(ld->rt, s->name);
	if (s->has_bytes)
		decl->data = tn_memdup(ld->rt, s->data.data, s->data.size);
	if (!decl->name || !decl->section || (s->has_bytes && !decl->data))
		return tn_err_nomem("data sections");
	return 0;
}

/* Globals in the object's arena: its first bytes. */
static int add_arena_data(struct tn_load *ld, uint32_t section)
{
	const struct tn_elf_section *s = &ld->elf.sections[section];
	struct tn_image *image = ld->image;
	struct tn_map_decl *decl = NULL;

	for (uint32_t i = 0; i < image->nr_maps && !decl; i++) {
		if (image->maps[i].type != TN_MAP_ARENA)
			continue;
		decl = &image->maps[i];
		ld->sections[section].map = i;
	}
	if (!decl)
		return tn_err(-EINVAL, "section '%s': the object declares no arena for it",
			      s->name);
	if (decl->arena_bytes)
		return tn_err(-ENOTSUP, "section '%s': the arena '%s' has globals already", s->name,
			      decl->name);
	if (s->size > INT32_MAX)
		return tn_err(-EINVAL, "section '%s': %llu bytes are too many", s->name,
			      (unsigned long long)s->size);
	decl->arena_bytes = (uint32_t)s->size;
	if (!s->has_bytes)
		return 0;
	decl->data = tn_memdup(ld->rt, s->data.data, s->data.size);
	return decl->data ? 0 : tn_err_nomem("data sections");
}

int tn_load_data(struct tn_load *ld)
{
	int err = 0;

	for (uint32_t i = 1; i < ld->elf.nr_sections && !err; i++) {
		enum tn_role role = ld->sections[i].role;

		if (role == TN_ROLE_ARENA && ld->elf.sections[i].size)
			err = add_arena_data(ld, i);
		if ((role == TN_ROLE_DATA || role == TN_ROLE_RODATA || role == TN_ROLE_BSS) &&
		    ld->elf.sections[i].size)
			err = add_data(ld, i);
	}
	return err;
}
