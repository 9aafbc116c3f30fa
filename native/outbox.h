/*
 * The outcomes that wait for one environment. Lanes post; the environment's thread drains. A post to an
 * armed outbox is silent: one ring is enough until the next drain finds it empty.
 *
 * Reference-counted: the environment holds one, each attempt that it reserved holds one.
 */
#ifndef CANCELPOINT_OUTBOX_H
#define CANCELPOINT_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>

struct attempt;
struct outbox;

/* `ring` is called on the posting side, by a thread that is not inside a cleanup handler, and never after outbox_close. */
struct outbox *outbox_open(void (*ring)(void *context), void *context);
void outbox_hold(struct outbox *outbox);
void outbox_drop(struct outbox *outbox);

/*
 * Hands over an ended attempt; the caller may not touch it afterwards. Where the outbox is closed, the attempt's
 * descriptor is closed and its slot freed here. Any thread, cleanup handlers included: it never rings.
 * The result carries a reference, for the one outbox_ring that must follow.
 */
struct outbox *outbox_post(struct attempt *attempt);

/* Rings if something posted has not been rung for, and drops the reference. Never in a cleanup handler. */
void outbox_ring(struct outbox *outbox);

/* Up to `count` attempts, oldest first, linked by `next`. Found empty, the outbox is disarmed. The environment's thread. */
struct attempt *outbox_drain(struct outbox *outbox, size_t count);

/* No ring from here on. What waits is released. The environment's thread, at its end. */
void outbox_close(struct outbox *outbox);

#endif
