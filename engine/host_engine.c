/* The engine itself: what the host calls in TypeScript, and its memory. */
#include "engine.h"
#include "exports.h"
#include "host.h"

/* setHooks(start, turn, uncaught): functions that are called as engine.h says */
static value engine_hooks(struct arguments *in) {
  for (u32 i = 0; i < HOOK_COUNT; i++) {
    if (i >= in->count || !export_JS_IsFunction(guest.context, in->values[i])) in->wrong = "an argument is not a function";
  }
  if (!are_right(in)) return VALUE_UNDEFINED;
  for (u32 i = 0; i < HOOK_COUNT; i++) engine_set_hook((enum hook)i, export_JS_DupValue(guest.context, in->values[i]));
  return VALUE_UNDEFINED;
}

static value engine_collect(struct arguments *in) {
  (void)in;
  export_JS_RunGC(guest.runtime);
  return VALUE_UNDEFINED;
}

static value engine_memory(struct arguments *in) {
  (void)in;
  return value_number((double)wasm_memory_pages * WASM_PAGE);
}

const struct host_function host_engine[] = {
    {"setHooks", 3, engine_hooks},
    {"collectGarbage", 0, engine_collect},
    {"memoryBytes", 0, engine_memory},
    {0},
};
