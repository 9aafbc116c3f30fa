/* native/registry.c. Each process that uses it has locals `seen`, `fd`, `exchanged` and `burying`. */

inline close_descriptor_of(id) {
  holds(closed_or_delivered_once, descriptor_open[id]);
  descriptor_open[id] = false;
#ifdef NONBLOCKING
  number_of[id] = 0 /* another's, from now on */
#endif
}

/* registry.c:attempt_reserve, of a slot found FREE; `id` and `slot` are the caller's */
inline attempt_reserve() {
  slots[slot].ours = true;
  slots[slot].drained = false;
  slots[slot].handed_over = false;
#ifndef NONBLOCKING
  slots[slot].grouped = false;
#endif
  slots[slot].addresses = true;
  id = ID_OF(slots[slot].word);
  buffer_held[id] = true;
  reserved[id] = true;
  slots[slot].word = WORD(id, RESERVED)
}

/* registry.c:attempt_release_buffer */
inline attempt_release_buffer(slot) {
  atomic {
    if
    :: slots[slot].addresses ->
       holds(buffer_freed_once, buffer_held[ID_OF(slots[slot].word)]);
       buffer_held[ID_OF(slots[slot].word)] = false;
#ifndef MUTANT_buffer_pointer_kept
       slots[slot].addresses = false
#endif
    :: else
    fi
  }
}

/* registry.c:attempt_free */
inline attempt_free(slot) {
#ifdef MUTANT_buffer_pointer_kept
  attempt_release_buffer(slot);
  slots[slot].addresses = false;
#endif
  atomic {
    slots[slot].ours = false;
    slots[slot].fd = 0;
    slots[slot].drained = false;
#ifndef NONBLOCKING
    slots[slot].lane = 0;
    slots[slot].grouped = false;
#endif
    slots[slot].word = WORD(ID_OF(slots[slot].word) + SLOTS, FREE)
  }
}

/* registry.c:attempt_end_unstarted; to be rung */
inline attempt_end_unstarted(slot) {
  attempt_release_buffer(slot);
  outbox_post(slot)
}

/* registry.c:attempt_forfeit */
inline attempt_forfeit(id) {
  compare_and_exchange(SLOT_OF(id), WORD(id, RESERVED), WORD(id, LOST));
  if
  :: exchanged -> attempt_end_unstarted(SLOT_OF(id)); outbox_ring()
  :: else
  fi
}

/* registry.c:attempt_discard, of an attempt whose word was `seen` to be CONNECTED; after its environment's end */
inline attempt_discard(slot) {
  fd = slots[slot].fd;
  if
  :: fd == 0
  :: else ->
#ifdef MUTANT_discard_without_exchange
     exchanged = (slots[slot].word == seen);
     if
     :: exchanged -> slots[slot].word = WORD(ID_OF(seen), CANCELLED)
     :: else
     fi;
#else
     compare_and_exchange(slot, seen, WORD(ID_OF(seen), CANCELLED));
#endif
     if
     :: exchanged -> atomic { close_descriptor_of(fd) }
     :: else
     fi
  fi
}

#ifdef NONBLOCKING
/* registry.c:attempt_take_watched, of an id: `exchanged` where it is the caller's from now on, as `taken` */
inline attempt_take_watched(an_id) {
#ifdef MUTANT_taken_by_slot
  atomic {
    taken = ID_OF(slots[SLOT_OF(an_id)].word);
    compare_and_exchange(SLOT_OF(an_id), WORD(taken, WATCHED), WORD(taken, ENDING))
  }
#else
  taken = an_id;
  compare_and_exchange(SLOT_OF(an_id), WORD(an_id, WATCHED), WORD(an_id, ENDING))
#endif
}

/* registry.c:attempts_lose_watched, once the reactors have ended */
inline attempts_lose_watched() {
#ifndef MUTANT_stop_keeps_watched
  for (slot : 0 .. SLOTS - 1) {
    id = ID_OF(slots[slot].word);
    attempt_take_watched(id);
    if
    :: exchanged -> publish(slot, id, LOST); outbox_ring()
    :: else
    fi
  }
#else
  skip
#endif
}
#endif

/* registry.c:cancel, by its own locals `seen`, `target` and `taken`: posted where it is over, and to be rung */
inline end_by_cancel(id) {
  target = id;
  do
  :: seen = slots[SLOT_OF(target)].word;
#ifdef MUTANT_cancel_by_slot
     target = ID_OF(seen);
#endif
     if
#ifndef MUTANT_stale_cancel_asks_again
     :: ID_OF(seen) != target -> break
#else
     :: ID_OF(seen) != target -> skip
#endif
     :: ID_OF(seen) == target && STATE_OF(seen) == RESERVED ->
        compare_and_exchange(SLOT_OF(target), seen, WORD(target, CANCELLED));
        if
        :: exchanged -> break
        :: else
        fi
#ifdef NONBLOCKING
     :: ID_OF(seen) == target && STATE_OF(seen) == SUBMITTED ->
        compare_and_exchange(SLOT_OF(target), seen, WORD(target, UNWANTED));
        if
        :: exchanged -> break
        :: else
        fi
     :: ID_OF(seen) == target && STATE_OF(seen) == WATCHED ->
#ifdef MUTANT_cancel_without_taking
        slots[SLOT_OF(target)].word = WORD(target, ENDING);
        break
#else
        attempt_take_watched(target);
        if
        :: exchanged -> break
        :: else
        fi
#endif
#else
     :: ID_OF(seen) == target && STATE_OF(seen) == QUEUED ->
        group_withdraw(SLOT_OF(target));
        if
        :: exchanged -> break
        :: else
        fi
     :: ID_OF(seen) == target && STATE_OF(seen) == TAKEN ->
        on_lane = slots[SLOT_OF(target)].lane;
        lane_cancel(on_lane, target, CANCELLED);
        if
        :: exchanged -> break
        :: else
        fi
#endif
#ifdef MUTANT_cancel_discards_connected
     :: ID_OF(seen) == target && STATE_OF(seen) == CONNECTED -> attempt_discard(SLOT_OF(target)); break
#endif
     :: else -> break /* CONNECTED too: its environment's alone */
     fi
  od;
  if
  :: ID_OF(seen) == target && (STATE_OF(seen) == RESERVED || STATE_OF(seen) == QUEUED) ->
     attempt_end_unstarted(SLOT_OF(target));
     is_over = true
#ifdef NONBLOCKING
  :: ID_OF(seen) == target && STATE_OF(seen) == WATCHED ->
     publish(SLOT_OF(target), target, CANCELLED);
     is_over = true
#endif
  :: else
  fi;
  atomic { seen = 0; target = 0; fd = 0; on_lane = 0; taken = 0; exchanged = false }
}

/* registry.c:attempt_cancel */
inline attempt_cancel(id) {
  end_by_cancel(id);
  if
  :: is_over -> outbox_ring(); is_over = false
  :: else
  fi
}

/* registry.c:attempt_cancel_unrung, by the environment, which drains: registry.ts:areOver */
inline attempt_cancel_unrung(id) {
  end_by_cancel(id);
#ifdef MUTANT_unrung_and_undrained
  is_over = false
#else
  atomic { more = (more || is_over); is_over = false }
#endif
}

/* registry.c:read_outcome, of what registry.c:attempt_drain took; `outcome` is what JavaScript is told. Frees what does not yield. */
inline read_outcome() {
  seen = slots[slot].word;
  id = ID_OF(seen);
  outcome = STATE_OF(seen);
  yields = (outcome == CONNECTED && slots[slot].fd != 0)
}

/* registry.c:attempt_claim, of an outcome that yields. Were another to move what is CONNECTED, nothing would be claimed. */
inline attempt_claim() {
  compare_and_exchange(slot, WORD(id, CONNECTED), WORD(id, CLAIMED));
  outcome = (exchanged -> CLAIMED : CANCELLED)
}

/* registry.c:attempt_hand_over */
inline attempt_hand_over(slot) { slots[slot].handed_over = true }

/* registry.c:attempt_disown, into `fd` */
inline attempt_disown(slot) {
  fd = slots[slot].fd;
  attempt_free(slot)
}

/* registry.c:sweep_claimed: what Node has taken it has closed by now, and so it is that socket no more */
inline sweep_claimed(slot) {
  handed_over = slots[slot].handed_over;
  attempt_disown(slot);
  if
#if defined(MUTANT_sweep_forgets_handed_over)
  :: !handed_over -> atomic { close_descriptor_of(fd) }
#elif defined(MUTANT_sweep_closes_by_number)
  :: true -> atomic { close_descriptor_of(fd) }
#else
  :: !handed_over || descriptor_open[fd] -> atomic { close_descriptor_of(fd) }
#endif
  :: else
  fi
}

/* registry.c:attempts_sweep */
inline attempts_sweep() {
  for (slot : 0 .. SLOTS - 1) {
    was_drained = slots[slot].drained;
    id = ID_OF(slots[slot].word);
    outcome = STATE_OF(slots[slot].word);
    if
    :: outcome == FREE || !slots[slot].ours
    :: else ->
       if
       :: outcome == CLAIMED ->
#ifndef MUTANT_sweep_forgets_claimed
          sweep_claimed(slot)
#else
          attempt_free(slot)
#endif
       :: else ->
          if
          :: outcome == CONNECTED -> seen = WORD(id, CONNECTED); attempt_discard(slot)
#ifdef MUTANT_sweep_forgets_watched
          :: outcome == WATCHED || outcome == SUBMITTED
#endif
          :: else -> attempt_cancel(id)
          fi;
          if
          :: was_drained -> attempt_free(slot)
          :: else
          fi
       fi
    fi
  }
}
