/* The worker: workers/lanes.ts hands ids to addon.cc:Start; addon.cc:Close is its end, whenever that comes. */
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
  worker_gone = true;
  group_close();
  reaper_stop();
  worker_joined = true
}
