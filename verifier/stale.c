/* SPDX-License-Identifier: MIT */
/*
 * Fields that the plugin has elsewhere than the host: memory stays safe, since accesses are checked
 * against the host's own layout, but what is read would be another field. An instruction with a
 * CO-RE record holds the host's offset. So does one that accesses through a pointer which was moved
 * by a constant, where the program has a record that moved it (clang does so for parts of arrays
 * and for bit fields). Any other is compared with the host's layout.
 */
#include "verifier/engine.h"

#include <errno.h>
#include <string.h>

/* Does the program add offsets of this structure's fields by records? */
static bool moves_by_record(const struct tn_vf *vf, const char *type)
{
	for (uint32_t i = 0; i < vf->prog->nr_cores; i++) {
		const struct tn_core_site *site = &vf->prog->cores[i];
		uint8_t class = TN_CLASS(vf->prog->insns[site->insn].code);
		size_t len = tn_btf_essential_len(site->type);

		if (site->is_offset && class != TN_LDX && class != TN_ST && class != TN_STX &&
		    tn_btf_essential_len(type) == len && !memcmp(site->type, type, len))
			return true;
	}
	return false;
}

int tn_check_layout(struct tn_vf *vf, uint32_t regno, const struct tn_ctx_type *type, uint64_t at,
		    uint32_t size)
{
	const struct tn_core_site *site = tn_prog_core(vf->prog, vf->s.insn);
	int err;

	if ((site && site->is_offset) || !type->name)
		return 0;
	if ((int64_t)at != tn_vf_insn(vf)->off && moves_by_record(vf, type->name))
		return 0;
	err = vf->env->layout(vf->env->layout_user, type, (uint32_t)at, size);
	if (err != -ESTALE)
		return err;
	tn_reject(vf, E_CORE, (int)regno, "%s", tn_err_last()->msg);
	return tn_advise(vf,
			 "compile the plugin against this host's header, or declare '%s' with "
			 "__attribute__((preserve_access_index))",
			 type->name);
}
