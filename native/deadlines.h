/*
 * Deadlines of attempts, the earliest first: a binary heap, a reactor's own. Whoever ends an attempt leaves its deadline
 * where it is: one whose attempt is watched no more is passed over, and dropped before the heap grows.
 */
#ifndef CANCELPOINT_DEADLINES_H
#define CANCELPOINT_DEADLINES_H

#include <stdbool.h>
#include <stdint.h>

struct deadline {
  int64_t at_ns; /* CLOCK_MONOTONIC */
  uint64_t id;
};

/* Begins as zeroes. */
struct deadlines {
  struct deadline *heap;
  uint32_t count, room;
};

/* False where memory ran out; it is not in it then. */
bool deadlines_add(struct deadlines *deadlines, struct deadline deadline);

/* The earliest of an attempt that is watched, or NULL. Until the next change. */
const struct deadline *deadlines_first(struct deadlines *deadlines);

void deadlines_drop_first(struct deadlines *deadlines);

/* Gives the memory back. */
void deadlines_free(struct deadlines *deadlines);

#endif
