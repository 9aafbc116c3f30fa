/* native/reactor.c: a thread that waits for many attempts at once. native/reactors.c: which one gets what. */

/*
 * What the pollers have, by the id of whose descriptor it is: the key that will be reported, once; 0 for none. It outlives
 * the close: the socket may be open under another number as well, in a child process.
 */
byte key_of[IDS];
byte reactor_of[IDS];
bool limited[IDS]; /* has a deadline in its reactor's heap; it stays there when the attempt is over */
#define IS_MINE(an_id) (reactor_of[an_id] == me)
#define MAY_REPORT(an_id) (key_of[an_id] != 0 && answers[an_id] && IS_MINE(an_id))
#define IS_LIMITED(an_id) (limited[an_id] && IS_MINE(an_id))
#if IDS > 4
#define SOME_LIMITED (IS_LIMITED(1) || IS_LIMITED(2) || IS_LIMITED(3) || IS_LIMITED(4) || IS_LIMITED(5))
#elif IDS > 3
#define SOME_LIMITED (IS_LIMITED(1) || IS_LIMITED(2) || IS_LIMITED(3))
#elif IDS > 2
#define SOME_LIMITED (IS_LIMITED(1) || IS_LIMITED(2))
#else
#define SOME_LIMITED IS_LIMITED(1)
#endif

byte reactors_joined;

/* reactors.c:choose: either of them, or IN_TURN */
inline choose() {
#ifdef IN_TURN
  to = (SLOT_OF(id) + id / SLOTS) % REACTORS
#else
  if
  :: to = 0
#if REACTORS > 1
  :: to = 1
#endif
  fi
#endif
}

/* reactors.c:reactors_submit, of one, with reactors.c:hand_over: begun by the caller, or by the reactor */
inline reactors_submit() {
  compare_and_exchange(slot, WORD(id, RESERVED), WORD(id, SUBMITTED));
  if
  :: exchanged ->
     choose();
     begun = WATCHED;
#ifdef MUTANT_submitted_before_begun
     inbox_submit(to, slot);
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
     :: begun == WATCHED -> inbox_submit(to, slot)
     :: else -> publish(slot, id, begun); more = true /* drained unrung: registry.ts:submitToReactors */
     fi
#endif
  :: else
  fi
}

/* reactor.c:reactor_stop: the next is closed only after this one was joined */
inline reactor_stop(which) {
  inbox_close(which);
#ifndef MUTANT_lost_before_joined
  reactors_joined == which + 1
#endif
}

/* reactors.c:reactors_stop, by the last user */
inline reactors_stop() {
  engine_gone = true;
  reactor_stop(0);
#if REACTORS > 1
  reactor_stop(1)
#endif
}

/* reactor.c:watch, or its failure. Were the descriptor closed by now, its number could be another's. */
inline watch() {
  holds(reaches_only_its_attempt, descriptor_open[id]);
  if
  :: reactor_of[id] = me;
     if
     :: limited[id] = true
     :: skip
     fi;
#ifdef MUTANT_events_by_descriptor
     key_of[id] = number_of[id]
#else
     key_of[id] = id
#endif
#ifndef CALM
  :: begun = FAILED
#endif
  fi
}

/* reactor.c:end, and reactor.c:ring_soon */
inline end(state) {
  publish(slot, id, state);
  to_ring = true
}

/* Who takes what a key says, as `id` and `slot`: the poller's, a deadline's or a cancel's. NONE where there is nothing to take. */
inline take(key) {
  attempt_take_watched(key);
  atomic {
    slot = (exchanged -> SLOT_OF(taken) : NONE);
    id = (exchanged -> taken : 0)
  }
}

inline find_by_descriptor(key) {
  atomic {
    slot = (number_of[slots[0].fd] == key -> 0 : SLOTS - 1);
    taken = ID_OF(slots[slot].word);
    attempt_take_watched(taken);
    slot = (exchanged -> slot : NONE);
    id = (exchanged -> taken : 0)
  }
}

/* reactor.c:end_watched */
inline end_watched() {
  if
  :: begun == CONNECTED -> key_of[id] = 0 /* poller_forget */
  :: else
  fi;
  end(begun)
}

/* reactor.c:on_writable, of what poller_wait reported as `key` */
inline on_writable() {
#ifdef MUTANT_events_by_descriptor
  find_by_descriptor(key);
#else
  take(key);
#endif
  if
  :: slot == NONE
  :: else ->
     holds(reaches_only_its_attempt, id == reported);
     nonblocking_complete();
     end_watched()
  fi
}

/* reactor.c:cancel_some, of one */
inline cancel_some() {
  cancels_take();
  if
  :: id != 0 ->
     atomic { key = id; reported = id };
#ifdef MUTANT_batch_by_slot
     key = ID_OF(slots[SLOT_OF(key)].word);
#endif
     take(key);
     if
     :: slot == NONE
     :: else ->
        holds(reaches_only_its_attempt, id == reported);
        end(CANCELLED)
     fi
  :: else
  fi
}

/* reactor.c:take_over */
inline take_over() {
  id = ID_OF(slots[slot].word);
  if
  :: slots[slot].word != WORD(id, SUBMITTED) -> end(CANCELLED)
  :: else ->
     atomic {
       begun = WATCHED;
       if
       :: slots[slot].fd == 0 -> nonblocking_begin()
       :: else
       fi;
#ifndef MUTANT_watched_before_poller
       if
       :: begun == WATCHED -> watch()
       :: else
       fi
#endif
     };
     if
     :: begun != WATCHED -> end(begun)
     :: else ->
#ifdef MUTANT_unwanted_overwritten
        slots[slot].word = WORD(id, WATCHED)
#else
        compare_and_exchange(slot, WORD(id, SUBMITTED), WORD(id, WATCHED));
        if
#ifdef MUTANT_watched_before_poller
        :: exchanged -> watch()
#else
        :: exchanged
#endif
        :: else -> end(CANCELLED)
        fi
#endif
     fi
  fi
}

inline pick_limited(an_id) { key = an_id; reported = an_id; limited[an_id] = false }

/* reactor.c:judge_late and reactor.c:end_late, of one at most; of one at least, if the wait has ended for it. What was answered is told so. */
inline end_late() {
  key = 0;
  if
  :: atomic { IS_LIMITED(1) -> pick_limited(1) }
#if IDS > 2
  :: atomic { IS_LIMITED(2) -> pick_limited(2) }
#endif
#if IDS > 3
  :: atomic { IS_LIMITED(3) -> pick_limited(3) }
#endif
#if IDS > 4
  :: atomic { IS_LIMITED(4) -> pick_limited(4) }
  :: atomic { IS_LIMITED(5) -> pick_limited(5) }
#endif
  :: !late || !SOME_LIMITED
  fi;
  late = false;
  if
  :: key != 0 ->
#ifdef MUTANT_deadline_by_slot
     key = ID_OF(slots[SLOT_OF(key)].word);
#endif
     take(key);
     if
     :: slot == NONE
     :: else ->
        holds(reaches_only_its_attempt, id == reported);
        if
        :: answers[id] -> nonblocking_complete()
        :: begun = FAILED
        fi;
        end_watched()
     fi
  :: else
  fi
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
    :: inboxes[me].woken || !sleeps -> inboxes[me].woken = false
    fi
  }
}

/* reactor.c:lose_submitted */
inline lose_submitted() {
#ifndef MUTANT_stop_forgets_submitted
  do
  :: atomic { inboxes[me].submitted?slot -> id = ID_OF(slots[slot].word) };
     if
     :: slots[slot].word == WORD(id, UNWANTED) -> end(CANCELLED)
     :: else -> end(LOST)
     fi
  :: len(inboxes[me].submitted) == 0 -> break
  od;
#endif
  ring_now()
}

/* What a step leaves in its locals would tell states apart that are the same. */
inline forget() {
  atomic { id = 0; slot = 0; key = 0; reported = 0; begun = 0; seen = 0; fd = 0; taken = 0; exchanged = false; burying = false }
}

/* reactor.c:react */
proctype Reactor(byte me) {
  byte id, slot, key, reported, begun, seen, fd, taken;
  bool exchanged, burying, sleeps, late, to_ring, over;
  do
  :: over -> break
  :: else ->
     cancel_some();
     forget();
     inbox_next(); /* reactor.c:begin_some */
     if
     :: slot != NONE -> take_over()
     :: else
     fi;
     forget();
     end_late();
     forget();
     ring_now();
     inbox_falls_asleep();
     poller_wait();
     if
     :: key != 0 -> on_writable()
     :: else
     fi;
     forget();
     sleeps = false;
     inbox_is_over()
  od;
  lose_submitted();
  reactors_joined++
}

inline start_engine() {
  run Reactor(0);
#if REACTORS > 1
  run Reactor(1)
#endif
}

inline end_engine() {
#ifdef OTHER_USER
  STATE_OF(slots[0].word) == FREE && STATE_OF(slots[SLOTS - 1].word) == FREE;
  if
  :: engine_gone
  :: else -> reactors_stop()
  fi;
#endif
  reaper_stopping = true
}

inline nothing_is_left_of_engine() {
  holds(nothing_is_left, len(inboxes[0].submitted) == 0);
#if REACTORS > 1
  holds(nothing_is_left, len(inboxes[1].submitted) == 0)
#endif
}
