/* The functions of the engine's module that are used. They are not a stable interface: a version that lacks one, or changes its
 * signature, does not compile. The build checks the meaning of their values (fresh_check_values).
 *
 * A JSValue is a u64 here: its tag in the upper half, a number or an address in the module's memory in the lower half. A u32 is
 * an address in that memory, a length, or a C int. */
#pragma once
#include "quickjs.h"

/* Version 14 of clang-format does not know _Generic. */
/* clang-format off */
#define USED(name, result, ...) \
  _Static_assert(_Generic(&export_##name, result (*)(__VA_ARGS__): 1, default: 0), "quickjs.wasm: " #name " has another signature")
/* clang-format on */

USED(_initialize, void, void);
USED(qjs_init, u32, void);
USED(qjs_get_context_ptr, u32, void);
USED(qjs_get_runtime_ptr, u32, void);
USED(qjs_set_promise_rejection_handler, void, u32);

USED(malloc, u32, u32);
USED(free, void, u32);

USED(JS_GetVersion, u32, void);
USED(JS_DupValue, u64, u32, u64);
USED(JS_FreeValue, void, u32, u64);
USED(JS_NewNumber, u64, u32, f64);
USED(JS_NewStringLen, u64, u32, u32, u32);
USED(JS_NewArray, u64, u32);
USED(JS_NewObject, u64, u32);
USED(JS_NewError, u64, u32);
USED(JS_NewUint8ArrayCopy, u64, u32, u32, u32);
USED(JS_NewCFunction2, u64, u32, u32, u32, u32, u32, u32);
USED(JS_ToFloat64, u32, u32, u32, u64);
USED(JS_ToCStringLen2, u32, u32, u32, u64, u32);
USED(JS_FreeCString, void, u32, u32);
USED(JS_GetUint8Array, u32, u32, u32, u64);

USED(JS_GetGlobalObject, u64, u32);
USED(JS_GetPropertyStr, u64, u32, u64, u32);
USED(JS_SetPropertyStr, u32, u32, u64, u32, u64);
USED(JS_GetPropertyUint32, u64, u32, u64, u32);
USED(JS_SetPropertyUint32, u32, u32, u64, u32, u64);
USED(JS_IsFunction, u32, u32, u64);

USED(JS_Call, u64, u32, u64, u64, u32, u32);
USED(JS_Throw, u64, u32, u64);
USED(JS_GetException, u64, u32);
USED(JS_IsJobPending, u32, u32);
USED(JS_ExecutePendingJob, u32, u32, u32);
USED(JS_PromiseState, u32, u32, u64);
USED(JS_PromiseResult, u64, u32, u64);

USED(JS_Eval, u64, u32, u32, u32, u32, u32);
USED(JS_WriteObject, u32, u32, u32, u64, u32);
USED(JS_ReadObject, u64, u32, u32, u32, u32);
USED(JS_ResolveModule, u32, u32, u64);
USED(JS_EvalFunction, u64, u32, u64);
USED(JS_RunGC, void, u32);
USED(JS_SetGCThreshold, void, u32, u32);
USED(JS_SetMaxStackSize, void, u32, u32);

/* The start of the module's own stack, which grows down from here to address 0. The module's data is above it. */
#define GUEST_STACK export___stack_pointer
