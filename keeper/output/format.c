#include "output/format.h"

#include <time.h>

#include "app/memory.h"

/* A program is a sequence of these. LITERAL is followed by a u16 length (native byte order) and the bytes. */
enum operation { LITERAL, GO_TIME, SLASH_TIME, SHORT_TIME, ISO_TIME, PID };

static const size_t field_size[] = {[GO_TIME] = 19, [SLASH_TIME] = 19, [SHORT_TIME] = 15, [ISO_TIME] = ISO_TIME_SIZE, [PID] = 10};

static void add_literal(struct template *template, const char *bytes, size_t length) {
  if (length == 0) return;
  uint16_t size = (uint16_t)length;
  template->program[template->length] = LITERAL;
  memcpy(template->program + template->length + 1, &size, sizeof size);
  memcpy(template->program + template->length + 1 + sizeof size, bytes, length);
  template->length += 1 + sizeof size + length;
  template->longest += length;
}

static void add_field(struct template *template, enum operation operation) {
  template->program[template->length++] = (uint8_t)operation;
  template->longest += field_size[operation];
}

static enum operation field_of(char letter) {
  switch (letter) {
    case 't': return GO_TIME;
    case 'd': return SLASH_TIME;
    case 'T': return SHORT_TIME;
    case 'p': return PID;
    default: return LITERAL;
  }
}

/* A field of two characters becomes one byte and may split a literal, which adds three bytes, so four times the text is
 * enough. */
static int start_program(struct template *template, size_t text_length) {
  *template = (struct template){0};
  if (text_length > TEMPLATE_LIMIT) {
    errno = E2BIG;
    return -1;
  }
  template->program = memory_take(4 * text_length + 64);
  return 0;
}

int template_compile(struct template *template, const char *text) {
  if (start_program(template, strlen(text)) != 0) return -1;
  while (*text) {
    size_t plain = strcspn(text, "%");
    add_literal(template, text, plain);
    text += plain;
    if (*text == '\0') break;
    enum operation field = field_of(text[1]);
    if (field != LITERAL) add_field(template, field);
    else add_literal(template, text, text[1] == '\0' || text[1] == '%' ? 1 : 2);
    text += text[1] == '\0' ? 1 : 2;
  }
  return 0;
}

int template_compile_json(struct template *template, const char *fragment) {
  static const char start[] = "{\"time\":\"", pid[] = ",\"pid\":", line[] = ",\"line\":\"";
  size_t length = strlen(fragment);
  if (start_program(template, length) != 0) return -1;
  add_literal(template, start, sizeof start - 1);
  add_field(template, ISO_TIME);
  add_literal(template, "\",", length > 0 ? 2 : 1);
  add_literal(template, fragment, length);
  add_literal(template, pid, sizeof pid - 1);
  add_field(template, PID);
  add_literal(template, line, sizeof line - 1);
  return 0;
}

void template_free(struct template *template) {
  free(template->program);
  *template = (struct template){0};
}

static void put_two(char *out, int number) {
  out[0] = (char)('0' + number / 10 % 10);
  out[1] = (char)('0' + number % 10);
}

static void put_clock(char *out, const struct tm *tm) {
  put_two(out, tm->tm_hour);
  out[2] = ':';
  put_two(out + 3, tm->tm_min);
  out[5] = ':';
  put_two(out + 6, tm->tm_sec);
}

static void put_date(char *out, const struct tm *tm, char between) {
  int year = tm->tm_year + 1900;
  put_two(out, year / 100);
  put_two(out + 2, year % 100);
  out[4] = between;
  put_two(out + 5, tm->tm_mon + 1);
  out[7] = between;
  put_two(out + 8, tm->tm_mday);
}

/* An ISO 8601 offset has whole minutes, so the time is shifted by whole minutes too. */
static void put_iso(struct time_text *times, time_t now, long offset) {
  long minutes = offset / 60, size = labs(minutes);
  time_t shifted = now + 60 * minutes;
  struct tm tm = {.tm_mday = 1};
  (void)gmtime_r(&shifted, &tm);
  put_date(times->iso, &tm, '-');
  times->iso[10] = 'T';
  put_clock(times->iso + 11, &tm);
  times->offset[0] = minutes < 0 ? '-' : '+';
  put_two(times->offset + 1, (int)(size / 60));
  times->offset[3] = ':';
  put_two(times->offset + 4, (int)(size % 60));
}

static void update_times(struct time_text *times, uint64_t second) {
  if (times->valid && times->second == second) return;
  static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  time_t now = (time_t)second;
  struct tm local = {.tm_mday = 1};
  (void)localtime_r(&now, &local);
  memcpy(times->go, months + 3 * (local.tm_mon % 12), 3);
  times->go[3] = ' ';
  put_two(times->go + 4, local.tm_mday);
  if (times->go[4] == '0') times->go[4] = ' ';
  times->go[6] = ' ';
  put_clock(times->go + 7, &local);
  put_date(times->slashes, &local, '/');
  times->slashes[10] = ' ';
  put_clock(times->slashes + 11, &local);
  put_iso(times, now, local.tm_gmtoff);
  times->second = second;
  times->valid = true;
}

static size_t put_thousandths(char *out, uint64_t at) {
  int rest = (int)(at % 1000);
  out[0] = '.';
  out[1] = (char)('0' + rest / 100);
  put_two(out + 2, rest % 100);
  return 4;
}

size_t format_iso_time(struct time_text *times, uint64_t at, char *out) {
  update_times(times, at / 1000);
  memcpy(out, times->iso, 19);
  (void)put_thousandths(out + 19, at);
  memcpy(out + 23, times->offset, 6);
  return ISO_TIME_SIZE;
}

size_t format_number(uint64_t number, char *out) {
  char digits[20];
  size_t count = 0;
  do digits[count++] = (char)('0' + number % 10);
  while ((number /= 10) > 0);
  for (size_t i = 0; i < count; i++) out[i] = digits[count - 1 - i];
  return count;
}

static size_t put_field(enum operation field, struct time_text *times, uint64_t at, uint32_t pid, char *out) {
  switch (field) {
    case GO_TIME: memcpy(out, times->go, 15); return 15 + put_thousandths(out + 15, at);
    case SLASH_TIME: memcpy(out, times->slashes, 19); return 19;
    case SHORT_TIME: memcpy(out, times->go, 15); return 15;
    case ISO_TIME: return format_iso_time(times, at, out);
    case PID: return format_number(pid, out);
    case LITERAL: break;
  }
  return 0;
}

size_t template_render(const struct template *template, struct time_text *times, uint64_t at, uint32_t pid, char *out) {
  update_times(times, at / 1000);
  const uint8_t *step = template->program, *end = step + template->length;
  char *to = out;
  while (step < end) {
    enum operation operation = *step++;
    if (operation != LITERAL) {
      to += put_field(operation, times, at, pid, to);
      continue;
    }
    uint16_t length;
    memcpy(&length, step, sizeof length);
    memcpy(to, step + sizeof length, length);
    to += length;
    step += sizeof length + length;
  }
  return (size_t)(to - out);
}
