/* SPDX-License-Identifier: MIT */
/*
 * The protocol of maps/lpm*.c between lookups without locks and two writers, in every interleaving
 * of single memory accesses: what is published when, what is shared by an old and a new build, and
 * when memory may be used again. Values are of two words.
 *
 * Two prefixes that both hold the key that is looked up. P is among the elements of the root;
 * writer 1 replaces it, each time by a higher version and by a new root with the old one's children.
 * Q, the longer one, is below the root; writer 2 puts it in as a leaf, forks it into a node, replaces
 * it within that node, makes it a leaf again and takes it out. What was replaced may be used again
 * when every lookup that was under way then has ended (the epochs, which epoch.pml checks), and is
 * spoiled when it is.
 *
 * What a lookup may count on, as in the kernel: it finds an element that was in the trie at some time
 * since it began, with a whole value; and no longer prefix than that was there all the time. (It may
 * find a P that was replaced since, where Q was taken out after that: no moment need have had just
 * that answer.)
 *
 * The variants that each leave one thing out must be found wrong. The runs that pass have 0.7 and 4.5
 * million states.
 *
 * RUN pass
 * RUN pass -DREADERS=2 -DREPLACES=1 -DLOOKUPS=1
 * RUN fail -DFREE_AT_ONCE
 * RUN fail -DRETIRE_BEFORE_UNLINK
 * RUN fail -DPUBLISH_BEFORE_FILL
 * RUN fail -DTWO_STORES
 * RUN fail -DNO_LOCK
 */

#ifndef READERS
#define READERS 1
#endif
#ifndef REPLACES
#define REPLACES 2 /* of P */
#endif
#ifndef LOOKUPS
#define LOOKUPS 2
#endif

#define NODES  5
#define ELEMS  6	/* numbers from 1 */
#define SPOILT 255
#define NODE   10	/* and its number: a word that leads to a node; below: to a leaf */

byte root;
byte result[NODES], child[NODES];	/* of the one value of the byte that is looked at */
byte prefix[ELEMS], value0[ELEMS], value1[ELEMS];
bool locked;

/* Blocks: 0 free, 1 in use, 2 waiting for the lookups in the mask. */
byte node_is[NODES], elem_is[ELEMS], node_waits[NODES], elem_waits[ELEMS];
byte inside;	/* a bit for each reader */

/* What is true at rest, for the assertions. */
byte p_started, p_done;	/* versions */
byte q_started, q_done;
byte comes, came;	/* of Q: put in and taken out; there when odd */

#define P 1
#define Q 2

inline new_node(n)
{
	atomic {
		n = 0;
		do
		:: n < NODES && (node_is[n] == 0 || (node_is[n] == 2 && node_waits[n] == 0)) -> break
		:: n < NODES && !(node_is[n] == 0 || (node_is[n] == 2 && node_waits[n] == 0)) -> n++
		:: n == NODES -> inside == 0 -> n = 0
		od;
		node_is[n] = 1;
		result[n] = SPOILT;
		child[n] = SPOILT
	}
}

inline new_elem(e, p, version)
{
	atomic {
		e = 1;
		do
		:: e < ELEMS && (elem_is[e] == 0 || (elem_is[e] == 2 && elem_waits[e] == 0)) -> break
		:: e < ELEMS && !(elem_is[e] == 0 || (elem_is[e] == 2 && elem_waits[e] == 0)) -> e++
		:: e == ELEMS -> inside == 0 -> e = 1
		od;
		elem_is[e] = 1;
		value0[e] = SPOILT;
		value1[e] = SPOILT
	}
	prefix[e] = p;
	value0[e] = version;
	value1[e] = version
}

inline retire_node(n)
{
	atomic {
		node_is[n] = 2;
#ifdef FREE_AT_ONCE
		node_waits[n] = 0;
#else
		node_waits[n] = inside;
#endif
	}
}

inline retire_elem(e)
{
	atomic {
		elem_is[e] = 2;
#ifdef FREE_AT_ONCE
		elem_waits[e] = 0;
#else
		elem_waits[e] = inside;
#endif
	}
}

inline take_lock()
{
#ifdef NO_LOCK
	skip
#else
	atomic { !locked -> locked = true }
#endif
}

inline give_lock()
{
#ifdef NO_LOCK
	skip
#else
	locked = false
#endif
}

proctype replaces_p()
{
	byte e, n, old, old_elem, i;

	do
	:: i == REPLACES -> break
	:: else ->
		take_lock();
		old = root;
		old_elem = result[old];
		new_elem(e, P, p_done + 1);
		new_node(n);
		p_started = p_done + 1;
#ifdef RETIRE_BEFORE_UNLINK
		retire_elem(old_elem);
		retire_node(old);
#endif
#ifdef PUBLISH_BEFORE_FILL
		root = n;
#endif
		result[n] = e;
		child[n] = child[old];
#ifndef PUBLISH_BEFORE_FILL
		root = n;
#endif
		p_done = p_started;
#ifndef RETIRE_BEFORE_UNLINK
		retire_elem(old_elem);
		retire_node(old);
#endif
		give_lock();
		i++
	od
}

proctype changes_q()
{
	byte e, n, old;

	/* A leaf. */
	take_lock();
	new_elem(e, Q, 1);
	atomic { q_started = 1; comes = 1 }
	child[root] = e;
	atomic { q_done = 1; came = 1 }
	give_lock();

	/* Another element beside it, which the key is not in: a node of both. */
	take_lock();
	new_node(n);
	result[n] = 0;
	child[n] = e;
#ifdef TWO_STORES
	child[root] = 0;
#endif
	child[root] = NODE + n;
	give_lock();

	/* Replaced where it hangs, in a node that old and new roots share. */
	take_lock();
	old = e;
	new_elem(e, Q, 2);
	q_started = 2;
	child[n] = e;
	q_done = 2;
	retire_elem(old);
	give_lock();

	/* Alone again. */
	take_lock();
	child[root] = e;
	retire_node(n);
	give_lock();

	take_lock();
	comes = 2;
	child[root] = 0;
	came = 2;
	retire_elem(e);
	give_lock()
}

proctype looks_up(byte me)
{
	byte n, word, best, p_before, q_before, came_before, v0, v1, i;

	do
	:: i == LOOKUPS -> break
	:: else ->
		atomic {
			inside = inside | me;
			p_before = p_done;
			q_before = q_done;
			came_before = came;
			best = 0
		}
		n = root;
		do
		:: true ->
			word = result[n];
			assert(word != SPOILT);
			if
			:: word -> best = word
			:: else
			fi;
			word = child[n];
			assert(word != SPOILT);
			if
			:: word >= NODE -> n = word - NODE
			:: word > 0 && word < NODE -> best = word; break
			:: else -> break
			fi
		od;
		assert(best);
		v0 = value0[best];
		v1 = value1[best];
		atomic {
			assert(v0 == v1);
			if
			:: prefix[best] == P ->
				assert(p_before <= v0 && v0 <= p_started);
				/* Q was not there all the time. */
				assert(!(came_before == 1 && comes == 1))
			:: else ->
				assert(q_before <= v0 && v0 <= q_started);
				assert(!(came_before == 2) && comes >= 1)
			fi;
			inside = inside & ~me;
			for (n : 0 .. NODES - 1) {
				node_waits[n] = node_waits[n] & ~me
			}
			for (n : 1 .. ELEMS - 1) {
				elem_waits[n] = elem_waits[n] & ~me
			}
			n = 0;
			word = 0;
			v0 = 0;
			v1 = 0
		}
		i++
	od
}

init
{
	atomic {
		prefix[1] = P;
		value0[1] = 1;
		value1[1] = 1;
		elem_is[1] = 1;
		result[0] = 1;
		node_is[0] = 1;
		p_started = 1;
		p_done = 1;
		run replaces_p();
		run changes_q();
		run looks_up(1);
#if READERS > 1
		run looks_up(2);
#endif
	}
}
