/* A fuzzer's bytes, taken from the front; when they are used up, zeros follow. */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct input {
  const uint8_t *at;
  size_t left;
};

static inline uint8_t take_u8(struct input *input) {
  if (input->left == 0) return 0;
  input->left--;
  return *input->at++;
}

static inline uint32_t take_u32(struct input *input) {
  uint32_t value = 0;
  for (int i = 0; i < 4; i++) value = (value << 8) | take_u8(input);
  return value;
}

/* Unlike assert, not removed by NDEBUG. */
#define MUST(what) \
  do { \
    if (!(what)) { \
      (void)fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #what); \
      abort(); \
    } \
  } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#endif
