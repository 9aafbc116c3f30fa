/* native/reactor.c: the thread that waits for all attempts at once. */

/*
 * What the poller has, by the id of whose descriptor it is: the key that it will report, once; 0 for none. It outlives
 * the close: the socket may be open under another number as well, in a child process.
 */
byte key_of[IDS];
#define MAY_REPORT(an_id) (key_of[an_id] != 0 && answers[an_id])

#define SOME_WATCHED (slots[0].watched || slots[SLOTS - 1].watched)
#define SOME_LIMITED (slots[0].limited || slots[SLOTS - 1].limited)

/* reactor.c:reactor_submit, of one: begun by the caller, or by the reactor */
inline reactor_submit() {
  compare_and_exchange(slot, WORD(id, RESERVED), WORD(id, WATCHED));
  if
  :: exchanged ->
     begun = WATCHED;
#ifdef MUTANT_submitted_before_begun
     inbox_submit(slot);
     if
     :: nonblocking_begin()
     :: skip
     fi
#else
     if
     :: nonblocking_begin()
     :: skip
     fi;
     if
     :: begun == WATCHED -> inbox_submit(slot)
     :: else -> publish(begun); more = true /* drained unrung: registry.ts:submitToReactor */
     fi
#endif
  :: else
  fi
}

/* reactor.c:reactor_stop, by the last user */
inline reactor_stop() {
  engine_gone = true;
  inbox_close();
  engine_joined
}

/* reactor.c:watch, or its failure */
inline watch() {
  if
  :: slots[slot].watched = true;
     if
     :: slots[slot].limited = true
     :: skip
     fi;
#ifdef MUTANT_events_by_descriptor
     key_of[id] = number_of[id]
#else
     key_of[id] = id
#endif
  :: begun = FAILED
  fi
}

/* reactor.c:unwatch */
inline unwatch() {
#ifdef MUTANT_unwatch_forgotten
  skip
#else
#ifndef MUTANT_deadline_kept
  slots[slot].limited = false;
#endif
  slots[slot].watched = false
#endif
}

/* reactor.c:give_up */
inline give_up(state) {
  unwatch();
  publish(state);
  to_ring = true /* reactor.c:ring_soon */
}

/* reactor.c:find_watched, into `slot`, of what the poller or the inbox said; NONE where it is over, or not here yet */
inline find_watched(key) {
  atomic {
    slot = SLOT_OF(key);
    if
#ifdef MUTANT_found_by_slot
    :: slots[slot].watched -> id = ID_OF(slots[slot].word)
#else
    :: slots[slot].watched && slots[slot].word == WORD(key, WATCHED) -> id = key
#endif
    :: else -> slot = NONE
    fi
  }
}

inline find_by_descriptor(key) {
  atomic {
    slot = (slots[0].watched && number_of[slots[0].fd] == key -> 0 : SLOTS - 1);
    if
    :: slots[slot].watched && number_of[slots[slot].fd] == key -> id = slots[slot].fd
    :: else -> slot = NONE
    fi
  }
}

/* reactor.c:end_watched */
inline end_watched() {
  key_of[id] = 0; /* poller_forget, or it is closed */
  unwatch();
  publish(begun);
  to_ring = true
}

/* reactor.c:on_writable, of what poller_wait reported as `key` */
inline on_writable() {
#ifdef MUTANT_events_by_descriptor
  find_by_descriptor(key);
#else
  find_watched(key);
#endif
  if
  :: slot == NONE
  :: else ->
     holds(reaches_only_its_attempt, id == reported);
     nonblocking_complete();
     end_watched()
  fi
}

/* reactor.c:on_cancel */
inline on_cancel() {
  key = id;
  find_watched(key);
  if
  :: slot != NONE ->
     holds(reaches_only_its_attempt, id == key);
     give_up(CANCELLED)
#ifdef MUTANT_cancel_not_noted
  :: else
#else
  :: else -> slots[SLOT_OF(key)].cancel_noted = key
#endif
  fi
}

/* reactor.c:is_cancelled */
#ifdef MUTANT_cancel_noted_by_slot
#define IS_CANCELLED (slots[slot].cancel_noted != 0)
#else
#define IS_CANCELLED (slots[slot].cancel_noted == id)
#endif

/* reactor.c:take_over */
inline take_over() {
  id = ID_OF(slots[slot].word);
  if
  :: IS_CANCELLED -> give_up(CANCELLED)
  :: else ->
     atomic {
       begun = WATCHED;
       if
       :: slots[slot].fd == 0 -> nonblocking_begin()
       :: else
       fi;
       if
       :: begun == WATCHED -> watch()
       :: else
       fi
     };
     if
     :: begun != WATCHED -> publish(begun); to_ring = true
     :: else
     fi
  fi
}

/* reactor.c:judge_late and reactor.c:end_late, of one at most; of one at least, if the wait has ended for it. What was answered is told so. */
inline end_late() {
  if
  :: atomic { SOME_LIMITED -> slot = (slots[0].limited -> 0 : SLOTS - 1) };
     id = ID_OF(slots[slot].word);
     if
     :: answers[id] -> nonblocking_complete()
     :: begun = FAILED
     fi;
     end_watched()
  :: !late || !SOME_LIMITED
  fi;
  late = false
}

/* reactor.c:ring_now */
inline ring_now() {
  if
#ifndef MUTANT_sleeps_without_ringing
  :: to_ring -> outbox_ring(); to_ring = false
#endif
  :: else
  fi
}

inline report(an_id) { reported = an_id; key = key_of[an_id]; key_of[an_id] = 0 }

/* poller_epoll.c:poller_wait: a key, or a wake, or a deadline; where it may not sleep, perhaps nothing */
inline poller_wait() {
  atomic {
    key = 0;
    if
    :: MAY_REPORT(1) -> report(1)
#if IDS > 2
    :: MAY_REPORT(2) -> report(2)
#endif
#if IDS > 3
    :: MAY_REPORT(3) -> report(3)
#endif
#if IDS > 4
    :: MAY_REPORT(4) -> report(4)
    :: MAY_REPORT(5) -> report(5)
#endif
    :: sleeps && SOME_LIMITED -> late = true
    :: woken || !sleeps -> woken = false
    fi
  }
}

/* reactor.c:lose_everything */
inline lose_everything() {
#ifndef MUTANT_stop_forgets_submitted
  do
  :: atomic { submitted?slot -> id = ID_OF(slots[slot].word) };
     if
     :: IS_CANCELLED -> give_up(CANCELLED)
     :: else -> give_up(LOST)
     fi
  :: len(submitted) == 0 -> break
  od;
#endif
#ifndef MUTANT_stop_keeps_watched
  do
  :: atomic { SOME_WATCHED -> slot = (slots[0].watched -> 0 : SLOTS - 1); id = ID_OF(slots[slot].word) };
     give_up(LOST)
  :: !SOME_WATCHED -> break
  od;
#endif
  ring_now()
}

/* reactor.c:react */
proctype Reactor() {
  byte id, slot, key, reported, begun, seen, fd;
  bool exchanged, burying, all, sleeps, late, to_ring, over;
  do
  :: over -> break
  :: else ->
     inbox_next_cancels(); /* reactor.c:cancel_some */
     if
     :: id != 0 -> on_cancel()
     :: else
     fi;
     if
     :: all -> /* reactor.c:begin_some */
        inbox_next_submitted();
        if
        :: slot != NONE -> take_over()
        :: else
        fi
     :: else
     fi;
     end_late();
     ring_now();
     inbox_falls_asleep();
     poller_wait();
     if
     :: key != 0 -> on_writable()
     :: else
     fi;
     atomic { id = 0; slot = 0; key = 0; reported = 0; begun = 0; seen = 0; fd = 0; exchanged = false; burying = false; all = false; sleeps = false };
     inbox_is_over()
  od;
  lose_everything();
  engine_joined = true
}

inline start_engine() { run Reactor() }

inline end_engine() {
#ifdef OTHER_USER
  STATE_OF(slots[0].word) == FREE && STATE_OF(slots[SLOTS - 1].word) == FREE;
  if
  :: engine_gone
  :: else -> reactor_stop()
  fi;
#endif
  reaper_stopping = true
}

inline nothing_is_left_of_engine() {
  for (i : 0 .. SLOTS - 1) { holds(nothing_is_left, !slots[i].watched && !slots[i].limited) }
  holds(nothing_is_left, len(submitted) == 0) /* a cancel may lie there for the next reactor, for whom it is over */
}
