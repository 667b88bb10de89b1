/* SPDX-License-Identifier: MIT */
/*
 * Any line as the section of a probe and as the arguments of one, and any bytes behind it as the
 * file that it names: what is found lies inside the file, what is not has words.
 */
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "loader/probe_target.h"
#include "loader/symbol.h"
#include "loader/usdt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
	if (!holds)
		__builtin_trap();
}

static void must_have_words(int rc)
{
	must(rc < 0 && tn_err_last()->code == rc && *tn_err_last()->msg);
}

static void read_args(const char *text)
{
	struct tn_usdt_arg args[TN_USDT_MAX_ARGS];
	uint32_t nr;
	int rc = tn_usdt_args(text, args, &nr);

	must(nr <= TN_USDT_MAX_ARGS);
	if (rc)
		must_have_words(rc);
	for (uint32_t i = 0; i < nr && !rc; i++) {
		must(args[i].size >= 1 && args[i].size <= 8);
		must(args[i].scale >= 1 && args[i].scale <= 8);
		must(args[i].base <= TN_USDT_RIP || args[i].base == TN_USDT_NO_REG);
		must(args[i].index < TN_USDT_RIP || args[i].index == TN_USDT_NO_REG);
	}
}

static int see(void *user, const struct tn_usdt_probe *probe)
{
	const struct tn_span *file = user;

	must(*probe->provider && *probe->name && probe->file_off < file->size);
	must(probe->semaphore_off < file->size);
	read_args(probe->args);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
	char line[512];
	size_t len = end ? (size_t)(end - data) : size;
	struct tn_span file = { end ? end + 1 : data, end ? size - len - 1 : 0 };
	struct tn_probe_target target;
	struct tn_symbol_place place;
	int rc;

	if (len >= sizeof(line) || memchr(data, 0, len))
		return 0;
	memcpy(line, data, len);
	line[len] = '\0';
	read_args(line);
	rc = tn_usdt_each(file, see, &file);
	if (rc)
		must_have_words(rc);
	rc = tn_probe_target_parse(line, &target);
	if (rc)
		must_have_words(rc);
	if (rc || target.kind != TN_PROBE_FUNC)
		return 0;
	rc = tn_symbol_find(file, &target, &place);
	if (rc)
		must_have_words(rc);
	else
		must(place.file_off < file.size);
	return 0;
}
