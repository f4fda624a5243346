/* Writing all bytes, where write(2) may take fewer. */
#ifndef ENGINE_WRITE_H
#define ENGINE_WRITE_H

#include <stdbool.h>
#include <stddef.h>

/* For descriptors that block. False with errno: not all of them could be written. */
bool write_whole(int fd, const void *bytes, size_t length);

#endif
