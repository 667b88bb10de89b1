/* SPDX-License-Identifier: MIT */
/*
 * CO-RE records. Programs built with vmlinux.h carry them for the contexts and packet headers too;
 * of those Tenon knows the layout, and where the plugin was compiled with the same one its
 * instructions are right as they are. A struct that Tenon does not know is the plugin's own: its
 * fields are where the plugin has them (what the host gives is checked against the host's
 * description anyway). Anything else is refused with the name of the type or field; the program
 * that carries the record can then not be loaded.
 */
#include <errno.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "loader/load.h"
#include "vm/ctx_type.h"

enum core_kind {
	CORE_FIELD_BYTE_OFF,
	CORE_FIELD_BYTE_SIZE,
	CORE_FIELD_EXISTS,
	CORE_FIELD_SIGNED,
	CORE_FIELD_LSHIFT,
	CORE_FIELD_RSHIFT,
	CORE_LOCAL_TYPE_ID,
	CORE_TARGET_TYPE_ID,
	CORE_TYPE_EXISTS,
	CORE_TYPE_SIZE,
	CORE_ENUM_EXISTS,
	CORE_ENUM_VALUE,
	CORE_TYPE_MATCHES,
};

/* Steps of one access. As in libbpf. */
#define MAX_DEPTH 64

struct known_field {
	const char *type, *field;
	uint32_t bit_off, bits; /* within the named type */
};

#define FIELD(type, field)                                       \
	{                                                        \
#type, #field, offsetof(struct type, field) * 8, \
			sizeof(((struct type *)0)->field) * 8    \
	}
/* offsetof() does not take bit fields. */
#define BITS(type, field, off, bits)     \
	{                                \
#type, #field, off, bits \
	}

static const struct known_field known_fields[] = {
	FIELD(ethhdr, h_dest),
	FIELD(ethhdr, h_source),
	FIELD(ethhdr, h_proto),
	{ "vlan_hdr", "h_vlan_TCI", 0, 16 },
	{ "vlan_hdr", "h_vlan_encapsulated_proto", 16, 16 },
	FIELD(arphdr, ar_hrd),
	FIELD(arphdr, ar_pro),
	FIELD(arphdr, ar_hln),
	FIELD(arphdr, ar_pln),
	FIELD(arphdr, ar_op),
	BITS(iphdr, ihl, 0, 4),
	BITS(iphdr, version, 4, 4),
	FIELD(iphdr, tos),
	FIELD(iphdr, tot_len),
	FIELD(iphdr, id),
	FIELD(iphdr, frag_off),
	FIELD(iphdr, ttl),
	FIELD(iphdr, protocol),
	FIELD(iphdr, check),
	FIELD(iphdr, saddr),
	FIELD(iphdr, daddr),
	{ "iphdr", "addrs", offsetof(struct iphdr, saddr) * 8, 64 },
	BITS(ipv6hdr, priority, 0, 4),
	BITS(ipv6hdr, version, 4, 4),
	FIELD(ipv6hdr, flow_lbl),
	FIELD(ipv6hdr, payload_len),
	FIELD(ipv6hdr, nexthdr),
	FIELD(ipv6hdr, hop_limit),
	FIELD(ipv6hdr, saddr),
	FIELD(ipv6hdr, daddr),
	{ "ipv6hdr", "addrs", offsetof(struct ipv6hdr, saddr) * 8, 256 },
	FIELD(in6_addr, in6_u),
	FIELD(udphdr, source),
	FIELD(udphdr, dest),
	FIELD(udphdr, len),
	FIELD(udphdr, check),
	FIELD(tcphdr, source),
	FIELD(tcphdr, dest),
	FIELD(tcphdr, seq),
	FIELD(tcphdr, ack_seq),
	BITS(tcphdr, res1, 96, 4),
	BITS(tcphdr, doff, 100, 4),
	BITS(tcphdr, fin, 104, 1),
	BITS(tcphdr, syn, 105, 1),
	BITS(tcphdr, rst, 106, 1),
	BITS(tcphdr, psh, 107, 1),
	BITS(tcphdr, ack, 108, 1),
	BITS(tcphdr, urg, 109, 1),
	BITS(tcphdr, ece, 110, 1),
	BITS(tcphdr, cwr, 111, 1),
	FIELD(tcphdr, window),
	FIELD(tcphdr, check),
	FIELD(tcphdr, urg_ptr),
	FIELD(icmphdr, type),
	FIELD(icmphdr, code),
	FIELD(icmphdr, checksum),
	FIELD(icmphdr, un),
	FIELD(icmp6hdr, icmp6_type),
	FIELD(icmp6hdr, icmp6_code),
	FIELD(icmp6hdr, icmp6_cksum),
	FIELD(icmp6hdr, icmp6_dataun),
};

static const struct {
	const char *name;
	uint32_t size;
} known_types[] = {
	{ "ethhdr", sizeof(struct ethhdr) },   { "vlan_hdr", 4 },
	{ "arphdr", sizeof(struct arphdr) },   { "iphdr", sizeof(struct iphdr) },
	{ "ipv6hdr", sizeof(struct ipv6hdr) }, { "in6_addr", sizeof(struct in6_addr) },
	{ "udphdr", sizeof(struct udphdr) },   { "tcphdr", sizeof(struct tcphdr) },
	{ "icmphdr", sizeof(struct icmphdr) }, { "icmp6hdr", sizeof(struct icmp6hdr) },
};

static bool known_size(const char *type, uint32_t *size)
{
	const struct tn_ctx_type *ctx = tn_ctx_builtin(type);

	if (ctx && !strcmp(ctx->name, type)) {
		*size = ctx->size;
		return true;
	}
	for (size_t i = 0; i < TN_ARRAY_SIZE(known_types); i++)
		if (!strcmp(known_types[i].name, type)) {
			*size = known_types[i].size;
			return true;
		}
	return false;
}

static bool known_field(const char *type, const char *field, uint32_t *bit_off, uint32_t *bits)
{
	const struct tn_ctx_type *ctx = tn_ctx_builtin(type);

	if (ctx && !strcmp(ctx->name, type)) {
		const struct tn_field *f = tn_ctx_field_by_name(ctx, field);

		if (!f)
			return false;
		*bit_off = f->offset * 8;
		*bits = f->size * 8;
		return true;
	}
	for (size_t i = 0; i < TN_ARRAY_SIZE(known_fields); i++)
		if (!strcmp(known_fields[i].type, type) && !strcmp(known_fields[i].field, field)) {
			*bit_off = known_fields[i].bit_off;
			*bits = known_fields[i].bits;
			return true;
		}
	return false;
}

/* "data" of "xdp_md___v2": the flavour behind three underscores is not part of the name. */
static void plain_name(const char *name, char *out, size_t size)
{
	size_t len = strnlen(name, size - 1);
	char *flavour;

	memcpy(out, name, len);
	out[len] = '\0';
	flavour = strstr(out, "___");
	if (flavour && flavour != out)
		*flavour = '\0';
}

struct walk {
	const struct tn_btf *btf;
	const char *access;
	char type[64];	  /* the named type that members are looked up in */
	uint64_t bit_off; /* since the beginning of that type */
	bool inside;	  /* a known field of it was reached */
	bool own;	  /* the plugin's own type */
	bool asks;	  /* whether the field exists */
};

static int unsupported(const char *type, const char *field)
{
	return tn_err(
		-ENOTSUP,
		"CO-RE record for '%s%s%s': only the built-in contexts and packet headers can "
		"be relocated, as they were compiled",
		type, *field ? "." : "", field);
}

/* The next number of "0:1:2"; false: there is none, or it is malformed. */
static bool next_index(struct walk *w, uint32_t *out)
{
	unsigned long n;
	char *end;

	if (*w->access < '0' || *w->access > '9')
		return false;
	n = strtoul(w->access, &end, 10);
	if (n > UINT16_MAX || (*end && *end != ':'))
		return false;
	w->access = *end ? end + 1 : end;
	*out = (uint32_t)n;
	return true;
}

/* One step into struct `t`: *id becomes the member's type. */
static int step_member(struct walk *w, const struct tn_btf_type *t, uint32_t index, uint32_t *id)
{
	const struct tn_btf_member *m = (const struct tn_btf_member *)tn_btf_extra(t) + index;
	uint32_t known_off, known_bits, bits;
	const char *name = tn_btf_str(w->btf, m->name_off);
	bool kflag = t->info >> 31;

	*id = m->type;
	if (w->inside || w->own)
		return 0; /* an unnamed type below a known field of the same place and size */
	w->bit_off += kflag ? m->offset & 0xffffff : m->offset;
	if (!*name)
		return 0; /* its members belong to the type around it */
	bits = kflag ? m->offset >> 24 : 0;
	if (!bits)
		bits = (uint32_t)tn_btf_size_of(w->btf, m->type) * 8;
	if (!known_field(w->type, name, &known_off, &known_bits))
		return unsupported(w->type, name);
	if (known_off != w->bit_off || known_bits != bits)
		return tn_err(
			-ENOTSUP,
			"CO-RE record for '%s.%s': compiled at bit %llu, %u long; it is at bit "
			"%u, %u long",
			w->type, name, (unsigned long long)w->bit_off, bits, known_off, known_bits);
	w->inside = true;
	return 0;
}

/* Go one step down from type *id: an element, or a member. */
static int step(struct walk *w, uint32_t *id)
{
	const struct tn_btf_type *t = tn_btf_type(w->btf, tn_btf_skip_mods(w->btf, *id));
	uint32_t index, size;
	const char *name;

	if (!next_index(w, &index))
		return tn_err(-EINVAL, "CO-RE record: access '%.40s' is malformed", w->access);
	if (tn_btf_kind(t) == TN_BTF_ARRAY) {
		*id = ((const struct tn_btf_array *)tn_btf_extra(t))->type;
		return 0;
	}
	if (tn_btf_kind(t) != TN_BTF_STRUCT && tn_btf_kind(t) != TN_BTF_UNION)
		return tn_err(-EINVAL, "CO-RE record: it reaches into a %s",
			      tn_btf_kind_name(tn_btf_kind(t)));
	if (index >= tn_btf_vlen(t))
		return tn_err(-EINVAL, "CO-RE record: member %u of %u", index, tn_btf_vlen(t));
	name = tn_btf_str(w->btf, t->name_off);
	if (*name) {
		plain_name(name, w->type, sizeof(w->type));
		w->bit_off = 0;
		w->inside = false;
		w->own = !known_size(w->type, &size);
		/* Whether a struct of the host has a field, nobody here can tell. */
		if (w->own && w->asks)
			return unsupported(w->type, "");
	}
	return step_member(w, t, index, id);
}

static int check_field(struct walk *w, uint32_t id)
{
	uint32_t index;
	int err = 0;

	/* The first number counts whole objects, as in p[0]. */
	if (!next_index(w, &index))
		return tn_err(-EINVAL, "CO-RE record: access '%.40s' is malformed", w->access);
	for (int depth = 0; *w->access && !err; depth++) {
		if (depth == MAX_DEPTH)
			return tn_err(-EINVAL, "CO-RE record for '%s': more than %d steps", w->type,
				      MAX_DEPTH);
		err = step(w, &id);
	}
	return err;
}

static int check_record(const struct tn_load *ld, const struct tn_load_core *core)
{
	struct walk w = { .btf = ld->image->btf };
	uint32_t id = tn_btf_skip_mods(w.btf, core->type_id), size;
	const struct tn_btf_type *t = tn_btf_type(w.btf, id);

	w.access = tn_btf_str(w.btf, core->access_off);
	plain_name(tn_btf_str(w.btf, t->name_off), w.type, sizeof(w.type));
	switch (core->kind) {
	case CORE_LOCAL_TYPE_ID:
		return 0; /* means the plugin's own BTF */
	case CORE_FIELD_EXISTS:
		w.asks = true;
		return check_field(&w, id);
	case CORE_FIELD_BYTE_OFF:
	case CORE_FIELD_BYTE_SIZE:
	case CORE_FIELD_SIGNED:
	case CORE_FIELD_LSHIFT:
	case CORE_FIELD_RSHIFT:
		return check_field(&w, id);
	case CORE_TYPE_EXISTS:
	case CORE_TYPE_SIZE:
		if (tn_btf_kind(t) != TN_BTF_STRUCT || !known_size(w.type, &size) ||
		    (core->kind == CORE_TYPE_SIZE && size != t->size_or_type))
			return unsupported(w.type, "");
		return 0;
	case CORE_TARGET_TYPE_ID:
	case CORE_ENUM_EXISTS:
	case CORE_ENUM_VALUE:
	case CORE_TYPE_MATCHES:
		return unsupported(w.type, "");
	default:
		return tn_err(-ENOTSUP, "CO-RE record of unknown kind %u for '%s'", core->kind,
			      w.type);
	}
}

int tn_load_check_core(const struct tn_load *ld, const struct tn_load_func *fn)
{
	const struct tn_load_section *s = &ld->sections[fn->section];
	uint32_t lo = s->first_core, hi = s->first_core + s->nr_core, end = hi;
	int err = 0;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (ld->cores.v[mid].insn < fn->start)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < end && ld->cores.v[lo].insn - fn->start < fn->nr_insns && !err; lo++)
		err = check_record(ld, &ld->cores.v[lo]);
	return err;
}
