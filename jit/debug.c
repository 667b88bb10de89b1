/* SPDX-License-Identifier: MIT */
/* What tools want to know about compiled code: perf's map file, instructions behind addresses. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "jit/jit.h"
#include "jit/native_map.h"
#include "base/err.h"

#define LINE_BYTES 160u

int32_t tn_jit_insn_at(const struct tn_prog *prog, uint32_t off)
{
	const struct tn_native_map *map = prog->native;
	uint32_t low = 0, high;

	if (!map || off >= prog->code_bytes)
		return -1;
	/* The last instruction that begins at or before `off`. */
	high = map->nr;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (map->off[mid] <= off)
			low = mid + 1;
		else
			high = mid;
	}
	return (int32_t)low - 1;
}

static size_t format_line(char *line, const struct tn_prog *prog)
{
	int n = snprintf(line, LINE_BYTES, "%" PRIxPTR " %x tenon:%s_%u\n",
			 (uintptr_t)prog->code->base + prog->code_off, prog->code_bytes,
			 prog->name ? prog->name : "", prog->id);

	if (n < (int)LINE_BYTES)
		return (size_t)n;
	line[LINE_BYTES - 2] = '\n';
	return LINE_BYTES - 1;
}

int tn_jit_perf_map(struct tn_prog *const *progs, uint32_t nr)
{
	struct tn_rt *rt = nr ? progs[0]->rt : NULL;
	char path[64], *text;
	size_t len = 0;
	ssize_t written;
	uint32_t i;
	int fd, err = 0;

	if (!nr)
		return 0;
	text = tn_alloc_array(rt, nr, LINE_BYTES);
	if (!text)
		return tn_err_nomem("perf map");
	for (i = 0; i < nr; i++)
		if (progs[i]->code)
			len += format_line(text + len, progs[i]);
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	/* A directory that all may write to: never follow a link that somebody else put there. */
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0) {
		err = tn_err(-errno, "cannot open '%s': %s", path, strerror(errno));
		goto out;
	}
	written = write(fd, text, len);
	if (written < 0 || (size_t)written != len)
		err = tn_err(written < 0 ? -errno : -EIO, "cannot write '%s'", path);
	close(fd);
out:
	tn_free(rt, text);
	return err;
}
