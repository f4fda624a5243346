#include "app/environment.h"

#include "app/memory.h"

static char **base;
static uint32_t count;

static void add_variable(const char *bytes, size_t length) {
  base = memory_grow(base, count, sizeof *base);
  base[count++] = memory_copy_text(bytes, length);
}

void environment_start(char **from) {
  for (; from && *from; from++) add_variable(*from, strlen(*from));
}

static bool has_name(const char *variable, struct span name) {
  size_t length = strcspn(variable, "=");
  return length == name.length && memcmp(variable, name.data, length) == 0;
}

static void remove_variable(struct span name) {
  for (uint32_t i = 0; i < count;) {
    if (!has_name(base[i], name)) {
      i++;
      continue;
    }
    free(base[i]);
    base[i] = base[--count];
  }
}

void environment_set(const struct list *pairs, const struct list *unset) {
  struct reader names = reader_of(unset->data, unset->length);
  for (uint32_t i = 0; i < unset->count; i++) remove_variable(read_bytes(&names));
  struct reader items = reader_of(pairs->data, pairs->length);
  for (uint32_t i = 0; i < pairs->count; i++) {
    struct span name = read_bytes(&items);
    struct span value = read_bytes(&items);
    SCOPED_BUFFER text = {0};
    remove_variable(name);
    buffer_add(&text, name.data, name.length);
    buffer_u8(&text, '=');
    buffer_add(&text, value.data, value.length);
    add_variable((const char *)text.data, text.length);
  }
}

static bool is_named(const char *variable, const struct list *names, bool in_pairs) {
  struct reader reader = reader_of(names->data, names->length);
  for (uint32_t i = 0; i < names->count; i++) {
    struct span name = read_bytes(&reader);
    if (in_pairs) (void)read_bytes(&reader);
    if (has_name(variable, name)) return true;
  }
  return false;
}

void environment_build(struct buffer *out, const struct list *pairs, const struct list *unset) {
  size_t count_at = out->length;
  uint32_t written = 0;
  buffer_u32(out, 0);
  for (uint32_t i = 0; i < count; i++) {
    if (is_named(base[i], unset, false) || is_named(base[i], pairs, true)) continue;
    buffer_text(out, base[i]);
    written++;
  }
  struct reader reader = reader_of(pairs->data, pairs->length);
  for (uint32_t i = 0; i < pairs->count; i++) {
    struct span name = read_bytes(&reader);
    struct span value = read_bytes(&reader);
    buffer_u32(out, (uint32_t)(name.length + 1 + value.length));
    buffer_add(out, name.data, name.length);
    buffer_u8(out, '=');
    buffer_add(out, value.data, value.length);
    written++;
  }
  buffer_set_u32(out, count_at, written);
}

void environment_replace(const struct list *texts) {
  while (count > 0) free(base[--count]);
  struct reader reader = reader_of(texts->data, texts->length);
  for (uint32_t i = 0; i < texts->count; i++) {
    struct span text = read_bytes(&reader);
    add_variable((const char *)text.data, text.length);
  }
}

void environment_save(struct buffer *out) {
  buffer_u32(out, count);
  for (uint32_t i = 0; i < count; i++) buffer_text(out, base[i]);
}

bool environment_load(struct reader *in) {
  struct list texts = read_texts(in);
  environment_replace(&texts);
  return !in->failed;
}
