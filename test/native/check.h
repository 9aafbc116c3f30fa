/* Expectations that say where and what, and counts of what the process owns. Any thread. */
#ifndef CHECK_H
#define CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "attempt.h"

/* Printed and counted where it does not hold. The scenario goes on, so that a sanitizer's report at exit is still seen. */
void expect(const char *file, int line, bool holds, const char *what);
void expect_equal(const char *file, int line, const char *what, long long actual, long long expected);
void expect_state(const char *file, int line, const char *what, enum attempt_state actual, enum attempt_state expected);
int failures(void);

#define EXPECT(condition) expect(__FILE__, __LINE__, (condition), #condition)
#define EXPECT_EQUAL(actual, expected) expect_equal(__FILE__, __LINE__, #actual, (actual), (expected))
#define EXPECT_STATE(actual, expected) expect_state(__FILE__, __LINE__, #actual, (actual), (expected))

/* For what a scenario cannot go on without: prints and ends the program. */
#define REQUIRE(condition) ((condition) ? (void)0 : require_failed(__FILE__, __LINE__, #condition))
_Noreturn void require_failed(const char *file, int line, const char *what);

/* Open descriptors, and threads of the process. */
struct counts {
  int descriptors, threads;
};
struct counts count_now(void);

/* The ledger is all zero and the counts are `before` again. */
void expect_at_rest(const char *scenario, struct counts before);

bool is_open(int fd);
void pause_ms(uint32_t ms);

/* One printed seed repeats a run's choices, whatever the C library. Each thread has a state of its own. */
uint32_t random_below(uint32_t *state, uint32_t bound);

#endif
