/* UTF-8 as the Encoding Standard has it (https://encoding.spec.whatwg.org), which is stricter than the engine: half of a surrogate
 * pair is not UTF-8, and what is not becomes one U+FFFD for each part that could have begun a character. */
#ifndef ENGINE_UTF8_H
#define ENGINE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#include "wasm.h"

bool utf8_is_valid(const u8 *bytes, size_t length);
/* Copies, with U+FFFD in place of what is not UTF-8; returns the new length: at most three times the old one. */
size_t utf8_repair(u8 *to, const u8 *bytes, size_t length);
/* The engine writes half of a surrogate pair as if it were a character: replaces each by U+FFFD, which is as long. */
void utf8_replace_surrogates(u8 *bytes, size_t length);

#endif
