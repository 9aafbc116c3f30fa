/** Every bound in one place, with why it is what it is. Times in milliseconds, sizes in bytes. */

/** connect's whole call, as API.md has it. */
export const callTimeoutMs = 30_000
export const attemptTimeoutMs = 10_000
/** A health check asks a yes or no of something near. */
export const checkAttemptTimeoutMs = 3_000

/** Enough to keep a fan-out moving past targets that hang, at some 40 KB of kernel and user memory each. */
export const lanes = 256
/** Beyond this a 2-core machine spends its time switching threads; pid_max is 32,768 on small ones. */
export const lanesAtMost = 16_384
/** What `auto` is: no slower for one call, and it needs no thread an attempt. `npm run bench -- --scenario single-call connect-rate` shows it. */
export const autoEngine = 'nonblocking'
/** Of the nonblocking engine. Descriptors decide before it does: each attempt costs a socket and some memory, and no thread. */
export const inFlight = 1_048_576
/** Of the process, one a core. The calling thread has work for no more: `npm run bench -- --scenario connect-rate refuse-rate` shows it. */
export const reactors = 4
/** What CANCELPOINT_REACTORS may ask for: native/reactors.h has room for no more. */
export const reactorsAtMost = 16
/** For cancelpoint/posix, whose polls may wait long. */
export const posixLanes = 1_024
/** 10 KiB is a lane's high-water mark; more costs address space, not memory. */
export const laneStackBytes = 64 * 1024
/** Starting a thread costs some 9 microseconds, so there is no need to keep one for long. */
export const laneIdleMs = 2_000

/** One worker owns the lanes and is idle otherwise; the second takes its place while the first still ends. */
export const workers = 2
/** Batches of attempts that are started in one turn of the event loop before the rest has to wait for its end. */
export const startsAtOnce = 8
/** Attempts that are handed over or cancelled by one native call: keeps a turn of the event loop short. */
export const attemptsPerBatch = 1_000

/** Outcomes settled in one go; the rest waits for the next turn, so that 10,000 rejections do not hold the event loop. */
export const outcomesPerSlice = 64

/**
 * A target, in characters, before anything is done with it: punycode takes time by the square of the length. A hostname
 * has 253 at most, and one in another script is not four times as long as its punycode.
 */
export const targetLengthAtMost = 1_024
/** A range: lists of ports are long. Nothing is done with it that takes more than time by its length. */
export const rangeLengthAtMost = 65_536

/** Targets in flight in one check: with targets that hang for 3 s, some 340 a second. A target costs the nonblocking engine some 6 KB. */
export const checkConcurrency = 1_024

/** A banner or an answer is short. What a step reads is held in memory, a step a target in flight. */
export const expectBytes = 4_096
export const expectBytesAtMost = 1_048_576
/** How long the rest of a line may take to begin: a packet that was lost is sent again in less. */
export const restOfLineMs = 1_000
/** How long a server that asked for a client's certificate may take to say a word, where it says none when it takes it. */
export const lateRefusalMs = 1_000
/** Nobody writes more by hand. */
export const stepsAtMost = 100
/**
 * How much a pattern may look at, as a multiple of what was read: a peer that sends byte by byte would have it look at all again
 * for each. Beyond that it looks so often.
 */
export const lookShare = 16
export const lookMs = 20
/** A peer that hangs up after the process was held up for so long may have lost its patience with us. */
export const heldUpExcusesMs = 500

/** A watch: HAProxy's rise and fall; an interval and a jitter that hurt nobody. */
export const watchIntervalMs = 10_000
export const rise = 2
export const fall = 3
export const jitter = 0.03
export const jitterAtMost = 0.5
/** Results in a row, and a day: more is a slip of the pen. */
export const riseAtMost = 1_000
export const intervalAtMostMs = 86_400_000
/** Checks that are started in one turn of the event loop. */
export const startsPerTurn = 64
/** Changes that wait for somebody to take them. */
export const changesAtMost = 10_000
/** When a watch does not judge: see core/overload.ts. A tenth of the default interval late; half a second is some lost answers. */
export const overload = {
  lateAtMostMs: 1_000,
  heldUpAtMostMs: 500,
  localShareAtMost: 0.1,
  resultsLookedAt: 64,
  calmMs: 5_000,
}
/** What lateness is told over. */
export const latenessWindowMs = 60_000

/**
 * A webhook. Standard Webhooks asks for small messages and for 15 to 30 s of patience. What waits is some hundred bytes a change:
 * each of 50,000 targets may go down and come back while nobody takes it.
 */
export const webhook = {
  gatherMs: 1_000,
  changesAMessage: 500,
  bytesAMessage: 262_144,
  changesAtMost: 100_000,
  bytesAtMost: 33_554_432,
  timeoutMs: 15_000,
  /** Waits are half a minute on the average, so some eight hours; a message that the receiver fails at, some eight minutes. */
  tries: 1_000,
  triesAtFault: 20,
  baseMs: 1_000,
  capMs: 60_000,
  /** What a Retry-After may ask for. */
  retryAfterAtMostMs: 600_000,
  /** The answer's body is nobody's news: it is read for as long and as far, so that the receiver can end politely. */
  drainMs: 1_000,
  drainBytes: 65_536,
  /** What a close waits for what is not sent yet, and the longest wait between two tries then. */
  closeMs: 5_000,
  closeStepMs: 500,
  /** Losses are told at once, and then at most so often. */
  sayEveryMs: 10_000,
}

/**
 * A file of states. It is written anew once its changes outgrow both what is written anew and a megabyte, in slices that do not hold
 * the event loop. What cannot be written waits, up to some bytes: beyond them all is written anew.
 */
export const stateFile = {
  growBytes: 1_048_576,
  linesPerSlice: 1_000,
  waitingBytes: 4_194_304,
  retryMs: 5_000,
  /** More lines of targets than anybody watches. */
  targetsAtMost: 1_000_000,
}

/**
 * Files that are read again when they change: once they were left alone for a moment, and at the latest so long after the first change.
 * One that changes while it is read is read again, up to some times. Where the kernel does not tell of changes, it is looked
 * for them often; elsewhere now and then, because some file systems tell only half of them.
 */
export const reload = {
  quietMs: 100,
  atMostMs: 1_000,
  unsteadyAtMost: 10,
  pollMs: 1_000,
  slowPollMs: 30_000,
  problemsTold: 10,
  entriesPerSlice: 500,
}

/** How long a check's close_notify and FIN may take to be sent: a peer that does not read holds them up. */
export const goodbyeMs = 1_000
/** What a peer still says then is read so far, for as long as it pauses no longer than so: a page is rarely larger. */
export const goodbyeBytes = 262_144
export const goodbyeQuietMs = 100

/** A small policy: what is worth trying again has mostly come back by then. Tries, the first included. */
export const retryTries = 3
/** Retries as a share of first tries, and what is granted whatever the share: as Finagle has them. */
export const retryBudget = 0.2
export const budgetMinPerSecond = 10
export const budgetSeconds = 10

/**
 * A local failure is waited out for some seconds, then told: a caller who wants to wait longer can call again. One attempt's requeues are
 * too few to be what fails a pool: see failuresAtMost.
 */
export const requeuesAtMost = 10
export const requeuePatienceMs = 5_000
export const requeueBaseMs = 20
export const requeueCapMs = 1_000

/** How long a target of a check may wait for this machine with its clock stopped: a place, a lane, a look-up. Then it is `unknown`. */
export const pauseAtMostMs = 300_000

/** A call that waited for longer than this share of its time has no word to say about its target. */
export const waitedShare = 0.1

/** Modest: a burst of this many connects hurts no machine, and doubling reaches thousands in half a second. */
export const windowStart = 64
/** Long enough for what was added to show its effect. */
export const windowStepMs = 50
/** Attempts that failed together are one message. */
export const windowCutMs = 100
/** Descriptors left to the rest of the process: accepted connections, files, name look-ups. */
export const descriptorReserve = 128

/** RFC 8305, section 8: how long A answers wait for AAAA, and how long after one attempt the next one starts. */
export const resolutionDelayMs = 50
export const attemptDelayMs = 250
/** Section 5: what no delay may be below (100 is recommended for those that are computed), and what none should exceed. */
export const attemptDelayAtLeastMs = 10
export const attemptDelayAtMostMs = 2_000
/** How long the outcome of a race is remembered: RFC 6555, section 4.2, says some ten minutes. And of how many names. */
export const lastGoodMs = 600_000
export const lastGoodAtMost = 1_000

/**
 * Questions (A or AAAA of one name) that wait for name servers at once; more wait for their turn. So many datagrams fit
 * into a server's receive buffer. Servers often take no more than 100 or 150: the window then shrinks.
 */
export const questionsAtMost = 200
/** No common server refuses so few. While no more are under way, a refusal is soon believed. */
export const quietQuestions = 8
/** More refusals than this of the last 64 questions come of load, where a quiet server refuses none. */
export const outcomesRemembered = 64
export const refusalsOfLoad = 8
/** A question that was refused because of load is asked again so often, one that may have been fewer times; with such pauses. */
export const loadRetriesAtMost = 10
export const doubtfulRetriesAtMost = 3
export const loadBaseMs = 100
export const loadCapMs = 500
/** The first wait for a server's answer, doubled with every round, and the rounds: c-ares's defaults. */
export const serverTimeoutMs = 2_000
export const serverTries = 3
/** resolv.conf(5): more are not looked at, and `options` can ask for no more than these. */
export const serversAtMost = 3
export const serverTimeoutAtMostMs = 30_000
export const serverTriesAtMost = 5
/** A server that did not answer is asked last for so long. Then one question tries it, and waits only briefly. */
export const serverDownMs = 10_000
export const serverTrialMs = 250

/** Addresses of a name that are tried, of each family. More are no better; thousands would be as many attempts. */
export const addressesAtMost = 256
/** How long one family's answer waits for the other's: some servers never answer for AAAA. */
export const otherFamilyMs = 1_000
/** Answers kept: a family of a name is one. A record may say a week, and nobody means that. */
export const answersAtMost = 10_000
export const ttlAtMostMs = 300_000
/** That there is no such name. c-ares keeps the zone's own word on it (RFC 2308) to itself, so this is short. */
export const negativeTtlMs = 5_000

/** More worker or lane failures than this in so long are no accident any more. */
export const failuresAtMost = 10
export const failurePeriodMs = 10_000
/** Lanes that could not be had within so long are one failure: a lack that is over sooner than a second closes no manager. */
export const laneFailureMs = 100

/** Targets of the lab: more addresses than a check of one machine needs, and some 100 MB of their names. */
export const labTargetsAtMost = 1_000_000

/**
 * How often it is looked whether the event loop turns, and what a beat may be late by without a word: timers are a millisecond
 * or two late at any time, and a busy loop some more.
 */
export const beatMs = 10
export const beatToleranceMs = 4

/** cancelpoint wait. Each target has a place of its own, however many hang. */
export const waitTargetsAtMost = 1_024
export const waitTimeoutMs = 60_000
export const waitIntervalMs = 250
/** One try of a target, all of it together: a service that starts answers slowly, and one that died silently is to be asked anew. */
export const waitTryMs = 10_000
/** What name servers said, "no such name" included: half the pause after that answer, so that none answers two tries. */
export const waitNamesMs = 500

/** The longest wait Node's timers take; longer ones would fire at once. */
export const timerAtMostMs = 2_147_483_647

/** The server of a watch: what slow, silent and many clients may hold. */
export const serve = {
  /** Targets with series of their own, unless told otherwise: some 15 samples each. */
  seriesAtMost: 10_000,
  /** Results remembered of each target: ten minutes of the default interval. And targets that share an array. */
  historyLength: 60,
  historyBlock: 1_024,
  /** Targets or samples that are worked on in one turn of the event loop: well under a millisecond each hundred. */
  rowsPerSlice: 256,
  /** What /api/targets tells of groups: labels, and the values of one. More is for a database. */
  groups: { labels: 16, values: 200 },
  /** A person, a page, some servers: more clients than that is an accident. */
  connectionsAtMost: 256,
  requestsPerConnection: 1_000,
  /** Requests of one connection that may wait for the one before. */
  pipelinedAtMost: 16,
  headerBytesAtMost: 8_192,
  urlLengthAtMost: 2_048,
  headersTimeoutMs: 5_000,
  requestTimeoutMs: 10_000,
  keepAliveMs: 5_000,
  /** How long nothing may move on a connection. */
  silenceMs: 30_000,
  connectionsCheckedMs: 1_000,
  /** Answers that take turns of the event loop: each may hold a list of all targets. */
  scrapesAtMost: 4,
  listingsAtMost: 4,
  answerAtMostMs: 60_000,
  /** How long such an answer may wait until its client has taken a part of it. */
  stuckAtMostMs: 5_000,
  retryAfterS: 1,
  pageSize: 100,
  pageSizeAtMost: 1_000,
  labelFiltersAtMost: 16,
  /** Followers of events, and how often and how much they are told. */
  followersAtMost: 64,
  summaryEveryMs: 1_000,
  changesEveryMs: 250,
  changesToldAtMost: 200,
  heartbeatEveryMs: 15_000,
  /** What may wait for a follower, and how long it may take nothing. */
  followerBytesAtMost: 1_048_576,
  followerStuckMs: 10_000,
  /** Probes that were asked for: under way at once, and started a second. */
  probesAtMost: 64,
  probesPerSecond: 100,
  /** As blackbox_exporter has them: without a word of the scraper, and what is left for the way back. */
  probeTimeoutMs: 10_000,
  probeOffsetMs: 500,
  probeTimeoutAtMostMs: 60_000,
  /** What a probe may wait for this machine beyond its own time. */
  probePatienceMs: 250,
} as const
