/* SPDX-License-Identifier: MIT */
/*
 * The protocol of maps/ringbuf.c and the wakeups of maps/consumed.c, with the store buffers of x86
 * made explicit: a store goes into its thread's queue and reaches memory some time later, in order;
 * a thread sees its own. A locked instruction and a system call wait until the own queue is empty;
 * membarrier empties that of every other thread, one after the other.
 *
 * A ring of CELLS cells. A record takes one cell, its header, or two: then the second holds bytes of
 * the program, which look like the header of a finished record. Each producer offers RECORDS
 * records, short or long, submitted or discarded, and drops what finds no room. The consumer takes
 * what is ready, gives the space back, and sleeps on the eventfd when it saw nothing.
 *
 * Asserted: the consumer takes every record that was reserved, once, in order, finished and whole;
 * and when all producers are done and all stores have reached memory, it does not sleep while there
 * is something. (Barriers that are refused, and fork, are not in it.)
 *
 * FIXED: lengths and fates are not free, but go by number, which leaves room for longer runs.
 *
 * The variants that each leave one thing out must be found wrong.
 *
 * States: 785,698, 516,932 and 1,366,606 in those that pass.
 *
 * RUN pass -DPRODUCERS=1 -DRECORDS=3
 * RUN pass -DRECORDS=1
 * RUN pass -DFIXED -DCELLS=3
 * RUN fail -DNO_BARRIER
 * RUN fail -DNO_LOOK_AFTER_BARRIER
 * RUN fail -DNO_ZEROING
 * RUN fail -DZERO_AFTER_GIVING_BACK -DFIXED -DCELLS=3
 * RUN fail -DLOOK_BEFORE_SUBMIT
 * RUN fail -DSUBMIT_BEFORE_FILLING
 * RUN fail -DNO_COMPARE_AND_SWAP -DRECORDS=1
 * RUN fail -DEVENTFD_READ_LAST
 */

#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#ifndef RECORDS
#define RECORDS 2
#endif
#ifndef CELLS
#define CELLS	 4
#endif
#define CONSUMER PRODUCERS
#define MOST	 (PRODUCERS * RECORDS * 2) /* positions */

/* Words in memory: the cells, then the consumer's position. */
#define CONS CELLS
byte memory[CELLS + 1];
byte prod;	/* changed by locked instructions alone */

#define BUSY	1
#define DISCARD 2
#define HEADER(cells) ((cells) * 4)
#define LEN(value) ((value) / 4)

byte eventfd, notified;
byte done; /* producers */

/* What is true, by position: the record that begins there. */
byte length[MOST];
bit finished[MOST], thrown[MOST];

/* Stores under way: where, what. */
chan queue[PRODUCERS + 1] = [6] of { byte, byte };

byte w_at, w_value; /* only used within one atomic step */

inline write_back(i)
{
	queue[i] ? w_at, w_value;
	memory[w_at] = w_value;
	w_at = 0;
	w_value = 0
}

inline drain(i)
{
	do
	:: atomic { nempty(queue[i]) -> write_back(i) }
	:: empty(queue[i]) -> break
	od
}

inline notify(me)
{
	drain(me);
	eventfd = 1;
	notified = 1
}

proctype memory_system()
{
	byte i;
end:
	do
	:: atomic {
		if
		:: nempty(queue[0]) -> i = 0
#if PRODUCERS > 1
		:: nempty(queue[1]) -> i = 1
#endif
#if PRODUCERS > 2
		:: nempty(queue[2]) -> i = 2
#endif
		:: nempty(queue[CONSUMER]) -> i = CONSUMER
		fi;
		write_back(i);
		i = 0
	   }
	od
}

proctype producer(byte me)
{
	byte nr, pos, cons, cells, value;

	do
	:: nr == RECORDS -> break
	:: else ->
		nr++;
#ifdef FIXED
		cells = 1 + (nr + me) % 2;
		value = HEADER(cells) | (nr % 2 -> 0 : DISCARD);
#else
		if
		:: cells = 1
		:: cells = 2
		fi;
		if
		:: value = HEADER(cells)
		:: value = HEADER(cells) | DISCARD
		fi;
#endif
		/* take_space() */
		pos = prod;
retry:
		cons = memory[CONS];
		if
		:: cons > pos -> pos = prod; goto retry
		:: else
		fi;
		if
		:: pos + cells - cons > CELLS - 1 -> goto next
		:: else
		fi;
#ifdef NO_COMPARE_AND_SWAP
		atomic {
			prod = pos + cells;
			length[pos] = cells
		}
#else
		drain(me);
		atomic {
			if
			:: prod == pos ->
				prod = pos + cells;
				length[pos] = cells
			:: else -> pos = prod; goto retry
			fi
		}
#endif
		queue[me] ! pos % CELLS, HEADER(cells) | BUSY;
#ifndef SUBMIT_BEFORE_FILLING
		if
		:: cells == 2 -> queue[me] ! (pos + 1) % CELLS, HEADER(1) | 16 * (1 + pos)
		:: else
		fi;
#endif
#ifdef LOOK_BEFORE_SUBMIT
		cons = memory[CONS];
#endif
		atomic {
			queue[me] ! pos % CELLS, value;
			finished[pos] = 1;
			thrown[pos] = (value & DISCARD) / DISCARD
		}
#ifdef SUBMIT_BEFORE_FILLING
		if
		:: cells == 2 -> queue[me] ! (pos + 1) % CELLS, HEADER(1) | 16 * (1 + pos)
		:: else
		fi;
#endif
#ifndef LOOK_BEFORE_SUBMIT
		cons = memory[CONS];
#endif
		if
		:: cons % CELLS == pos % CELLS -> notify(me)
		:: else
		fi;
next:
		pos = 0;
		cons = 0;
		cells = 0;
		value = 0
	od;
	atomic { done++ }
}

#define ALL_STORED (done == PRODUCERS && empty(queue[0]) && \
	(PRODUCERS < 2 || empty(queue[1 % (PRODUCERS + 1)])) && \
	(PRODUCERS < 3 || empty(queue[2 % (PRODUCERS + 1)])) && empty(queue[CONSUMER]))

proctype consumer()
{
	byte cons, value, cells, i, barrier_at = 255;
	bit mine;

wait:
	/* poll(2): a system call. */
	drain(CONSUMER);
	if
	:: eventfd > 0
	:: ALL_STORED && eventfd == 0 ->
		assert(cons == prod);
		goto finish
	fi;
#ifndef EVENTFD_READ_LAST
	if
	:: atomic { notified -> notified = 0 }; drain(CONSUMER); eventfd = 0
	:: !notified
	fi;
#endif
look:
	/* Of its own stores to a cell, those that did not reach memory are all of zeros. */
	atomic {
		mine = queue[CONSUMER] ?? [eval(cons % CELLS), 0];
		value = (mine -> 0 : memory[cons % CELLS]);
		mine = 0
	}
	if
	:: value == 0 || (value & BUSY) ->
		value = 0;
		if
		:: barrier_at == cons ->
#ifdef EVENTFD_READ_LAST
			if
			:: atomic { notified -> notified = 0 }; drain(CONSUMER); eventfd = 0
			:: !notified
			fi;
#endif
			goto wait
		:: else
		fi;
#ifndef NO_BARRIER
		drain(CONSUMER);
		i = 0;
		do
		:: i < PRODUCERS -> drain(i); i++
		:: else -> break
		od;
		i = 0;
#endif
		barrier_at = cons;
#ifdef NO_LOOK_AFTER_BARRIER
		goto wait;
#else
		goto look;
#endif
	:: else
	fi;
	/* It is this record, finished, of that length; what the program stored is there. */
	cells = LEN(value) % 4;
	assert(cons < prod && finished[cons] && cells == length[cons]);
	assert(((value & DISCARD) != 0) == thrown[cons]);
	if
	:: cells == 2 && !thrown[cons] ->
		assert(memory[(cons + 1) % CELLS] == (HEADER(1) | 16 * (1 + cons)))
	:: else
	fi;
	value = 0;
#ifdef ZERO_AFTER_GIVING_BACK
	queue[CONSUMER] ! CONS, cons + cells;
#endif
#ifndef NO_ZEROING
	queue[CONSUMER] ! cons % CELLS, 0;
	if
	:: cells == 2 -> queue[CONSUMER] ! (cons + 1) % CELLS, 0
	:: else
	fi;
#endif
#ifndef ZERO_AFTER_GIVING_BACK
	queue[CONSUMER] ! CONS, cons + cells;
#endif
	cons = cons + cells;
	cells = 0;
	goto look;
finish:
	skip
}

init {
	byte i;

	atomic {
		run memory_system();
		do
		:: i < PRODUCERS -> run producer(i); i++
		:: else -> break
		od;
		run consumer()
	}
}
