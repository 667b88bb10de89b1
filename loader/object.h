/* SPDX-License-Identifier: MIT */
/* An eBPF ELF object in, an image out. Every offset, size and index of the file is checked; what is
 * wrong is named with its section and entry. The bytes may be freed afterwards. */
#ifndef TN_LOADER_OBJECT_H
#define TN_LOADER_OBJECT_H

#include "base/span.h"
#include "vm/image.h"

struct tn_btf;
struct tn_core_record;
struct tn_core_spec;

struct tn_load_opts {
	const char *name;   /* of the object */
	const char *config; /* .kconfig values, "CONFIG_X=y" a line, or NULL */
	/* What CO-RE records are resolved against, borrowed for the call, and the names of the
	 * targets for messages (NULL: numbers). The first nr_whole are BTF of the host: what they
	 * do not have, the host does not. Those behind show what the host declared field by field.
	 */
	const struct tn_btf *const *targets;
	const char *const *target_names;
	uint32_t nr_targets, nr_whole;
	/* Told of each access that a record found in a target (loader/core.h); NULL: nobody. */
	void (*core_found)(void *user, const struct tn_core_record *rec,
			   const struct tn_core_spec *spec);
	void *core_user;
	bool relaxed_maps; /* section "maps": fields beyond those known are ignored */
};

/* NULL, errno: ENOEXEC (not an eBPF ELF), EINVAL (malformed), ENOTSUP, ENOMEM. */
struct tn_image *tn_loader_open(struct tn_rt *rt, struct tn_span file,
				const struct tn_load_opts *opts);

/* What a section name asks for. */
enum tn_section_kind {
	TN_SEC_UNKNOWN = 0,
	TN_SEC_HOOK,   /* "hook/<name>": `rest` is the name */
	TN_SEC_KERNEL, /* one of libbpf's: ctx is the builtin context's name, or NULL where Tenon
			* has none yet */
};
struct tn_section_def {
	enum tn_section_kind kind;
	const char *ctx;
	const char *rest; /* what follows "prefix/", or "" ; points into the name */
	bool ret_checked; /* results are held to ret_min..ret_max */
	int64_t ret_min, ret_max;
};
void tn_section_parse(const char *name, struct tn_section_def *out);

#endif
