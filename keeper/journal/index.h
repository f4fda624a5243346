/* The offset of each key's value in the journal's file. It is the only part of the journal that is in memory. */
#pragma once

#include "app/basics.h"
#include "protocol/wire.h"

struct entry {
  char *key;
  uint32_t key_length;
  uint32_t length;
  uint64_t offset; /* offset of the value in the file */
  uint64_t moved;  /* and in the file that is being written to replace it */
};

uint32_t index_count(void);
/* Size of the live data: keys and values. */
uint64_t index_bytes(void);
const struct entry *index_entry(uint32_t number);
void index_set(struct span key, uint64_t offset, uint32_t length);
void index_remove(struct span key);
/* Notes the offset of a value in the file that is to replace this one. */
void index_move(uint32_t number, uint64_t offset);
/* All values have been moved. */
void index_use_moved(void);

void index_save(struct buffer *out);
void index_load(struct reader *in);
