/* SPDX-License-Identifier: MIT */
/* tenon prog run: a test run on a frame (packet contexts) or on a context's bytes. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define MIN_FRAME_BYTES 64

/* The program that is meant: by name, or the only one. */
static struct tenon_program *pick_program(struct cli *cli, struct tenon_object *obj)
{
	struct tenon_program *prog = tenon_object_next_program(obj, NULL);

	if (cli->program)
		return tenon_object_find_program(obj, cli->program);
	if (prog && tenon_object_next_program(obj, prog)) {
		fprintf(stderr, "error: %s has several programs; name one with --program:\n",
			cli->object);
		for (; prog; prog = tenon_object_next_program(obj, prog))
			fprintf(stderr, "  %s\n", tenon_program_name(prog));
		return NULL;
	}
	if (!prog)
		fprintf(stderr, "error: %s has no programs\n", cli->object);
	return prog;
}

/* Input as the context asks for it; what is not given is zeroes. */
static int prepare_input(struct cli *cli, const struct tenon_program_info *info,
			 struct tenon_test_run_opts *run)
{
	size_t size;

	if (info->ctx_pointers && !info->packet) {
		fprintf(stderr,
			"error: context '%s' holds pointers that only its host can fill in\n",
			info->ctx);
		return -1;
	}
	if (cli->data_in && !info->packet) {
		fprintf(stderr, "error: --data-in: the context of this program has no packet\n");
		return -1;
	}
	run->ctx_size = info->ctx_size;
	if (cli->ctx_in) {
		run->ctx = cli_read_file(cli->ctx_in, &size);
		if (!run->ctx)
			return -1;
		if (size != info->ctx_size) {
			fprintf(stderr, "error: %s has %zu bytes, the context %zu\n", cli->ctx_in,
				size, info->ctx_size);
			return -1;
		}
	} else {
		run->ctx = calloc(1, info->ctx_size ? info->ctx_size : 1);
	}
	if (cli->data_in) {
		run->data_in = cli_read_file(cli->data_in, &size);
		run->data_in_size = size;
		return run->data_in ? 0 : -1;
	}
	if (info->packet) {
		run->data_in = calloc(1, MIN_FRAME_BYTES);
		run->data_in_size = MIN_FRAME_BYTES;
	}
	return 0;
}

static const char *ended_words(enum tenon_ended ended)
{
	switch (ended) {
	case TENON_ENDED_OUT_OF_FUEL:
		return "out of fuel";
	case TENON_ENDED_BY_HOST:
		return "ended by a host function";
	case TENON_ENDED_RECURSION:
		return "not run: it runs already";
	case TENON_ENDED_NORMALLY:
		break;
	}
	return NULL;
}

static void print_result(const struct cli *cli, const struct tenon_test_run_opts *run)
{
	const char *ended = ended_words(run->ended);
	struct json_object *json;

	if (!cli->json) {
		printf("Return value: %u, duration (average): %lluns\n", (unsigned int)run->retval,
		       (unsigned long long)run->ns_per_run);
		if (ended)
			printf("Ended early: %s\n", ended);
		return;
	}
	json = json_object_new_object();
	json_object_object_add(json, "retval", json_object_new_int64((uint32_t)run->retval));
	json_object_object_add(json, "duration", json_object_new_uint64(run->ns_per_run));
	if (ended)
		json_object_object_add(json, "ended", json_object_new_string(ended));
	cli_print_json(json);
}

static int run_program(struct cli *cli, struct tenon_program *prog)
{
	struct tenon_program_info info = { .sz = sizeof(info) };
	struct tenon_test_run_opts run = { .sz = sizeof(run),
					   .repeat = cli->repeat,
					   .engine = cli->engine };
	int status = EXIT_UNREADABLE;

	tenon_program_info(prog, &info);
	if (prepare_input(cli, &info, &run) == 0) {
		if (tenon_program_test_run(prog, &run)) {
			cli_fail(tenon_program_name(prog));
			status = EXIT_REJECTED;
		} else {
			print_result(cli, &run);
			status = run.ended ? EXIT_REJECTED : EXIT_OK;
		}
	}
	free(run.ctx);
	free((void *)run.data_in);
	return status;
}

int cmd_prog_run(struct cli *cli)
{
	struct tenon_object *obj = cli_open(cli);
	struct tenon_program *prog;
	int status = EXIT_UNREADABLE;

	if (!obj)
		return cli->status;
	prog = pick_program(cli, obj);
	if (prog && tenon_object_load(obj)) {
		cli_fail(cli->object);
		status = tenon_last_error()->stage == TENON_STAGE_VERIFY ? EXIT_REJECTED
									 : EXIT_UNREADABLE;
	} else if (prog) {
		status = run_program(cli, prog);
	}
	tenon_object_close(obj);
	return status;
}
