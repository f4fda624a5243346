/* The commands of a batch, each handed to the part that carries it out; and what is left for the batch's end. */
#ifndef KEEPER_MAIN_COMMANDS_H
#define KEEPER_MAIN_COMMANDS_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/wire.h"

/* Carries one out. Its fields have been checked against its signature. A failure becomes an event. */
void commands_run(uint8_t code, struct reader *fields);
/* The batch is applied: the next tick is due at `tick_at`, and an exit or an execution that was asked for may be done. */
void commands_end_batch(uint64_t tick_at);
/* Tells of barriers whose commands are decided. */
void commands_check_barriers(void);

/* Whether the keeper is to end, or to execute itself; asked between two batches. */
struct ending {
  bool exits;
  uint32_t status;
  bool keeps_journal;
  char *execute; /* the path, to be freed; NULL for no */
};
struct ending commands_take_ending(void);

void commands_save(struct buffer *out);
bool commands_load(struct reader *in);

#endif
