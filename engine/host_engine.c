/* The engine itself: what the host calls in TypeScript. */
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

const struct host_function host_engine[] = {
    {"setHooks", 3, engine_hooks},
    {0},
};
