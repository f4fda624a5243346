#include "protocol/frames.h"

#define FIELD(type, name) " " #name ":" #type
#define DEFINE(name, code, fields) {code, #name, "" fields},
static const struct frame commands[] = {COMMANDS(DEFINE)};
#undef FIELD
#undef DEFINE

const struct frame *frames_find(uint8_t code) {
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
    if (commands[i].code == code) return &commands[i];
  }
  return NULL;
}

size_t frame_begin(struct buffer *out, uint8_t code) {
  size_t begin = out->length;
  buffer_u32(out, 0);
  buffer_u8(out, code);
  return begin;
}

void frame_end(struct buffer *out, size_t begin) {
  buffer_set_u32(out, begin, (uint32_t)(out->length - begin - 4));
}
