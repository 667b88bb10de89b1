/* SPDX-License-Identifier: MIT */
/* An object between open and close: its programs, map handles and options. */
#ifndef TN_HOST_OBJECT_H
#define TN_HOST_OBJECT_H

#include "host-api/map_handle.h"
#include "host-api/program.h"

enum tn_object_state {
	TN_OBJECT_OPEN = 0,
	TN_OBJECT_VERIFIED, /* tenon_object_verify(): nothing more can be done with it */
	TN_OBJECT_LOADED,
	TN_OBJECT_FAILED,
};

struct tenon_object {
	struct tenon_runtime *rt;
	struct tenon_object *next; /* of rt->objects, under rt.lock */
	struct tn_unit *unit;
	char *name;
	enum tn_object_state state;

	struct tenon_program **programs; /* one reference each */
	uint32_t nr_programs;
	uint32_t nr_counted;	/* against limits.max_programs */
	struct tenon_map *maps; /* one handle per declaration, or per map of raw bytecode */
	uint32_t nr_maps;
	struct tenon_link *links; /* owned; under rt.lock */
	struct tn_callback *callbacks;

	/* Options. */
	char **hook_map; /* "section=hook/name", NULL-terminated; NULL: none */
	enum tenon_engine engine;
	enum tenon_license license;
	char **gpl_only; /* names, NULL at the end; NULL: no list */
	bool termination_proved, addresses_visible, strict_alignment;
	int log_level;
	bool explain;
	char *log_buf;
	size_t log_size, log_used;
	struct tenon_object *reuse_maps;
	char *pin_root; /* NULL: the default */
	bool raw_ctx;	/* ctx_size holds for programs whose context is not known otherwise */
	uint32_t ctx_size;
};

/* object.c: an open object around an image, which it takes over in every case. */
struct tenon_object *tn_object_from_image(struct tenon_runtime *rt, const char *name,
					  struct tn_image *image,
					  const struct tenon_object_open_opts *opts);

/* insns.c: raw bytecode in a section of this name; NULL: of code->hook, or known by size. */
struct tenon_object *tn_object_open_code(struct tenon_runtime *rt, const struct tenon_insns *code,
					 const char *section,
					 const struct tenon_object_open_opts *opts);

/* load.c: from declarations to programs that run. `verify_only` stops after the proof. */
int tn_object_load(struct tenon_object *obj, bool verify_only);

/* callback.c */
void tn_callbacks_free(struct tenon_object *obj);

#endif
