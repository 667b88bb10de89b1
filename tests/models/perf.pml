/* SPDX-License-Identifier: MIT */
/*
 * A ring of maps/perf_array.c in overwrite mode: a producer that never waits, a reader that copies
 * the newest records, walks from the newest to older ones, and finds out by `claim` which copies
 * are whole.
 *
 * Stores are weaker than x86's: each goes into a pool and reaches memory some time later, in order
 * for one address, in any order for several. A fence and a locked instruction wait until the own
 * pool is empty. The producer sees its own stores (it only reads back what an exchange published).
 *
 * CELLS cells and as many again into which a record runs on. A record takes one cell, its header,
 * or two: then the second holds bytes of the program, which look like a header. Positions count
 * all cells that were ever written; the record that ends at e begins at the cell -e.
 *
 * DEATH: the producer vanishes at any step, its stores reach memory or do not, and another one goes
 * on with what is in memory, as in a forked child.
 *
 * Asserted: what the reader takes is a record that was published, whole, and no older than one
 * that it does not take; when the producer is done and all stores have reached memory, the reader
 * does not sleep while there is something new, and what it took and what it counts as lost are all
 * that were published.
 *
 * The variants that each leave one thing out must be found wrong.
 *
 * RUN pass
 * RUN pass -DDEATH -DRECORDS=4
 * RUN pass -DCELLS=3 -DDEATH -DRECORDS=4
 * RUN fail -DNO_WRITE_FENCE
 * RUN fail -DCLAIM_LATE
 * RUN fail -DNO_CLAIM
 * RUN fail -DLOOK_BEFORE_COPY
 * RUN fail -DHEADER_UNCHECKED
 * RUN fail -DONE_CELL_TOO_FAR
 * RUN fail -DPROD_BEFORE_RECORD
 * RUN fail -DPROD_STORED
 * RUN fail -DNO_LOOK_BEHIND
 * RUN fail -DDEATH -DCLAIM_FALLS -DRECORDS=4
 */

#ifndef CELLS
#define CELLS 4
#endif
#ifndef RECORDS
#define RECORDS 5
#endif
#define MOST  (2 * RECORDS + 1) /* positions */
#define CLAIM (2 * CELLS)
#define PROD  (CLAIM + 1)
#define WORDS (PROD + 1)

byte memory[WORDS];
byte cons; /* changed by locked instructions alone */
byte eventfd;
bit done;

#define AT(e)	     ((16 * CELLS - (e)) % CELLS)
#define HEADER(n, s) ((n) + 4 * (s))
#define LEN(h)	     ((h) % 4)
#define NR(h)	     ((h) / 4)
#define BYTES(s)     HEADER(2, (s) + 16)

/* What is true, by the position where a record ends. */
byte published[MOST];
byte nr_published;

chan pool = [8] of { byte, byte }; /* stores under way: where, what */

byte w_at, w_value; /* only used within one atomic step */

/* The oldest store to any one address. */
inline write_back()
{
	if
	:: pool ?? [0, w_value] -> w_at = 0
	:: pool ?? [1, w_value] -> w_at = 1
	:: pool ?? [2, w_value] -> w_at = 2
	:: pool ?? [3, w_value] -> w_at = 3
	:: pool ?? [4, w_value] -> w_at = 4
	:: pool ?? [5, w_value] -> w_at = 5
	:: pool ?? [6, w_value] -> w_at = 6
	:: pool ?? [7, w_value] -> w_at = 7
	:: pool ?? [eval(CLAIM), w_value] -> w_at = CLAIM
	:: pool ?? [eval(PROD), w_value] -> w_at = PROD
	fi;
	pool ?? eval(w_at), w_value;
	memory[w_at] = w_value;
	w_at = 0;
	w_value = 0
}

inline drain()
{
	do
	:: atomic { nempty(pool) -> write_back() }
	:: empty(pool) -> break
	od
}

proctype memory_system()
{
end:
	do
	:: atomic { nempty(pool) -> write_back() }
	od
}

#ifdef DEATH
#define MAY_DIE if :: !died -> goto dead :: skip fi
#else
#define MAY_DIE skip
#endif

proctype producer()
{
	byte prod, claim, size, nr, tries, at;
	bit died;

again:
	do
	:: tries == RECORDS -> break
	:: else ->
		tries++;
		if
		:: size = 1
		:: size = 2
		fi;
		/* The number behind the newest record's, which is whole: nothing is written yet. */
		nr = (prod -> NR(memory[AT(prod)]) + 1 : 0);
		at = AT(prod + size);
#if !defined(CLAIM_LATE) && !defined(NO_CLAIM)
		if
#ifdef CLAIM_FALLS
		:: claim != prod + size ->
#else
		:: claim < prod + size ->
#endif
			claim = prod + size;
			pool ! CLAIM, claim
		:: else
		fi;
#ifndef NO_WRITE_FENCE
		drain();
#endif
#endif
		MAY_DIE;
#ifdef PROD_BEFORE_RECORD
		drain();
		atomic {
			prod = prod + size;
			memory[PROD] = prod;
			published[prod] = HEADER(size, nr);
			nr_published++
		}
#endif
		pool ! at, HEADER(size, nr);
		MAY_DIE;
		if
		:: size == 2 -> pool ! at + 1, BYTES(nr)
		:: else
		fi;
		MAY_DIE;
#ifdef CLAIM_LATE
		claim = prod + size;
		pool ! CLAIM, claim;
#endif
#ifndef PROD_BEFORE_RECORD
#ifdef PROD_STORED
		/* In order, but without waiting for it. */
		drain();
		atomic {
			prod = prod + size;
			pool ! PROD, prod;
			published[prod] = HEADER(size, nr);
			nr_published++
		}
#else
		drain();
		atomic {
			prod = prod + size;
			memory[PROD] = prod;
			published[prod] = HEADER(size, nr);
			nr_published++
		}
#endif
#endif
		MAY_DIE;
		if
		:: cons == prod - size -> eventfd = 1
		:: else
		fi;
		size = 0;
		nr = 0;
		at = 0
	od;
	done = 1;
	goto finish;
#ifdef DEATH
dead:
	/* In the child, the reader begins with a look: its eventfd is new, and readable. */
	died = 1;
	do
	:: atomic { nempty(pool) -> write_back() }
	:: break
	od;
	atomic {
		do
		:: pool ? w_at, w_value
		:: empty(pool) -> break
		od;
		w_at = 0;
		w_value = 0;
		prod = memory[PROD];
		claim = memory[CLAIM];
		eventfd = 1;
		size = 0;
		nr = 0;
		at = 0
	}
	goto again;
#endif
finish:
	skip
}

#ifdef NO_CLAIM
#define CLAIMED memory[PROD]
#else
#define CLAIMED memory[CLAIM]
#endif
#ifdef ONE_CELL_TOO_FAR
#define REACH (CELLS + 1)
#else
#define REACH CELLS
#endif

proctype reader()
{
	byte newest, e, header, bytes, claim, seen, oldest, taken, lost;

wait:
	if
	:: eventfd -> eventfd = 0
	:: done && empty(pool) && !eventfd ->
		assert(cons == memory[PROD]);
		/* Who died within a record may have taken the newest with it: told with the next. */
		assert(taken + lost == seen);
		assert(seen == nr_published || memory[CLAIM] > memory[PROD]);
		goto finish
	fi;
	newest = memory[PROD];
	e = newest;
	do
	:: e == cons -> break
	:: else ->
#ifdef LOOK_BEFORE_COPY
		claim = CLAIMED;
#endif
		header = memory[AT(e)];
#ifndef HEADER_UNCHECKED
#ifndef LOOK_BEFORE_COPY
		claim = CLAIMED;
#endif
		if
		:: claim > e - 1 + REACH -> break
		:: else
		fi;
#endif
		/* Its length decides what is copied. */
		assert(LEN(header) == 1 || LEN(header) == 2);
		assert(LEN(header) <= e - cons);
		if
		:: LEN(header) == 2 -> bytes = memory[AT(e) + 1]
		:: else
		fi;
#ifndef LOOK_BEFORE_COPY
		claim = CLAIMED;
#endif
		if
		:: claim > e - LEN(header) + REACH -> break
		:: else
		fi;
		atomic {
			assert(header == published[e]);
			assert(LEN(header) == 1 || bytes == BYTES(NR(header)));
			if
			:: e == newest -> lost = lost + NR(header) - seen; seen = NR(header) + 1
			:: else -> assert(NR(header) == oldest - 1); lost--
			fi;
			/* Lost were all since the last time but those that are taken now. */
			oldest = NR(header);
			taken++;
			e = e - LEN(header);
			header = 0;
			bytes = 0;
			claim = 0
		}
	od;
	header = 0;
	bytes = 0;
	claim = 0;
	oldest = 0;
	/* Where not even the newest is whole, it is lost, and all before it. */
	if
	:: newest != cons -> cons = newest
	:: else
	fi;
	e = 0;
#ifndef NO_LOOK_BEHIND
	if
	:: memory[PROD] != cons -> eventfd = 1
	:: else
	fi;
#endif
	newest = 0;
	goto wait;
finish:
	skip
}

init {
	atomic {
		run memory_system();
		run producer();
		run reader()
	}
}
