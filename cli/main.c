/* SPDX-License-Identifier: MIT */
/* The `tenon` command: bpftool's words for plugins of user-space hosts. This file reads the command
 * line; each command has a function of its own. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

enum {
	O_DISASM = 1,
	O_VERIFY = 2,
	O_RUN = 4,
	O_SHOW = 8,
	O_PROBE = 16,
	O_BTF = 32,
	O_HEADER = 64,
	O_MIN_BTF = 128,
	O_MAP = 256,
	O_ALL = 511
};

#define ANY_WORDS 2 /* the command looks at them itself */

static const struct command {
	const char *object, *verb;
	unsigned int options; /* O_... of this command */
	unsigned int words;   /* 0, 1 (a file), ANY_WORDS */
	const char *usage, *what;
	int (*run)(struct cli *cli);
} commands[] = {
	{ "prog", "verify", O_VERIFY, 1,
	  "OBJ [--program NAME] [--host FILE] [--ctx-size N] [--addresses-visible] "
	  "[--strict-alignment] [--explain | --visual] [--log] [--json]",
	  "prove the programs safe: exit 0 accepted, 1 rejected, 2 cannot read", cmd_prog_verify },
	{ "prog", "run", O_RUN, 1,
	  "OBJ [--program NAME] [--data-in F] [--ctx-in F] [--repeat N] [--engine interp|jit] "
	  "[--host FILE] [--ctx-size N] [--addresses-visible] [--strict-alignment] [--json]",
	  "run a program on a frame or context", cmd_prog_run },
	{ "prog", "disasm", O_DISASM, 1,
	  "OBJ [--program NAME] [--source] [--jited] [--host FILE] [--ctx-size N] "
	  "[--addresses-visible] [--strict-alignment]",
	  "print instructions, with their source lines or native code", cmd_prog_disasm },
	{ "obj", "show", O_SHOW, 1, "OBJ [--json]",
	  "sections, programs, maps, helpers, relocations", cmd_obj_show },
	{ "map", "show", O_MAP, ANY_WORDS, "pinned FILE [--json]", "what a pinned map is",
	  cmd_map_show },
	{ "map", "dump", O_MAP, ANY_WORDS, "pinned FILE [--json]",
	  "all elements of a pinned map, by their C types", cmd_map_dump },
	{ "map", "lookup", O_MAP, ANY_WORDS, "pinned FILE key DATA... [--json]",
	  "one element; DATA: the key's bytes as bpftool takes them, or one number",
	  cmd_map_lookup },
	{ "map", "getnext", O_MAP, ANY_WORDS, "pinned FILE [key DATA...] [--json]",
	  "the key behind that one, or the first", cmd_map_getnext },
	{ "map", "list", O_MAP, ANY_WORDS, "DIR [--json]", "the maps that are pinned in a folder",
	  cmd_map_list },
	{ "map", "update", O_MAP, ANY_WORDS, "pinned FILE ...",
	  "refused: the processes that share a map write it, others read it", cmd_map_change },
	{ "map", "delete", O_MAP, ANY_WORDS, "pinned FILE ...", "refused, too", cmd_map_change },
	{ "btf", "dump", O_BTF, ANY_WORDS,
	  "{FILE | --host FILE} [format raw|c] [root_id N]... [--base FILE] [--json]",
	  "the types of an object, a program, raw BTF, or of a host", cmd_btf_dump },
	{ "gen", "header", O_HEADER, 0, "--host FILE",
	  "the host's types and functions as a header for plugins", cmd_gen_header },
	{ "gen", "min-btf", O_MIN_BTF, ANY_WORDS, "IN OUT OBJ...",
	  "the part of the BTF of file IN that the objects are relocated against",
	  cmd_gen_min_btf },
	{ "gen", "min_core_btf", O_MIN_BTF, ANY_WORDS, "IN OUT OBJ...",
	  "the same, as bpftool says it", cmd_gen_min_btf },
	{ "feature", "probe", O_PROBE, 0, "[--json]", "what this build and this machine offer",
	  cmd_feature_probe },
};
#define NR_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const struct option long_options[] = {
	{ "program", required_argument, NULL, 'p' },
	{ "host", required_argument, NULL, 'H' },
	{ "ctx-size", required_argument, NULL, 'c' },
	{ "addresses-visible", no_argument, NULL, 'a' },
	{ "strict-alignment", no_argument, NULL, 'A' },
	{ "data-in", required_argument, NULL, 'd' },
	{ "ctx-in", required_argument, NULL, 'x' },
	{ "repeat", required_argument, NULL, 'r' },
	{ "engine", required_argument, NULL, 'e' },
	{ "json", no_argument, NULL, 'j' },
	{ "source", no_argument, NULL, 's' },
	{ "jited", no_argument, NULL, 'J' },
	{ "log", no_argument, NULL, 'l' },
	{ "explain", no_argument, NULL, 'E' },
	{ "visual", no_argument, NULL, 'V' },
	{ "base", required_argument, NULL, 'B' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* Which commands take an option; letters of long_options. */
static unsigned int commands_with(int option)
{
	switch (option) {
	case 'H':
		return O_VERIFY | O_RUN | O_DISASM | O_BTF | O_HEADER;
	case 'B':
		return O_BTF;
	case 'p':
	case 'c':
	case 'a':
	case 'A':
		return O_VERIFY | O_RUN | O_DISASM;
	case 'd':
	case 'x':
	case 'r':
	case 'e':
		return O_RUN;
	case 's':
	case 'J':
		return O_DISASM;
	case 'l':
	case 'E':
	case 'V':
		return O_VERIFY;
	default: /* json, help */
		return O_ALL;
	}
}

static void usage(FILE *out)
{
	fprintf(out, "tenon %s: eBPF plugins in user space\n\n", tenon_version_string());
	for (size_t i = 0; i < NR_COMMANDS; i++)
		fprintf(out, "tenon %s %s %s\n    %s\n", commands[i].object, commands[i].verb,
			commands[i].usage, commands[i].what);
	fprintf(out,
		"tenon version\ntenon help\n\n"
		"--host FILE            the host's contexts, types and functions, from its description,\n"
		"                       or its types from its executable or BTF\n"
		"--ctx-size N           sections without a context get N bytes to read and write\n"
		"--addresses-visible    programs may return, store and compute with addresses\n"
		"--strict-alignment     accesses to memory must be at multiples of their size\n");
}

int cli_parse_number(const char *text, unsigned int *out)
{
	char *end;
	unsigned long v = strtoul(text, &end, 0);

	if (end == text || *end || v == 0 || v > 0x7fffffff || text[0] == '-') {
		fprintf(stderr, "error: '%s' is not a number above 0\n", text);
		return -1;
	}
	*out = (unsigned int)v;
	return 0;
}

static int parse_engine(const char *text, enum tenon_engine *out)
{
	if (strcmp(text, "interp") == 0)
		*out = TENON_ENGINE_INTERP;
	else if (strcmp(text, "jit") == 0)
		*out = TENON_ENGINE_JIT;
	else {
		fprintf(stderr, "error: engine '%s', expected interp or jit\n", text);
		return -1;
	}
	return 0;
}

static int set_option(struct cli *cli, int option, const char *value)
{
	switch (option) {
	case 'p':
		cli->program = value;
		return 0;
	case 'H':
		cli->host = value;
		return 0;
	case 'B':
		cli->base = value;
		return 0;
	case 'c':
		return cli_parse_number(value, &cli->ctx_size);
	case 'a':
		cli->addresses_visible = true;
		return 0;
	case 'A':
		cli->strict_alignment = true;
		return 0;
	case 'd':
		cli->data_in = value;
		return 0;
	case 'x':
		cli->ctx_in = value;
		return 0;
	case 'r':
		return cli_parse_number(value, &cli->repeat);
	case 'e':
		return parse_engine(value, &cli->engine);
	case 'j':
		cli->json = true;
		return 0;
	case 's':
		cli->source = true;
		return 0;
	case 'J':
		cli->jited = true;
		return 0;
	case 'l':
		cli->log = true;
		return 0;
	case 'E':
		cli->explain = true;
		return 0;
	case 'V':
		cli->visual = true;
		return 0;
	default:
		return -1; /* getopt has said why */
	}
}

static int parse_options(const struct command *cmd, struct cli *cli, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "jB:", long_options, NULL)) != -1) {
		if (option == 'h') {
			printf("tenon %s %s %s\n", cmd->object, cmd->verb, cmd->usage);
			exit(EXIT_OK);
		}
		if (option != '?' && !(commands_with(option) & cmd->options)) {
			fprintf(stderr,
				"error: '%s %s' does not take this option\nusage: tenon %s %s %s\n",
				cmd->object, cmd->verb, cmd->object, cmd->verb, cmd->usage);
			return -1;
		}
		if (set_option(cli, option, optarg))
			return -1;
	}
	cli->words = argv + optind;
	cli->nr_words = (unsigned int)(argc - optind);
	if (cmd->words != ANY_WORDS && cli->nr_words != cmd->words) {
		fprintf(stderr, "usage: tenon %s %s %s\n", cmd->object, cmd->verb, cmd->usage);
		return -1;
	}
	cli->object = argv[optind];
	return 0;
}

static void print_warning(void *user, enum tenon_log_level level, const char *line)
{
	(void)user;
	fprintf(stderr, "%s: %s\n", level == TENON_LOG_ERROR ? "error" : "warning", line);
}

static int run_command(const struct command *cmd, int argc, char **argv)
{
	const struct tenon_runtime_opts opts = { .sz = sizeof(opts), .log = print_warning };
	struct cli cli = { .repeat = 1 };
	int status;

	if (parse_options(cmd, &cli, argc, argv))
		return EXIT_UNREADABLE;
	cli.rt = tenon_runtime_new(&opts);
	if (!cli.rt)
		return cli_fail("cannot make a runtime");
	status = cmd->run(&cli);
	tenon_runtime_free(cli.rt);
	return status;
}

/* Says which words may follow `object`; false: it is no object that anything can be done to. */
static bool verbs_of(const char *object, const char *verb)
{
	unsigned int n = 0;

	for (size_t i = 0; i < NR_COMMANDS; i++) {
		if (strcmp(object, commands[i].object))
			continue;
		if (!n++)
			fprintf(stderr, "error: unknown command '%s%s%s', expected", object,
				*verb ? " " : "", verb);
		fprintf(stderr, "%s '%s %s'", n > 1 ? "," : "", object, commands[i].verb);
	}
	if (n)
		fprintf(stderr, "\n");
	return n;
}

int main(int argc, char **argv)
{
	const char *object = argc > 1 ? argv[1] : "help", *verb = argc > 2 ? argv[2] : "";

	if (!strcmp(object, "help") || !strcmp(object, "--help") || !strcmp(object, "-h")) {
		usage(stdout);
		return EXIT_OK;
	}
	if (!strcmp(object, "version") || !strcmp(object, "--version") || !strcmp(object, "-V")) {
		printf("tenon %s\n", tenon_version_string());
		return EXIT_OK;
	}
	for (size_t i = 0; i < NR_COMMANDS; i++)
		if (!strcmp(object, commands[i].object) && !strcmp(verb, commands[i].verb))
			return run_command(&commands[i], argc - 2, argv + 2);
	if (!verbs_of(object, verb)) {
		fprintf(stderr, "error: unknown command '%s%s%s'\n", object, *verb ? " " : "",
			verb);
		usage(stderr);
	}
	return EXIT_UNREADABLE;
}
