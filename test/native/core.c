/*
 * The core without Node: everything below addon.cc, driven by environments of its own on real sockets, so that
 * sanitizers and valgrind can watch it. run.mjs builds it in every flavour.
 *
 *   core [--seed N] [--rounds N] [--only SCENARIO]
 *
 * After each scenario the ledger is all zero and descriptors and threads are as many as before it.
 *
 * Traps of cancellation, and what covers each:
 *
 *   locals lost in a handler, no -fexceptions    #error at the head of lane.c; lane state is on the heap; built with
 *                                                -fno-exceptions it must not compile (run.mjs)
 *   C++ frames, noexcept, catch (...)            the same #error refuses C++; no C++ calls below addon.cc
 *   static libgcc                                run.mjs: the addon needs libgcc_s.so.1
 *   first cancel at EMFILE                       "first cancel at the descriptor limit"; a mutant without lane_prime's
 *                                                cancel aborts in it
 *   cancellation enabled over close(fd)          guard.c, in every scenario; a mutant shows that it sees it
 *   BZ 12683, an outcome lost at the return      "cancel about to connect", "cancel lost to a success"
 *   a cancel that comes late and stays pending   "cancel too late", "... while finishing", "... while handing over"; a
 *                                                mutant shows that a lane that does not retire is seen
 *   a signal interrupts an attempt               "signals are blocked", "connect is interrupted"
 *   a cancel told before its descriptor closes   "cancel when connected, ..."; a mutant shows that it is seen
 *   a stale id reaches a slot's next attempt     "cancel by a stale id", "storm of cancels"
 *   addon unmapped under a running lane          run.mjs: the addon has the flag NODELETE
 *   a deadline left to JavaScript                "runs out of time, TCP" and "..., AF_UNIX"
 *   teardown with attempts under way             "worker ends", "caller ends", "many environments at once"
 *   a group closes as it is handed attempts      "a group closes, ..."; mutants that look before they lock, and that hand on to
 *                                                a group that closes
 *   a late event on a descriptor used again      "reactor: a late event, ..."; mutants that look up by slot or by descriptor
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "environment.h"
#include "guard.h"
#include "scenarios.h"

struct settings settings = {.seed = 1, .rounds = 50};

static int run_all(const struct scenario *scenarios, const char *only) {
  int ran = 0;
  for (const struct scenario *scenario = scenarios; scenario->name != NULL; scenario++) {
    if (only != NULL && strcmp(only, scenario->name) != 0) continue;
    struct counts before = count_now();
    int failures_before = failures();
    scenario->run();
    seam_clear();
    expect_at_rest(scenario->name, before);
    printf("%s %s\n", failures() == failures_before ? "ok    " : "FAILED", scenario->name);
    fflush(stdout);
    ran++;
  }
  return ran;
}

int main(int count, char **arguments) {
  const char *only = NULL;
  for (int i = 1; i + 1 < count; i += 2) {
    if (strcmp(arguments[i], "--seed") == 0) settings.seed = (uint32_t)strtoul(arguments[i + 1], NULL, 10);
    if (strcmp(arguments[i], "--rounds") == 0) settings.rounds = (uint32_t)strtoul(arguments[i + 1], NULL, 10);
    if (strcmp(arguments[i], "--only") == 0) only = arguments[i + 1];
  }
  guard_test_thread();
  REQUIRE(lane_prime() == 0);
  printf("seed %u, rounds %u\n", settings.seed, settings.rounds);

  /* Faults first: the very first cancel of the process is one of them. */
  int ran = run_all(fault_scenarios, only) + run_all(outcome_scenarios, only) + run_all(cancel_scenarios, only) +
            run_all(race_scenarios, only) + run_all(ending_scenarios, only) + run_all(group_scenarios, only) +
            run_all(reactor_outcome_scenarios, only) + run_all(reactor_cancel_scenarios, only) +
            run_all(reactor_ending_scenarios, only) + run_all(storm_scenarios, only);
  REQUIRE(ran > 0);
  return failures() == 0 ? 0 : 1;
}
