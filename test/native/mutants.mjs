/**
 * Seeded bugs: one change each to a copy of native/ (`also`: what must change with it), and who must notice. `find` must
 * occur exactly once, so that a mutant that no longer fits its source fails the run. `noticed` is in the tool's report or, for `plain`, in the program's own words.
 */

export const mutants = [
  {
    name: 'the region is left without the lane’s lock',
    flavour: 'tsan',
    file: 'lane.c',
    find: `  pthread_mutex_lock(&lane->lock);
  lane->phase = LANE_FINISHING;
  pthread_mutex_unlock(&lane->lock);`,
    replace: '  lane->phase = LANE_FINISHING;',
    scenario: 'storm of cancels',
    noticed: /ThreadSanitizer: data race/,
  },
  {
    name: 'an outbox is rung without a reference',
    flavour: 'asan',
    file: 'outbox.c',
    find: `  outbox_hold(outbox); /* the attempt's own reference may go the moment it is posted */\n`,
    replace: '',
    scenario: 'caller ends before a lane posts',
    noticed: /AddressSanitizer: heap-use-after-free/,
  },
  {
    name: 'an address buffer is freed twice',
    flavour: 'asan',
    file: 'registry.c',
    find: '  attempt->addresses = NULL;\n  ledger_add(LEDGER_BUFFERS, -1);',
    replace: '  free(attempt->addresses);\n  ledger_add(LEDGER_BUFFERS, -1);',
    scenario: 'connects',
    noticed: /AddressSanitizer: attempting double-free/,
  },
  {
    name: 'a deadline is reckoned in 32 bits',
    flavour: 'asan',
    file: 'lane.c',
    find: 'int64_t left = limit - (now_ns(CLOCK_MONOTONIC) - lane->started_ns) / 1000000;',
    replace: 'int left = ((int)limit * 1000000 - (int)(now_ns(CLOCK_MONOTONIC) - lane->started_ns)) / 1000000;',
    scenario: 'connects',
    noticed: /runtime error: signed integer overflow/,
  },
  {
    name: 'a cancelled lane leaks its address buffer',
    flavour: 'valgrind',
    file: 'lane.c',
    find: '  attempt_release_buffer(attempt);\n  group_return_slot(lane);',
    replace: '  group_return_slot(lane);',
    scenario: 'cancel a batch',
    noticed: /definitely lost: [1-9]/,
  },
  {
    name: 'a cancelled lane leaks its descriptor',
    flavour: 'valgrind',
    file: 'lane.c',
    find: '  close_descriptor(lane);\n  attempt_release_buffer(attempt);\n  group_return_slot(lane);',
    replace: '  attempt_release_buffer(attempt);\n  group_return_slot(lane);',
    scenario: 'cancel inside connect, AF_UNIX',
    noticed: /Open AF_UNIX socket/,
  },
  {
    name: 'cancellation stays enabled after connect',
    flavour: 'plain',
    file: 'lane.c',
    find: `  lane->error = errno;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);`,
    replace: '  lane->error = errno;',
    scenario: 'is refused',
    noticed: /expected cancellation disabled in close/,
  },
  {
    name: 'a lane with a pending cancel goes on',
    flavour: 'plain',
    file: 'lane.c',
    find: 'while (!lane->cancel_sent && (lane->attempt',
    replace: 'while ((lane->attempt',
    scenario: 'cancel too late',
    noticed: /ended\.state is FREE, expected CONNECTED/,
  },
  {
    name: 'a cancel closes what has connected behind its environment’s back',
    flavour: 'plain',
    file: 'registry.c',
    find: '      default:\n        /*\n         * Over. CONNECTED too',
    replace:
      '      case ATTEMPT_CONNECTED:\n        attempt_discard(attempt, word);\n        return;\n      default:\n        /*\n         * Over. CONNECTED too',
    scenario: 'cancel when connected, drained',
    noticed: /expected ended\.fd == fd \|\| !is_open\(fd\)/,
  },
  {
    // With the static unwinder, pthread_cancel opens libgcc_s.so.1 by itself; else the linker has loaded it at the start.
    name: 'the first cancel of the process finds no unwinder',
    flavour: 'plain',
    link: '-static-libgcc',
    file: 'lane.c',
    find: '  pthread_cancel(thread);\n  return pthread_join(thread, NULL);',
    replace: '  return pthread_detach(thread);',
    scenario: 'first cancel at the descriptor limit',
    noticed: /libgcc_s\.so\.1 must be installed for pthread_cancel to work/,
  },
  {
    name: 'the reactor finds an attempt by its slot, whatever the generation',
    flavour: 'plain',
    file: 'reactor.c',
    find: 'attempt->watched && atomic_load(&attempt->word) == word_of(id, ATTEMPT_WATCHED);',
    replace: 'attempt->watched;',
    scenario: 'reactor: a late event, descriptor and slot used again',
    noticed: /is FREE, expected WATCHED|is FAILED, expected WATCHED/,
  },
  {
    name: 'the reactor finds an attempt by its descriptor',
    flavour: 'plain',
    file: 'reactor.c',
    find: 'poller_watch(atomic_load_explicit(&attempt->fd, memory_order_relaxed), id)',
    replace: '((void)id, poller_watch(attempt->fd, (uint64_t)attempt->fd))',
    also: [
      {
        find: '  struct attempt *attempt = find_watched(id);\n  if (attempt != NULL) end_watched',
        replace:
          '  struct attempt *attempt = watched;\n  while (attempt != NULL && attempt->fd != (int)id) attempt = attempt->next;\n  if (attempt != NULL) end_watched',
      },
    ],
    scenario: 'reactor: a late event, descriptor and slot used again',
    noticed: /is FREE, expected WATCHED|is FAILED, expected WATCHED/,
  },
  {
    name: 'the reactor leaks the descriptor of what runs out of time',
    flavour: 'valgrind',
    file: 'nonblocking.c',
    find: '  if (state != ATTEMPT_CONNECTED || attempt->request.flags & ATTEMPT_PROBE) close_descriptor(attempt);',
    replace: '  if (state == ATTEMPT_CANCELLED || attempt->request.flags & ATTEMPT_PROBE) close_descriptor(attempt);',
    scenario: 'reactor: runs out of time',
    noticed: /Open AF_INET socket/,
  },
  {
    name: 'the reactor is woken without its lock',
    flavour: 'tsan',
    file: 'inbox.c',
    find: '  last_submitted = last;\n  wake();\n  pthread_mutex_unlock(&lock);',
    replace: '  last_submitted = last;\n  pthread_mutex_unlock(&lock);\n  wake();',
    scenario: 'storm of cancels in the reactor',
    noticed: /ThreadSanitizer: data race/,
  },
]
