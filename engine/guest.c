#include "guest.h"

#include <string.h>

#include "exports.h"
#include "utf8.h"

struct guest guest;

u32 guest_copy(const void *bytes, size_t length) {
  if (length >= UINT32_MAX) return 0;
  u32 at = export_malloc((u32)length + 1);
  if (at == 0) return 0;
  memcpy((void *)(WASM_MEMORY + at), bytes, length);
  store_u8(at + (u32)length, 0);
  return at;
}

value value_number(double number) {
  /* An int where possible, like the engine itself; -0 is not an int. */
  if (number >= INT32_MIN && number <= INT32_MAX && number == (s32)number && !(number == 0 && signbit(number)))
    return value_int((s32)number);
  return export_JS_NewNumber(guest.context, number);
}

static value make_of_copy(const void *bytes, size_t length, u64 (*make)(u32, u32, u32)) {
  u32 copy = guest_copy(bytes, length);
  if (copy == 0) return value_throw("out of memory");
  value made = make(guest.context, copy, (u32)length);
  export_free(copy);
  return made;
}

/* With U+FFFD for invalid UTF-8. */
static value repaired(const u8 *bytes, size_t length) {
  u32 copy = length < UINT32_MAX / 3 ? export_malloc((u32)length * 3) : 0;
  if (copy == 0) return value_throw("out of memory");
  size_t made = utf8_repair((u8 *)(WASM_MEMORY + copy), bytes, length);
  value text = export_JS_NewStringLen(guest.context, copy, (u32)made);
  export_free(copy);
  return text;
}

value value_text(const char *bytes, size_t length) {
  if (!utf8_is_valid((const u8 *)bytes, length)) return repaired((const u8 *)bytes, length);
  return make_of_copy(bytes, length, export_JS_NewStringLen);
}

value value_bytes(const void *bytes, size_t length) {
  return make_of_copy(bytes, length, export_JS_NewUint8ArrayCopy);
}

value value_array(void) {
  return export_JS_NewArray(guest.context);
}

void value_push(value array, u32 place, value v) {
  (void)export_JS_SetPropertyUint32(guest.context, array, place, v);
}

void value_set(value object, const char *name, value v) {
  u32 copy = guest_copy(name, strlen(name));
  (void)export_JS_SetPropertyStr(guest.context, object, copy, v);
  export_free(copy);
}

value value_get(value object, const char *name) {
  u32 copy = guest_copy(name, strlen(name));
  value found = export_JS_GetPropertyStr(guest.context, object, copy);
  export_free(copy);
  return found;
}

void value_free(value v) {
  export_JS_FreeValue(guest.context, v);
}

value value_throw(const char *message) {
  value error = export_JS_NewError(guest.context);
  u32 copy = guest_copy(message, strlen(message));
  if (copy != 0) {
    value_set(error, "message", export_JS_NewStringLen(guest.context, copy, (u32)strlen(message)));
    export_free(copy);
  }
  return export_JS_Throw(guest.context, error);
}

/* Values with a tag from -9 to 7 are not floats. A float uses all 64 bits, with a constant subtracted. */
static bool is_float(value v) {
  return (u32)(value_tag(v) + 9) >= 17;
}

bool value_to_number(value v, double *number) {
  if (value_tag(v) == TAG_INT) {
    *number = (s32)(u32)v;
    return true;
  }
  if (!is_float(v)) return false;
  if (export_JS_ToFloat64(guest.context, guest.scratch, v) != 0) return false;
  *number = load_f64(guest.scratch);
  return *number == *number;
}

bool value_to_bytes(value v, u8 **bytes, u32 *length) {
  if (value_tag(v) != TAG_OBJECT) return false;
  store_u32(guest.scratch, 0);
  u32 at = export_JS_GetUint8Array(guest.context, guest.scratch, v);
  *length = load_u32(guest.scratch);
  if (at == 0) {
    /* Either it is not a Uint8Array, with an exception, or it is empty. */
    value_free(export_JS_GetException(guest.context));
    *bytes = NULL;
    return false;
  }
  *bytes = guest_range(at, *length);
  return *bytes != NULL;
}

const char *value_to_text(value v, size_t *length) {
  if (value_tag(v) != TAG_STRING && value_tag(v) != TAG_STRING_ROPE) return NULL;
  u32 at = export_JS_ToCStringLen2(guest.context, guest.scratch, v, 0);
  if (at == 0) {
    value_free(export_JS_GetException(guest.context));
    return NULL;
  }
  *length = load_u32(guest.scratch);
  utf8_replace_surrogates((u8 *)(WASM_MEMORY + at), *length);
  return (const char *)(WASM_MEMORY + at);
}

void value_free_text(const char *text) {
  if (text != NULL) export_JS_FreeCString(guest.context, (u32)((uintptr_t)text - WASM_MEMORY));
}
