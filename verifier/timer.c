/* SPDX-License-Identifier: MIT */
/*
 * Timers in map values. Which function a timer calls is said by bpf_timer_set_callback(); it runs
 * later, with the map, the key and the value that the timer stands in, and nothing else is known
 * then. So each function is walked once for each map, as a program of its own that returns 0.
 */
#include "verifier/timer.h"

#include <errno.h>

#include "verifier/callee.h"
#include "verifier/throw.h"
#include "vm/kfuncs.h"

struct tn_timer_root {
	uint32_t subprog;
	const struct tn_map *map;
	bool walked;
};

int tn_check_timer_arg(struct tn_vf *vf, struct tn_callee *c, uint32_t i)
{
	const struct tn_reg *r = tn_vf_reg(vf, TN_R1 + i);
	bool wq = c->id >= TN_KFUNC_BASE;
	const struct tn_map_special *timer;
	uint64_t at;

	if (r->kind != TN_REG_VALUE || r->low || r->nullable)
		return tn_refuse_arg(vf, c, i,
				     wq ? "the bpf_wq of a map's value"
					: "the timer of a map's value");
	timer = tn_map_special_of(r->obj, wq ? TN_SPECIAL_WQ : TN_SPECIAL_TIMER);
	if (!timer)
		return tn_refuse_arg(vf, c, i,
				     wq ? "the struct bpf_wq of a value, and this map's value has "
					  "none that its BTF tells of"
					: "the struct bpf_timer of a value, and this map's value "
					  "has none that its BTF tells of");
	if (!tn_scalar_is_const(&r->v, &at) || at != timer->off)
		return tn_reject(vf, E_ARG, (int)(TN_R1 + i),
				 "the %s of %s is at offset %u, r%u points to %s",
				 wq ? "bpf_wq" : "timer", tn_memory_words(vf, r), timer->off,
				 TN_R1 + i, tn_offset_words(vf, r, 0));
	return 0;
}

/* The second argument is the map that the timer stands in. Of maps that another map holds it is not
 * known which one. */
static int check_init(struct tn_vf *vf, const struct tn_callee *c)
{
	const struct tn_reg *timer = tn_vf_reg(vf, TN_R1), *map = tn_vf_reg(vf, TN_R2);

	if (map->obj != timer->obj)
		return tn_refuse_arg(vf, c, 1, "the map whose value has the timer");
	if (tn_map_is_inner(vf, map->obj))
		return tn_reject(vf, E_UNSUPPORTED, TN_R2,
				 "timers in a map that another map holds");
	return 0;
}

static int set_callback(struct tn_vf *vf, const struct tn_callee *c)
{
	const struct tn_map *map = tn_vf_reg(vf, TN_R1)->obj;
	struct tn_timer_root *root;

	if (!c->func || c->func >= vf->prog->nr_subprogs)
		return tn_reject(vf, E_CALL, -1, "the main function can not be called back");
	if (tn_is_exception_callback(vf, c->func))
		return tn_throw_refuse_call(vf, c->func);
	if (map->key_size > TN_MAX_EACH_KEY)
		return tn_reject(vf, E_MAP, TN_R1,
				 "%s on map '%s', whose keys have more than %d bytes", c->name,
				 map->name, TN_MAX_EACH_KEY);
	for (uint32_t i = 0; i < vf->timers.nr; i++)
		if (vf->timers.v[i].subprog == c->func && vf->timers.v[i].map == map)
			return 0;
	root = tn_vec_push(vf->rt, &vf->timers);
	if (!root)
		return -ENOMEM;
	*root = (struct tn_timer_root){ .subprog = c->func, .map = map };
	return 0;
}

int tn_check_timer(struct tn_vf *vf, const struct tn_callee *c)
{
	if (c->id == TN_HELPER_timer_init || c->id == TN_KFUNC_wq_init)
		return check_init(vf, c);
	if (c->id == TN_HELPER_timer_set_callback || c->id == TN_KFUNC_wq_set_callback_impl)
		return set_callback(vf, c);
	return 0;
}

bool tn_timer_next(struct tn_vf *vf)
{
	struct tn_timer_root *root = NULL;
	struct tn_frame *f;

	for (uint32_t i = 0; i < vf->timers.nr && !root; i++)
		if (!vf->timers.v[i].walked)
			root = &vf->timers.v[i];
	if (!root)
		return false;
	root->walked = true;
	vf->in_timer = true;
	tn_vf_begin(vf);
	f = tn_state_push_frame(&vf->s, root->subprog, TN_NONE);
	tn_set_elem_args(vf, root->map, 0, f->r);
	vf->s.insn = vf->prog->subprogs[root->subprog].start;
	return true;
}

void tn_timer_mark_roots(const struct tn_vf *vf, bool *is_root)
{
	for (uint32_t i = 0; i < vf->timers.nr; i++)
		is_root[vf->timers.v[i].subprog] = true;
}

void tn_timer_free(struct tn_vf *vf)
{
	tn_vec_free(vf->rt, &vf->timers);
}

int tn_timer_exit(struct tn_vf *vf)
{
	const struct tn_reg *r0 = tn_vf_reg(vf, TN_R0);
	int err = tn_need_scalar(vf, TN_R0, "a timer's result");

	if (!err && r0->v.umax)
		err = tn_reject(vf, E_RETURN, TN_R0, "a timer's function returns 0, this one %s",
				tn_scalar_words(vf, &r0->v));
	if (!err)
		err = tn_ref_none_held(vf, "when a timer's function returns");
	if (!err)
		err = tn_lock_none_held(vf, "when a timer's function returns");
	vf->ended = true;
	return err;
}
