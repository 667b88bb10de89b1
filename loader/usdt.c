/* SPDX-License-Identifier: MIT */
/* The notes themselves; usdt_args.c reads their arguments. */
#include "loader/usdt.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "loader/elf_file.h"

/* https://sourceware.org/systemtap/wiki/UserSpaceProbeImplementation */
#define NOTE_NAME "stapsdt"
#define NOTE_TYPE 3

static const char section_name[] = ".note.stapsdt";

struct notes {
	struct tn_elf_file elf;
	struct tn_span bytes;
	uint64_t at;	/* of the next note */
	uint32_t entry; /* its number, for messages */
	uint64_t base;	/* address of .stapsdt.base, 0: there is none */
};

static int find_notes(struct notes *n)
{
	bool found = false;

	for (uint64_t i = 1; i < n->elf.nr_sections; i++) {
		Elf64_Shdr s = tn_elf_file_section(&n->elf, i);
		int err;

		if (tn_elf_file_is_named(&n->elf, &s, ".stapsdt.base"))
			n->base = s.sh_addr;
		if (found || s.sh_type != SHT_NOTE ||
		    !tn_elf_file_is_named(&n->elf, &s, section_name))
			continue;
		err = tn_elf_file_bytes(&n->elf, &s, section_name, &n->bytes);
		if (err)
			return err;
		found = true;
	}
	return found ? 0
		     : tn_err(-ENOENT, "the file has no USDT probes (section '%s')", section_name);
}

static int bad_note(const struct notes *n, const char *what)
{
	return tn_err(-EINVAL, "section '%s': note %u: %s", section_name, n->entry, what);
}

/* The three addresses and the three texts of a note. */
static int read_probe(const struct notes *n, struct tn_span desc, struct tn_usdt_probe *probe)
{
	const char **texts[] = { &probe->provider, &probe->name, &probe->args };
	uint64_t words[3], at = sizeof(words), moved = 0;

	if (!tn_span_read(desc, 0, words, sizeof(words)))
		return bad_note(n, "its addresses are cut off");
	for (int i = 0; i < 3; i++) {
		*texts[i] = tn_span_str(desc, at);
		if (!*texts[i])
			return bad_note(n, i == 0   ? "its provider is cut off"
					   : i == 1 ? "its name is cut off"
						    : "its arguments are cut off");
		at += strlen(*texts[i]) + 1;
	}
	if (!*probe->provider || !*probe->name)
		return bad_note(n, "its provider or name is empty");
	/* Prelinking moves the sections and not what notes say; .stapsdt.base tells how far. */
	if (n->base)
		moved = n->base - words[1];
	probe->addr = words[0] + moved;
	probe->semaphore = words[2] ? words[2] + moved : 0;
	return 0;
}

static int locate(const struct notes *n, struct tn_usdt_probe *probe)
{
	if (!tn_elf_file_offset(&n->elf, probe->addr, &probe->file_off))
		return tn_err(-EINVAL,
			      "section '%s': note %u: probe '%.80s:%.80s' at 0x%llx is in no "
			      "loaded segment",
			      section_name, n->entry, probe->provider, probe->name,
			      (unsigned long long)probe->addr);
	probe->semaphore_off = 0;
	if (probe->semaphore &&
	    !tn_elf_file_offset(&n->elf, probe->semaphore, &probe->semaphore_off))
		return tn_err(-EINVAL,
			      "section '%s': note %u: the semaphore of '%.80s:%.80s' at 0x%llx is "
			      "in no loaded segment",
			      section_name, n->entry, probe->provider, probe->name,
			      (unsigned long long)probe->semaphore);
	return 0;
}

/* One note; *is_probe: it is one of ours. Sizes are padded to 4 bytes in the file. */
static int next_note(struct notes *n, struct tn_usdt_probe *probe, bool *is_probe)
{
	struct tn_span name, desc;
	uint64_t at = n->at, desc_at;
	Elf64_Nhdr h;
	int err;

	if (!tn_span_read(n->bytes, at, &h, sizeof(h)))
		return bad_note(n, "its header is cut off");
	at += sizeof(h);
	desc_at = at + (((uint64_t)h.n_namesz + 3) & ~3ull);
	if (!tn_span_sub(n->bytes, at, h.n_namesz, &name) ||
	    !tn_span_sub(n->bytes, desc_at, h.n_descsz, &desc))
		return bad_note(n, "it is longer than the section");
	n->at = desc_at + (((uint64_t)h.n_descsz + 3) & ~3ull);
	*is_probe = h.n_type == NOTE_TYPE && name.size == sizeof(NOTE_NAME) &&
		    !memcmp(name.data, NOTE_NAME, sizeof(NOTE_NAME));
	if (!*is_probe)
		return 0;
	err = read_probe(n, desc, probe);
	return err ? err : locate(n, probe);
}

int tn_usdt_each(struct tn_span file, tn_usdt_fn fn, void *user)
{
	struct notes n = { .entry = 0 };
	int err = tn_elf_file_open(&n.elf, file);

	if (!err)
		err = tn_elf_file_check_native(&n.elf);
	if (!err)
		err = find_notes(&n);
	for (; !err && n.at < n.bytes.size; n.entry++) {
		struct tn_usdt_probe probe = { 0 };
		bool is_probe = false;

		err = next_note(&n, &probe, &is_probe);
		if (!err && is_probe)
			err = fn(user, &probe);
	}
	return err;
}
