/* SPDX-License-Identifier: MIT */
/*
 * How LRU maps make room (maps/hash.c): an insert into a full map drops an element, beside lookups,
 * updates and deletes of that element and beside another insert that drops one, in every
 * interleaving of single memory accesses. What readers see of a group whose bytes change is the
 * matter of hash.pml: here a lookup is three reads, checked by the group's number.
 *
 * Two groups of two slots, four elements at most live are two: the map is full with A and B. A is at
 * home in group 0 and lies there, or, with BEYOND, past it in group 1; B is at home in group 1. An
 * inserter brings C, at home in group 0, or D, at home in group 1 (FROM_AFAR; TWO: both). It holds its home
 * group's lock, looks for a victim there first, then where the hand stands: the victim's group and
 * the victim's home group are only tried, and it starts over where they are taken. The count stays,
 * because the victim's place in it becomes the new element's. Another thread updates A (UPDATE), in
 * place of an older copy, or deletes it (DELETE), which lowers the count, under the lock of A's home
 * group. Levels of use are a hint that may be read at any value: a victim is any live element.
 *
 * It must hold at every moment that no key is live twice, but while an update has published its new
 * copy and not yet removed the old one, and at the end that as many are live as the count says, at
 * most two; that what was brought is there unless another insert dropped it; that A, once deleted or
 * dropped, is not there again; that whoever found A read a whole value of A; and that each group
 * counts exactly the live elements that passed it.
 *
 * The variants that each leave one thing out must be found wrong.
 *
 * RUN pass -DUPDATE
 * RUN pass -DDELETE
 * RUN pass -DUPDATE -DBEYOND
 * RUN pass -DDELETE -DBEYOND
 * RUN pass -DUPDATE -DBEYOND -DFROM_AFAR
 * RUN pass -DDELETE -DBEYOND -DFROM_AFAR
 * RUN pass -DTWO
 * RUN pass -DTWO -DBEYOND
 * RUN pass -DTWO -DDELETE
 * RUN fail -DUPDATE -DBEYOND -DFROM_AFAR -DNO_HOME_LOCK
 * RUN fail -DTWO -DNO_GROUP_LOCK
 * RUN fail -DDELETE -DNO_COUNT_KEPT
 * RUN fail -DUPDATE -DNO_NUMBER
 */

#define SLOTS	 6
#define PER	 3
#define GROUP(s) ((s) / PER)
#define NOWHERE	 SLOTS
#define MAX	 2

#define A 1
#define B 2
#define C 3
#define D 4
#define HOME(k) ((k) == B || (k) == D)

#ifdef BEYOND
#define FIRST_OF_A PER
#else
#define FIRST_OF_A 0
#endif
#define FIRST_OF_B (PER + 1)

byte key[SLOTS], value[SLOTS];
bit live[SLOTS];
byte seq[2], passed[2];
bit lock[2];
byte count = MAX;
byte copies[5];	  /* live ones of each key */
bool a_gone;	  /* A was dropped or deleted */
bool dropped[5];

inline take(g)
{
	atomic { lock[g] == 0 -> lock[g] = 1 }
}

/* `got`: locked now, or held before. */
inline try_further(g, held1, held2, got)
{
	atomic {
		if
		:: g == held1 || g == held2 -> got = true
		:: else ->
			if
			:: lock[g] == 0 -> lock[g] = 1; got = true
			:: else -> got = false
			fi
		fi
	}
}

inline drop_further(g, held1, held2)
{
	if
	:: g != held1 && g != held2 -> lock[g] = 0
	:: else
	fi
}

inline set_live(s, k)
{
#ifndef NO_NUMBER
	seq[GROUP(s)]++;
#endif
	d_step { live[s] = 1; copies[k]++ };
#ifndef NO_NUMBER
	seq[GROUP(s)]++
#else
	skip
#endif
}

/* The slot may be reused at once, which is harder than its ticket allows; the key's place has the
 * ticket. */
inline set_waiting(s, k)
{
#ifndef NO_NUMBER
	seq[GROUP(s)]++;
#endif
	d_step { live[s] = 0; copies[k]-- };
	key[s] = 0;
#ifndef NO_NUMBER
	seq[GROUP(s)]++
#else
	skip
#endif
}

/* An element leaves: its group and its home group are locked. */
inline unpublish(s, k)
{
	set_waiting(s, k);
	if
	:: GROUP(s) != HOME(k) -> passed[HOME(k)]--
	:: else
	fi
}

/* A slot that is not live in `home`, which is locked, else in the other group, tried. */
inline find_slot(home, held, s, got)
{
	s = NOWHERE;
	if
	:: !live[home * PER] -> s = home * PER
	:: live[home * PER] && !live[home * PER + 1] -> s = home * PER + 1
	:: live[home * PER] && live[home * PER + 1] && !live[home * PER + 2] -> s = home * PER + 2
	:: else
	fi
}

/* An element of group g, locked or held, that is live and whose home group can be had, is dropped. */
inline drop_one_of(g, held, done)
{
	done = false;
	if
	:: v = g * PER
	:: v = g * PER + 1
	:: v = g * PER + 2
	fi;
	if
	:: live[v] ->
		k = key[v];
		if
		:: k == 0 -> skip
		:: else ->
#ifndef NO_HOME_LOCK
			try_further(HOME(k), g, held, got);
#else
			got = true;
#endif
			if
			:: got ->
				assert(live[v]);
				unpublish(v, k);
				d_step {
					dropped[k] = true;
					a_gone = a_gone || k == A
				};
#ifndef NO_HOME_LOCK
				drop_further(HOME(k), g, held);
#endif
				done = true
			:: else
			fi
		fi
	:: else
	fi
}

proctype Insert(byte mine)
{
	byte v, k, s, home, hand, c;
	bool got, done;

	home = HOME(mine);
restart:
	take(home);
	/* A place in the count: free, or that of an element that goes. */
	c = count;
	if
	:: c < MAX ->
		atomic {
			if
			:: count == c -> count = c + 1; done = true
			:: else -> done = false
			fi
		};
		if
		:: !done -> lock[home] = 0; goto restart
		:: else
		fi
	:: else ->
		drop_one_of(home, home, done);
		if
		:: !done ->
			hand = 1 - home;
#ifndef NO_GROUP_LOCK
			try_further(hand, home, home, got);
#else
			got = true;
#endif
			if
			:: got ->
				drop_one_of(hand, home, done);
#ifndef NO_GROUP_LOCK
				drop_further(hand, home, home)
#endif
			:: else
			fi
		:: else
		fi;
		if
		:: !done -> lock[home] = 0; goto restart
		:: else
		fi;
#ifdef NO_COUNT_KEPT
		count--
#endif
	fi;
	find_slot(home, home, s, got);
	/* Groups of three with two elements, old copies besides: one is free, or will be. */
	if
	:: s == NOWHERE -> count--; lock[home] = 0; goto restart
	:: else
	fi;
	value[s] = 10 * mine;
	key[s] = mine;
	set_live(s, mine);
	lock[home] = 0
}

/* Under the lock of A's home group it stands still, unless it is dropped, which takes that lock. */
inline find_a(at)
{
	at = NOWHERE;
	if
	:: live[0] && key[0] == A -> at = 0
	:: live[1] && key[1] == A -> at = 1
	:: live[2] && key[2] == A -> at = 2
	:: !(live[0] && key[0] == A) && !(live[1] && key[1] == A) && !(live[2] && key[2] == A) ->
		if
		:: passed[0] == 0
		:: passed[0] > 0 ->
			i = PER;
			do
			:: i < SLOTS && at == NOWHERE ->
				if
				:: live[i] && key[i] == A -> at = i
				:: else
				fi;
				i++
			:: else -> break
			od
		fi
	fi
}

/* Replaces A by a newer copy, or deletes it. */
proctype Change_A()
{
	byte at, s, i;
	bool got;

restart:
	take(0);
	find_a(at);
	if
	:: at == NOWHERE -> lock[0] = 0; goto stop
	:: else
	fi;
	try_further(GROUP(at), 0, 0, got);
	if
	:: !got -> lock[0] = 0; goto restart
	:: else
	fi;
	assert(live[at] && key[at] == A);
#ifdef UPDATE
	find_slot(0, GROUP(at), s, got);
	if
	:: s == NOWHERE ->
		drop_further(GROUP(at), 0, 0);
		lock[0] = 0;
		goto restart
	:: else
	fi;
	value[s] = 10 * A + 1;
	key[s] = A;
	set_live(s, A);
	unpublish(at, A);
#else
	unpublish(at, A);
	a_gone = true;
	/* Behind it, as in remove_locked(): the place is free once the element is gone. */
	count--;
#endif
	drop_further(GROUP(at), 0, 0);
	lock[0] = 0;
stop:
	skip
}

/* A lookup of A: a value that is whole, of a copy that was live all the time; a gone one stays so. */
proctype Look()
{
	byte s, begin, k, v;
	bit l;
	bool was_gone;

	if
	:: s = 0
	:: s = 1
	:: s = PER
	fi;
	was_gone = a_gone;
	begin = seq[GROUP(s)];
	l = live[s];
	k = key[s];
	v = value[s];
	if
	:: l && k == A && begin % 2 == 0 && seq[GROUP(s)] == begin ->
		assert(v / 10 == A);
		assert(!was_gone)
	:: else
	fi
}

/* At every moment. */
active proctype Watch()
{
	assert(copies[A] <= 2 && copies[B] <= 1 && copies[C] <= 1 && copies[D] <= 1 &&
	       count <= MAX)
}

/* When all are done. */
active proctype Last()
{
	byte there;

	_nr_pr == 2 + 1 || _nr_pr == 2;
	timeout;
	d_step {
		there = copies[A] + copies[B] + copies[C] + copies[D];
		assert(copies[A] <= 1 && there == count && there <= MAX);
		assert(!(a_gone && copies[A]));
#ifndef FROM_AFAR
		assert(copies[C] || dropped[C]);
#endif
#if defined(TWO) || defined(FROM_AFAR)
		assert(copies[D] || dropped[D]);
#endif
		assert(lock[0] == 0 && lock[1] == 0);
		assert(passed[0] == ((live[3] && key[3] == A) || (live[4] && key[4] == A) ||
				     (live[5] && key[5] == A)));
		assert(passed[1] == 0)
	}
}

init {
	atomic {
		key[FIRST_OF_A] = A; value[FIRST_OF_A] = 10 * A; live[FIRST_OF_A] = 1;
		key[FIRST_OF_B] = B; value[FIRST_OF_B] = 10 * B; live[FIRST_OF_B] = 1;
		copies[A] = 1; copies[B] = 1;
#ifdef BEYOND
		passed[0] = 1;
#endif
#ifdef FROM_AFAR
		run Insert(D);
#else
		run Insert(C);
#endif
#ifdef TWO
		run Insert(D);
#endif
#if defined(UPDATE) || defined(DELETE)
		run Change_A();
#endif
		run Look()
	}
}
