#include "deadlines.h"

#include <stdlib.h>
#include <string.h>

#include "registry.h"

static struct attempt **heap;
static uint32_t count, room;

static void put(struct attempt *attempt, uint32_t at) {
  heap[at] = attempt;
  attempt->heap_at = at;
}

static void rise(struct attempt *attempt, uint32_t at) {
  for (; at > 0; at = (at - 1) / 2) {
    struct attempt *parent = heap[(at - 1) / 2];
    if (parent->deadline_ns <= attempt->deadline_ns) break;
    put(parent, at);
  }
  put(attempt, at);
}

static void sink(struct attempt *attempt, uint32_t at) {
  for (uint32_t child; (child = 2 * at + 1) < count; at = child) {
    if (child + 1 < count && heap[child + 1]->deadline_ns < heap[child]->deadline_ns) child++;
    if (attempt->deadline_ns <= heap[child]->deadline_ns) break;
    put(heap[child], at);
  }
  put(attempt, at);
}

static bool grow(void) {
  uint32_t larger = room == 0 ? 64 : 2 * room;
  struct attempt **moved = sys_allocate(larger * sizeof *moved);
  if (moved == NULL) return false;
  if (count > 0) memcpy(moved, heap, count * sizeof *moved);
  free(heap);
  heap = moved;
  room = larger;
  return true;
}

bool deadlines_add(struct attempt *attempt) {
  if (count == room && !grow()) return false;
  rise(attempt, count++);
  return true;
}

void deadlines_remove(struct attempt *attempt) {
  struct attempt *last = heap[--count];
  if (last == attempt) return;
  uint32_t at = attempt->heap_at;
  if (last->deadline_ns < attempt->deadline_ns)
    rise(last, at);
  else
    sink(last, at);
}

struct attempt *deadlines_first(void) { return count > 0 ? heap[0] : NULL; }

void deadlines_free(void) {
  free(heap);
  heap = NULL;
  room = 0;
}
