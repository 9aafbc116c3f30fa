/* The worker: workers/lanes.cts opens the group by addon.cc:OpenLanes; addon.cc:Close is its end, whenever that comes. */
proctype Worker() {
  byte other, target, seen, fd, ending;
  bool exchanged, burying;
#ifndef WORKER_MAY_DIE
  environment_gone;
#endif
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
