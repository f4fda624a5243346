/* The heap image: the engine's memory after all modules were evaluated, in a file or in this program. It is a page with the
 * header, then the memory above the module's own stack. */
#ifndef ENGINE_IMAGE_H
#define ENGINE_IMAGE_H

#include <stddef.h>

enum image_use {
  /* Copied into huge pages if the system has them: a fault costs more than copying a page. */
  IMAGE_COPIED,
  /* Mapped from the file. IMAGE_COPIED does the same without huge pages. */
  IMAGE_MAPPED,
};

/* Writes the current state of the engine. If that fails, or the engine is busy, ends the process with a message. */
void image_write(const char *path);

/* Checks the image of `length` bytes at offset `at` of the open file `fd` and continues with it. NULL, or a description of what
 * is wrong. `fd` is not needed afterwards. */
const char *image_load(int fd, size_t at, size_t length, enum image_use use);
/* The same for the image that is linked into this program. If it cannot be used, ends the process with a message. */
void image_load_own(void);

#endif
