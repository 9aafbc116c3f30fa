#include "check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ledger.h"

static _Atomic int failed_count;

void expect(const char *file, int line, bool holds, const char *what) {
  if (holds) return;
  atomic_fetch_add(&failed_count, 1);
  fprintf(stderr, "%s:%d: expected %s\n", file, line, what);
}

void expect_equal(const char *file, int line, const char *what, long long actual, long long expected) {
  if (actual == expected) return;
  atomic_fetch_add(&failed_count, 1);
  fprintf(stderr, "%s:%d: %s is %lld, expected %lld\n", file, line, what, actual, expected);
}

void expect_state(const char *file, int line, const char *what, enum attempt_state actual, enum attempt_state expected) {
  if (actual == expected) return;
  atomic_fetch_add(&failed_count, 1);
  fprintf(stderr, "%s:%d: %s is %s, expected %s\n", file, line, what, attempt_state_name(actual),
          attempt_state_name(expected));
}

int failures(void) { return atomic_load(&failed_count); }

void require_failed(const char *file, int line, const char *what) {
  fprintf(stderr, "%s:%d: cannot go on without %s (%s)\n", file, line, what, strerror(errno));
  exit(1);
}

/* Entries of a directory; the same one too many each time for the descriptor that reads it. */
static int count_entries(const char *path) {
  DIR *directory = opendir(path);
  REQUIRE(directory != NULL);
  int count = 0;
  while (readdir(directory) != NULL) count++;
  closedir(directory);
  return count;
}

struct counts count_now(void) {
  return (struct counts){.descriptors = count_entries("/proc/self/fd"), .threads = count_entries("/proc/self/task")};
}

void expect_at_rest(const char *scenario, struct counts before) {
  for (int item = 0; item < LEDGER_ITEMS; item++) {
    char what[80];
    snprintf(what, sizeof what, "after `%s` the ledger's %s", scenario, ledger_name(item));
    expect_equal(__FILE__, __LINE__, what, ledger_read(item), 0);
  }
  struct counts now = count_now();
  /* pthread_join returns a moment before the kernel takes the thread off the list. */
  for (int waited = 0; waited < 5000 && now.threads != before.threads; waited++) {
    pause_ms(1);
    now = count_now();
  }
  char what[80];
  snprintf(what, sizeof what, "after `%s` the count of descriptors", scenario);
  expect_equal(__FILE__, __LINE__, what, now.descriptors, before.descriptors);
  snprintf(what, sizeof what, "after `%s` the count of threads", scenario);
  expect_equal(__FILE__, __LINE__, what, now.threads, before.threads);
}

bool is_open(int fd) { return fcntl(fd, F_GETFD, 0) >= 0; }

void pause_ms(uint32_t ms) {
  struct timespec wait = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
  nanosleep(&wait, NULL);
}

uint32_t random_below(uint32_t *state, uint32_t bound) {
  *state = *state * 1664525u + 1013904223u;
  return (uint32_t)(((uint64_t)*state * bound) >> 32);
}
