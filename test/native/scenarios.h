/* Every scenario by name; core.c runs them. Each leaves nothing behind. */
#ifndef SCENARIOS_H
#define SCENARIOS_H

#include <stddef.h>
#include <stdint.h>

struct settings {
  uint32_t seed;
  uint32_t rounds; /* of the storm: 200 attempts each */
};
extern struct settings settings;

struct scenario {
  const char *name;
  void (*run)(void);
};

/* Each list ends with a name of NULL. */
extern const struct scenario outcome_scenarios[];
extern const struct scenario cancel_scenarios[];
extern const struct scenario race_scenarios[];
extern const struct scenario ending_scenarios[];
extern const struct scenario group_scenarios[];
extern const struct scenario fault_scenarios[];
extern const struct scenario storm_scenarios[];
extern const struct scenario reactor_outcome_scenarios[];
extern const struct scenario reactor_cancel_scenarios[];
extern const struct scenario reactor_ending_scenarios[];

#endif
