#include "engine.h"

#include <stdio.h>
#include <unistd.h>

#include "exports.h"
#include "heap.h"
#include "imports.h"
#include "terminal.h"

enum { MOST_REJECTIONS = 64 };

static value hooks[HOOK_COUNT];

/* Promises that were rejected in this turn and have no handler yet. Each is a reference that is freed when all jobs are
 * done. */
static value rejected[MOST_REJECTIONS];
static u32 rejected_count;

static void note_rejection(value promise, u32 is_handled) {
  if (!is_handled) {
    if (rejected_count < MOST_REJECTIONS) rejected[rejected_count++] = export_JS_DupValue(guest.context, promise);
    return;
  }
  for (u32 i = 0; i < rejected_count; i++) {
    if (rejected[i] != promise) continue;
    value_free(rejected[i]);
    rejected[i] = rejected[--rejected_count];
    return;
  }
}

void engine_resume(const struct engine_state *state) {
  wasm_memory_pages = state->pages;
  GUEST_STACK = state->stack;
  guest = state->guest;
  for (u32 i = 0; i < HOOK_COUNT; i++) hooks[i] = state->hooks[i];
  imports_on_rejection(note_rejection);
}

struct engine_state engine_state(void) {
  struct engine_state state = {.pages = wasm_memory_pages, .stack = GUEST_STACK, .guest = guest};
  for (u32 i = 0; i < HOOK_COUNT; i++) state.hooks[i] = hooks[i];
  return state;
}

void engine_set_hook(enum hook hook, value function) {
  value_free(hooks[hook]);
  hooks[hook] = function;
}

static void print_text(value v) {
  size_t length;
  const char *text = value_to_text(v, &length);
  if (text != NULL) (void)fprintf(stderr, "%s\n", text);
  value_free_text(text);
}

_Noreturn void engine_die(const char *what) {
  terminal_give_back();
  value error = export_JS_GetException(guest.context);
  (void)fprintf(stderr, "crank: %s:\n", what);
  if (value_tag(error) == TAG_OBJECT) {
    print_text(value_get(error, "message"));
    print_text(value_get(error, "stack"));
  } else {
    print_text(error);
  }
  _exit(BROKEN);
}

/* Passes the current exception to TypeScript. */
static void give_uncaught(void) {
  if (!export_JS_IsFunction(guest.context, hooks[HOOK_UNCAUGHT])) engine_die("uncaught exception");
  value error = export_JS_GetException(guest.context);
  store_u64(guest.scratch, error);
  value result = export_JS_Call(guest.context, hooks[HOOK_UNCAUGHT], VALUE_UNDEFINED, 1, guest.scratch);
  value_free(error);
  if (value_tag(result) == TAG_EXCEPTION) engine_die("exception while another one was handled");
  value_free(result);
}

static void do_jobs(void) {
  while (export_JS_IsJobPending(guest.runtime)) {
    if ((s32)export_JS_ExecutePendingJob(guest.runtime, guest.scratch) < 0) give_uncaught();
  }
}

/* Reports a promise that still has no handler after all jobs are done. */
static void give_rejection(void) {
  value promise = rejected[--rejected_count];
  (void)export_JS_Throw(guest.context, export_JS_PromiseResult(guest.context, promise));
  value_free(promise);
  give_uncaught();
}

void engine_drain(void) {
  do_jobs();
  while (rejected_count > 0) {
    give_rejection();
    do_jobs();
  }
}

s32 engine_call(enum hook hook) {
  value result = export_JS_Call(guest.context, hooks[hook], VALUE_UNDEFINED, 0, 0);
  if (value_tag(result) == TAG_EXCEPTION) give_uncaught();
  engine_drain();
  if (value_tag(result) == TAG_INT) return (s32)(u32)result;
  value_free(result);
  return -1;
}

_Noreturn void engine_run(void) {
  if (!export_JS_IsFunction(guest.context, hooks[HOOK_START]) || !export_JS_IsFunction(guest.context, hooks[HOOK_TURN])) {
    (void)fprintf(stderr, "crank: the image has no entry\n");
    _exit(BROKEN);
  }
  (void)engine_call(HOOK_START);
  for (;;) {
    s32 status = engine_call(HOOK_TURN);
    if (status >= 0) _exit(status & 0xff);
  }
}
