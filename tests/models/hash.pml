/* SPDX-License-Identifier: MIT */
/*
 * The protocol of maps/hash.c between readers without locks and two writers, in every interleaving
 * of single memory accesses. Control bytes are read one by one, keys and values in two words.
 *
 * Two groups of two slots. Key A is at home in group 0 and always there; writer 1 replaces it, each
 * time by a higher version. Another element takes the first slot of group 0, so that A wanders: its
 * first replacement moves it home, the next past the full group. Key B is at home in group 1;
 * writer 2 inserts and deletes it. CROWDED: yet another element in group 1, so that B takes the last
 * empty slot of the table, past its home, and A waits until it is gone. SAME_GROUP: nothing but A in
 * group 0, so that it is replaced within the group. Removed elements are reused at once, harder than
 * their tickets allow, and a ticket, which is stored over the first word of the key, is as bad as it
 * can be: the same word of the other key. All control bytes of live elements are equal, so that
 * readers compare every key.
 *
 * A reader searches twice: for A, which it must find, with a whole value that is not older than what
 * was complete when it began; or for B, which must be there or not as writer 2 left it, when that
 * did nothing meanwhile; or for C, a key made of one word of A and one of B, which it must never
 * find.
 *
 * x86 keeps loads in order and stores in order, and the fences in hash_group.h ask the same of
 * others, so interleavings are all there is to check: readers do not store.
 *
 * The variants that each leave one thing out must be found wrong. (Raising the count of a group
 * after publishing, or lowering it before removing, is not among them: the numbers on the path
 * catch it. The order in hash.c is there for readers of a key that is inserted or deleted just then,
 * which are to see it come and go once.)
 *
 * RUN pass -DLOOK_FOR_A
 * RUN pass -DLOOK_FOR_A -DCROWDED
 * RUN pass -DLOOK_FOR_A -DSAME_GROUP
 * RUN pass -DLOOK_FOR_B -DCROWDED
 * RUN pass -DLOOK_FOR_C
 * RUN fail -DLOOK_FOR_C -DNO_HIT_RECHECK -DNO_COPY_RECHECK
 * RUN fail -DLOOK_FOR_A -DNO_COPY_RECHECK
 * RUN fail -DLOOK_FOR_A -DNO_PATH_RECHECK
 * RUN fail -DLOOK_FOR_A -DREMOVE_BEFORE_PUBLISH
 * RUN fail -DLOOK_FOR_A -DSAME_GROUP -DONE_NUMBER_FOR_TWO_BYTES
 * RUN fail -DLOOK_FOR_A -DSAME_GROUP -DTICKET_BEFORE_NUMBER
 */

#define SLOTS	4
#define GROUP(slot) ((slot) / 2)
#define NOWHERE SLOTS

#ifndef REPLACES
#define REPLACES 3
#endif
#ifndef TOGGLES
#define TOGGLES 2	/* of B: insert, delete */
#endif

#ifdef SAME_GROUP
#define FIRST_OF_A 0
#else
#define FIRST_OF_A 2
#endif

/* Keys: two words each. */
#define A 1
#define B 2
#define X 3

byte key0[SLOTS], key1[SLOTS];
byte value0[SLOTS], value1[SLOTS];
bit ctrl[SLOTS];
byte seq[2];
byte passed[2];
bit lock[2];

/* What is true at rest, for the assertions. */
byte a_started, a_done;	/* versions of A */
byte b_started, b_done; /* toggles of B: there when odd */

inline take(g)
{
	atomic { lock[g] == 0 -> lock[g] = 1 }
}

inline try_take(g, got)
{
	atomic {
		if
		:: lock[g] == 0 -> lock[g] = 1; got = true
		:: else -> got = false
		fi
	}
}

/* An empty slot on the path that starts in `home`, its group locked besides `home` and `held`;
 * NOWHERE: start over. */
inline find_empty(home, held, slot)
{
	slot = NOWHERE;
	if
	:: ctrl[2 * home] == 0 -> slot = 2 * home
	:: ctrl[2 * home + 1] == 0 -> slot = 2 * home + 1
	:: else ->
		if
		:: held != 1 - home -> try_take(1 - home, got)
		:: else -> got = true
		fi;
		if
		:: got ->
			if
			:: ctrl[2 * (1 - home)] == 0 -> slot = 2 * (1 - home)
			:: ctrl[2 * (1 - home) + 1] == 0 -> slot = 2 * (1 - home) + 1
			:: else ->
				if
				:: held != 1 - home -> lock[1 - home] = 0
				:: else
				fi
			fi
		:: else
		fi
	fi
}

inline write_elem(slot, key, value)
{
	key0[slot] = key;
	key1[slot] = key;
	value0[slot] = value;
	value1[slot] = value
}

inline raise(home, slot)
{
	if
	:: GROUP(slot) != home -> passed[home]++
	:: else
	fi
}

inline lower(home, slot)
{
	if
	:: GROUP(slot) != home -> passed[home]--
	:: else
	fi
}

/* Under an odd number of its group. */
inline set_waiting(slot)
{
	ctrl[slot] = 0;
	key0[slot] = A + B - key0[slot]
}

inline publish(home, slot)
{
	raise(home, slot);
	seq[GROUP(slot)]++;
	ctrl[slot] = 1;
	seq[GROUP(slot)]++
}

inline unpublish(home, slot)
{
	seq[GROUP(slot)]++;
	set_waiting(slot);
	seq[GROUP(slot)]++;
	lower(home, slot)
}

inline publish_instead(home, new, old)
{
	if
	:: GROUP(new) == GROUP(old) ->
#ifdef ONE_NUMBER_FOR_TWO_BYTES
		/* No odd number while the two bytes differ from either state. */
		ctrl[old] = 0;
		ctrl[new] = 1;
		seq[GROUP(new)] = seq[GROUP(new)] + 2
#elif defined(TICKET_BEFORE_NUMBER)
		key0[old] = B;
		seq[GROUP(new)]++;
		ctrl[new] = 1;
		ctrl[old] = 0;
		seq[GROUP(new)]++
#else
		seq[GROUP(new)]++;
		ctrl[new] = 1;
		set_waiting(old);
		seq[GROUP(new)]++
#endif
	:: else ->
#ifdef REMOVE_BEFORE_PUBLISH
		unpublish(home, old);
		publish(home, new)
#else
		publish(home, new);
		unpublish(home, old)
#endif
	fi
}

inline unlock_both(home, g)
{
	if
	:: g != home -> lock[g] = 0
	:: else
	fi
}

proctype Replace_A()
{
	byte at = FIRST_OF_A, to, version = 1;
	bool got;

	do
	:: version > REPLACES -> break
	:: else ->
		a_started = version;
restart:
		take(0);
		if
		:: GROUP(at) != 0 -> try_take(1, got)
		:: else -> got = true
		fi;
		if
		:: !got -> lock[0] = 0; goto restart
		:: else
		fi;
		find_empty(0, GROUP(at), to);
		if
		:: to == NOWHERE ->
			unlock_both(0, GROUP(at));
			lock[0] = 0;
			goto restart
		:: else
		fi;
		write_elem(to, A, version);
		publish_instead(0, to, at);
		if
		:: GROUP(to) != 0 || GROUP(at) != 0 -> lock[1] = 0
		:: else
		fi;
		lock[0] = 0;
		d_step {
			at = to;
			a_done = version;
			version++
		}
	od
}

proctype Toggle_B()
{
	byte at, n = 1;
	bool got;

	do
	:: n > TOGGLES -> break
	:: else ->
		b_started = n;
restart:
		take(1);
		if
		:: n % 2 == 1 ->
			find_empty(1, 1, at);
			if
			:: at == NOWHERE -> lock[1] = 0; goto restart
			:: else
			fi;
			write_elem(at, B, 100 + n);
			publish(1, at)
		:: else ->
			if
			:: GROUP(at) != 1 -> try_take(0, got)
			:: else -> got = true
			fi;
			if
			:: !got -> lock[1] = 0; goto restart
			:: else
			fi;
			unpublish(1, at)
		fi;
		unlock_both(1, GROUP(at));
		lock[1] = 0;
		d_step { b_done = n; n++ }
	od
}

/* Search for the key (k0, k1) at home in `home`; found says how it ended, v0 and v1 are a copy. */
inline search(home, k0, k1)
{
	skip;
again:
	found = false;
	g = home;
	do
	:: atomic { seq[g] % 2 == 0 -> begin = seq[g] };
		live0 = ctrl[2 * g];
		live1 = ctrl[2 * g + 1];
		i = 0;
		do
		:: i == 2 -> break
		:: i < 2 && ((i == 0 && live0) || (i == 1 && live1)) ->
			w0 = key0[2 * g + i];
			w1 = key1[2 * g + i];
			if
			:: w0 == k0 && w1 == k1 ->
#ifndef NO_HIT_RECHECK
				if
				:: seq[g] != begin -> goto again
				:: else
				fi;
#endif
				v0 = value0[2 * g + i];
				v1 = value1[2 * g + i];
#ifndef NO_COPY_RECHECK
				if
				:: seq[g] != begin -> goto again
				:: else
				fi;
#endif
				found = true;
				goto done
			:: else -> i++
			fi
		:: else -> i++
		od;
		count = passed[g];
		if
		:: seq[g] != begin -> goto again
		:: else
		fi;
		if
		:: g == home && count > 0 ->
			home_begin = begin;
			g = 1 - home
		:: else -> break
		fi
	od;
#ifndef NO_PATH_RECHECK
	if
	:: g != home && (seq[home] != home_begin || seq[g] != begin) -> goto again
	:: else
	fi;
#endif
done:
	skip
}

proctype Reader()
{
	byte g, i, begin, home_begin, w0, w1, v0, v1, count, before, rounds = 0;
	bit live0, live1;
	bool found, quiet;

next:
	if
	:: rounds == 2 -> goto stop
	:: else -> rounds++
	fi;
#ifdef LOOK_FOR_A
	before = a_done;
	search(0, A, A);
	assert(found);
	assert(v0 == v1);
	assert(v0 >= before && v0 <= a_started);
#endif
#ifdef LOOK_FOR_B
	d_step { before = b_started; quiet = (b_done == b_started) };
	search(1, B, B);
	assert(!found || (v0 == v1 && v0 > 100 && v0 % 2 == 1));
	/* Writer 2 rested from before the search to its end. */
	assert(!quiet || before != b_started || found == (before % 2 == 1));
#endif
#ifdef LOOK_FOR_C
	search(0, A, B);
	assert(!found);
#endif
	goto next;
stop:
	skip
}

init {
	atomic {
#ifndef SAME_GROUP
		/* As if group 0 had been full when A was inserted. */
		key0[0] = X; key1[0] = X; ctrl[0] = 1;
		passed[0] = 1;
#endif
#ifdef CROWDED
		key0[3] = X; key1[3] = X; ctrl[3] = 1;
#endif
		key0[FIRST_OF_A] = A; key1[FIRST_OF_A] = A; ctrl[FIRST_OF_A] = 1;
		run Replace_A();
		run Toggle_B();
		run Reader()
	}
}
