/* native/lane_group.c: the queue and the lanes of one worker. */

/* native/lane.h: enum lane_phase, in its order. */
#define IDLE 0
#define PREPARING 1
#define CONNECTING 2
#define FINISHING 3

/* struct lane. */
typedef LaneStruct {
  byte attempt_id;
  byte phase;
  byte cancel;
  bool cancel_sent;
  bool idle;
  bool holds_slot;
  bool owns_fd;
  bool pending; /* the thread's own: a pthread_cancel that it has not acted on */
  byte thread;
}
LaneStruct lanes[THREADS];

#define UNUSED 0
#define RUNNING 1
#define ENDED 2 /* handed to the reaper */

/* There are at most two threads: the first and the last. */
#define NO_LANE(state) (lanes[0].thread != (state) && lanes[THREADS - 1].thread != (state))

chan queue = [SLOTS] of { byte };
bool group_lock, summoned, looking, closing;
byte slots_used, unjoined;

#define IS_ENDING(slot) ((ending >> (slot)) & 1)

/* lane_group.c:lane_new and lane_group.c:start_thread, or their failure */
inline start_lane() {
  atomic {
    if
    :: !NO_LANE(UNUSED) -> started = (lanes[0].thread == UNUSED -> 0 : THREADS - 1)
#ifndef CALM
    :: started = NONE
#endif
    fi;
    if
    :: started == NONE
    :: else ->
       lanes[started].owns_fd = false;
       lanes[started].holds_slot = true;
       lanes[started].thread = RUNNING
    fi;
  }
}

/* lane_group.c:end_unstarted: ends what lane_group.c:fail_queue or lane_group.c:lose_queue took from the queue. */
inline end_taken() {
  for (other : 0 .. SLOTS - 1) {
    if
    :: IS_ENDING(other) -> attempt_end_unstarted(other); outbox_ring()
    :: else
    fi
  };
  atomic { ending = 0; other = 0 }
}

/* Empties the queue into `ending`; under the group's lock. */
inline empty_queue(state) {
  do
  :: queue?other ->
     slots[other].word = WORD(ID_OF(slots[other].word), state);
     ending = ending | (1 << other)
  :: len(queue) == 0 -> break
  od
}

/* lane_group.c:fail_queue, under the group's lock; lane_group.c:end_unstarted follows: end_taken() */
inline fail_queue() {
  holds(group_stays_while_used, !engine_joined);
  if
  :: slots_used == 0 -> empty_queue(FAILED)
  :: else
  fi
}

/* lane_group.c:summon_and_unlock */
inline summon_and_unlock() {
  atomic {
    starting = false;
    if
    :: len(queue) > 0 && !summoned && !looking && !closing ->
       if
       :: lanes[0].idle -> lanes[0].idle = false; summoned = true
#if THREADS > 1
       :: lanes[1].idle -> lanes[1].idle = false; summoned = true
#endif
       :: else ->
          if
          :: slots_used < LANES -> starting = true; summoned = true; slots_used++; unjoined++
          :: else
          fi
       fi
    :: else
    fi;
    release(group_lock)
  };
  if
  :: starting ->
     start_lane();
     if
     :: started == NONE ->
#ifdef MUTANT_starter_leaves_first
        atomic { !group_lock -> slots_used--; unjoined--; summoned = false; started = 0 };
        atomic { !group_lock -> fail_queue() };
#else
        atomic { !group_lock -> slots_used--; summoned = false; fail_queue(); unjoined--; started = 0 };
#endif
        end_taken()
     :: else -> started = 0
     fi
  :: else
  fi
}

/*
 * lane_group.c:group_submit, of one id, with lane_group.c:lock_open; false: `refused`. Once the group has closed its number
 * is another one, and that is as if it were closing for ever.
 */
inline group_submit(id) {
#ifdef MUTANT_submit_looks_before_it_locks
  refused = closing;
  acquire(group_lock);
#else
  acquire(group_lock);
  refused = closing;
#endif
#ifdef MUTANT_submit_to_closed
  refused = false;
#endif
  if
  :: refused -> release(group_lock)
  :: else ->
     compare_and_exchange(SLOT_OF(id), WORD(id, RESERVED), WORD(id, QUEUED));
     if
     :: exchanged ->
        queue!SLOT_OF(id);
#ifndef MUTANT_group_unwritten
        slots[SLOT_OF(id)].grouped = true
#endif
     :: else
     fi;
     summon_and_unlock()
  fi
}

/* lane_group.c:group_withdraw, of an attempt whose word was `seen` to be QUEUED; true: `exchanged` */
inline group_withdraw(slot) {
  exchanged = false;
  slots[slot].grouped || slots[slot].word != seen; /* attempt_cancel asks again and again meanwhile */
  if
  :: slots[slot].grouped ->
     acquire(group_lock);
#ifdef MUTANT_withdraw_unchecked
     exchanged = true;
#else
     exchanged = (slots[slot].word == seen && slots[slot].grouped);
#endif
     if
     :: exchanged ->
        atomic {
          if
          :: queue??[eval(slot)] -> queue??eval(slot)
          :: else
          fi
        };
        slots[slot].word = WORD(ID_OF(seen), CANCELLED)
     :: else
     fi;
     release(group_lock)
  :: else
  fi
}

/* lane_group.c:return_slot, under the group's lock */
inline return_slot(lane) {
  if
  :: lanes[lane].holds_slot -> slots_used--; lanes[lane].holds_slot = false
  :: else
  fi;
  slot_owed[id] = false
}

/* lane_group.c:group_return_slot */
inline group_return_slot(lane) {
  atomic { !group_lock -> return_slot(lane) }
}

/* lane_group.c:take_first */
inline take_first(me) {
  queue?slot;
  id = ID_OF(slots[slot].word);
  holds(cancel_reaches_only_its_attempt, !lanes[me].pending);
  lanes[me].attempt_id = id;
  lanes[me].phase = PREPARING;
  lanes[me].cancel = FREE;
  slots[slot].lane = me;
  slots[slot].word = WORD(id, TAKEN)
}

/* lane_group.c:look_for_work, or not: for as long as it lasts nobody is summoned */
inline look_for_work() {
  if
  :: !looking ->
     atomic { looking = true; release(group_lock) };
     /* others run here */
     acquire(group_lock);
     looking = false
  :: true
  fi
}

/* lane_group.c:lane_take, into `slot`; lane_group.c:wait_idle ends by a summons or by time */
inline lane_take(me) {
  atomic {
    acquire(group_lock);
    if
    :: fresh -> fresh = false; summoned = false
    :: else
    fi;
    slot = NONE;
    id = 0
  };
  do
  :: closing -> break
  :: !closing && len(queue) > 0 -> atomic { take_first(me) }; break
  :: !closing && len(queue) == 0 ->
     look_for_work();
     if
     :: closing || len(queue) > 0
     :: else ->
        atomic { lanes[me].idle = true; release(group_lock) };
        /* others run here */
        acquire(group_lock);
        if
        :: !lanes[me].idle -> summoned = false
        :: else -> lanes[me].idle = false; break
        fi
     fi
  od;
  atomic {
    if
    :: slot == NONE -> return_slot(me)
    :: else
    fi;
    summon_and_unlock()
  }
}

/* lane_group.c:group_lane_fails */
inline group_lane_fails(me) {
  atomic { !group_lock -> summoned = false; return_slot(me); fail_queue() };
  end_taken()
}

/* lane_group.c:group_lane_leaves */
inline group_lane_leaves() {
  atomic { acquire(group_lock); summon_and_unlock() }
}

/* lane_group.c:group_lane_joined */
inline group_lane_joined(lane) {
  atomic { !group_lock -> lanes[lane].thread = UNUSED; lanes[lane].cancel_sent = false; lanes[lane].pending = false; unjoined-- }
}

/* lane_group.c:group_close, with lane_group.c:lose_queue */
inline group_close() {
  acquire(group_lock);
  closing = true;
#ifndef MUTANT_close_forgets_queue
  atomic { empty_queue(LOST) };
#endif
  atomic {
    for (other : 0 .. THREADS - 1) { lanes[other].idle = false }
  };
#ifndef MUTANT_close_skips_lanes
  for (other : 0 .. THREADS - 1) { lane_interrupt(other, LOST) };
#endif
  release(group_lock);
  end_taken();
  !group_lock && unjoined == 0
}
