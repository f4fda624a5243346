/* The journal: the supervisor's keys and values, as a checksummed log in a file that outlives the keeper. Only an index
 * is in memory. In a memory file until it is given a path, and again while the disk fails. */
#ifndef KEEPER_JOURNAL_H
#define KEEPER_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/wire.h"

/* Starts an empty one in memory. -1 with errno. */
int journal_start(const char *boot_id);
/* Moves it into a new file, which takes the place of the one at `path` when it is whole. Returns 0, or -1 with errno and the step that failed. */
int journal_move(const char *path, const char **step);
/* The same for the journal of a keeper that was killed. A disk that has no room is no failure, but told by journalFailed:
 * the journal stays in memory, and the one at `path` counts until the next batch, and then no more. */
int journal_take(const char *path, const char **step);

/* One batch: its changes and the list of its commands, written as one record. */
void journal_begin(uint64_t consumed);
void journal_put(struct span key, struct span value);
void journal_remove(struct span key);
void journal_command(uint8_t code, uint64_t id);
/* Writes it. False: not even memory takes it, and nothing of it counts. journalFailed reports a disk that fails. */
bool journal_write(void);
/* The commands of the last batch have been carried out. */
void journal_mark_applied(void);

uint32_t journal_entries(void);
/* Appends one helloEntry frame's fields (key, value) of entry `index`. False if it cannot be read any more. */
bool journal_read_entry(uint32_t index, struct buffer *out);
/* A memory file with all that counts, as a journal of its own; -1 with errno. */
int journal_copy(void);
/* The keeper ends, and leaves the file to the next one: the last try of a disk that fails. False: it is not there. */
bool journal_keep(void);
/* Takes the file away. */
void journal_delete(void);

void journal_save(struct buffer *out);
bool journal_load(struct reader *in);

#endif
