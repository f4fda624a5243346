/* The engine itself: its hooks and its version. */
#include "engine.h"
#include "exports.h"
#include "host/host.h"

/* setHooks(start, turn, uncaught): the functions for the hooks of engine.h */
static value engine_hooks(struct arguments *in) {
  for (u32 i = 0; i < HOOK_COUNT; i++) {
    if (i >= in->count || !export_JS_IsFunction(guest.context, in->values[i])) in->wrong = "an argument is not a function";
  }
  if (!are_right(in)) return VALUE_UNDEFINED;
  for (u32 i = 0; i < HOOK_COUNT; i++) engine_set_hook((enum hook)i, export_JS_DupValue(guest.context, in->values[i]));
  return VALUE_UNDEFINED;
}

/* engineVersion(): the version of QuickJS-NG */
static value engine_version(struct arguments *in) {
  (void)in;
  u32 text = export_JS_GetVersion();
  u32 length = 0;
  while (guest_range(text, length + 1) != NULL && *guest_range(text + length, 1) != 0) length++;
  return value_text((const char *)guest_range(text, length), length);
}

const struct host_function host_engine[] = {
    {"setHooks", 3, engine_hooks},
    {"engineVersion", 0, engine_version},
    {0},
};
