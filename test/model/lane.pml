/* native/lane.c: the steps of one attempt. lane_main.pml is the thread that takes them. */

/* lane.c:lane_cancel; true: `exchanged` */
inline lane_cancel(lane, an_id, as) {
#ifdef MUTANT_lane_cancel_without_lock
  exchanged = (lanes[lane].attempt_id == an_id);
#endif
  atomic {
#ifndef MUTANT_lane_cancel_without_lock
    exchanged = (lanes[lane].attempt_id == an_id);
#endif
#ifdef MUTANT_lane_cancel_any_attempt
    exchanged = (lanes[lane].attempt_id != 0);
#endif
    if
    :: exchanged ->
       noted[lanes[lane].attempt_id] = true;
       if
       :: lanes[lane].cancel == FREE -> lanes[lane].cancel = as
       :: else
       fi;
       if
#ifdef MUTANT_sent_outside_connecting
       :: !lanes[lane].cancel_sent ->
#else
       :: lanes[lane].phase == CONNECTING && !lanes[lane].cancel_sent ->
#endif
          lanes[lane].cancel_sent = true;
          lanes[lane].pending = true;
          slot_owed[lanes[lane].attempt_id] = true;
          holds(cancel_reaches_only_its_attempt, lanes[lane].phase == CONNECTING && lanes[lane].attempt_id == an_id)
       :: else
       fi
    :: else
    fi
  }
}

/* lane.c:lane_interrupt */
inline lane_interrupt(lane, as) {
  target = lanes[lane].attempt_id;
  if
  :: target != 0 -> lane_cancel(lane, target, as)
  :: else
  fi
}

/* lane.c:close_descriptor */
inline close_descriptor(me) {
  atomic {
    if
    :: lanes[me].owns_fd -> lanes[me].owns_fd = false; close_descriptor_of(id)
    :: else
    fi
  }
}

/* lane.c:settle, under the lane's lock */
inline settle(me, state) {
  slots[slot].word = WORD(id, state);
  lanes[me].attempt_id = 0;
  lanes[me].phase = IDLE;
  lanes[me].cancel = FREE /* nobody asks before lane_group.c:take_first does the same */
}

/* lane.c:prepare. The descriptor is the lane's before the region is entered. */
inline prepare(me) {
  if
#ifndef BORROWED
  :: atomic {
       descriptor_open[id] = true;
#ifndef MUTANT_owned_after_region
       lanes[me].owns_fd = true;
#endif
       failed = false
     }
  :: failed = true
#else
  :: failed = false
#endif
  fi
}

/* lane.c:enter; false where a cancel came first: `failed` */
inline enter(me) {
  atomic {
#ifdef MUTANT_enter_ignores_cancel
    failed = false;
#else
    failed = (lanes[me].cancel != FREE);
#endif
    if
    :: !failed -> lanes[me].phase = CONNECTING
    :: else
    fi
  }
}

/* lane.c:leave */
inline leave(me) {
  lanes[me].phase = FINISHING
}

/* lane.c:lane_cancelled, the cleanup handler */
inline lane_cancelled(me) {
#ifdef BORROWED
  stands = established[id];
#endif
#ifdef MUTANT_handler_forgets_success
  stands = false;
#endif
#ifdef MUTANT_handler_posts_first
  atomic { settle(me, lanes[me].cancel) };
  outbox_post(slot);
  outbox_ring();
#endif
  close_descriptor(me);
#ifndef MUTANT_handler_keeps_buffer
  attempt_release_buffer(slot);
#endif
#ifndef MUTANT_handler_keeps_slot
  group_return_slot(me);
#endif
#ifndef MUTANT_handler_posts_first
  atomic { settle(me, (stands -> CONNECTED : lanes[me].cancel)) };
  outbox_post(slot)
#endif
}

/* lane.c:lane_publish */
inline lane_publish(me) {
  atomic {
    if
    :: failed -> close_descriptor(me)
    :: else
    fi;
    attempt_release_buffer(slot)
  };
  atomic {
#ifdef BORROWED
  stands = !failed;
#endif
#ifdef MUTANT_publish_ignores_cancel
  stands = !failed;
#endif
  if
  :: lanes[me].cancel != FREE && !stands ->
     close_descriptor(me);
     settle(me, lanes[me].cancel)
  :: else ->
     if
     :: lanes[me].owns_fd -> atomic { slots[slot].fd = id; lanes[me].owns_fd = false }
     :: else
     fi;
     settle(me, (failed -> FAILED : CONNECTED))
  fi
  };
  if
  :: lanes[me].cancel_sent -> group_return_slot(me)
  :: else
  fi;
  outbox_post(slot);
  outbox_ring()
}
