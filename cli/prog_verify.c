/* SPDX-License-Identifier: MIT */
/* tenon prog verify: the verdict on every selected program, without a host. */
#include <string.h>

#include "cli.h"

static void report_text(const struct cli *cli, const struct tenon_program *prog,
			const struct tenon_report *r)
{
	struct tenon_program_info info = { .sz = sizeof(info) };

	/* The graph alone, so that dot(1) can read the output. */
	if (cli->visual) {
		fputs(r->graph, stdout);
		return;
	}
	tenon_program_info(prog, &info);
	if (cli->explain)
		fputs(r->listing, stdout);
	if (cli->log && r->log)
		fputs(r->log, stdout);
	if (r->code == 0)
		printf("%s: accepted: %u instructions, %llu steps, %llu states\n",
		       tenon_program_name(prog), info.nr_insns, (unsigned long long)r->steps,
		       (unsigned long long)r->states);
	else
		printf("%s: rejected:\n%s\n", tenon_program_name(prog), r->msg);
}

static struct json_object *report_json(const struct tenon_program *prog,
				       const struct tenon_report *r)
{
	struct json_object *p = json_object_new_object(), *details = NULL;

	json_object_object_add(p, "program", json_object_new_string(tenon_program_name(prog)));
	json_object_object_add(p, "section", json_object_new_string(tenon_program_section(prog)));
	json_object_object_add(p, "accepted", json_object_new_boolean(r->code == 0));
	if (r->code)
		json_object_object_add(p, "message", json_object_new_string(r->msg));
	if (r->json && *r->json)
		details = json_tokener_parse(r->json);
	if (details)
		json_object_object_add(p, "report", details);
	return p;
}

/* Did the walk over the programs come to this one? An object can fail before, for an unknown hook
 * or helper: then tenon_last_error() has the words. */
static bool judged(const struct tenon_report *r)
{
	return r->code || r->steps;
}

int cmd_prog_verify(struct cli *cli)
{
	struct tenon_object *obj;
	struct json_object *all = cli->json ? json_object_new_array() : NULL;
	struct tenon_program *prog = NULL;
	char why[1024] = "";
	int err, nr_judged = 0;

	cli->only_selected = true;
	obj = cli_open(cli);
	if (!obj)
		return cli->status;
	err = tenon_object_verify(obj);
	if (err) /* asking for a report that is not there would replace the words */
		snprintf(why, sizeof(why), "%s", tenon_last_error()->msg);
	while ((prog = tenon_object_next_program(obj, prog))) {
		struct tenon_report r = { .sz = sizeof(r) };

		if (!cli_selected(cli, prog) || tenon_program_report(prog, &r) || !judged(&r))
			continue;
		nr_judged++;
		if (all)
			json_object_array_add(all, report_json(prog, &r));
		else
			report_text(cli, prog, &r);
	}
	if (all)
		cli_print_json(all);
	if (err && nr_judged == 0)
		fprintf(stderr, "error: %s: %s\n", cli->object, why);
	else if (nr_judged == 0)
		fprintf(stderr, "error: %s has no programs\n", cli->object);
	tenon_object_close(obj);
	if (nr_judged == 0)
		return EXIT_UNREADABLE;
	return err ? EXIT_REJECTED : EXIT_OK;
}
