/* The heap image: the engine's memory after all modules were evaluated, in a file or in this program. A page with the header,
 * then the memory from the end of the module's own stack on. */
#ifndef ENGINE_IMAGE_H
#define ENGINE_IMAGE_H

#include <stddef.h>

enum image_use {
  /* Copied into huge pages, where the system has some: a fault costs more than a page of copying. */
  IMAGE_COPIED,
  /* Mapped, as where there are none. */
  IMAGE_MAPPED,
};

/* Writes the engine as it is now. The process ends with a sentence if that fails, or if the engine is not at rest. */
void image_write(const char *path);

/* Checks the image in the first `length` bytes behind `at` in the open file `fd` and goes on with it. NULL, or what is
 * wrong with it. `fd` is not needed any more afterwards. */
const char *image_load(int fd, size_t at, size_t length, enum image_use use);
/* The same of the image that is linked into this program; the process ends with a sentence if it cannot be used. */
void image_load_own(void);

#endif
