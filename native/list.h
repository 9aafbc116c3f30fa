/*
 * Lists whose members carry their links, oldest first. A list is any struct with a `first` and a `last`; `next` names the
 * member's link, because one thing may stand in several lists. Under the lock of the list's owner.
 */
#ifndef CANCELPOINT_LIST_H
#define CANCELPOINT_LIST_H

#include <stddef.h>

/* All of a chain that begins with `from` and ends with `to`. */
#define LIST_APPEND_CHAIN(list, from, to, next) \
  do {                                          \
    if ((list)->first == NULL)                  \
      (list)->first = (from);                   \
    else                                        \
      (list)->last->next = (from);              \
    (list)->last = (to);                        \
    (to)->next = NULL;                          \
  } while (0)

#define LIST_APPEND(list, item, next) LIST_APPEND_CHAIN(list, item, item, next)

/* Takes the first one off. The list is not empty. */
#define LIST_DROP_FIRST(list, next) ((list)->first = (list)->first->next)

#endif
