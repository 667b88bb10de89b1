/* SPDX-License-Identifier: MIT */
/* What the commands share: options, exit codes, opening objects, JSON. */
#ifndef CLI_H
#define CLI_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <tenon/tenon.h>

/* Exit codes, the same for every command. */
enum {
	EXIT_OK = 0,
	EXIT_REJECTED = 1, /* the verifier says no; a run failed; there is no such element */
	EXIT_UNREADABLE =
		2, /* wrong usage, a file that cannot be read, an object that is malformed */
};

struct cli {
	struct tenon_runtime *rt;
	const char *object;  /* OBJ */
	const char *program; /* --program NAME, or NULL */
	const char *host;    /* --host FILE */
	const char *base;    /* --base FILE */
	char **words;	     /* what is no option, behind the command */
	unsigned int nr_words;
	const char *data_in, *ctx_in;
	unsigned int ctx_size;
	unsigned int repeat;
	enum tenon_engine engine;
	bool json, source, jited, log, explain, visual;
	bool addresses_visible, strict_alignment;
	bool only_selected; /* leave the other programs out; runs need them for tail calls */
	int status;	    /* of a step that failed */
};

/* "error: WHAT: tenon's words" on standard error; returns EXIT_UNREADABLE. */
int cli_fail(const char *what);

/* Open cli->object: contexts of the host file are registered, kernel section names have built-in
 * contexts, and with --ctx-size every other section gets a plain context of that size. NULL: said
 * why, cli->status is set. */
struct tenon_object *cli_open(struct cli *cli);

/* The whole file, malloc'ed; NULL: said why. */
void *cli_read_file(const char *path, size_t *size);

/* Print and free. */
void cli_print_json(struct json_object *json);

/* Should the command look at this program? */
bool cli_selected(const struct cli *cli, const struct tenon_program *prog);

/* Tell the runtime what --host names: a description, or BTF. Not 0: said why. */
int cli_add_host(struct cli *cli);
/* A number above 0; -1: said why. */
int cli_parse_number(const char *text, unsigned int *out);

int cmd_map_show(struct cli *cli);
int cmd_map_dump(struct cli *cli);
int cmd_map_lookup(struct cli *cli);
int cmd_map_getnext(struct cli *cli);
int cmd_map_list(struct cli *cli);
int cmd_map_change(struct cli *cli);
int cmd_btf_dump(struct cli *cli);
int cmd_gen_header(struct cli *cli);
int cmd_gen_min_btf(struct cli *cli);
int cmd_prog_verify(struct cli *cli);
int cmd_prog_run(struct cli *cli);
int cmd_prog_disasm(struct cli *cli);
int cmd_obj_show(struct cli *cli);
int cmd_feature_probe(struct cli *cli);

#endif
