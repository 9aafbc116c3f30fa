/* The worker: workers/lanes.cts hands ids to addon.cc:Start; addon.cc:Close is its end, whenever that comes. */
chan tasks = [ATTEMPTS] of { byte };

proctype Worker() {
  byte id, other, target, seen, fd, started, ending;
  bool exchanged, burying, starting;
  do
  :: tasks?id -> group_start(id); atomic { id = 0; exchanged = false; started = 0 }
#ifdef WORKER_MAY_DIE
  :: break
#else
  :: environment_gone -> break
#endif
  od;
  engine_gone = true;
  group_close();
  reaper_stop();
  engine_joined = true
}

inline start_engine() {
  run Worker();
  for (i : 0 .. THREADS - 1) { run Lane(i) }
}

inline end_engine() { engine_joined }

inline nothing_is_left_of_engine() {
  for (i : 0 .. THREADS - 1) { holds(nothing_is_left, lanes[i].thread == UNUSED && !lanes[i].owns_fd) }
  holds(nothing_is_left, slots_used == 0 && unjoined == 0 && len(queue) == 0)
}
