/*
 * The environment that calls: src/bridge/registry.ts over native/addon.cc. One thread, so one thing at a time; what it does
 * next is open. It reserves, cancels anything it ever reserved, settles when its bell was rung, and ends.
 */
#define MAY_CANCEL(an_id) (!content && reserved[an_id] && (!asked[an_id] || repeats < REPEATS))

#define SEEN_ON_LANES (seen == WORD(id, QUEUED) || seen == WORD(id, TAKEN))

/* registry.ts:cancel and cancels.c:cancels_send: at once on this thread (cancels.c:carry_out), or shared out (cancels.c:share_out) */
inline cancel_one() {
  atomic {
    if
    :: asked[id] -> repeats++
    :: else -> asked[id] = true
    fi;
    seen = slots[SLOT_OF(id)].word;
    shared = false;
    if
    :: true
#ifndef NO_BATCHES
    :: SEEN_ON_LANES -> reaper_cancel(id); shared = exchanged
    :: seen == WORD(id, WATCHED) -> shared = true
#endif
#ifdef ANY_CANCELS
    :: reaper_cancel(id); elsewhere = true
#endif
    fi;
    seen = 0
  };
  if
  :: !shared && !elsewhere -> attempt_cancel_unrung(id)
#ifdef NONBLOCKING
  :: shared -> leave_to_reactors(id)
#endif
  :: else
  fi;
  atomic { id = 0; exchanged = false; shared = false; elsewhere = false }
}

/* registry.ts:settleOne, told `outcome` */
inline settle_one() {
  atomic {
    holds(settled_once, reserved[id] && !settled[id]);
    settled[id] = true;
    unsettled--;
    holds(settled_implies_released, !buffer_held[id] && !slot_owed[id] && (!descriptor_open[id] || outcome == CLAIMED));
    holds(cancel_reaches_only_its_attempt, outcome != CANCELLED || asked[id]);
    holds(cancel_reaches_only_its_attempt, outcome != LOST || engine_gone);
#ifdef BORROWED
    holds(success_stands, established[id] == (outcome == CONNECTED));
#else
    holds(noted_cancel_is_kept, !noted[id] || outcome != CLAIMED);
#endif
    noted[id] = false;
    id = 0; slot = 0; seen = 0; outcome = 0; yields = false; exchanged = false
  }
}

/* registry.ts:drain and addon.cc:Drain */
inline settle_some() {
  atomic {
    rung = false;
    outbox_drain();
    more = (slot != NONE);
    if
    :: more -> read_outcome()
    :: else
    fi
  };
  if
  :: more ->
     if
#ifdef MUTANT_delivered_unclaimed
     :: yields -> atomic { outcome = CLAIMED; deliver() }
#else
     :: yields -> attempt_claim()
#endif
     :: else -> attempt_free(slot)
     fi;
     settle_one()
  :: else
  fi
}

/* The promise's resolution. */
inline deliver() {
  holds(delivered_after_claim, slots[slot].word == WORD(id, CLAIMED));
  holds(cancelled_is_not_delivered, !asked[id]);
  holds(closed_or_delivered_once, descriptor_open[id]);
  descriptor_open[id] = false;
#ifdef NONBLOCKING
  number_of[id] = 0
#endif
}

/*
 * registry.ts:disown: a claim ends by it, after the caller's socket was made (descriptor.ts:adopt), or by close, where a cancel
 * has come (connect.ts:firstToConnect). A worker may be ended before the socket has taken the descriptor, or after that.
 */
inline end_claim() {
  atomic {
    slot = (STATE_OF(slots[0].word) == CLAIMED -> 0 : SLOTS - 1);
    id = ID_OF(slots[slot].word);
    if
#ifndef MUTANT_connect_forgets_cancel
    :: asked[id] -> attempt_disown(slot); close_descriptor_of(fd)
#endif
    :: else ->
       attempt_hand_over(slot);
       if
       :: true -> deliver(); attempt_disown(slot)
#ifdef ENVIRONMENT_MAY_DIE
       :: true -> deliver(); ended = true
       :: true -> ended = true
#endif
       fi
    fi;
    fd = 0; id = 0; slot = 0
  }
}

proctype Environment() {
  byte id, slot, target, seen, fd, on_lane, taken, outcome, made, unsettled, repeats;
  bool exchanged, burying, yields, more, is_over, shared, elsewhere, was_drained, content, handed_over, ended;
#ifdef NONBLOCKING
  byte begun, to;
#else
  byte other, started, ending;
  bool starting, refused;
#endif
  do
  :: made < ATTEMPTS && SOME_SLOT(FREE) ->
     atomic {
       slot = (STATE_OF(slots[0].word) == FREE -> 0 : SLOTS - 1);
       attempt_reserve();
       made++;
       unsettled++;
       id = 0;
       slot = 0
     }
  :: atomic {
       if
       :: MAY_CANCEL(1) -> id = 1
#if IDS > 2
       :: MAY_CANCEL(2) -> id = 2
#endif
#if IDS > 3
       :: MAY_CANCEL(3) -> id = 3
#endif
#if IDS > 4
       :: MAY_CANCEL(4) -> id = 4
#endif
#if IDS > 5
       :: MAY_CANCEL(5) -> id = 5
#endif
#if IDS > 6
       :: MAY_CANCEL(6) -> id = 6
       :: MAY_CANCEL(7) -> id = 7
#endif
       fi
     };
     cancel_one()
  :: rung || more -> settle_some()
  :: SOME_SLOT(CLAIMED) ->
     end_claim();
     if
     :: ended -> break
     :: else
     fi
#ifdef NONBLOCKING
  :: !engine_gone && SOME_SLOT(RESERVED) -> /* nonblocking.ts:#start */
     atomic {
       slot = (STATE_OF(slots[0].word) == RESERVED -> 0 : SLOTS - 1);
       id = ID_OF(slots[slot].word)
     };
     reactors_submit();
     atomic { id = 0; slot = 0; begun = 0; to = 0; exchanged = false }
#ifdef REACTOR_MAY_STOP
  :: !engine_gone -> reactors_stop(); attempts_lose_watched(); atomic { id = 0; slot = 0; taken = 0; exchanged = false }
#endif
  :: engine_gone && SOME_SLOT(RESERVED) -> /* staging.ts:#startBatch gives up */
     atomic {
       slot = (STATE_OF(slots[0].word) == RESERVED -> 0 : SLOTS - 1);
       id = ID_OF(slots[slot].word)
     };
     attempt_forfeit(id);
     atomic { id = 0; slot = 0; exchanged = false }
#else
  :: SOME_SLOT(RESERVED) -> /* lane-pool.ts:#handOver, addon.cc:SubmitToLanes; where there is no group, staging.ts:#startBatch gives up */
     atomic {
       slot = (STATE_OF(slots[0].word) == RESERVED -> 0 : SLOTS - 1);
       id = ID_OF(slots[slot].word)
     };
     group_submit(id);
     if
     :: refused -> attempt_forfeit(id)
     :: else
     fi;
     atomic { id = 0; slot = 0; other = 0; seen = 0; fd = 0; refused = false; starting = false; exchanged = false; burying = false }
#endif
  :: made == ATTEMPTS && unsettled == 0 && !SOME_SLOT(CLAIMED) -> break
#if defined(WORKER_MAY_DIE) || defined(REACTOR_MAY_STOP)
  :: !content -> content = true /* cancels nothing more: what hangs ends with what runs it */
#endif
#ifdef ENVIRONMENT_MAY_DIE
  :: break
#endif
  od;
  /* addon.cc:Close */
  outbox_close();
  attempts_sweep();
#if defined(NONBLOCKING) && !defined(OTHER_USER)
  if
  :: engine_gone
  :: else -> reactors_stop(); attempts_lose_watched()
  fi;
#endif
  environment_gone = true
}
