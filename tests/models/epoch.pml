/* SPDX-License-Identifier: MIT */
/*
 * The protocol of base/epoch.c, with the store buffers of x86 made explicit: a store goes into its
 * thread's queue and reaches memory some time later, in order. membarrier drains the queue of each
 * other thread, one after the other. A full fence waits until the own queue is empty.
 *
 * Readers enter, load the published pointer, use what it points to twice, and leave, ROUNDS
 * times each. SYNC: one updater replaces the pointer, synchronizes, frees. STAMP: an unlinker replaces
 * the pointer and takes a stamp; another thread advances and frees what has passed. In both,
 * membarrier may begin to fail at any time; then fence mode is switched on. Readers meet only in the
 * minimum of their numbers, so STAMP has one, which enters more often.
 *
 * The other variants each leave one thing out, and must be found wrong.
 *
 * RUN pass -DSYNC -DREADERS=2 -DROUNDS=2
 * RUN pass -DSTAMP -DREADERS=1 -DROUNDS=3
 * RUN fail -DSYNC -DREADERS=1 -DNO_BARRIER
 * RUN fail -DSTAMP -DREADERS=1 -DNO_BARRIER
 * RUN fail -DSTAMP -DREADERS=1 -DPASS_TOO_EARLY
 * RUN fail -DSYNC -DREADERS=1 -DTRUST_UNFENCED
 * RUN fail -DSTAMP -DREADERS=1 -DTRUST_UNFENCED
 */

#ifndef READERS
#define READERS 2
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#define OBJECTS 2	/* the pointer is replaced OBJECTS - 1 times */
#define UNLINKER READERS
#define ADVANCER (READERS + 1) /* stores nothing that matters: its queue stays empty */
#define QUEUES	(READERS + 2)

/* Who asks for grace periods. */
#ifdef SYNC
#define me UNLINKER
#else
#define me ADVANCER
#endif

byte now = 1;
byte safe = 1;
bool fence = false;
bool fenced[QUEUES];
byte ptr = 0;		/* the object that is published */
bool freed[OBJECTS];
byte epoch[READERS];

/* Stores under way: epochs of the readers, pointers of the unlinker. */
chan queue[QUEUES] = [3] of { byte };

inline write_back(i)
{
	if
	:: i < READERS -> queue[i] ? epoch[i]
	:: else -> queue[i] ? ptr
	fi
}

/* The processor writes stores back when it likes. */
proctype Memory(byte i)
{
end:
	do
	:: atomic { nempty(queue[i]) -> write_back(i) }
	od
}

inline full_fence(i)
{
	empty(queue[i])
}

/* What readers do between E and P, and the unlinker between U and S: tn_epoch_light_barrier(). */
inline light_barrier(i)
{
	if
	:: fence ->
		atomic {
			full_fence(i);
			fenced[i] = true
		}
	:: else
	fi
}

proctype Reader(byte i)
{
	byte n, p, round = 0;

	do
	:: round < ROUNDS ->
		n = now;
		queue[i] ! n;
		light_barrier(i);
		p = ptr;
		assert(!freed[p]);
		assert(!freed[p]);
		queue[i] ! 0;
		round++
	:: else -> break
	od;
	/* A thread that ends gives its record back under a lock: everything is stored. */
	atomic {
		full_fence(i);
		fenced[i] = true
	}
}

/* membarrier(2), queue by queue; each becomes empty at some moment before the end. */
inline membarrier()
{
	do
	:: atomic { j < READERS + 1 ->
		do
		:: nempty(queue[j]) -> write_back(j)
		:: else -> break
		od;
		j++
	   }
	:: atomic { else -> j = 0; break }
	od
}

/* Flags only rise, so looking at all at once finds what looking one by one can find. */
inline all_fenced(result)
{
	result = true;
#ifndef TRUST_UNFENCED
	do
	:: j < QUEUES && !fenced[j] -> result = false; break
	:: j < QUEUES && fenced[j] -> j++
	:: else -> break
	od;
	j = 0
#endif
}

/* begin_grace(): target is 0 where no barrier can be had. The increment is a read-modify-write and
 * drains the own queue. */
inline begin_grace(target)
{
	atomic {
		target = 0;
		ok = true;
		if
		:: fence -> all_fenced(ok)
		:: else
		fi
	};
	if
	:: ok ->
		atomic { full_fence(me); now++; target = now };
#ifndef NO_BARRIER
		if
		:: !fence ->
			if
			:: membarrier()
			:: atomic {
				fence = true;
				/* The caller itself has just executed a full fence. */
				fenced[me] = true
			   };
			   atomic {
				all_fenced(ok);
				if
				:: !ok -> target = 0
				:: else
				fi
			   }
			fi
		:: else
		fi
#endif
	:: else
	fi
}

#ifdef SYNC
proctype Updater()
{
	byte old = 0, target, i, j = 0, tries = 0;
	bool ok;

	fenced[ADVANCER] = true;
	do
	:: old < OBJECTS - 1 ->
		queue[me] ! (old + 1);
again:
		begin_grace(target);
		if
		:: target == 0 ->
			/* -EAGAIN: the memory stays. Try again, a few times. */
			tries++;
			if
			:: tries < 3 -> goto again
			:: else -> goto done
			fi
		:: else
		fi;
		i = 0;
		do
		:: atomic { i < READERS && (epoch[i] == 0 || epoch[i] >= target) -> i++ }
		:: i == READERS -> break
		od;
		atomic { freed[old] = true; old++ }
	:: else -> break
	od;
done:
	skip
}
#else
bool retired[OBJECTS];
byte stamp[OBJECTS];

proctype Unlinker()
{
	byte old = 0;

	do
	:: old < OBJECTS - 1 ->
		queue[UNLINKER] ! (old + 1);
		light_barrier(UNLINKER);
		atomic { stamp[old] = now; retired[old] = true; old++ }
	:: else -> break
	od;
	atomic {
		full_fence(UNLINKER);
		fenced[UNLINKER] = true
	}
}

#ifdef PASS_TOO_EARLY
#define PASSED(o) (stamp[o] < safe)
#else
#define PASSED(o) (stamp[o] + 1 < safe)
#endif

/* tn_epoch_advance() and reuse. */
proctype Advancer()
{
	byte target, lowest, i, j = 0, round = 0;
	bool ok;

	do
	:: round < 3 ->
		begin_grace(target);
		if
		:: target != 0 ->
			atomic { lowest = target; i = 0 };
			do
			:: atomic { i < READERS ->
				if
				:: epoch[i] != 0 && epoch[i] < lowest -> lowest = epoch[i]
				:: else
				fi;
				i++
			   }
			:: else -> break
			od;
			atomic {
				if
				:: lowest > safe -> safe = lowest
				:: else
				fi;
				i = 0;
				do
				:: i < OBJECTS && retired[i] && PASSED(i) -> freed[i] = true; i++
				:: i < OBJECTS && !(retired[i] && PASSED(i)) -> i++
				:: else -> break
				od;
				i = 0;
				lowest = 0;
				target = 0
			}
		:: else
		fi;
		round++
	:: else -> break
	od
}
#endif

init {
	byte i = 0;

	atomic {
		do
		:: i < READERS ->
			run Reader(i);
			i++
		:: else -> break
		od;
		i = 0;
		do
		:: i < QUEUES ->
			run Memory(i);
			i++
		:: else -> break
		od;
		i = 0;
#ifdef SYNC
		run Updater()
#else
		run Unlinker();
		run Advancer()
#endif
	}
}
