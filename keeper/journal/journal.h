/* The journal: the supervisor's keys and values, in a checksummed log file that outlives the keeper. Only the index is in
 * memory. The log is a memory file until it is given a path, and while the disk fails. */
#pragma once

#include "app/basics.h"
#include "protocol/wire.h"

/* Starts an empty journal in memory. -1 with errno. */
int journal_start(const char *boot_id);
/* Moves the journal to a new file, which replaces the one at `path` when it is complete. Returns 0, or -1 with errno and the
 * failed step. */
int journal_move(const char *path, const char **step);
/* The same for the journal of a keeper that was killed, except that a full disk is not a failure but reported by journalFailed.
 * Then the journal stays in memory, and the file at `path` stays valid until the next batch. */
int journal_take(const char *path, const char **step);

/* A batch: its changes and the list of its commands, written as one record. */
void journal_begin(uint64_t consumed);
void journal_put(struct span key, struct span value);
void journal_remove(struct span key);
void journal_command(uint8_t code, uint64_t id);
/* Writes the batch. False if not even memory accepts it; then nothing of it takes effect. A disk failure is reported by
 * journalFailed. */
bool journal_write(void);
/* Marks the commands of the last batch as carried out. */
void journal_mark_applied(void);

uint32_t journal_entries(void);
/* Appends the fields (key, value) of a helloEntry frame for entry `index`. False if the entry cannot be read. */
bool journal_read_entry(uint32_t index, struct buffer *out);
/* A memory file with all live data, which is a complete journal; -1 with errno. */
int journal_copy(void);
/* Before the keeper exits and leaves the file to the next one: retries a failed disk a last time. False if the journal is not
 * on disk. */
bool journal_keep(void);
/* Removes the file. */
void journal_delete(void);

void journal_save(struct buffer *out);
bool journal_load(struct reader *in);
