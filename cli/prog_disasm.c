/* SPDX-License-Identifier: MIT */
/* tenon prog disasm: instructions in kernel syntax, or the native code that they became. */
#include "cli.h"
#include "native.h"

static void print_line(void *user, const char *line)
{
	const struct cli *cli = user;

	if (cli->jited)
		native_print_line(line);
	else
		puts(line);
}

int cmd_prog_disasm(struct cli *cli)
{
	unsigned int flags = (cli->source ? TENON_DISASM_SOURCE : 0) |
			     (cli->jited ? TENON_DISASM_JITED : 0);
	struct tenon_object *obj = cli_open(cli);
	struct tenon_program *prog = NULL;
	int status = EXIT_OK;

	if (!obj)
		return cli->status;
	if (cli->jited && tenon_object_load(obj)) {
		status = cli_fail(cli->object);
		tenon_object_close(obj);
		return status;
	}
	while ((prog = tenon_object_next_program(obj, prog))) {
		if (!cli_selected(cli, prog))
			continue;
		printf("%s: SEC(\"%s\")\n", tenon_program_name(prog), tenon_program_section(prog));
		if (tenon_program_disasm(prog, flags, print_line, cli))
			status = cli_fail(tenon_program_name(prog));
	}
	tenon_object_close(obj);
	return status;
}
