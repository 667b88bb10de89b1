/* SPDX-License-Identifier: MIT */
/*
 * Iterators of the host over its objects: three functions of the host, which make one, give its
 * next element, and destroy it. Where the plugin has its iterator, in its stack, stands the address
 * of the host's: that one lies in the list of what the program holds (vm/held.h), which is still
 * there when the program ended early and its frames are gone, and nobody moves it. So each call
 * goes through here. What else is kept to, whatever the host's functions do: after NULL there are
 * no more elements, nothing is asked of an iterator that was not made, and where TN_MAX_HELD_ITERS
 * are held a further one is not made (-ENOMEM).
 */
#ifndef TN_VM_HELD_ITER_H
#define TN_VM_HELD_ITER_H

#include "vm/signature.h"

/* A helper whose signature and invoke() are set: calls go through here if it is one of the three.
 */
void tn_held_iter_init(struct tn_host_helper *helper);

#endif
