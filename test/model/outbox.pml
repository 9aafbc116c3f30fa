/* native/outbox.c. All that its lock guards moves in one step, so the lock itself is not needed here. */
chan posted = [SLOTS] of { byte };
bool armed, owing, closed;
bool rung; /* the environment's bell: a call that it will get on a later turn */

/* outbox.c:bury */
inline bury(slot) {
  if
  :: atomic { STATE_OF(slots[slot].word) == CONNECTED -> seen = slots[slot].word };
     attempt_discard(slot)
  :: else
  fi;
  attempt_free(slot)
}

/* outbox.c:outbox_post */
inline outbox_post(slot) {
  atomic {
    burying = closed;
#ifdef MUTANT_post_ignores_close
    burying = false;
#endif
    if
    :: burying
    :: else -> posted!slot; owing = (owing || !armed)
    fi
  };
  if
  :: burying -> bury(slot)
  :: else
  fi
}

/* outbox.c:outbox_ring */
inline outbox_ring() {
  atomic {
    if
    :: owing && !closed -> owing = false; armed = true; rung = true
    :: else
    fi
  }
}

/* outbox.c:outbox_drain, of a slice of one */
inline outbox_drain() {
  atomic {
    if
    :: len(posted) > 0 -> posted?slot; slots[slot].drained = true
    :: else -> slot = NONE
    fi;
    if
    :: len(posted) == 0 -> armed = false; owing = false
    :: else
    fi
  }
}

/* outbox.c:outbox_close */
inline outbox_close() {
  closed = true;
  do
  :: posted?slot -> bury(slot)
  :: len(posted) == 0 -> break
  od
}
