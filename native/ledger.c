#include "ledger.h"

#include <stdatomic.h>

static _Atomic int64_t counts[LEDGER_ITEMS];

static const char *const names[LEDGER_ITEMS] = {
    [LEDGER_DESCRIPTORS] = "descriptors",
    [LEDGER_BUFFERS] = "buffers",
    [LEDGER_LANES] = "lanes",
    [LEDGER_ATTEMPTS] = "attempts",
};

const char *ledger_name(enum ledger_item item) { return names[item]; }

void ledger_add(enum ledger_item item, int64_t change) {
  atomic_fetch_add_explicit(&counts[item], change, memory_order_relaxed);
}

int64_t ledger_read(enum ledger_item item) {
  return atomic_load_explicit(&counts[item], memory_order_relaxed);
}
