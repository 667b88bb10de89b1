/* SPDX-License-Identifier: MIT */
/* The diagnosis and its words; explain.h says what a message consists of. */
#include "verifier/explain.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "verifier/engine.h"
#include "verifier/summary.h"
#include "verifier/trace.h"

static const struct {
	int code;
	const char *name;
} codes[] = {
#define TN_VERR(name, number, words) { number, #name },
#include "verifier/errors.def"
#undef TN_VERR
};

const char *tn_verr_name(int code)
{
	for (size_t i = 0; i < TN_ARRAY_SIZE(codes); i++)
		if (codes[i].code == code)
			return codes[i].name;
	return NULL;
}

int tn_reject(struct tn_vf *vf, enum tn_verr code, int reg, const char *fmt, ...)
{
	va_list ap;

	vf->diag.code = (int)code;
	vf->diag.insn = vf->s.insn;
	vf->diag.reg = reg;
	vf->diag.advice[0] = '\0';
	vf->diag.nr_why = 0;
	vf->diag.access.known = false;
	va_start(ap, fmt);
	vsnprintf(vf->diag.text, sizeof(vf->diag.text), fmt, ap);
	va_end(ap);
	return -EACCES;
}

int tn_advise(struct tn_vf *vf, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(vf->diag.advice, sizeof(vf->diag.advice), fmt, ap);
	va_end(ap);
	return -EACCES;
}

int tn_need_init(struct tn_vf *vf, uint32_t r)
{
	if (tn_vf_reg(vf, r)->kind != TN_REG_UNINIT)
		return 0;
	return tn_reject(vf, E_UNINIT, (int)r, "r%u is read here, but holds no value%s", r,
			 r >= TN_R1 && r <= TN_R5 ? " (a call clears r1 to r5)" : "");
}

int tn_need_writable(struct tn_vf *vf, uint32_t r)
{
	if (r != TN_R10)
		return 0;
	return tn_reject(vf, E_ENCODING, -1, "insn %u: r10, the frame pointer, cannot be written",
			 vf->s.insn);
}

int tn_need_scalar(struct tn_vf *vf, uint32_t r, const char *what)
{
	int err = tn_need_init(vf, r);

	if (err || tn_vf_reg(vf, r)->kind == TN_REG_SCALAR)
		return err;
	return tn_reject(vf, E_TYPE, (int)r, "%s needs a number, r%u is %s", what, r,
			 tn_reg_words(vf, tn_vf_reg(vf, r)));
}

/* A number can not be used as an address again: what an address is good for is gone with it. All
 * that is lost is that the program may learn where the host's memory is. */
bool tn_as_number(const struct tn_vf *vf, struct tn_reg *r)
{
	struct tn_scalar any = tn_scalar_unknown(TN_W64);

	tn_arena_as_number(r);
	if (r->kind == TN_REG_SCALAR)
		return true;
	if (r->kind == TN_REG_UNINIT || !vf->env->addresses_visible)
		return false;
	tn_reg_set_scalar(r, r->low ? tn_scalar_zext(&any, 32, TN_W64) : any);
	return true;
}

/* ---- Words ---- */

/* In turn; never inlined, or gcc takes the buffers for one and warns of overlap. */
static TN_NOINLINE char *next_buffer(struct tn_vf *vf)
{
	return vf->diag.words[vf->diag.next_word++ % TN_WORDS_BUFFERS];
}

const char *tn_scalar_words(struct tn_vf *vf, const struct tn_scalar *v)
{
	char *buf = next_buffer(vf);

	tn_scalar_print(v, buf, TN_WORDS_BYTES);
	return buf;
}

const char *tn_offset_words(struct tn_vf *vf, const struct tn_reg *r, int64_t off)
{
	char *buf = next_buffer(vf);
	int64_t lo, hi;

	if (__builtin_add_overflow(r->v.smin, off, &lo) ||
	    __builtin_add_overflow(r->v.smax, off, &hi) ||
	    (r->v.smin == INT64_MIN && r->v.smax == INT64_MAX))
		snprintf(buf, TN_WORDS_BYTES, "an unknown offset");
	else if (lo == hi)
		snprintf(buf, TN_WORDS_BYTES, "offset %lld", (long long)lo);
	else
		snprintf(buf, TN_WORDS_BYTES, "an offset of %lld..%lld", (long long)lo,
			 (long long)hi);
	return buf;
}

const char *tn_bytes_words(struct tn_vf *vf, uint64_t n)
{
	char *buf = next_buffer(vf);

	snprintf(buf, TN_WORDS_BYTES, "%llu byte%s", (unsigned long long)n, n == 1 ? "" : "s");
	return buf;
}

static const char *field_name(const struct tn_vf *vf, uint32_t region)
{
	return vf->ctx->fields[vf->regions[region].field].name;
}

const char *tn_memory_words(struct tn_vf *vf, const struct tn_reg *r)
{
	char *buf = next_buffer(vf);
	const size_t n = TN_WORDS_BYTES;

	switch ((enum tn_reg_kind)r->kind) {
	case TN_REG_STACK:
		snprintf(buf, n, "the stack");
		break;
	case TN_REG_CTX:
		snprintf(buf, n, "the context '%s'", vf->ctx->name);
		break;
	case TN_REG_VALUE:
		snprintf(buf, n, "a value of map '%s'", ((const struct tn_map *)r->obj)->name);
		break;
	case TN_REG_REGION:
	case TN_REG_END:
		snprintf(buf, n, "'%s' of the context", field_name(vf, r->region));
		break;
	case TN_REG_RECORD:
		snprintf(buf, n, "a ring buffer record of %u bytes", r->size);
		break;
	case TN_REG_ITER:
		snprintf(buf, n, "an iterator of type %s", (const char *)r->obj);
		break;
	case TN_REG_HANDLE:
		snprintf(buf, n, "the structure '%s'", r->obj ? (const char *)r->obj : "?");
		break;
	case TN_REG_DYNPTR_ARG:
	case TN_REG_DYNPTR:
		snprintf(buf, n, "a dynptr");
		break;
	case TN_REG_MEM:
		snprintf(buf, n, "%s (%u bytes)", (const char *)r->obj, r->size);
		break;
	default:
		snprintf(buf, n, "that");
	}
	return buf;
}

const char *tn_reg_words(struct tn_vf *vf, const struct tn_reg *r)
{
	char *buf = next_buffer(vf);
	const size_t n = TN_WORDS_BYTES;

	switch ((enum tn_reg_kind)r->kind) {
	case TN_REG_UNINIT:
		snprintf(buf, n, "without a value");
		break;
	case TN_REG_SCALAR:
		snprintf(buf, n, "a number (%.80s)", tn_scalar_words(vf, &r->v));
		break;
	case TN_REG_MAP:
		snprintf(buf, n, "map '%.63s'", ((const struct tn_map *)r->obj)->name);
		break;
	case TN_REG_HANDLE:
		snprintf(buf, n, "%s handle of type %s",
			 r->untrusted ? "an untrusted"
			 : r->rdonly  ? "a read-only"
				      : "a",
			 r->obj ? (const char *)r->obj : "?");
		break;
	case TN_REG_ARENA:
		snprintf(buf, n, "an arena pointer");
		break;
	case TN_REG_FUNC:
		snprintf(buf, n, "a function");
		break;
	case TN_REG_END:
		snprintf(buf, n, "the end of %.80s", tn_memory_words(vf, r));
		break;
	case TN_REG_CTX:
		snprintf(buf, n, "%.80s", tn_memory_words(vf, r));
		break;
	default:
		snprintf(buf, n, "a pointer to %.80s", tn_memory_words(vf, r));
	}
	return buf;
}

/* ---- Texts that grow ---- */

static void append(struct tn_rt *rt, struct tn_log_buf *b, const char *fmt, va_list ap)
{
	const size_t max = (size_t)16 << 20;
	va_list again;
	size_t need;
	int n;

	if (b->full)
		return;
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	need = b->len + (size_t)TN_MAX(n, 0) + 1;
	if (need > b->cap) {
		size_t cap = TN_MAX(need, b->cap * 2);
		char *text = need > max ? NULL : tn_realloc_array(rt, b->text, cap, 1);

		if (!text) {
			b->full = true;
			return;
		}
		b->text = text;
		b->cap = cap;
	}
	b->len += (size_t)vsnprintf(b->text + b->len, b->cap - b->len, fmt, ap);
}

void tn_text_add(struct tn_rt *rt, struct tn_log_buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	append(rt, b, fmt, ap);
	va_end(ap);
}

void tn_log_add(struct tn_vf *vf, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	append(vf->rt, &vf->log, fmt, ap);
	va_end(ap);
}

/* As a JSON string. */
void tn_text_add_json(struct tn_rt *rt, struct tn_log_buf *b, const char *s)
{
	tn_text_add(rt, b, "\"");
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			tn_text_add(rt, b, "\\%c", *s);
		else if (*s == '\n')
			tn_text_add(rt, b, "\\n");
		else if ((unsigned char)*s < 0x20)
			tn_text_add(rt, b, "\\u%04x", (unsigned)(unsigned char)*s);
		else
			tn_text_add(rt, b, "%c", *s);
	}
	tn_text_add(rt, b, "\"");
}

static const char *skip_space(const char *s)
{
	return s ? s + strspn(s, " \t") : "";
}

static const char *base_name(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash ? slash + 1 : path ? path : "";
}

/* ---- The message ---- */

static void place(const struct tn_vf *vf, uint32_t insn, char *buf, size_t size)
{
	const struct tn_line *line = tn_prog_line(vf->prog, insn);

	if (line)
		snprintf(buf, size, "%s:%u", base_name(line->file), line->line);
	else
		snprintf(buf, size, "insn %u", insn);
}

static void add_text(struct tn_vf *vf, struct tn_log_buf *b)
{
	const struct tn_diag *d = &vf->diag;
	const struct tn_line *line = tn_prog_line(vf->prog, d->insn);
	char at[TN_ERR_PLACE_BYTES];

	place(vf, d->insn, at, sizeof(at));
	tn_text_add(vf->rt, b, "%s: %s [%s]\n", at, d->text, tn_verr_name(d->code));
	if (line && line->text)
		tn_text_add(vf->rt, b, "    %s\n", skip_space(line->text));
	for (uint32_t i = 0; i < d->nr_why; i++)
		tn_text_add(vf->rt, b, "  why: %s\n", d->why[i]);
	if (d->advice[0])
		tn_text_add(vf->rt, b, "  fix: %s\n", d->advice);
}

static void add_reject_json(struct tn_vf *vf, struct tn_log_buf *b)
{
	const struct tn_diag *d = &vf->diag;
	const struct tn_line *line = tn_prog_line(vf->prog, d->insn);
	struct tn_rt *rt = vf->rt;

	tn_text_add(rt, b, ",\"code\":%d,\"name\":\"%s\",\"insn\":%u,\"message\":", d->code,
		    tn_verr_name(d->code), d->insn);
	tn_text_add_json(rt, b, d->text);
	if (line) {
		tn_text_add(rt, b, ",\"file\":");
		tn_text_add_json(rt, b, base_name(line->file));
		tn_text_add(rt, b, ",\"line\":%u,\"source\":", line->line);
		tn_text_add_json(rt, b, skip_space(line->text));
	}
	tn_text_add(rt, b, ",\"why\":[");
	for (uint32_t i = 0; i < d->nr_why; i++) {
		tn_text_add(rt, b, "%s", i ? "," : "");
		tn_text_add_json(rt, b, d->why[i]);
	}
	tn_text_add(rt, b, "]");
	if (d->advice[0]) {
		tn_text_add(rt, b, ",\"fix\":");
		tn_text_add_json(rt, b, d->advice);
	}
}

/* What was proved; null of a rejected program, of which nothing is. */
static void add_facts_json(struct tn_vf *vf, struct tn_log_buf *b)
{
	const struct tn_facts *f = vf->facts;

	if (!vf->accepted || !f) {
		tn_text_add(vf->rt, b, ",\"facts\":null");
		return;
	}
	tn_text_add(vf->rt, b,
		    ",\"facts\":{\"proved_cost\":%llu,\"has_fuel\":%s,\"may_abort\":%s,"
		    "\"max_stack_bytes\":%u,\"max_frames\":%u,\"ret_min\":%lld,\"ret_max\":%lld}",
		    (unsigned long long)f->proved_cost, f->has_fuel ? "true" : "false",
		    f->may_abort ? "true" : "false", f->max_stack_bytes, f->max_frames,
		    (long long)f->ret_min, (long long)f->ret_max);
}

/* A rejection is always in the log; figures when asked for. */
static void add_summary(struct tn_vf *vf, const struct tn_log_buf *msg, bool accepted)
{
	tn_log_add(vf, "%s", !accepted && msg->text ? msg->text : "");
	if (vf->env->log_level > 0)
		tn_log_add(
			vf,
			"processed %llu steps, %llu states kept, %llu covered, peak %llu bytes\n",
			(unsigned long long)vf->steps, (unsigned long long)vf->nr_states,
			(unsigned long long)vf->pruned,
			(unsigned long long)vf->senv.pool.peak_bytes);
}

/* Listing and graph, where they were asked for and the code has a shape. */
static int add_summary_texts(struct tn_vf *vf, struct tn_verdict *verdict)
{
	struct tn_log_buf listing = { 0 }, graph = { 0 };
	int err;

	if (!vf->summary)
		return 0;
	err = tn_listing(vf->summary, &listing) || tn_graph(vf->summary, &graph);
	verdict->listing = listing.text;
	verdict->graph = graph.text;
	return err;
}

int tn_explain(struct tn_vf *vf, struct tn_verdict *verdict)
{
	struct tn_log_buf msg = { 0 }, json = { 0 };
	const struct tn_diag *d = &vf->diag;
	bool accepted = vf->accepted;
	char at[TN_ERR_PLACE_BYTES];

	if (!accepted)
		tn_cure_in_general(vf);
	verdict->code = accepted ? 0 : d->code;
	verdict->code_name = accepted ? NULL : tn_verr_name(d->code);
	verdict->insn = accepted ? -1 : (int32_t)d->insn;
	tn_text_add(vf->rt, &msg, "%s", "");
	tn_text_add(vf->rt, &json, "{\"program\":");
	tn_text_add_json(vf->rt, &json, vf->prog->name ? vf->prog->name : "");
	tn_text_add(vf->rt, &json, ",\"accepted\":%s", accepted ? "true" : "false");
	if (accepted)
		tn_text_add(vf->rt, &json, ",\"code\":0");
	if (!accepted) {
		add_text(vf, &msg);
		add_reject_json(vf, &json);
		place(vf, d->insn, at, sizeof(at));
		tn_err(-EACCES, "%s", d->text);
		tn_err_at(TN_STAGE_VERIFY, vf->prog->image ? vf->prog->image->name : NULL,
			  vf->prog->name, (int32_t)d->insn, at);
	}
	tn_usage_json(vf, &json);
	add_facts_json(vf, &json);
	tn_text_add(vf->rt, &json,
		    ",\"steps\":%llu,\"states\":%llu,\"peak_bytes\":%llu,\"fuelled\":%s}",
		    (unsigned long long)vf->steps, (unsigned long long)vf->nr_states,
		    (unsigned long long)vf->senv.pool.peak_bytes,
		    accepted && vf->facts->has_fuel ? "true" : "false");
	add_summary(vf, &msg, accepted);
	verdict->msg = msg.text;
	verdict->json = json.text;
	verdict->log = vf->log.text;
	vf->log.text = NULL;
	return msg.text && json.text && verdict->log && !add_summary_texts(vf, verdict) ? 0
											: -ENOMEM;
}
