/* A program that is an engine with its image: what the keeper's program will hold as well. */
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "host.h"
#include "image.h"

int main(int argc, char **argv) {
  /* Until the keeper says which of its processes stays. */
  const char *use = getenv("CRANK_IMAGE");
  host_prepare(argc, argv);
  image_load_own(use != NULL && strcmp(use, "mapped") == 0 ? IMAGE_MAPPED : IMAGE_COPIED);
  engine_run();
}
