#include "start.h"

#include "engine.h"
#include "host.h"
#include "image.h"

_Noreturn void engine_start(int argc, char **argv, enum engine_use use) {
  host_prepare(argc, argv);
  image_load_own(use == ENGINE_STAYS ? IMAGE_MAPPED : IMAGE_COPIED);
  engine_run();
}
