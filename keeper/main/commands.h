/* Dispatches the commands of a batch to the parts that carry them out, and collects what must wait for the end of the batch. */
#pragma once

#include "app/basics.h"
#include "protocol/wire.h"

/* Carries out one command, whose fields have been checked against its signature. A failure is reported as an event. */
void commands_run(uint8_t code, struct reader *fields);
/* The batch is applied: sets the next tick to `tick_at`. A requested exit or re-exec may follow. */
void commands_end_batch(uint64_t tick_at);
/* Reports the barriers that are reached. */
void commands_check_barriers(void);

/* Whether the keeper must exit or re-exec; read between two batches. */
struct ending {
  bool exits;
  uint32_t status;
  bool keeps_journal;
  char *execute; /* the path, which the caller frees; NULL: no re-exec */
};
struct ending commands_take_ending(void);

void commands_save(struct buffer *out);
bool commands_load(struct reader *in);
