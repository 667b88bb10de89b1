/* SPDX-License-Identifier: MIT */
/* BTF of files: raw, in objects, cut off at every byte, and each byte changed. */
#include "objects.h"

#include "loader/btf_file.h"

static struct tn_rt rt;

static int setup(void **state)
{
	(void)state;
	return tn_rt_init(&rt, NULL);
}

static int teardown(void **state)
{
	(void)state;
	tn_rt_fini(&rt);
	return 0;
}

static void expect(const void *data, size_t size, int code, const char *words)
{
	struct tn_span out;
	int rc = tn_btf_file_bytes(tn_span_make(data, size), &out);

	if (rc != code || !strstr(tn_err_last()->msg, words))
		fail_msg("%d: %s; expected %s", rc, tn_err_last()->msg, words);
}

static void btf_file_takes_raw_btf_and_elf_files(void **state)
{
	struct file file = one_object("small");
	struct tn_span out;
	struct tn_btf *btf;

	(void)state;
	assert_int_equal(tn_btf_file_bytes(tn_span_make(file.data, file.size), &out), 0);
	assert_ptr_equal(out.data, section_bytes(file, ".BTF"));
	/* What stands there is raw BTF, of a file of its own. */
	btf = tn_btf_read_file(&rt, out, NULL);
	assert_non_null(btf);
	tn_btf_free(btf);
	expect("what", 4, -ENOEXEC, "4 bytes are neither BTF nor an ELF file");
	expect("", 0, -ENOEXEC, "0 bytes are neither");
	free(file.data);
}

static void btf_file_names_what_is_wrong_with_the_section(void **state)
{
	struct file file = one_object("small");
	Elf64_Shdr *s = section_header(file, ".BTF");
	Elf64_Shdr was = *s;

	(void)state;
	s->sh_type = SHT_NOBITS;
	expect(file.data, file.size, -EINVAL, "section '.BTF' has type 8");
	*s = was;
	s->sh_flags |= SHF_COMPRESSED;
	expect(file.data, file.size, -EINVAL, "its bytes are not there or compressed");
	*s = was;
	s->sh_size = UINT64_MAX;
	expect(file.data, file.size, -EINVAL, "lie outside the file");
	*s = was;
	s->sh_name = UINT32_MAX;
	expect(file.data, file.size, -ENOENT, "ELF file has no section '.BTF'");
	s->sh_name = was.sh_name;
	section_header(file, ".text")->sh_name = was.sh_name;
	expect(file.data, file.size, -EINVAL, "is a second '.BTF'");
	free(file.data);
}

/* Of memory of its own, so that a sanitizer sees what is read behind it. */
static void btf_file_is_refused_at_every_truncation(void **state)
{
	struct file file = one_object("small");
	size_t before = tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_HEAP]);
	struct tn_span raw;

	(void)state;
	assert_int_equal(tn_btf_file_bytes(tn_span_make(file.data, file.size), &raw), 0);
	for (int is_raw = 0; is_raw < 2; is_raw++) {
		struct tn_span whole = is_raw ? raw : tn_span_make(file.data, file.size);

		for (size_t size = 0; size < whole.size; size++) {
			unsigned char *copy = malloc(size ? size : 1);

			assert_non_null(copy);
			memcpy(copy, whole.data, size);
			if (tn_btf_read_file(&rt, tn_span_make(copy, size), NULL))
				fail_msg("%zu bytes of %zu are taken", size, whole.size);
			assert_true(errno > 0 && *tn_err_last()->msg);
			free(copy);
		}
	}
	assert_int_equal(tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_HEAP]), before);
	free(file.data);
}

static void btf_file_survives_each_changed_byte(void **state)
{
	struct file file = one_object("small");
	size_t before = tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_HEAP]);

	(void)state;
	for (size_t i = 0; i < file.size; i++) {
		struct tn_btf *btf;

		file.data[i] ^= 0xff;
		btf = tn_btf_read_file(&rt, tn_span_make(file.data, file.size), NULL);
		assert_true(btf || *tn_err_last()->msg);
		tn_btf_free(btf);
		file.data[i] ^= 0xff;
	}
	assert_int_equal(tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_HEAP]), before);
	free(file.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(btf_file_takes_raw_btf_and_elf_files),
		cmocka_unit_test(btf_file_names_what_is_wrong_with_the_section),
		cmocka_unit_test(btf_file_is_refused_at_every_truncation),
		cmocka_unit_test(btf_file_survives_each_changed_byte),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
