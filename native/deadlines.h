/* Attempts by their deadline, the earliest first: a binary heap. The reactor's thread. */
#ifndef CANCELPOINT_DEADLINES_H
#define CANCELPOINT_DEADLINES_H

#include <stdbool.h>

struct attempt;

/* False where memory ran out; the attempt is not in it then. */
bool deadlines_add(struct attempt *attempt);
void deadlines_remove(struct attempt *attempt);

/* NULL where there is none. */
struct attempt *deadlines_first(void);

/* Gives the memory back; it is empty by then. */
void deadlines_free(void);

#endif
