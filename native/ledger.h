/*
 * What the process owns, counted where it is taken and where it is given back. Tests and users compare
 * these numbers with /proc/self/fd. Any thread may call; counters are relaxed atomics, exact at rest.
 */
#ifndef CANCELPOINT_LEDGER_H
#define CANCELPOINT_LEDGER_H

#include <stdint.h>

enum ledger_item {
  LEDGER_DESCRIPTORS, /* owned by a lane, the registry or a Descriptor */
  LEDGER_BUFFERS,     /* address buffers */
  LEDGER_LANES,       /* threads started and not yet joined */
  LEDGER_ATTEMPTS,    /* reserved and not yet settled */
  LEDGER_ITEMS
};

const char *ledger_name(enum ledger_item item);

void ledger_add(enum ledger_item item, int64_t change);
int64_t ledger_read(enum ledger_item item);

#endif
