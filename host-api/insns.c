/* SPDX-License-Identifier: MIT */
/*
 * Objects of raw bytecode: one program, its maps given by the host. Nothing here is trusted more
 * than a file is: encodings and references are checked before anything else looks at them.
 */
#include <errno.h>
#include <string.h>

#include "host-api/object.h"
#include "vm/insn.h"

/* The kernel's other way to number maps: by their place in an array of them. */
static void number_maps(struct tn_insn *insns, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++) {
		struct tn_insn *insn = &insns[i];

		if (!tn_insn_is_lddw(insn))
			continue;
		if (insn->src == TN_LDDW_MAP_IDX)
			insn->src = TN_LDDW_MAP;
		if (insn->src == TN_LDDW_MAP_IDX_VALUE)
			insn->src = TN_LDDW_MAP_VALUE;
		i++;
	}
}

/* References that the checker of encodings knows nothing of. */
static int check_refs(const struct tn_insn *insns, uint32_t nr, size_t nr_maps)
{
	uint32_t i;

	for (i = 0; i < nr; i++) {
		const struct tn_insn *insn = &insns[i];

		if (insn->code == (TN_JMP | TN_CALL) && insn->src == TN_CALL_EXTERN)
			return tn_err(-EINVAL,
				      "insn %u: raw bytecode calls host functions by "
				      "number, not by name",
				      i);
		if (!tn_insn_is_lddw(insn))
			continue;
		if (insn->src == TN_LDDW_BTF_ID)
			return tn_err(-EINVAL, "insn %u: raw bytecode has no externs", i);
		if ((insn->src == TN_LDDW_MAP || insn->src == TN_LDDW_MAP_VALUE) &&
		    (uint32_t)insn->imm >= nr_maps)
			return tn_err(-EINVAL, "insn %u: map %d, but %zu maps are given", i,
				      insn->imm, nr_maps);
		i++;
	}
	return 0;
}

static int take_maps(struct tn_prog *prog, const struct tenon_insns *code)
{
	uint32_t i;

	if (!code->nr_maps)
		return 0;
	prog->maps = tn_alloc_array(prog->rt, code->nr_maps, sizeof(prog->maps[0]));
	if (!prog->maps)
		return tn_err_nomem("map references");
	for (i = 0; i < code->nr_maps; i++) {
		struct tn_map *map = code->maps[i] ? tn_map_of(code->maps[i]) : NULL;

		if (!map)
			return tn_err(-EINVAL, "map %u is NULL or not loaded", i);
		if (map->rt != prog->rt)
			return tn_err(-EINVAL, "map %u ('%s') belongs to another runtime", i,
				      map->name);
		prog->maps[i] = tn_map_get(map);
		prog->nr_maps = i + 1;
	}
	return 0;
}

static int fill_prog(struct tn_prog *prog, const struct tenon_insns *code, const char *section)
{
	uint32_t nr = (uint32_t)code->nr_insns;
	int rc = tn_prog_set_insns(prog, code->insns, nr);

	if (!rc)
		number_maps(prog->insns, nr);
	if (!rc)
		rc = tn_insns_check_form(prog->insns, nr);
	if (!rc)
		rc = check_refs(prog->insns, nr, code->nr_maps);
	if (!rc)
		rc = tn_prog_find_subprogs(prog);
	if (!rc)
		rc = take_maps(prog, code);
	if (rc)
		return rc;
	if (code->hook || section) {
		prog->section = code->hook ? tn_asprintf(prog->rt, "hook/%s", code->hook)
					   : tn_strdup(prog->rt, section);
		if (!prog->section)
			return tn_err_nomem("program");
	}
	return 0;
}

static int make_image(struct tn_rt *rt, const char *name, const struct tenon_insns *code,
		      const char *section, struct tn_image **out)
{
	struct tn_image *image = tn_image_new(rt, name);
	char *license = tn_strdup(rt, code->license ? code->license : "GPL");

	*out = image;
	if (!image || !license) {
		tn_free(rt, license);
		return tn_err_nomem("object");
	}
	tn_free(rt, image->license);
	image->license = license;
	image->progs = tn_alloc_array(rt, 1, sizeof(image->progs[0]));
	if (!image->progs)
		return tn_err_nomem("object");
	image->progs[0] = tn_prog_new(rt, name);
	if (!image->progs[0])
		return tn_err_nomem("program");
	image->nr_progs = 1;
	image->progs[0]->image = image;
	return fill_prog(image->progs[0], code, section);
}

static int check_code(struct tenon_runtime *rt, const struct tenon_insns *code)
{
	if (!code->insns || !code->nr_insns)
		return tn_err(-EINVAL, "raw bytecode: no instructions");
	if (code->nr_insns > rt->rt.limits.max_insns)
		return tn_err(-E2BIG, "raw bytecode: %zu instructions, the limit is %u",
			      code->nr_insns, rt->rt.limits.max_insns);
	if (code->nr_maps && (!code->maps || code->nr_maps > 4096))
		return tn_err(-EINVAL, "raw bytecode: maps is NULL, or more than 4096");
	return 0;
}

struct tenon_object *tenon_object_open_insns(struct tenon_runtime *rt,
					     const struct tenon_insns *code,
					     const struct tenon_object_open_opts *opts)
{
	return tn_object_open_code(rt, code, NULL, opts);
}

struct tenon_object *tn_object_open_code(struct tenon_runtime *rt, const struct tenon_insns *code,
					 const char *section,
					 const struct tenon_object_open_opts *opts)
{
	struct tenon_object_open_opts want;
	struct tenon_insns local;
	struct tn_image *image = NULL;
	struct tenon_object *obj;
	const char *name;
	int rc;

	if (!rt || !code)
		return tn_err_null(-EINVAL, "tenon_object_open_insns: an argument is NULL");
	rc = tn_opts_read("tenon_insns", code, &local, sizeof(local));
	if (!rc)
		rc = tn_opts_read("tenon_object_open_opts", opts, &want, sizeof(want));
	if (!rc)
		rc = check_code(rt, &local);
	if (rc)
		return tn_null(rc);
	want.sz = sizeof(want);
	name = want.name ? want.name : "insns";
	if (!local.hook && !section)
		want.ctx_size = local.ctx_size;
	rc = make_image(&rt->rt, name, &local, section, &image);
	if (rc) {
		tn_err_at(TN_STAGE_OPEN, name, NULL, -1, NULL);
		tn_image_free(image);
		return tn_null(rc);
	}
	obj = tn_object_from_image(rt, name, image, &want);
	/* Also when it is 0: a program without memory of the host's. */
	if (obj && !local.hook && !section)
		obj->raw_ctx = true;
	return obj;
}
