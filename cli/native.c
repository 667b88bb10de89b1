/* SPDX-License-Identifier: MIT */
/*
 * The library gives code as bytes between the eBPF instructions that they came from; here they
 * become assembly. Without libcapstone the bytes are printed.
 */
#include "native.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef HAVE_CAPSTONE
#include <capstone/capstone.h>

#define MAX_CODE_BYTES 4096

/* "    2d:  48 89 fe": the offset and the bytes; the number of bytes, 0: another kind of line. */
static size_t parse_code(const char *line, uint64_t *off, uint8_t *bytes)
{
	char *end;
	size_t n = 0;

	*off = strtoull(line, &end, 16);
	if (end == line || *end != ':')
		return 0;
	for (line = end + 1; n < MAX_CODE_BYTES; line = end) {
		unsigned long byte = strtoul(line, &end, 16);

		if (end == line)
			break;
		if (byte > 0xff || end - line > 4)
			return 0; /* not a byte: an eBPF instruction */
		bytes[n++] = (uint8_t)byte;
	}
	while (*end == ' ')
		end++;
	return *end ? 0 : n;
}

static int open_decoder(csh *handle)
{
#if defined(__x86_64__)
	return cs_open(CS_ARCH_X86, CS_MODE_64, handle);
#elif defined(__aarch64__)
	return cs_open(CS_ARCH_ARM64, CS_MODE_ARM, handle);
#else
	return CS_ERR_ARCH;
#endif
}

void native_print_line(const char *line)
{
	uint8_t bytes[MAX_CODE_BYTES];
	cs_insn *insns;
	uint64_t off;
	size_t size = parse_code(line, &off, bytes), n;
	csh handle;

	if (!size || open_decoder(&handle) != CS_ERR_OK) {
		puts(line);
		return;
	}
	n = cs_disasm(handle, bytes, size, off, 0, &insns);
	for (size_t i = 0; i < n; i++)
		printf("%16llx:  %-8s %s\n", (unsigned long long)insns[i].address,
		       insns[i].mnemonic, insns[i].op_str);
	if (n)
		cs_free(insns, n);
	else
		puts(line);
	cs_close(&handle);
}
#else

void native_print_line(const char *line)
{
	puts(line);
}
#endif
