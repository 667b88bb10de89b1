/* SPDX-License-Identifier: MIT */
/*
 * What a callee takes and gives back: one description for the verifier (is the call safe), the JIT
 * (in-line marshalling) and libffi. Standard helpers get theirs from helpers.def, host helpers from
 * the text signature of tenon_runtime_add_helper().
 */
#ifndef TN_VM_SIGNATURE_H
#define TN_VM_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vm/held.h"

struct tn_btf;
struct tn_ctx_type;
struct tn_rt;
struct tn_exec;

/* What an argument must be. */
enum tn_arg_kind {
	TN_ARG_NONE = 0,
	TN_ARG_SCALAR,	  /* any initialised number; pointers are refused */
	TN_ARG_ANY,	  /* anything initialised (printk's arguments) */
	TN_ARG_CTX,	  /* the unmodified context pointer; of structure `handle`, where that is
			   * given, and of `struct_size` bytes at least */
	TN_ARG_MAP,	  /* a map, of `map_types` */
	TN_ARG_MAP_KEY,	  /* readable, key_size of the map argument before it */
	TN_ARG_MAP_VALUE, /* readable, value_size of the map argument */
	TN_ARG_MAP_VALUE_OUT, /* the same, written by the callee in full */
	TN_ARG_MEM,	      /* readable; its size is the next argument (SIZE) */
	TN_ARG_WMEM,	      /* written by the callee (may be uninitialised stack); next is SIZE */
	TN_ARG_SIZE,	      /* size of the memory before it: > 0, at most what ctype holds */
	TN_ARG_SIZE_OR_ZERO,  /* may be 0; then the memory pointer may be NULL if `nullable` */
	TN_ARG_CONST_SIZE,    /* a size known as a constant (ringbuf_reserve) */
	TN_ARG_STR,	      /* NUL-terminated in read-only constant data */
	TN_ARG_FUNC,	      /* a subprogram of the program, called back */
	TN_ARG_STACK_OR_NULL, /* bpf_loop's callback context: any pointer to program memory or 0 */
	TN_ARG_HANDLE,	      /* host pointer of type `handle` */
	TN_ARG_STRUCT,	      /* pointer to `struct_size` readable bytes, passed to C by value */
	TN_ARG_ITER_NEW,   /* `struct_size` bytes of the stack for a new iterator, type `handle` */
	TN_ARG_ITER,	   /* an iterator of type `handle`; `release`: it is destroyed; with a
			    * HANDLE as result that is the next element */
	TN_ARG_DYNPTR_NEW, /* 16 bytes of the stack for a new dynptr */
	TN_ARG_DYNPTR,	   /* a dynptr; `release`: its record is given back */
	TN_ARG_TIMER,	   /* the struct bpf_timer of a map's value */
	TN_ARG_WMEM_FIXED, /* written by the callee in full: `struct_size` bytes, aligned to it
			    * or to `align` */
	TN_ARG_MEM_FIXED,  /* the same, read by the callee */
	TN_ARG_RINGBUF_RECORD, /* a reserved record; the call releases it */
	TN_ARG_SPIN_LOCK,      /* the struct bpf_spin_lock of a map's value */
	TN_ARG_PACKET,	/* the context where it is the packet `handle`, or a handle of that type */
	TN_ARG_OBJECT,	/* any trusted handle: its address stands for an object of the host */
	TN_ARG_BTF_PTR, /* a struct btf_ptr, whose data is read; its size and flags follow */
};

enum tn_ret_kind {
	TN_RET_VOID = 0,
	TN_RET_SCALAR,		/* of ctype */
	TN_RET_MAP_VALUE,	/* value of the map argument, or NULL */
	TN_RET_RINGBUF_RECORD,	/* acquired, `CONST_SIZE` bytes, or NULL */
	TN_RET_HANDLE,		/* host pointer of type `handle` */
	TN_RET_ITER_ELEM,	/* element of the iterator argument, or NULL: then it is drained */
	TN_RET_SLICE,		/* `CONST_SIZE` bytes of the dynptr argument, or NULL */
	TN_RET_NOTHING_RETURNS, /* tail call: falls through only on a miss */
};

/* The C type, as marshalled; same order as the words of the text signature. */
enum tn_ctype {
	TN_C_VOID = 0,
	TN_C_BOOL,
	TN_C_I8,
	TN_C_U8,
	TN_C_I16,
	TN_C_U16,
	TN_C_I32,
	TN_C_U32,
	TN_C_I64,
	TN_C_U64,
	TN_C_F32,
	TN_C_F64,
	TN_C_PTR,
	TN_C_STRUCT,
	TN_C_NR,
};

#define TN_SIG_MAX_ARGS	    5
#define TN_SIG_MAX_MEMBERS  8
#define TN_SIG_HANDLE_BYTES 32

struct tn_arg {
	uint8_t kind;  /* enum tn_arg_kind */
	uint8_t ctype; /* enum tn_ctype */
	bool nullable;
	bool release;			     /* the reference is given up */
	uint8_t nr_members;		     /* STRUCT */
	uint8_t members[TN_SIG_MAX_MEMBERS]; /* enum tn_ctype */
	uint16_t struct_size;
	bool in_out;	    /* WMEM_FIXED: read by the callee first */
	bool rdonly;	    /* HANDLE: pointer to const, read-only ones will do */
	uint8_t align;	    /* MEM_FIXED, WMEM_FIXED: 1, 2, 4, 8; 0: struct_size, a number's */
	uint32_t map_types; /* MAP: bit (1 << id) per allowed type, 0: any. HELPERS of one type */
	char handle[TN_SIG_HANDLE_BYTES];
};

enum tn_sig_flags { /* the low five are enum tenon_helper_flags */
		    TN_SIG_MAY_ABORT = 1 << 0,
		    TN_SIG_INVALIDATES_CTX =
			    1 << 1, /* regions of the context (packet, ptr,len) are gone */
		    TN_SIG_MAY_FIRE = 1 << 2,
		    TN_SIG_PURE = 1 << 3,
		    TN_SIG_GPL = 1 << 8,
		    TN_SIG_ACQUIRE = 1 << 9, /* the result must be released */
		    TN_SIG_RET_NULLABLE = 1 << 10,
		    TN_SIG_VARIADIC = 1 << 11,
		    TN_SIG_CALLBACK = 1 << 12,	    /* calls a FUNC argument */
		    TN_SIG_CAST = 1 << 13,	    /* the result is the first HANDLE argument, of
						     * another type; same address */
		    TN_SIG_READS_HOST = 1 << 14,    /* reads at the address in its ANY argument */
		    TN_SIG_RET_UNTRUSTED = 1 << 15, /* a HANDLE that nobody vouches for */
		    TN_SIG_RET_RDONLY = 1 << 16,    /* a HANDLE that is only read through */
};

struct tn_sig {
	uint8_t ret; /* enum tn_ret_kind */
	uint8_t ret_ctype;
	uint8_t nr_args; /* fixed ones */
	uint32_t flags;
	/* STRUCT results are written to program memory: not supported, refused by the parser. */
	char ret_handle[TN_SIG_HANDLE_BYTES];
	struct tn_arg args[TN_SIG_MAX_ARGS];
};

/* Parse "i32(ctx, mem, size)". 0, or -EINVAL with words that name the column. */
int tn_sig_parse(const char *text, struct tn_sig *out);
/* The other way; returns the length as snprintf does. */
int tn_sig_print(const struct tn_sig *sig, char *buf, size_t size);
/* What a function does with an iterator of the host's over its objects, whose place in the stack is
 * its first argument; vm/held_iter.h. */
enum tn_iter_role { TN_ITER_NONE = 0, TN_ITER_NEW, TN_ITER_NEXT, TN_ITER_END };
enum tn_iter_role tn_sig_iter_role(const struct tn_sig *sig);
/* What is wrong with it as one of these functions; NULL: nothing, or it is none. */
const char *tn_sig_iter_fault(const struct tn_sig *sig);

/* Can compiled code call it directly: integers, pointers and floating point in registers. */
bool tn_sig_is_direct(const struct tn_sig *sig, bool pass_user);

typedef void (*tn_host_fn)(void);

/* A host function that plugins call by name (TN_CALL_EXTERN) or by number. */
struct tn_host_helper {
	char *name;
	struct tn_sig sig;
	tn_host_fn fn; /* NULL: known by description only (offline verification) */
	bool pass_user;
	void *user;
	uint32_t id; /* 0: by name only */
	/* Calls fn through libffi with r1..r5 as `args`: set by host-api. Used by the interpreter,
	 * and by compiled code where tn_sig_is_direct() says no. */
	uint64_t (*invoke)(const struct tn_host_helper *self, const uint64_t args[5],
			   struct tn_exec *ex);
	void *cif;		     /* owned by host-api/ffi.c */
	struct tn_releaser releaser; /* fn NULL: it is none, see tn_held_init_helper() */
	/* Functions of iterators: `invoke` is held_iter.c's then, which calls the host's through
	 * this one; and of what makes them the helper that destroys them, NULL while there is none.
	 */
	uint64_t (*iter_invoke)(const struct tn_host_helper *self, const uint64_t args[5],
				struct tn_exec *ex);
	const struct tn_host_helper *iter_end;
	/* The structure behind its CTX argument, of that BTF; owned. NULL: not known. */
	struct tn_ctx_type *ctx_layout;
	/* Where the host declares it: FUNC of a BTF that lives as long; NULL: as text. */
	const struct tn_btf *btf;
	uint32_t btf_func;
};

#endif
