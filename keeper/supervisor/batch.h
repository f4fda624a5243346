/* What the supervisor says, frame by frame: checked as it comes, collected until a commit, then applied as a whole. */
#ifndef KEEPER_SUPERVISOR_BATCH_H
#define KEEPER_SUPERVISOR_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/wire.h"

enum said {
  SAID_NOTHING,   /* no whole frame, or the middle of a batch */
  SAID_ATTACH,
  SAID_COMMIT,    /* a batch was applied */
  SAID_IDLE,
  SAID_NONSENSE,  /* not the protocol; see batch_complaint */
  SAID_GOODBYE,   /* the channel is closed */
};

struct said_what {
  enum said said;
  uint64_t number; /* attach: the protocol; idle: the event last seen */
};

/* What carries out the commands of a batch, and is called when all are. */
struct batch_handler {
  void (*run)(uint8_t code, struct reader *fields);
  void (*end)(uint64_t tick_at);
};
void batch_is_for(const struct batch_handler *handler);

/* Takes the next thing that the supervisor has said; SAID_NOTHING when there is no more for now. `attached`: commands are allowed. */
struct said_what batch_next(bool attached);
/* Why the last one was nonsense. */
const char *batch_complaint(void);
/* Forgets what was said and not applied. */
void batch_forget(void);
/* Whether part of a batch has arrived. */
bool batch_is_begun(void);

#endif
