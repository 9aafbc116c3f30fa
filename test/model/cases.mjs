/** What run.mjs gives to spin: the model in its sizes, and mutants with the property that must notice each. */
const small = { SLOTS: 1, ATTEMPTS: 1, LANES: 1, THREADS: 1, REPEATS: 0 }
const reuse = { ...small, ATTEMPTS: 2 }
const stale = { ...small, REPEATS: 1 }
const workerDies = { ...stale, WORKER_MAY_DIE: 1 }
const environmentDies = { ...stale, ENVIRONMENT_MAY_DIE: 1 }
const bothDie = { ...small, WORKER_MAY_DIE: 1, ENVIRONMENT_MAY_DIE: 1 }
const twoSlots = { ...reuse, SLOTS: 2 }
const twoLanes = { ...twoSlots, LANES: 2, THREADS: 2 }

const watched = { NONBLOCKING: 1, SLOTS: 1, ATTEMPTS: 1, REPEATS: 0, REACTORS: 1 }
const watchedAgain = { ...watched, ATTEMPTS: 2 }
const watchedAtOnce = { ...watchedAgain, SLOTS: 2 }
const twoReactors = { ...watched, REACTORS: 2 }
const reactorStops = { ...watched, REACTOR_MAY_STOP: 1 }
const watchedStale = { ...watched, REPEATS: 1, ENVIRONMENT_MAY_DIE: 1 }
const reactorGoesOn = { ...watched, ENVIRONMENT_MAY_DIE: 1, OTHER_USER: 1 }

const deadlock = 'invalid end state'

export const mutants = [
  { name: 'cancel_discards_connected', sizes: small, fails: ['settled_implies_released'] },
  { name: 'sent_outside_connecting', sizes: small, fails: ['cancel_reaches_only_its_attempt'] },
  { name: 'lane_does_not_retire', sizes: reuse, fails: ['cancel_reaches_only_its_attempt'] },
  { name: 'lane_cancel_any_attempt', sizes: reuse, fails: ['cancel_reaches_only_its_attempt'] },
  { name: 'lane_cancel_without_lock', sizes: reuse, fails: ['cancel_reaches_only_its_attempt'] },
  { name: 'cancel_by_slot', sizes: reuse, fails: ['cancel_reaches_only_its_attempt'] },
  { name: 'handler_posts_first', sizes: small, fails: ['settled_implies_released'] },
  { name: 'handler_keeps_buffer', sizes: small, fails: ['settled_implies_released'] },
  { name: 'handler_keeps_slot', sizes: small, fails: ['settled_implies_released'] },
  { name: 'buffer_pointer_kept', sizes: small, fails: ['buffer_freed_once'] },
  { name: 'owned_after_region', sizes: small, fails: ['settled_implies_released'] },
  { name: 'publish_ignores_cancel', sizes: small, fails: ['noted_cancel_is_kept'] },
  { name: 'enter_ignores_cancel', sizes: small, fails: [deadlock] },
  { name: 'discard_without_exchange', sizes: environmentDies, fails: ['closed_or_delivered_once'] },
  { name: 'delivered_unclaimed', sizes: small, fails: ['delivered_after_claim'] },
  { name: 'connect_forgets_cancel', sizes: small, fails: ['cancelled_is_not_delivered'] },
  {
    name: 'withdraw_unchecked',
    sizes: small,
    fails: ['settled_once', 'buffer_freed_once', 'settled_implies_released'],
  },
  { name: 'group_unwritten', sizes: twoSlots, fails: [deadlock] },
  { name: 'stale_cancel_asks_again', sizes: stale, liveness: true, fails: ['non-progress cycle'] },
  { name: 'exit_does_not_ring', sizes: small, fails: [deadlock] },
  { name: 'close_skips_lanes', sizes: workerDies, fails: [deadlock] },
  { name: 'close_forgets_queue', sizes: workerDies, fails: [deadlock] },
  { name: 'submit_to_closed', sizes: workerDies, fails: [deadlock] },
  { name: 'submit_looks_before_it_locks', sizes: workerDies, fails: [deadlock] },
  { name: 'starter_leaves_first', sizes: workerDies, fails: ['group_stays_while_used'] },
  { name: 'sweep_forgets_claimed', sizes: environmentDies, fails: ['nothing_is_left'] },
  { name: 'sweep_forgets_handed_over', sizes: environmentDies, fails: ['nothing_is_left'] },
  { name: 'sweep_closes_by_number', sizes: environmentDies, fails: ['closed_or_delivered_once'] },
  { name: 'post_ignores_close', sizes: environmentDies, fails: ['nothing_is_left'] },
  { name: 'handler_forgets_success', sizes: { ...small, BORROWED: 1 }, fails: ['success_stands'] },
  { name: 'events_by_descriptor', sizes: watchedAgain, fails: ['reaches_only_its_attempt'] },
  {
    name: 'taken_by_slot',
    sizes: watchedAgain,
    fails: ['reaches_only_its_attempt', 'cancel_reaches_only_its_attempt'],
  },
  { name: 'cancel_without_taking', sizes: watched, fails: ['reaches_only_its_attempt', 'settled_once', deadlock] },
  {
    name: 'batch_by_slot',
    sizes: watchedAgain,
    fails: ['reaches_only_its_attempt', 'cancel_reaches_only_its_attempt'],
  },
  { name: 'deadline_by_slot', sizes: watchedAgain, fails: ['reaches_only_its_attempt'] },
  { name: 'watched_before_poller', sizes: watched, fails: ['reaches_only_its_attempt'] },
  { name: 'lost_before_joined', sizes: reactorStops, fails: [deadlock] },
  { name: 'unwanted_overwritten', sizes: watched, fails: [deadlock] },
  { name: 'unrung_and_undrained', sizes: watched, fails: [deadlock] },
  { name: 'published_before_closed', sizes: watched, fails: ['settled_implies_released'] },
  { name: 'submit_does_not_wake', sizes: watched, fails: [deadlock] },
  { name: 'cancels_do_not_wake', sizes: twoReactors, fails: [deadlock] },
  { name: 'asleep_past_cancels', sizes: twoReactors, fails: [deadlock] },
  { name: 'asleep_without_lock', sizes: watched, fails: [deadlock] },
  { name: 'sleeps_without_ringing', sizes: watched, fails: [deadlock] },
  { name: 'submitted_before_begun', sizes: watched, fails: ['settled_implies_released', 'reaches_only_its_attempt'] },
  { name: 'sweep_forgets_watched', sizes: reactorGoesOn, fails: [deadlock] },
  { name: 'stop_keeps_watched', sizes: reactorStops, fails: [deadlock] },
  { name: 'stop_forgets_submitted', sizes: reactorStops, fails: [deadlock] },
]

export const models = [
  { name: 'both die at any moment', sizes: bothDie },
  { name: 'two slots and one lane', sizes: twoSlots },
  { name: 'two lanes at once, calm, without batches', sizes: { ...twoLanes, CALM: 1, NO_BATCHES: 1 } },
  { name: 'worker dies at any moment', sizes: workerDies },
  { name: 'borrowed descriptor', sizes: { ...workerDies, BORROWED: 1 } },
  { name: 'one slot and one lane, reused', sizes: reuse },
  { name: 'environment dies at any moment', sizes: environmentDies },
  { name: 'every run ends', sizes: stale, liveness: true },
  { name: 'reactor, environment dies at any moment', sizes: watchedStale },
  { name: 'reactor goes on for another when its environment dies', sizes: reactorGoesOn },
  { name: 'reactor stops at any moment, reused', sizes: { ...reactorStops, ATTEMPTS: 2 } },
  { name: 'reactor, one slot, reused', sizes: watchedAgain },
  { name: 'reactor, two slots', sizes: watchedAtOnce },
  { name: 'reactor, every run ends', sizes: watched, liveness: true },
  { name: 'two reactors, stale cancels', sizes: { ...twoReactors, REPEATS: 1 } },
  { name: 'two reactors stop at any moment', sizes: { ...reactorStops, REACTORS: 2 } },
  { name: 'reactor, cancels of any thread', sizes: { ...watchedAgain, ANY_CANCELS: 1 } },
]

/** With --full: the same with more of everything. */
export const fullModels = [
  {
    name: 'two lanes at once, calm, without batches, worker dies',
    sizes: { ...twoLanes, CALM: 1, NO_BATCHES: 1, WORKER_MAY_DIE: 1 },
  },
  { name: 'reused, worker dies', sizes: { ...reuse, WORKER_MAY_DIE: 1 } },
  { name: 'two lanes at once, calm', sizes: { ...twoLanes, CALM: 1 } },
  { name: 'two lanes at once, without batches', sizes: { ...twoLanes, NO_BATCHES: 1 } },
  { name: 'reused, environment dies', sizes: { ...reuse, ENVIRONMENT_MAY_DIE: 1 } },
  { name: 'every run ends, two slots', sizes: twoSlots, liveness: true },
  { name: 'reactor goes on for another when its environment dies, reused', sizes: { ...reactorGoesOn, ATTEMPTS: 2 } },
  { name: 'reactor, one slot, reused twice', sizes: { ...watchedAgain, ATTEMPTS: 3 } },
  { name: 'two reactors, one slot, reused', sizes: { ...watchedAgain, REACTORS: 2 } },
  { name: 'two reactors, two slots', sizes: { ...watchedAtOnce, REACTORS: 2, NO_BATCHES: 1 } },
  { name: 'two reactors go on for another', sizes: { ...reactorGoesOn, REACTORS: 2 } },
  { name: 'two reactors, environment dies at any moment', sizes: { ...watchedStale, REACTORS: 2 } },
]
