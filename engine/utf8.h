/* UTF-8 according to the Encoding Standard (https://encoding.spec.whatwg.org), which is stricter than the engine: half of a
 * surrogate pair is invalid, and each maximal invalid part becomes one U+FFFD. */
#ifndef ENGINE_UTF8_H
#define ENGINE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#include "wasm.h"

bool utf8_is_valid(const u8 *bytes, size_t length);
/* Copies, with U+FFFD for invalid UTF-8. Returns the new length, which is at most three times the old one. */
size_t utf8_repair(u8 *to, const u8 *bytes, size_t length);
/* The engine encodes half of a surrogate pair like a character: replaces each with U+FFFD, which has the same length. */
void utf8_replace_surrogates(u8 *bytes, size_t length);

#endif
