#include "wire.h"

static const char *const request_names[REQUEST_FIELDS] = {
    [REQUEST_FLAGS] = "flags",
    [REQUEST_TIMEOUT_MS] = "timeoutMs",
    [REQUEST_FD] = "fd",
    [REQUEST_POLL_EVENTS] = "pollEvents",
    [REQUEST_FAMILY] = "family",
    [REQUEST_REMOTE_LENGTH] = "remoteLength",
    [REQUEST_LOCAL_LENGTH] = "localLength",
};

static const char *const outcome_names[OUTCOME_FIELDS] = {
    [OUTCOME_ID] = "id",
    [OUTCOME_STATE] = "state",
    [OUTCOME_ERRNO] = "errno",
    [OUTCOME_CALL] = "call",
    [OUTCOME_BY_DEADLINE] = "byDeadline",
    [OUTCOME_YIELDS] = "yields",
    [OUTCOME_REVENTS] = "revents",
    [OUTCOME_STARTED_AT] = "startedAt",
    [OUTCOME_WAITED_MS] = "waitedMs",
    [OUTCOME_DURATION_MS] = "durationMs",
};

const struct attempt_flag_name attempt_flag_names[] = {
    {"probe", ATTEMPT_PROBE},         {"borrowed", ATTEMPT_BORROWED}, {"poll", ATTEMPT_POLL},
    {"halfOpen", ATTEMPT_HALF_OPEN}, {"fin", ATTEMPT_FIN},           {NULL, 0},
};

const char *request_field_name(size_t field) { return request_names[field]; }
const char *outcome_field_name(size_t field) { return outcome_names[field]; }

static int64_t within(double number, int64_t lowest, int64_t highest) {
  if (number >= (double)highest) return highest;
  return number > (double)lowest ? (int64_t)number : lowest;
}

struct attempt_request request_read(const double *fields) {
  return (struct attempt_request){
      .flags = (uint32_t)within(fields[REQUEST_FLAGS], 0, UINT32_MAX),
      .timeout_ms = (uint32_t)within(fields[REQUEST_TIMEOUT_MS], 0, UINT32_MAX),
      .fd = (int32_t)within(fields[REQUEST_FD], -1, INT32_MAX),
      .poll_events = (int16_t)within(fields[REQUEST_POLL_EVENTS], 0, INT16_MAX),
      .family = (uint16_t)within(fields[REQUEST_FAMILY], 0, UINT16_MAX),
      .remote_length = (uint16_t)within(fields[REQUEST_REMOTE_LENGTH], 0, UINT16_MAX),
      .local_length = (uint16_t)within(fields[REQUEST_LOCAL_LENGTH], 0, UINT16_MAX),
  };
}

void outcome_write(const struct attempt_outcome *outcome, double *fields) {
  fields[OUTCOME_ID] = (double)outcome->id;
  fields[OUTCOME_STATE] = outcome->state;
  fields[OUTCOME_ERRNO] = -outcome->error;
  fields[OUTCOME_CALL] = outcome->failed_call;
  fields[OUTCOME_BY_DEADLINE] = outcome->by_deadline;
  fields[OUTCOME_YIELDS] = outcome->yields;
  fields[OUTCOME_REVENTS] = outcome->polled;
  fields[OUTCOME_STARTED_AT] = outcome->started_at;
  fields[OUTCOME_WAITED_MS] = outcome->waited_ms;
  fields[OUTCOME_DURATION_MS] = outcome->duration_ms;
}
