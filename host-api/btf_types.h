/* SPDX-License-Identifier: MIT */
/*
 * From the host's BTF to what the verifier, the JIT and libffi work with: layouts of structures and
 * contexts, contexts made of a function's arguments, signatures of functions.
 *
 * What members become, those of nested structures included, at their own places ("addr.port"):
 *
 *   numbers, arrays of them       scalars, read-only unless TENON_WRITABLE
 *   bit fields                    one scalar for the bytes that a row of them stands in
 *   unions                        scalars, where no alternative has a pointer; else nothing
 *   pointers to structures        handles: of a context trusted, of other structures untrusted
 *   other pointers                untrusted handles of type "void", of text "char"
 *   pointers with TENON_SIZE_IS   of contexts: memory with its length, or its end (TENON_END_IS);
 *                                 else as other pointers
 *
 * Of structures that cannot be shown, or of which the host's BTF have several, handles are opaque.
 */
#ifndef TN_HOST_BTF_TYPES_H
#define TN_HOST_BTF_TYPES_H

#include "host-api/btf_tags.h"
#include "host-api/runtime.h"
#include "vm/ctx_type.h"
#include "vm/signature.h"

/* The structure `name` of the host's BTF as what is behind handles: 0 and *out, which the caller
 * owns; *out is NULL where no BTF has it, or where it is opaque. -ENOMEM. */
int tn_struct_from_btf(struct tenon_runtime *rt, const char *name, struct tn_ctx_type **out);

/* The structure `name` as the context of a hook; it lives as long as the runtime. 0, -ENOENT,
 * -EINVAL (a tag does not fit its member; several structures of that name), -EEXIST (a context of
 * that name was declared with another layout), -ENOMEM. */
int tn_ctx_from_btf(struct tenon_runtime *rt, const char *name, const struct tn_ctx_type **out);

/* A function: where its prototype stands, and where what tags say of it. */
struct tn_proto {
	const struct tn_btf *btf;
	const char *name; /* of the function or member, for messages */
	uint32_t proto;	  /* FUNC_PROTO */
	uint32_t tagged;  /* FUNC, or the structure whose member points to the function; 0: none */
	int32_t member;	  /* of it; TN_TAG_SELF: a FUNC */
};
/* -EINVAL: it is no FUNC, or the member no pointer to a function. */
int tn_proto_of_func(const struct tn_btf *btf, uint32_t func, struct tn_proto *out);
int tn_proto_of_member(const struct tn_btf *btf, uint32_t type, uint32_t member,
		       struct tn_proto *out);

enum tn_proto_flags {
	TN_PROTO_RESULT = 1,	/* a slot behind the arguments is the function's result */
	TN_PROTO_UNTRUSTED = 2, /* nobody vouches for pointers: any function of the host */
};

/*
 * The context of programs that stand in for a function, or look at its calls: an array of u64, one
 * for each argument. Numbers fill their slot as the caller extended them; pointers to structures
 * are trusted handles, by TENON_ARG(n, maybe_null) such that may be NULL; memory with
 * TENON_ARG(n, size_is) goes with the length behind it, which must fill its slot; other pointers
 * are untrusted. `name` is the context's, one for each layout; it lives as long as the runtime.
 * 0, -EINVAL (an argument cannot be put into a slot: the words name it), -EEXIST, -ENOMEM.
 */
int tn_ctx_type_of_proto(struct tenon_runtime *rt, const struct tn_proto *proto, const char *name,
			 uint32_t flags, const struct tn_ctx_type **out);

#define TN_PROTO_MAX_ARGS 12

/* The signature of a function that is lent out; *flags: enum tenon_helper_flags that its tags set.
 * 0, -EINVAL (the words name the argument that cannot be expressed), -ENOMEM. */
int tn_sig_of_proto(struct tenon_runtime *rt, const struct tn_proto *proto, struct tn_sig *out,
		    uint64_t *flags);

/*
 * Does the plugin's declaration of a function (FUNC `func` of `btf`) agree with the host's: number
 * and kinds of arguments, sizes, signs, names of structures without flavours, result? `host` NULL:
 * with what can be compared of `sig`. 0, or -EPROTO with both as C text.
 */
int tn_proto_check(const struct tn_btf *btf, uint32_t func, const struct tn_proto *host,
		   const struct tn_sig *sig, const char *name);

/* The same for a function that the plugin gives the host as a member of struct `type`: may it be
 * called as the host's member? */
int tn_proto_check_member(const struct tn_proto *plugin, const struct tn_proto *host,
			  const char *type);

/* VAR `var` of the plugin against the host's VAR, or against its `struct type`: 0, or -EPROTO with
 * both declarations. */
int tn_var_check(const struct tn_btf *btf, uint32_t var, const struct tn_btf *host,
		 uint32_t host_var, const char *name);
int tn_var_check_struct(const struct tn_btf *btf, uint32_t var, const char *type, const char *name);

/* Structure `id` as a context's layout, under no name of the runtime: the caller's to free. */
int tn_ctx_layout(struct tenon_runtime *rt, const struct tn_btf *btf, uint32_t id,
		  struct tn_ctx_type **out);

/* As the C type: of a number, a pointer or void; TN_C_NR: none of these. */
enum tn_ctype tn_btf_ctype(const struct tn_btf *btf, uint32_t id);

/* What a pointer points to, without qualifiers; *is_const: one of them is const. */
uint32_t tn_btf_pointee(const struct tn_btf *btf, const struct tn_btf_type *ptr, bool *is_const);

/* An unsigned integer that is no bool: what counts elements, and is never -1. */
bool tn_btf_is_unsigned(const struct tn_btf *btf, uint32_t id);

/* Neither pointers nor anything else that a program must not make up or look into. */
bool tn_btf_all_scalars(const struct tn_btf *btf, uint32_t id);

/* The same, and no member of it is TENON_HIDDEN: memory of the host that can be shown whole.
 * 1, 0, -ENOMEM. */
int tn_btf_all_shown(struct tenon_runtime *rt, const struct tn_btf *btf, uint32_t id);

#endif
