/* SPDX-License-Identifier: MIT */
/* Any bytes as an ELF object: it opens or fails with words, and gives back what it allocated. */
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/rt.h"
#include "loader/object.h"
#include "vm/btf_builtin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the checks below rest on; a failure must stop the fuzzer in every build type. */
static void must(int holds)
{
	if (!holds)
		__builtin_trap();
}

/* References that the floors above follow without looking. */
static void check_image(const struct tn_image *image)
{
	for (uint32_t i = 0; i < image->nr_progs; i++) {
		const struct tn_prog *prog = image->progs[i];

		must(prog->nr_insns > 0 && prog->nr_subprogs > 0);
		must(prog->subprogs[prog->nr_subprogs - 1].end == prog->nr_insns);
		for (uint32_t n = 0; n < prog->nr_maps; n++)
			must(prog->map_decls[n] < image->nr_maps);
		for (uint32_t n = 0; n < prog->nr_lines; n++)
			must(prog->lines[n].insn < prog->nr_insns);
		for (uint32_t n = 0; n < prog->nr_insns; n++) {
			const struct tn_insn *insn = &prog->insns[n];

			if (insn->code == (TN_JMP | TN_CALL) && insn->src == TN_CALL_EXTERN)
				must((uint32_t)insn->imm < prog->nr_externs);
			if (!tn_insn_is_lddw(insn))
				continue;
			must(++n < prog->nr_insns);
			if (insn->src == TN_LDDW_MAP || insn->src == TN_LDDW_MAP_VALUE)
				must((uint32_t)insn->imm < prog->nr_maps);
			if (insn->src == TN_LDDW_BTF_ID)
				must((uint32_t)insn->imm < prog->nr_externs);
		}
		tn_insns_check(prog->insns, prog->nr_insns);
	}
	for (uint32_t i = 0; i < image->nr_maps; i++)
		for (uint32_t n = 0; n < image->maps[i].nr_init_progs; n++)
			must(image->maps[i].init_progs[n] < (int32_t)image->nr_progs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tn_rt rt;
	static int ready;
	const struct tn_load_opts opts = {
		.name = "fuzz",
		.config = "# text\nCONFIG_FEATURE=y\nCONFIG_MODULE=m\nCONFIG_LETTER=n\n"
			  "CONFIG_BIG=0x123456789ab\nCONFIG_MINUS=-5\nCONFIG_NAME=\"hello\"\n",
		.relaxed_maps = size % 2,
	};
	struct tn_image *image;
	size_t before;

	if (!ready) {
		must(tn_rt_init(&rt, NULL) == 0 && tn_btf_builtin(&rt)); /* made once */
		ready = 1;
	}
	before = tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_HEAP]);
	image = tn_loader_open(&rt, tn_span_make(data, size), &opts);
	if (image)
		check_image(image);
	else
		must(errno > 0 && tn_err_last()->code == -errno && *tn_err_last()->msg);
	tn_image_free(image);
	must(tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_HEAP]) == before);
	return 0;
}
