/* SPDX-License-Identifier: MIT */
/* The kernel's verdict about the same program of the same object, through libbpf. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parity.h"

#define LOG_BYTES     (16 << 20)
#define LOG_STATS     4 /* what is wrong, but not each step: a long log fails the load */
#define POISONED_CALL "unknown#195896080" /* what libbpf leaves where it cannot relocate */

bool kernel_available(void)
{
	static const struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, NULL, "GPL", code, 2, NULL);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* A failure before the verifier spoke, or for what libbpf made of the object, is no verdict. */
enum judged kernel_judge(const struct subject *s, FILE *details)
{
	struct bpf_object *obj = bpf_object__open_file(s->object, NULL);
	struct bpf_program *prog, *subject = NULL;
	enum judged judged = NOT_JUDGED;
	char *log = calloc(1, LOG_BYTES);

	if (!obj || !log)
		goto out;
	bpf_object__for_each_program(prog, obj)
	{
		const char *name = bpf_program__name(prog);
		bool is_subject = strcmp(name, s->program) == 0;

		if (is_subject)
			subject = prog;
		bpf_program__set_autoload(prog, is_subject || tags_is_auxiliary(s->object, name));
	}
	if (!subject)
		goto out;
	/* Names that this libbpf does not know yet. */
	if (bpf_program__type(subject) == BPF_PROG_TYPE_UNSPEC &&
	    strncmp(bpf_program__section_name(subject), "tc", 2) == 0)
		bpf_program__set_type(subject, BPF_PROG_TYPE_SCHED_CLS);
	bpf_program__set_flags(subject, bpf_program__flags(subject) | s->expect.flags);
	bpf_program__set_log_buf(subject, log, LOG_BYTES);
	bpf_program__set_log_level(subject, details ? 2 : LOG_STATS);
	if (bpf_object__load(obj) == 0)
		judged = ACCEPTED;
	else if (log[0] && !strstr(log, POISONED_CALL))
		judged = REJECTED;
	if (details)
		fprintf(details, "---- kernel: %s\n%s\n",
			judged == ACCEPTED   ? "accepted"
			: judged == REJECTED ? "rejected"
					     : "no verdict",
			log);
out:
	bpf_object__close(obj);
	free(log);
	return judged;
}
