/* What the supervisor sends, frame by frame: checked on arrival, collected until a commit, then applied as a whole. */
#pragma once

#include "protocol/wire.h"

enum said {
  SAID_NOTHING, /* no complete frame, or the middle of a batch */
  SAID_ATTACH,
  SAID_COMMIT, /* a batch was applied */
  SAID_IDLE,
  SAID_NONSENSE, /* a protocol violation; see batch_complaint */
  SAID_GOODBYE,  /* the channel is closed */
};

struct said_what {
  enum said said;
  uint64_t number; /* attach: the protocol; idle: the event last seen */
};

/* Carries out the commands of a batch; `end` is called after the last one. */
struct batch_handler {
  void (*run)(uint8_t code, struct reader *fields);
  void (*end)(uint64_t tick_at);
};
void batch_is_for(const struct batch_handler *handler);

/* Takes the next message of the supervisor; SAID_NOTHING if there is none now. `attached`: commands are allowed. */
struct said_what batch_next(bool attached);
/* Describes the last protocol violation. */
const char *batch_complaint(void);
/* Drops everything that is not applied yet. */
void batch_forget(void);
/* Whether part of a batch has arrived. */
bool batch_is_begun(void);
