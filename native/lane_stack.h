/*
 * Stacks of lanes, kept for the next lane for a while. The threads library has a cache too, but it gives the pages back
 * as each thread ends and the stack soon after: both interrupt every core that runs this process, and with
 * thousands of lanes ending at once that was half of their cost.
 */
#ifndef CANCELPOINT_LANE_STACK_H
#define CANCELPOINT_LANE_STACK_H

#include <stdbool.h>
#include <stddef.h>

/* A stack of so many bytes, whole pages, with a guard page below it; NULL where there is no memory. Any thread. */
void *stack_take(size_t bytes);

/* Its thread is joined. Any thread. */
void stack_give(void *stack, size_t bytes);

/* There are any to trim. */
bool stacks_spare(void);

/* Gives back to the system those that no lane has wanted since the last time, or all. Any thread. */
void stacks_trim(bool all);

#endif
