/* SPDX-License-Identifier: MIT */
/*
 * CO-RE between any types. The input: three sizes of two bytes, then a program's code, the section
 * .BTF.ext, the plugin's BTF, and what is left are the host's types. The first three are put into
 * an object, which is relocated against the last and looked up in every way. Whatever the bytes
 * are, it ends, within its limits, with words where it fails, and gives back what it took.
 */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/rt.h"
#include "loader/core_layout.h"
#include "loader/object.h"
#include "vm/btf_builtin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_CODE 8192
#define CODE	 "core"

static void must(int holds)
{
	if (!holds)
		__builtin_trap();
}

/* ---- An object of these sections ---- */

enum { SEC_NULL, SEC_NAMES, SEC_SYMBOLS, SEC_CODE, SEC_BTF, SEC_EXT, NR_SECTIONS };

static const char names[] = "\0.strtab\0.symtab\0" CODE "\0.BTF\0.BTF.ext\0prog";
#define NAME_STRTAB 1
#define NAME_SYMTAB 9
#define NAME_CODE   17
#define NAME_BTF    22
#define NAME_EXT    27
#define NAME_PROG   36

struct object {
	Elf64_Ehdr head;
	Elf64_Shdr sections[NR_SECTIONS];
	char names[sizeof(names)];
	Elf64_Sym symbols[2];
	unsigned char code[MAX_CODE];
	unsigned char rest[];
};

/* The three parts of the input that the plugin is made of. */
struct input {
	const uint8_t *code, *ext, *btf;
	size_t code_size, ext_size, btf_size;
};

static void set_section(struct object *o, int which, uint32_t name, uint32_t type, const void *at,
			size_t size)
{
	o->sections[which] = (Elf64_Shdr){
		.sh_name = name,
		.sh_type = type,
		.sh_offset = (uint64_t)((const char *)at - (const char *)o),
		.sh_size = size,
		.sh_addralign = 1,
	};
}

static struct object *make_object(const struct input *in)
{
	struct object *o = calloc(1, sizeof(*o) + in->ext_size + in->btf_size);

	must(o != NULL);
	memcpy(o->head.e_ident, ELFMAG, SELFMAG);
	o->head.e_ident[EI_CLASS] = ELFCLASS64;
	o->head.e_ident[EI_DATA] = ELFDATA2LSB;
	o->head.e_ident[EI_VERSION] = EV_CURRENT;
	o->head.e_type = ET_REL;
	o->head.e_machine = EM_BPF;
	o->head.e_version = EV_CURRENT;
	o->head.e_ehsize = sizeof(o->head);
	o->head.e_shoff = offsetof(struct object, sections);
	o->head.e_shentsize = sizeof(o->sections[0]);
	o->head.e_shnum = NR_SECTIONS;
	o->head.e_shstrndx = SEC_NAMES;
	memcpy(o->names, names, sizeof(names));
	o->symbols[1] = (Elf64_Sym){
		.st_name = NAME_PROG,
		.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
		.st_shndx = SEC_CODE,
		.st_size = in->code_size,
	};
	memcpy(o->code, in->code, in->code_size);
	memcpy(o->rest, in->ext, in->ext_size);
	memcpy(o->rest + in->ext_size, in->btf, in->btf_size);
	set_section(o, SEC_NAMES, NAME_STRTAB, SHT_STRTAB, o->names, sizeof(o->names));
	set_section(o, SEC_SYMBOLS, NAME_SYMTAB, SHT_SYMTAB, o->symbols, sizeof(o->symbols));
	o->sections[SEC_SYMBOLS].sh_link = SEC_NAMES;
	o->sections[SEC_SYMBOLS].sh_info = 1;
	o->sections[SEC_SYMBOLS].sh_entsize = sizeof(o->symbols[0]);
	set_section(o, SEC_CODE, NAME_CODE, SHT_PROGBITS, o->code, in->code_size);
	o->sections[SEC_CODE].sh_flags = SHF_ALLOC | SHF_EXECINSTR;
	o->sections[SEC_CODE].sh_addralign = 8;
	set_section(o, SEC_EXT, NAME_EXT, SHT_PROGBITS, o->rest, in->ext_size);
	set_section(o, SEC_BTF, NAME_BTF, SHT_PROGBITS, o->rest + in->ext_size, in->btf_size);
	return o;
}

/* ---- What came out ---- */

static void check_image(const struct tn_image *image)
{
	for (uint32_t i = 0; i < image->nr_progs; i++) {
		const struct tn_prog *prog = image->progs[i];

		must(prog->nr_insns > 0);
		for (uint32_t n = 0; n < prog->nr_cores; n++) {
			const struct tn_core_site *site = &prog->cores[n];

			must(site->insn < prog->nr_insns && site->type);
			must(!n || site->insn >= site[-1].insn);
			must(!site->poison || *site->poison);
			/* Poison is never left out. */
			must(!site->poison || (prog->insns[site->insn].code == (TN_JMP | TN_CALL) &&
					       prog->insns[site->insn].imm == 195896080));
		}
	}
}

/* As the verifier asks, of every structure of the plugin. */
static void look_up(struct tn_rt *rt, const struct tn_load_opts *opts, const struct tn_btf *local)
{
	char words[256];

	for (uint32_t id = 1; id < local->nr_types && id < 64; id++)
		for (uint32_t off = 0; off < 32; off += 4) {
			int same = tn_core_same_at(rt, opts, local, tn_btf_name(local, id), off,
						   off % 8 ? 4 : 8, words, sizeof(words));

			must(same == 0 || same == 1 || *tn_err_last()->msg);
			must(same != 0 || *words);
		}
}

static void open_with(struct tn_rt *rt, const struct object *o, size_t size,
		      const struct tn_btf *host, uint32_t nr, uint32_t nr_whole)
{
	const struct tn_btf *targets[] = { host, host };
	const struct tn_load_opts opts = {
		.name = "fuzz", .targets = targets, .nr_targets = nr, .nr_whole = nr_whole
	};
	struct tn_image *image = tn_loader_open(rt, tn_span_make(o, size), &opts);

	if (image)
		check_image(image);
	else
		must(errno > 0 && tn_err_last()->code == -errno && *tn_err_last()->msg);
	if (image && image->btf && nr)
		look_up(rt, &opts, image->btf);
	tn_image_free(image);
}

/* The next `want` bytes, or what is left. */
static const uint8_t *take(const uint8_t **data, size_t *left, size_t want, size_t *got)
{
	const uint8_t *at = *data;

	*got = want < *left ? want : *left;
	*data += *got;
	*left -= *got;
	return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tn_rt rt;
	static int ready;
	struct input in;
	struct tn_btf *host;
	struct object *o;
	uint16_t sizes[3];
	size_t before, whole;

	if (!ready) {
		must(tn_rt_init(&rt, NULL) == 0 && tn_btf_builtin(&rt));
		ready = 1;
	}
	if (size < sizeof(sizes))
		return 0;
	memcpy(sizes, data, sizeof(sizes));
	data += sizeof(sizes);
	size -= sizeof(sizes);
	sizes[0] = (uint16_t)((sizes[0] < MAX_CODE ? sizes[0] : MAX_CODE) / 8 * 8);
	in.code = take(&data, &size, sizes[0], &in.code_size);
	in.code_size -= in.code_size % 8;
	in.ext = take(&data, &size, sizes[1], &in.ext_size);
	in.btf = take(&data, &size, sizes[2], &in.btf_size);
	before = tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_HEAP]);
	o = make_object(&in);
	whole = sizeof(*o) + in.ext_size + in.btf_size;
	host = tn_btf_parse(&rt, tn_span_make(data, size));
	open_with(&rt, o, whole, host, 0, 0);
	if (host) {
		open_with(&rt, o, whole, host, 1, 1);
		open_with(&rt, o, whole, host, 1, 0);
		open_with(&rt, o, whole, host, 2, 1);
	}
	tn_btf_free(host);
	free(o);
	must(tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_HEAP]) == before);
	return 0;
}
