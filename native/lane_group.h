/*
 * The lanes of one worker: a queue of attempts, lanes that start on demand and retire when idle. The group
 * belongs to the environment that opened it and ends with it.
 *
 * Other environments hand attempts to a group by its number, and may do so at the very moment at which it closes.
 * Groups are type-stable, as lanes are, and each opening has a number of its own: a number whose group has closed finds
 * nothing, even if the struct is in use again. A number holds nothing, so it may be lost on its way between threads.
 */
#ifndef CANCELPOINT_LANE_GROUP_H
#define CANCELPOINT_LANE_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct attempt;
struct lane;
struct lane_group;

struct lane_options {
  uint32_t max_lanes;
  uint32_t stack_bytes;
  uint32_t idle_ms; /* a lane without work for so long retires */
};

/* Makes the exit key, and cancels one thread so that the unwinder is loaded. Once a process, before any lane. 0 or an errno. lane.c */
int lane_prime(void);

/* NULL where there is no memory or no thread for the reaper; errno tells. The worker's thread. */
struct lane_group *group_open(const struct lane_options *options);

/* What group_submit finds it by: above 0, below 2^53, and never used again. The worker's thread. */
uint64_t group_number(const struct lane_group *group);

/*
 * RESERVED to QUEUED for each id that is still reserved. False where that group has closed or closes: the ids are as they
 * were, and the caller forfeits them or hands them to another group. May start a thread. The thread of the environment
 * that reserved them.
 */
bool group_submit(uint64_t number, const double *ids, size_t count);

/*
 * Ends the group: what is queued is LOST, what connects is cancelled and LOST, every lane is joined. Returns after
 * that; nothing of the group is left. The worker's thread, from its cleanup hook.
 */
void group_close(struct lane_group *group);

/* QUEUED to CANCELLED, if the attempt's word is still `word` and the queue is this group's. Any thread. */
bool group_withdraw(struct lane_group *group, struct attempt *attempt, uint64_t word);

/* The next attempt, QUEUED to TAKEN, waiting for one if need be; NULL when the lane shall retire. The lane. */
struct attempt *lane_take(struct lane *lane);

/* Gives the lane's place back, so that another may start. Idempotent. The lane; its cleanup handler too. */
void group_return_slot(struct lane *lane);

/* The lane's thread has started but cannot run attempts: the same as if it could not be started. That thread, before lane_take. */
void group_lane_fails(struct lane *lane, int error);

/* The lane's thread is about to end: starts another if work waits. The lane, not in a cleanup handler. */
void group_lane_leaves(struct lane *lane);

/* The lane's thread is joined. The reaper. */
void group_lane_joined(struct lane *lane);

#endif
