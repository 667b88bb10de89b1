/* SPDX-License-Identifier: MIT */
/*
 * Who calls whom, recursion, tail calls, and the deepest stack. Taking a subprogram's address
 * counts as a call of it; callbacks that the walk resolved elsewhere come as call sites of their
 * own.
 */
#include "verifier/structure_internal.h"

#include <errno.h>
#include <stdio.h>

#define TAIL_CALL_CALLERS_BYTES 256u

void tn_callgraph_free(struct tn_rt *rt, struct tn_callgraph *g)
{
	tn_free(rt, g->first);
	tn_free(rt, g->to);
	tn_free(rt, g->topo);
	*g = (struct tn_callgraph){ 0 };
}

static int add_edge(struct tn_rt *rt, struct tn_callgraph *g, uint32_t from, uint32_t to)
{
	uint32_t *edge;

	for (uint32_t i = g->first[from]; i < g->nr; i++) {
		if (g->to[i] == to)
			return 0;
	}
	if (tn_vec_reserve(rt, (void **)&g->to, &g->cap, g->nr + 1, sizeof(*g->to)))
		return -ENOMEM;
	edge = &g->to[g->nr++];
	*edge = to;
	return 0;
}

static int gather_edges(const struct tn_structure *s, const struct tn_callback_site *callbacks,
			uint32_t nr_callbacks, struct tn_callgraph *g)
{
	const struct tn_prog *prog = s->prog;
	int err = 0;

	for (uint32_t p = 0; p < prog->nr_subprogs && !err; p++) {
		const struct tn_subprog *sub = &prog->subprogs[p];

		g->first[p] = g->nr;
		for (uint32_t i = sub->start; i < sub->end && s->nr_callee_refs && !err; i++) {
			const struct tn_site *site = &s->sites[i];

			if (site->callee != TN_NONE && site->flags & TN_SITE_REACHABLE)
				err = add_edge(s->rt, g, p, site->callee);
		}
		for (uint32_t i = 0; i < nr_callbacks && !err; i++) {
			if (callbacks[i].insn >= sub->start && callbacks[i].insn < sub->end)
				err = add_edge(s->rt, g, p, callbacks[i].subprog);
		}
	}
	g->first[prog->nr_subprogs] = g->nr;
	return err;
}

static const char *subprog_name(const struct tn_structure *s, uint32_t p)
{
	return s->prog->subprogs[p].name ? s->prog->subprogs[p].name : "?";
}

/* "a -> b -> c" of the path's subprograms. */
static void print_path(const struct tn_structure *s, const uint32_t *path, uint32_t nr, char *buf,
		       size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (uint32_t i = 0; i < nr && used < size; i++) {
		int n = snprintf(buf + used, size - used, "%s%s", i ? " -> " : "",
				 subprog_name(s, path[i]));

		used += n > 0 ? (size_t)n : 0;
	}
}

static int path_error(const struct tn_structure *s, const char *what, const uint32_t *path,
		      uint32_t nr)
{
	char text[512];

	print_path(s, path, nr, text, sizeof(text));
	tn_err(-EINVAL, "%s: %s", what, text);
	tn_err_at(TN_STAGE_VERIFY, NULL, s->prog->name,
		  (int32_t)s->prog->subprogs[path[nr - 1]].start, NULL);
	return -EINVAL;
}

static int recursion_error(const struct tn_structure *s, uint32_t *path, uint32_t depth,
			   uint32_t to)
{
	const struct tn_subprog *caller = &s->prog->subprogs[path[depth - 1]];
	uint32_t first = 0;
	int err;

	while (path[first] != to)
		first++;
	path[depth] = to;
	err = path_error(s, "recursive call", &path[first], depth - first + 1);
	/* The call that closes the circle says more than where the function begins. */
	for (uint32_t i = caller->start; i < caller->end; i++) {
		if (s->sites[i].callee != to || s->sites[i].flags & TN_SITE_LDDW_HIGH)
			continue;
		tn_err_at(TN_STAGE_VERIFY, NULL, s->prog->name, (int32_t)i, NULL);
		break;
	}
	return err;
}

/* Depth first; topo receives the subprograms in postorder, turned round at the end. `next` is the
 * next edge to follow; `done` is set when a subprogram is finished. */
static int sort_from(const struct tn_structure *s, struct tn_callgraph *g, uint32_t root,
		     uint32_t *path, uint32_t *next, uint8_t *mark, uint32_t *nr)
{
	uint32_t depth = 0;

	path[depth++] = root;
	next[root] = g->first[root];
	mark[root] = 1;
	while (depth) {
		uint32_t p = path[depth - 1], to;

		if (next[p] == g->first[p + 1]) {
			mark[p] = 2;
			g->topo[(*nr)++] = p;
			depth--;
			continue;
		}
		to = g->to[next[p]++];
		if (mark[to] == 1)
			return recursion_error(s, path, depth, to);
		if (mark[to] == 2)
			continue;
		mark[to] = 1;
		next[to] = g->first[to];
		path[depth++] = to;
	}
	return 0;
}

static int sort_graph(const struct tn_structure *s, struct tn_callgraph *g)
{
	uint32_t nr_subprogs = s->prog->nr_subprogs, nr = 0;
	uint32_t *path = tn_alloc_array(s->rt, (size_t)nr_subprogs + 1, sizeof(*path));
	uint32_t *next = tn_alloc_array(s->rt, nr_subprogs, sizeof(*next));
	uint8_t *mark = tn_alloc_array(s->rt, nr_subprogs, sizeof(*mark));
	int err = path && next && mark ? 0 : -ENOMEM;

	/* The main program last, so that it comes first when the order is turned round. */
	for (uint32_t p = nr_subprogs; p > 0 && !err; p--) {
		if (!mark[p - 1])
			err = sort_from(s, g, p - 1, path, next, mark, &nr);
	}
	for (uint32_t i = 0; i < nr / 2; i++) {
		uint32_t swap = g->topo[i];

		g->topo[i] = g->topo[nr - 1 - i];
		g->topo[nr - 1 - i] = swap;
	}
	tn_free(s->rt, path);
	tn_free(s->rt, next);
	tn_free(s->rt, mark);
	return err;
}

int tn_callgraph_build(const struct tn_structure *s, const struct tn_callback_site *callbacks,
		       uint32_t nr_callbacks, struct tn_callgraph *g)
{
	int err = -ENOMEM;

	*g = (struct tn_callgraph){ 0 };
	g->first = tn_alloc_array(s->rt, (size_t)s->prog->nr_subprogs + 1, sizeof(*g->first));
	g->topo = tn_alloc_array(s->rt, s->prog->nr_subprogs, sizeof(*g->topo));
	if (g->first && g->topo)
		err = gather_edges(s, callbacks, nr_callbacks, g);
	if (!err)
		err = sort_graph(s, g);
	if (err)
		tn_callgraph_free(s->rt, g);
	return err;
}

int tn_structure_find_calls(struct tn_structure *s)
{
	uint32_t nr = s->prog->nr_subprogs;
	struct tn_callgraph g;
	int err;

	s->calls = tn_alloc_array(s->rt, nr, sizeof(*s->calls));
	if (!s->calls)
		return -ENOMEM;
	err = tn_callgraph_build(s, NULL, 0, &g);
	if (err)
		return err;
	s->topo = g.topo;
	s->callees = g.to;
	for (uint32_t p = 0; p < nr; p++) {
		struct tn_callgraph_node *node = &s->calls[p];

		node->first_callee = g.first[p];
		node->nr_callees = g.first[p + 1] - g.first[p];
		for (uint32_t i = s->prog->subprogs[p].start;
		     i < s->prog->subprogs[p].end && s->nr_tail_calls; i++) {
			uint32_t want = TN_SITE_TAIL_CALL | TN_SITE_REACHABLE;

			node->has_tail_call |= (s->sites[i].flags & want) == want;
		}
		node->may_tail_call = node->has_tail_call;
	}
	s->calls[0].reachable = s->calls[s->prog->exception_callback].reachable = true;
	for (uint32_t i = 0; i < nr; i++) {
		const struct tn_callgraph_node *node = &s->calls[s->topo[i]];

		for (uint32_t c = 0; c < node->nr_callees && node->reachable; c++)
			s->calls[s->callees[node->first_callee + c]].reachable = true;
	}
	for (uint32_t i = nr; i > 0; i--) {
		struct tn_callgraph_node *node = &s->calls[s->topo[i - 1]];

		for (uint32_t c = 0; c < node->nr_callees; c++)
			node->may_tail_call |=
				s->calls[s->callees[node->first_callee + c]].may_tail_call;
	}
	tn_free(s->rt, g.first);
	return 0;
}

/* ---- Stack ---- */

/* What stands on the stack below a subprogram on its deepest path. */
struct below {
	uint32_t bytes, frames;
	uint32_t bytes_via, frames_via; /* the caller on that path */
	bool reached;
};

static int stack_error(const struct tn_structure *s, const struct below *below, uint32_t p,
		       bool frames, const char *what)
{
	uint32_t path[64], nr = 0;

	/* The path is collected backwards; the deepest part is what matters when it is long. */
	for (uint32_t at = p; at != TN_NONE && nr < TN_ARRAY_SIZE(path); nr++) {
		path[nr] = at;
		at = frames ? below[at].frames_via : below[at].bytes_via;
	}
	for (uint32_t i = 0; i < nr / 2; i++) {
		uint32_t swap = path[i];

		path[i] = path[nr - 1 - i];
		path[nr - 1 - i] = swap;
	}
	return path_error(s, what, path, nr);
}

static int check_depth(const struct tn_structure *s, const struct below *below, uint32_t p,
		       uint32_t bytes, uint32_t max_bytes)
{
	const struct tn_limits *limits = &s->rt->limits;
	char what[160];

	if (bytes > limits->frame_bytes) {
		snprintf(what, sizeof(what), "stack frame of %u bytes, at most %u", bytes,
			 limits->frame_bytes);
		return stack_error(s, below, p, false, what);
	}
	if (below[p].frames + 1 > limits->max_frames) {
		snprintf(what, sizeof(what), "calls nested %u deep, at most %u frames",
			 below[p].frames + 1, limits->max_frames);
		return stack_error(s, below, p, true, what);
	}
	if (p && s->calls[p].has_tail_call && below[p].bytes >= TAIL_CALL_CALLERS_BYTES) {
		snprintf(what, sizeof(what),
			 "tail call where callers have %u bytes of stack, must be below %u",
			 below[p].bytes, TAIL_CALL_CALLERS_BYTES);
		return stack_error(s, below, p, false, what);
	}
	if (max_bytes && below[p].bytes + bytes > max_bytes) {
		snprintf(what, sizeof(what), "combined stack of %u bytes, at most %u",
			 below[p].bytes + bytes, max_bytes);
		return stack_error(s, below, p, false, what);
	}
	return 0;
}

static void pass_down(const struct tn_callgraph *g, struct below *below, uint32_t p, uint32_t bytes)
{
	uint32_t sum = below[p].bytes + bytes, frames = below[p].frames + 1;

	for (uint32_t i = g->first[p]; i < g->first[p + 1]; i++) {
		struct below *to = &below[g->to[i]];

		if (!to->reached || sum > to->bytes) {
			to->bytes = sum;
			to->bytes_via = p;
		}
		if (!to->reached || frames > to->frames) {
			to->frames = frames;
			to->frames_via = p;
		}
		to->reached = true;
	}
}

int tn_structure_stack(const struct tn_structure *s, const uint32_t *frame_bytes,
		       const struct tn_callback_site *callbacks, uint32_t nr_callbacks,
		       uint32_t max_bytes, uint32_t *deepest_bytes, uint32_t *deepest_frames)
{
	struct below *below = tn_alloc_array(s->rt, s->prog->nr_subprogs, sizeof(*below));
	struct tn_callgraph g;
	int err;

	*deepest_bytes = *deepest_frames = 0;
	if (!below)
		return tn_err_nomem("stack depths");
	err = tn_callgraph_build(s, callbacks, nr_callbacks, &g);
	if (err) {
		tn_free(s->rt, below);
		return err == -ENOMEM ? tn_err_nomem("call graph") : err;
	}
	below[0] = (struct below){ .bytes_via = TN_NONE, .frames_via = TN_NONE, .reached = true };
	/* It runs when all other frames are gone. */
	below[s->prog->exception_callback] = below[0];
	for (uint32_t i = 0; i < s->prog->nr_subprogs && !err; i++) {
		uint32_t p = g.topo[i], bytes = TN_ROUND_UP(frame_bytes[p], 8u);

		if (!below[p].reached)
			continue;
		err = check_depth(s, below, p, bytes, max_bytes);
		*deepest_bytes = TN_MAX(*deepest_bytes, below[p].bytes + bytes);
		*deepest_frames = TN_MAX(*deepest_frames, below[p].frames + 1);
		pass_down(&g, below, p, bytes);
	}
	tn_callgraph_free(s->rt, &g);
	tn_free(s->rt, below);
	return err;
}
