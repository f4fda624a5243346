#include "image/fresh.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine.h"
#include "exports.h"
#include "heap.h"
#include "host/host.h"
#include "imports.h"

/* Flags of quickjs.h. They are no stable interface either; fresh_check_values would fail if they changed. */
enum {
  EVAL_GLOBAL = 0,
  EVAL_MODULE = 1,
  EVAL_COMPILE_ONLY = 1 << 5,
  OBJECT_BYTECODE = 1 << 0,
  OBJECT_STRIP_SOURCE = 1 << 4,
  PROMISE_REJECTED = 2,
};

/* The module's stack for its own variables has 1 MiB. The engine throws a RangeError when this much of it is used. In addition
 * it needs up to ten times as much of the process's stack, which is 8 MiB on nearly all systems. */
enum { MOST_STACK = 512 * 1024 };
/* Stack that evaluating bytecode needs while the bytecode is at the far end of the stack. */
enum { STACK_LEFT = 128 * 1024 };

static _Noreturn void fail(const char *why) {
  (void)fprintf(stderr, "crank: the engine cannot be built: %s\n", why);
  exit(1);
}

static void add_host_functions(void) {
  value functions = export_JS_NewObject(guest.context);
  host_add_functions(functions);
  value global = export_JS_GetGlobalObject(guest.context);
  value_set(global, "hostCalls", functions);
  value_free(global);
}

void fresh_start(void) {
  imports_fix();
  if (heap_map(0, (size_t)WASM_FIRST_PAGES * WASM_PAGE) < 0) fail("something else is in memory where it has to be");
  heap_guard();
  wasm_memory_pages = WASM_FIRST_PAGES;
  wasm_data_init();
  /* An image leaves out the stack, which is below this address. */
  for (u32 at = 0; at < GUEST_STACK; at += 8) {
    if (load_u64(at) != 0) fail("the module has data where its stack is");
  }
  export__initialize();
  if ((s32)export_qjs_init() != 0) fail("it does not start");
  struct engine_state state = {.pages = wasm_memory_pages, .stack = GUEST_STACK};
  state.guest.context = export_qjs_get_context_ptr();
  state.guest.runtime = export_qjs_get_runtime_ptr();
  state.guest.scratch = export_malloc(64);
  for (u32 i = 0; i < HOOK_COUNT; i++) state.hooks[i] = VALUE_UNDEFINED;
  state.pages = wasm_memory_pages;
  if (state.guest.scratch == 0) fail("it has no memory");
  engine_resume(&state);
  export_qjs_set_promise_rejection_handler(1);
  export_JS_SetMaxStackSize(guest.runtime, MOST_STACK);
  add_host_functions();
}

static value evaluate_text(const char *source, u32 flags) {
  u32 code = guest_copy(source, strlen(source));
  u32 name = guest_copy("check", 5);
  value result = export_JS_Eval(guest.context, code, (u32)strlen(source), name, flags);
  export_free(code);
  export_free(name);
  return result;
}

static void check_tag(const char *source, enum value_tag tag) {
  value v = evaluate_text(source, EVAL_GLOBAL);
  if (value_tag(v) != (s32)tag) fail("its values have other tags than guest.h says");
  if (tag == TAG_EXCEPTION) value_free(export_JS_GetException(guest.context));
  value_free(v);
}

static void check_number(const char *source, double expected) {
  double number;
  value v = evaluate_text(source, EVAL_GLOBAL);
  if (!value_to_number(v, &number) || number != expected) fail("its numbers are not what guest.h says");
  value_free(v);
}

static void check_text(const char *source, const char *expected) {
  size_t length;
  value v = evaluate_text(source, EVAL_GLOBAL);
  const char *text = value_to_text(v, &length);
  if (text == NULL || length != strlen(expected) || strcmp(text, expected) != 0) fail("its strings are not what guest.h says");
  value_free_text(text);
  value_free(v);
}

static void check_bytes(void) {
  u8 *bytes;
  u32 length;
  value v = evaluate_text("new Uint8Array([9, 8, 7, 6]).subarray(1, 3)", EVAL_GLOBAL);
  if (!value_to_bytes(v, &bytes, &length) || length != 2 || bytes[0] != 8 || bytes[1] != 7)
    fail("its typed arrays are not what guest.h says");
  value_free(v);
  v = evaluate_text("({})", EVAL_GLOBAL);
  if (value_to_bytes(v, &bytes, &length)) fail("an object passes for a typed array");
  value_free(v);
}

void fresh_check_values(void) {
  check_tag("7", TAG_INT);
  check_tag("1 > 2", TAG_BOOL);
  check_tag("null", TAG_NULL);
  check_tag("undefined", TAG_UNDEFINED);
  check_tag("({})", TAG_OBJECT);
  check_tag("'text'", TAG_STRING);
  check_tag("throw 1", TAG_EXCEPTION);
  check_number("-7", -7);
  check_number("1.5", 1.5);
  check_number("2 ** 53", 9007199254740992.0);
  check_number("-1e300", -1e300);
  check_number("1 / 0", INFINITY);
  check_text("'\\u00e4\\u20ac\\ud83d\\ude00'", "ä€😀");
  check_text("let t = 'x'; for (let i = 0; i < 6; i++) t = t + t; t + 'y'",
             "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxy");
  check_bytes();
  double number;
  if (value_to_number(evaluate_text("'7'", EVAL_GLOBAL), &number)) fail("a string passes for a number");
  if (value_to_number(evaluate_text("0 / 0", EVAL_GLOBAL), &number)) fail("NaN passes for a number");
  if (value_tag(value_number(-0.0)) == TAG_INT) fail("-0 has become 0");
}

const u8 *fresh_compile(const char *source, size_t length, const char *name, u32 *bytecode_length) {
  u32 code = guest_copy(source, length);
  u32 label = guest_copy(name, strlen(name));
  if (code == 0 || label == 0) fail("the bundle does not fit into its memory");
  value module = export_JS_Eval(guest.context, code, (u32)length, label, EVAL_MODULE | EVAL_COMPILE_ONLY);
  if (value_tag(module) == TAG_EXCEPTION) engine_die("the bundle cannot be compiled");
  u32 at = export_JS_WriteObject(guest.context, guest.scratch, module, OBJECT_BYTECODE | OBJECT_STRIP_SOURCE);
  *bytecode_length = load_u32(guest.scratch);
  const u8 *bytecode = at == 0 ? NULL : guest_range(at, *bytecode_length);
  if (bytecode == NULL) engine_die("the bundle's bytecode cannot be written");
  return bytecode;
}

void fresh_evaluate(const u8 *bytecode, size_t length) {
  /* At the far end of the stack, which the image leaves out, so nothing of it stays in the heap. Not at address 0, which is
   * NULL. */
  u32 at = 4096;
  if (at + length > GUEST_STACK - STACK_LEFT) fail("the bytecode is too long for the place where it is put");
  memcpy((void *)(WASM_MEMORY + at), bytecode, length);
  value module = export_JS_ReadObject(guest.context, at, (u32)length, OBJECT_BYTECODE);
  if (value_tag(module) == TAG_EXCEPTION) engine_die("the bytecode cannot be read");
  if ((s32)export_JS_ResolveModule(guest.context, module) < 0) engine_die("the bundle imports something");
  host_refuse_system();
  (void)imports_were_asked();
  value done = export_JS_EvalFunction(guest.context, module);
  if (value_tag(done) == TAG_EXCEPTION) engine_die("a module failed when it was evaluated");
  engine_drain();
  if (value_tag(done) == TAG_OBJECT && export_JS_PromiseState(guest.context, done) == PROMISE_REJECTED) {
    (void)export_JS_Throw(guest.context, export_JS_PromiseResult(guest.context, done));
    engine_die("a module failed when it was evaluated");
  }
  value_free(done);
  if (imports_were_asked()) fail("a module asks for the time while it is loaded, which would be part of the image");
}

void fresh_settle(void) {
  export_JS_RunGC(guest.runtime);
  /* The next collection comes when the heap has grown by half, as after a collection that the engine starts itself. So it does
   * not come in the first milliseconds of a process. */
  u32 heap = wasm_memory_pages * WASM_PAGE - GUEST_STACK;
  export_JS_SetGCThreshold(guest.runtime, heap + heap / 2);
  memset((void *)WASM_MEMORY, 0, GUEST_STACK);
}
