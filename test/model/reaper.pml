/* native/reaper.c: cancels where the environment would be held for too long, and joins the lanes that ended. */
chan batches = [ATTEMPTS + REPEATS] of { byte };
bool reaper_stopping;

/* reaper.c:reaper_cancel; false where there is no reaper: `exchanged` */
inline reaper_cancel(id) {
  atomic {
    exchanged = !reaper_gone;
    if
    :: exchanged -> batches!id
    :: else
    fi
  }
}

/* reaper.c:reaper_join */
inline reaper_join(me) { lanes[me].thread = ENDED }

/* reaper.c:reaper_stop */
inline reaper_stop() {
  reaper_stopping = true;
  reaper_gone
}

/* reaper.c:reap, with reaper.c:cancel_some and reaper.c:join_all */
proctype Reaper() {
  byte id, target, seen, fd, on_lane, taken;
  bool exchanged, burying, is_over;
  do
#ifdef ANY_CANCELS
  :: batches?id -> attempt_cancel(id); id = 0
#endif
#ifdef NONBLOCKING /* cancels.c:share_out leaves it nothing that a reactor has */
  :: atomic { reaper_stopping && len(batches) == 0 -> reaper_gone = true; break }
#else
  :: batches?id -> attempt_cancel(id); id = 0
  :: len(batches) == 0 && lanes[0].thread == ENDED -> group_lane_joined(0)
#if THREADS > 1
  :: len(batches) == 0 && lanes[1].thread == ENDED -> group_lane_joined(1)
#endif
  :: atomic { reaper_stopping && len(batches) == 0 && NO_LANE(ENDED) -> reaper_gone = true; break }
#endif
  od
}
