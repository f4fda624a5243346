/* Writes all bytes, even if write(2) accepts only a part at a time. */
#ifndef ENGINE_WRITE_H
#define ENGINE_WRITE_H

#include <stdbool.h>
#include <stddef.h>

/* For blocking descriptors. False with errno if not all bytes could be written. */
bool write_whole(int fd, const void *bytes, size_t length);

#endif
