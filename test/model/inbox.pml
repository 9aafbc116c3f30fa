/* native/inbox.c. Its one lock guards all of it, so each function is one step. */
chan submitted = [SLOTS] of { byte };
chan cancels = [SLOTS] of { byte };
bool asleep, inbox_closed;

/* inbox.c:wake, and the poller's wake: told once, whenever the reactor waits next */
bool woken;
inline wake() {
  if
  :: asleep -> asleep = false; woken = true
  :: else
  fi
}

/* inbox.c:inbox_submit, of one */
inline inbox_submit(slot) {
  atomic {
    submitted!slot;
#ifndef MUTANT_submit_does_not_wake
    wake()
#endif
  }
}

/* inbox.c:inbox_cancel, with inbox.c:ask_to_cancel */
inline inbox_cancel(id) {
  atomic {
    if
#ifdef MUTANT_cancel_asked_unchecked
    :: true ->
#else
    :: slots[SLOT_OF(id)].word == WORD(id, WATCHED) ->
#endif
       if
       :: slots[SLOT_OF(id)].cancel_asked == 0 -> cancels!SLOT_OF(id)
       :: else
       fi;
       slots[SLOT_OF(id)].cancel_asked = id;
#ifndef MUTANT_cancel_does_not_wake
       wake()
#endif
    :: else
    fi
  }
}

/* inbox.c:inbox_close */
inline inbox_close() { atomic { inbox_closed = true; wake() } }

/* inbox.c:inbox_next_cancels, of one: into `id`, 0 for none; `all` where there are no more */
inline inbox_next_cancels() {
  atomic {
    if
    :: cancels?slot -> id = slots[slot].cancel_asked; slots[slot].cancel_asked = 0
    :: len(cancels) == 0 -> id = 0
    fi;
    all = (len(cancels) == 0)
  }
}

/* inbox.c:inbox_next_submitted, into `slot` */
inline inbox_next_submitted() {
  atomic {
    if
    :: submitted?slot
    :: len(submitted) == 0 -> slot = NONE
    fi
  }
}

/* inbox.c:inbox_falls_asleep, into `asleep` and `sleeps` */
inline inbox_falls_asleep() {
#ifdef MUTANT_asleep_without_lock
  sleeps = (len(submitted) == 0 && len(cancels) == 0 && !inbox_closed);
  asleep = sleeps
#else
  atomic {
    sleeps = (len(submitted) == 0 && len(cancels) == 0 && !inbox_closed);
    asleep = sleeps
  }
#endif
}

/* inbox.c:inbox_is_over, into `over` */
inline inbox_is_over() {
  atomic {
    asleep = false;
    over = (inbox_closed && len(cancels) == 0)
  }
}
