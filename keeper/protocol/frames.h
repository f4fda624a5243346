/* The frames of protocol.h in C: a struct for the fields of each; a reader for each command; for each greeting a function that
 * appends it, for each event one that queues it, both called with the fields in their order:
 *
 *   struct command_signal command = read_signal(fields);
 *   append_greeting(helloEnd, out, outstanding);
 *   post_event(moved, source, worker, pid, start_time);   `source` as in events_post
 */
#pragma once

#include "protocol/events.h"
#include "protocol/protocol.h"
#include "protocol/wire.h"

/* A command's name, and its fields as in wire_matches. */
struct frame {
  uint8_t code;
  const char *name;
  const char *signature;
};
/* NULL if there is no such command. */
const struct frame *frames_find(uint8_t code);

/* Begins a frame that is no event. Once its fields are added, its end sets its length. */
size_t frame_begin(struct buffer *out, uint8_t code);
void frame_end(struct buffer *out, size_t begin);

#define append_greeting(name, out, ...) append_##name(out, &(struct message_##name){__VA_ARGS__})
#define post_event(name, source, ...) post_##name(source, &(struct message_##name){__VA_ARGS__})

/* The types of fields that are read: texts and lists stay in the buffer that they came in. */
typedef uint8_t read_as_u8, written_u8;
typedef uint32_t read_as_u32, written_u32;
typedef int32_t read_as_i32, written_i32;
typedef uint64_t read_as_u64, written_u64;
typedef struct span read_as_text, read_as_bytes, written_bytes;
typedef struct list read_as_texts, read_as_pairs, read_as_numbers, written_texts, written_numbers;
/* A text that is written ends with NUL. */
typedef const char *written_text;
/* On the wire, a text is like bytes, and each list is its count and its items. */
#define read_text read_bytes
#define buffer_texts buffer_list
#define buffer_numbers buffer_list

/* clang-format off */
#define FIELD(type, name) read_as_##type name;
#define DEFINE(name, code, fields) struct command_##name { fields };
COMMANDS(DEFINE)
#undef FIELD
#undef DEFINE

#define FIELD(type, name) written_##type name;
#define DEFINE(name, code, fields) struct message_##name { fields };
GREETINGS(DEFINE) EVENTS(DEFINE)
#undef FIELD
#undef DEFINE

#define FIELD(type, name) command.name = read_##type(in);
#define DEFINE(name, code, fields) \
  static inline struct command_##name read_##name(struct reader *in) { \
    struct command_##name command; \
    (void)in, (void)memset(&command, 0, sizeof command); /* for those without fields */ \
    fields \
    return command; \
  }
COMMANDS(DEFINE)
#undef FIELD
#undef DEFINE

#define FIELD(type, name) buffer_##type(out, message->name);
#define DEFINE(name, code, fields) \
  static inline void put_##name(struct buffer *out, const struct message_##name *message) { \
    (void)out, (void)message; \
    fields \
  }
GREETINGS(DEFINE) EVENTS(DEFINE)
#undef FIELD
#undef DEFINE

#define DEFINE(name, code, fields) \
  static inline void append_##name(struct buffer *out, const struct message_##name *message) { \
    size_t begin = frame_begin(out, code); \
    put_##name(out, message); \
    frame_end(out, begin); \
  }
GREETINGS(DEFINE)
#undef DEFINE

#define DEFINE(name, code, fields) \
  static inline void post_##name(uint64_t source, const struct message_##name *message) { \
    put_##name(events_begin(code), message); \
    events_post(source); \
  }
EVENTS(DEFINE)
#undef DEFINE
    /* clang-format on */
