/* SPDX-License-Identifier: MIT */
/*
 * tenon-host-btf OBJ HEADER NAME: on standard output a C file for the host with the BTF of OBJ,
 * which clang made of HEADER for eBPF, as `const unsigned char NAME[]` and `const size_t
 * NAME_size`, and with assertions that the host's compiler lays out what is in HEADER as clang did.
 * For the CMake function tenon_host_btf().
 */
#include <stdio.h>
#include <stdlib.h>
#include <tenon/tenon.h>

static int print_line(void *user, const char *line)
{
	(void)user;
	return puts(line) < 0 ? -1 : 0;
}

static void print_bytes(const unsigned char *data, size_t size, const char *name)
{
	printf("\nextern const unsigned char %s[];\nextern const size_t %s_size;\n", name, name);
	printf("\nconst unsigned char %s[] __attribute__((aligned(16))) = {", name);
	for (size_t i = 0; i < size; i++)
		printf("%s0x%02x,", i % 16 ? " " : "\n\t", data[i]);
	printf("\n};\nconst size_t %s_size = sizeof(%s);\n", name, name);
}

int main(int argc, char **argv)
{
	const struct tenon_btf_dump_opts opts = { .sz = sizeof(opts), .format = TENON_BTF_ASSERTS };
	struct tenon_runtime *rt = NULL;
	struct tenon_btf *btf = NULL;
	const unsigned char *data;
	size_t size;
	int rc = -1;

	if (argc != 4) {
		fprintf(stderr, "usage: tenon-host-btf OBJ HEADER NAME\n");
		return EXIT_FAILURE;
	}
	rt = tenon_runtime_new(NULL);
	if (rt)
		btf = tenon_btf_open_file(rt, argv[1], NULL);
	if (btf) {
		printf("/* Made by tenon_host_btf() from %s. */\n"
		       "#include <stddef.h>\n#include \"%s\"\n\n",
		       argv[2], argv[2]);
		rc = tenon_btf_dump(btf, &opts, print_line, NULL);
		data = tenon_btf_data(btf, &size);
		print_bytes(data, size, argv[3]);
	}
	if (rc)
		fprintf(stderr, "tenon-host-btf: %s: %s\n", argv[1], tenon_last_error()->msg);
	tenon_btf_close(btf);
	if (rt)
		tenon_runtime_free(rt);
	return rc || fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}
