/* native/inbox.c, one a reactor, and native/cancels.c, for all of them. What one lock guards is one step. */
typedef Inbox {
  chan submitted = [SLOTS] of { byte };
  bool asleep, closed;
  bool woken; /* the poller's wake: told once, whenever the reactor waits next */
}
Inbox inboxes[REACTORS];

/* cancels.c: ids that wait for whichever reactor has time */
chan waiting_cancels = [ATTEMPTS + REPEATS] of { byte };
#define CANCELS_WAIT (len(waiting_cancels) > 0)

/* inbox.c:wake */
inline wake(to) {
  if
  :: inboxes[to].asleep -> inboxes[to].asleep = false; inboxes[to].woken = true
  :: else
  fi
}

/* inbox.c:inbox_submit, of one */
inline inbox_submit(to, a_slot) {
  atomic {
    inboxes[to].submitted!a_slot;
#ifndef MUTANT_submit_does_not_wake
    wake(to)
#endif
  }
}

/* inbox.c:inbox_close */
inline inbox_close(to) { atomic { inboxes[to].closed = true; wake(to) } }

/* cancels.c:leave_to_reactors, with reactors.c:reactors_wake and inbox.c:inbox_wake: one inbox after the other */
inline leave_to_reactors(an_id) {
  waiting_cancels!an_id;
#ifndef MUTANT_cancels_do_not_wake
  atomic { wake(0) };
#if REACTORS > 1
  atomic { wake(1) }
#endif
#endif
}

/* cancels.c:cancels_take, of one: into `id`, 0 for none */
inline cancels_take() {
  atomic {
    if
    :: waiting_cancels?id
    :: !CANCELS_WAIT -> id = 0
    fi
  }
}

/* inbox.c:inbox_next, into `slot` */
inline inbox_next() {
  atomic {
    if
    :: inboxes[me].submitted?slot
    :: len(inboxes[me].submitted) == 0 -> slot = NONE
    fi
  }
}

#ifdef MUTANT_asleep_past_cancels
#define NOTHING_WAITS (len(inboxes[me].submitted) == 0 && !inboxes[me].closed)
#else
#define NOTHING_WAITS (len(inboxes[me].submitted) == 0 && !inboxes[me].closed && !CANCELS_WAIT)
#endif

/* inbox.c:inbox_falls_asleep, into `sleeps` */
inline inbox_falls_asleep() {
#ifdef MUTANT_asleep_without_lock
  sleeps = NOTHING_WAITS;
  inboxes[me].asleep = sleeps
#else
  atomic { sleeps = NOTHING_WAITS; inboxes[me].asleep = sleeps }
#endif
}

/* inbox.c:inbox_is_over, into `over` */
inline inbox_is_over() {
  atomic { inboxes[me].asleep = false; over = (inboxes[me].closed && !CANCELS_WAIT) }
}
