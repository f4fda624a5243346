#include "start.h"

#include "engine.h"
#include "host/host.h"
#include "image/image.h"

_Noreturn void engine_start(int argc, char **argv) {
  host_prepare(argc, argv);
  image_load_own();
  engine_run();
}
