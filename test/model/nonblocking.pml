/* native/nonblocking.c: the steps of one attempt, by whoever owns it. */

/* The lowest number that is free: one that was closed just now is the next attempt's. 0 for a descriptor that is not open. */
byte number_of[IDS];
#define IS_NUMBER_OF(an_id, number) (number_of[(an_id) % IDS] == (number))
#define IS_OPEN(number) (IS_NUMBER_OF(1, number) || IS_NUMBER_OF(2, number) || IS_NUMBER_OF(3, number) || \
                         IS_NUMBER_OF(4, number) || IS_NUMBER_OF(5, number))

bool answers[IDS]; /* the kernel will say how it went, sooner or later */

inline open_descriptor() {
  holds(closed_or_delivered_once, slots[slot].fd == 0);
  descriptor_open[id] = true;
  slots[slot].fd = id;
  number_of[id] = (IS_OPEN(1) -> (IS_OPEN(2) -> 3 : 2) : 1)
}

/* nonblocking.c:nonblocking_begin, into `begun`: WATCHED where it goes on. For ever, perhaps: nobody answers. */
inline nonblocking_begin() {
  atomic {
    if
#ifndef CALM
    :: begun = FAILED
#endif
    :: open_descriptor();
       if
#ifndef CALM
       :: begun = CONNECTED
       :: begun = FAILED
#endif
       :: begun = WATCHED; answers[id] = true
       :: begun = WATCHED
       fi
    fi
  }
}

/* nonblocking.c:nonblocking_complete, into `begun` */
inline nonblocking_complete() {
  if
  :: begun = CONNECTED
  :: begun = FAILED
  fi
}

/* nonblocking.c:close_descriptor */
inline close_descriptor(a_slot) {
  if
  :: slots[a_slot].fd != 0 -> close_descriptor_of(slots[a_slot].fd); slots[a_slot].fd = 0
  :: else
  fi
}

#define OWNED_BY_A_THREAD(state) ((state) == SUBMITTED || (state) == UNWANTED || (state) == ENDING)

/*
 * nonblocking.c:publish, for nonblocking.c:nonblocking_publish and nonblocking.c:nonblocking_give_up, by whoever owns the
 * attempt: its submitter, its reactor, or who has taken it.
 */
inline publish(a_slot, an_id, state) {
#ifdef MUTANT_published_before_closed
  slots[a_slot].word = WORD(an_id, state);
  outbox_post(a_slot);
  outbox_ring();
#endif
  atomic {
#ifndef MUTANT_published_before_closed
    holds(reaches_only_its_attempt, ID_OF(slots[a_slot].word) == an_id && OWNED_BY_A_THREAD(STATE_OF(slots[a_slot].word)));
#endif
    if
    :: state != CONNECTED -> close_descriptor(a_slot)
    :: else
    fi;
    attempt_release_buffer(a_slot)
  };
#ifndef MUTANT_published_before_closed
  slots[a_slot].word = WORD(an_id, state);
  outbox_post(a_slot)
#endif
}
