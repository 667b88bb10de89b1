/* SPDX-License-Identifier: MIT */
/* Objects of classic BPF: translated (loader/cbpf.c), then raw bytecode like any other. */
#include <errno.h>
#include <string.h>

#include "host-api/object.h"
#include "loader/cbpf.h"

struct tenon_object *tenon_object_open_cbpf(struct tenon_runtime *rt,
					    const struct tenon_cbpf *filter,
					    const struct tenon_object_open_opts *opts)
{
	struct tenon_object_open_opts want;
	struct tn_insn *insns = NULL;
	struct tenon_object *obj;
	struct tenon_cbpf local;
	struct tenon_insns code;
	uint32_t nr = 0;
	int rc;

	if (!rt || !filter)
		return tn_err_null(-EINVAL, "tenon_object_open_cbpf: an argument is NULL");
	rc = tn_opts_read("tenon_cbpf", filter, &local, sizeof(local));
	if (!rc)
		rc = tn_opts_read("tenon_object_open_opts", opts, &want, sizeof(want));
	if (rc)
		return tn_null(rc);
	want.sz = sizeof(want);
	if (!want.name)
		want.name = "filter";
	if (!local.insns || local.nr_insns > TN_CBPF_MAX_INSNS)
		rc = tn_err(-EINVAL, "classic filter: insns is NULL, or %zu are more than %u",
			    local.nr_insns, TN_CBPF_MAX_INSNS);
	else
		rc = tn_cbpf_translate(&rt->rt, local.insns, (uint32_t)local.nr_insns,
				       local.seccomp, &insns, &nr);
	if (rc) {
		tn_err_at(TN_STAGE_OPEN, want.name, NULL, -1, NULL);
		return tn_null(rc);
	}
	code = (struct tenon_insns){
		.sz = sizeof(code),
		.insns = insns,
		.nr_insns = nr,
		.hook = local.hook,
		.ctx_size = local.seccomp ? TN_SECCOMP_BYTES : 0,
	};
	obj = tn_object_open_code(rt, &code, local.seccomp ? NULL : "socket", &want);
	rc = obj ? 0 : errno;
	tn_free(&rt->rt, insns);
	errno = rc;
	return obj;
}
