#include "deadlines.h"

#include <stdlib.h>
#include <string.h>

#include "registry.h"

enum { ROOM_AT_FIRST = 64, ROOM_KEPT = 4096 };

static void rise(struct deadline *heap, uint32_t at, struct deadline deadline) {
  for (; at > 0 && heap[(at - 1) / 2].at_ns > deadline.at_ns; at = (at - 1) / 2) heap[at] = heap[(at - 1) / 2];
  heap[at] = deadline;
}

static void sink(struct deadline *heap, uint32_t count, uint32_t at, struct deadline deadline) {
  for (uint32_t child; (child = 2 * at + 1) < count; at = child) {
    if (child + 1 < count && heap[child + 1].at_ns < heap[child].at_ns) child++;
    if (deadline.at_ns <= heap[child].at_ns) break;
    heap[at] = heap[child];
  }
  heap[at] = deadline;
}

static bool is_over(const struct deadline *deadline) { return !attempt_is_watched(deadline->id); }

static void drop_those_over(struct deadlines *deadlines) {
  uint32_t left = 0;
  for (uint32_t i = 0; i < deadlines->count; i++)
    if (!is_over(&deadlines->heap[i])) deadlines->heap[left++] = deadlines->heap[i];
  deadlines->count = left;
  for (uint32_t at = left / 2; at-- > 0;) sink(deadlines->heap, left, at, deadlines->heap[at]);
}

static bool grow(struct deadlines *deadlines) {
  uint32_t larger = deadlines->room == 0 ? ROOM_AT_FIRST : 2 * deadlines->room;
  struct deadline *moved = sys_allocate(larger * sizeof *moved);
  if (moved == NULL) return false;
  if (deadlines->count > 0) memcpy(moved, deadlines->heap, deadlines->count * sizeof *moved);
  free(deadlines->heap);
  deadlines->heap = moved;
  deadlines->room = larger;
  return true;
}

bool deadlines_add(struct deadlines *deadlines, struct deadline deadline) {
  if (deadlines->count == deadlines->room) {
    drop_those_over(deadlines);
    /* Half of it is free from now on, so that the next look at all of them is as far away. */
    bool crowded = deadlines->count >= deadlines->room / 2;
    if (crowded && !grow(deadlines) && deadlines->count == deadlines->room) return false;
  }
  rise(deadlines->heap, deadlines->count++, deadline);
  return true;
}

void deadlines_drop_first(struct deadlines *deadlines) {
  uint32_t left = --deadlines->count;
  if (left > 0) sink(deadlines->heap, left, 0, deadlines->heap[left]);
}

const struct deadline *deadlines_first(struct deadlines *deadlines) {
  while (deadlines->count > 0 && is_over(deadlines->heap)) deadlines_drop_first(deadlines);
  if (deadlines->count > 0) return deadlines->heap;
  if (deadlines->room > ROOM_KEPT) deadlines_free(deadlines);
  return NULL;
}

void deadlines_free(struct deadlines *deadlines) {
  free(deadlines->heap);
  *deadlines = (struct deadlines){0};
}
