/* SPDX-License-Identifier: MIT */
/* bpf_spin_lock() and bpf_spin_unlock(); see maps/value_lock.h. A program that cannot have the lock
 * ends early, since time is bounded. */
#include "maps/value_lock.h"
#include "vm/helper_body.h"

TN_HELPER_BODY(, tn_helper_spin_lock)
{
	_Atomic uint32_t *lock = (_Atomic uint32_t *)(uintptr_t)r1;

	if (!tn_value_lock(lock, tn_value_lock_name(ex->slot), tn_value_lock_thread_name()))
		ex->abort = TN_ABORT_HOST;
	return 0;
}

TN_HELPER_BODY(, tn_helper_spin_unlock)
{
	tn_value_unlock((_Atomic uint32_t *)(uintptr_t)r1, tn_value_lock_name(ex->slot));
	return 0;
}
