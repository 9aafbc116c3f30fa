/*
 * How requests and outcomes cross to JavaScript and back: as so many numbers each. JavaScript learns the place of each
 * from its name here, so that none is written twice. Any thread.
 */
#ifndef CANCELPOINT_WIRE_H
#define CANCELPOINT_WIRE_H

#include "attempt.h"

enum request_field {
  REQUEST_FLAGS,
  REQUEST_TIMEOUT_MS,
  REQUEST_FD,
  REQUEST_POLL_EVENTS,
  REQUEST_FAMILY,
  REQUEST_REMOTE_LENGTH,
  REQUEST_LOCAL_LENGTH,
  REQUEST_FIELDS
};

enum outcome_field {
  OUTCOME_ID,
  OUTCOME_STATE,
  OUTCOME_ERRNO, /* negative, or 0 */
  OUTCOME_CALL,
  OUTCOME_BY_DEADLINE,
  OUTCOME_YIELDS,
  OUTCOME_REVENTS,
  OUTCOME_STARTED_AT,
  OUTCOME_WAITED_MS,
  OUTCOME_DURATION_MS,
  OUTCOME_FIELDS
};

const char *request_field_name(size_t field);
const char *outcome_field_name(size_t field);

/* A flag of an attempt: which bit it is, and its name; NULL after the last. */
struct attempt_flag_name {
  const char *name;
  enum attempt_flags bit;
};
extern const struct attempt_flag_name attempt_flag_names[];

/* REQUEST_FIELDS numbers. One that does not fit its field becomes the nearest that does. */
struct attempt_request request_read(const double *fields);

/* OUTCOME_FIELDS numbers. */
void outcome_write(const struct attempt_outcome *outcome, double *fields);

#endif
