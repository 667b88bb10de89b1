/* SPDX-License-Identifier: MIT */
/*
 * What becomes of a program that ended early, as its hook wants it: the result that it counts as,
 * and the end of its link when it did so too often.
 */
#include "host-api/hook.h"

void tn_count_early_end(struct tenon_program *program, const struct tn_exec *ex)
{
	tn_add_relaxed(&program->aborted, 1);
	tn_store_relaxed(&program->last_reason, ex->abort == TN_ABORT_HOST ? ex->abort_reason : 0);
}

/* A firing waits for no lock: where another thread holds this one, the next early end tries again.
 */
static void give_up(struct tenon_link *link, const struct tenon_program *program)
{
	struct tenon_runtime *rt = link->rt;

	if (pthread_mutex_trylock(&rt->rt.lock))
		return;
	/* Detached meanwhile, or it has another program already: then nothing is to be done. */
	if (link->hook && link->program == program) {
		tn_logf(&rt->rt, TN_LOG_WARN,
			"program '%s' detached from hook '%s': it ended early %u times",
			program->prog->name, link->hook->name, link->hook->detach_after);
		tn_hook_detach_link(link);
		if (link->owner)
			tn_link_free(link);
	}
	tn_unlock(rt);
}

uint64_t tn_ended_early(const struct tn_chain *chain, const struct tn_chain_entry *e,
			struct tn_exec *ex, bool fair)
{
	bool counts = fair || ex->abort == TN_ABORT_HOST;

	tn_count_early_end(e->program, ex);
	ex->abort = TN_ABORT_NONE;
	if (counts && chain->detach_after &&
	    tn_add_relaxed(&e->link->early_ends, 1) + 1 >= chain->detach_after)
		give_up(e->link, e->program);
	return chain->early_end == TENON_EARLY_END_LAST_GOOD ? tn_load_relaxed(&e->link->last_good)
							     : chain->fallback;
}
