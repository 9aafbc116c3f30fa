/* native/lane.c: one thread, and one attempt after another on it. */

proctype Lane(byte me) {
  byte id, slot, other, seen, fd, started, ending;
  bool exchanged, burying, starting, fresh, failed, stands, interrupted;

end_unused: /* lane_group.c:lane_unused */
  atomic { lanes[me].thread == RUNNING -> fresh = true };

  /* lane.c:lane_main */
  if
  :: skip
#ifndef CALM
  :: group_lane_fails(me); goto joins /* it could not keep its value */
#endif
  fi;

next:
  if
#ifndef MUTANT_lane_does_not_retire
  :: lanes[me].cancel_sent -> goto leaves
#endif
  :: else -> skip
  fi;
  lane_take(me);
  if
  :: slot == NONE -> goto leaves
  :: else
  fi;
  prepare(me);
  if
  :: failed -> goto publish
  :: else
  fi;

again: /* lane.c:connect_or_poll */
  enter(me);
  if
  :: failed -> goto publish
  :: else
  fi;

  /* lane.c:connect_at_cancellation_point: the kernel refuses or a deadline passes, it hangs, is interrupted, connects. */
  if
  :: lanes[me].pending -> goto cancelled
  :: skip -> lanes[me].pending -> goto cancelled /* hangs until then */
  :: failed = true
#ifndef CALM
  :: !interrupted -> interrupted = true; leave(me); goto again
#endif
  ::
#ifdef BORROWED
     established[id] = true;
#endif
     if
     :: lanes[me].pending -> goto cancelled /* acted on as connect returns: BZ 12683 */
     :: skip
     fi
  fi;
  leave(me);
#ifdef MUTANT_owned_after_region
  lanes[me].owns_fd = true;
#endif
  /* lane.c:finish: SO_ERROR, the peer, oneself */
#ifndef BORROWED
  if
  :: failed = true
  :: skip
  fi;
#endif

publish:
  lane_publish(me);
  atomic { failed = false; stands = false; interrupted = false; started = 0; exchanged = false };
  goto next;

cancelled:
  lane_cancelled(me);

leaves: /* lane.c:lane_exit */
#ifndef MUTANT_exit_does_not_ring
  outbox_ring();
#endif
  group_lane_leaves();

joins:
  atomic {
    reaper_join(me);
    fresh = false; id = 0; slot = 0; other = 0; seen = 0; fd = 0;
    failed = false; stands = false; interrupted = false; exchanged = false; burying = false
  };
  goto end_unused
}
