#include "connections/penalties.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "app/clock.h"

enum {
  MOST = 256,
  FIRST_MS = 250,
  LONGEST_MS = 8 * 1000,
  FORGOTTEN_MS = 10 * 60 * 1000, /* since the last penalty */
  MARK_4 = 4,
  MARK_6 = 6,
};

struct penalty {
  struct source source;
  uint32_t times;
  uint64_t last;
  uint64_t until;
};

static struct penalty penalties[MOST];
static uint32_t count;

bool penalty_source(int fd, struct source *source, char text[PENALTY_ADDRESS_TEXT]) {
  struct sockaddr_storage address = {0};
  socklen_t length = sizeof address;
  *source = (struct source){0};
  if (getpeername(fd, (struct sockaddr *)&address, &length) < 0) return false;
  if (address.ss_family == AF_INET) {
    const struct sockaddr_in *four = (const struct sockaddr_in *)&address;
    source->bytes[0] = MARK_4;
    memcpy(source->bytes + 1, &four->sin_addr, 4);
    return inet_ntop(AF_INET, &four->sin_addr, text, PENALTY_ADDRESS_TEXT) != NULL;
  }
  if (address.ss_family != AF_INET6) return false;
  const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&address;
  bool is_mapped = IN6_IS_ADDR_V4MAPPED(&six->sin6_addr);
  source->bytes[0] = is_mapped ? MARK_4 : MARK_6;
  memcpy(source->bytes + 1, six->sin6_addr.s6_addr + (is_mapped ? 12 : 0), is_mapped ? 4 : 8);
  return inet_ntop(AF_INET6, &six->sin6_addr, text, PENALTY_ADDRESS_TEXT) != NULL;
}

static struct penalty *find(const struct source *source) {
  uint64_t now = clock_now();
  for (uint32_t i = 0; i < count;) {
    if (penalties[i].last + FORGOTTEN_MS <= now) penalties[i] = penalties[--count];
    else if (memcmp(&penalties[i].source, source, sizeof *source) == 0) return &penalties[i];
    else i++;
  }
  return NULL;
}

static struct penalty *add(const struct source *source) {
  struct penalty *place = &penalties[0];
  if (count < MOST) place = &penalties[count++];
  else
    for (uint32_t i = 1; i < count; i++)
      if (penalties[i].last < place->last) place = &penalties[i];
  *place = (struct penalty){.source = *source};
  return place;
}

uint32_t penalty_add(const struct source *source, uint64_t *until) {
  struct penalty *penalty = find(source);
  if (!penalty) penalty = add(source);
  uint64_t pause = FIRST_MS;
  for (uint32_t i = 0; i < penalty->times && pause < LONGEST_MS; i++) pause *= 2;
  if (penalty->times < UINT32_MAX) penalty->times++;
  penalty->last = clock_now();
  penalty->until = penalty->last + (pause < LONGEST_MS ? pause : LONGEST_MS);
  *until = penalty->until;
  return penalty->times;
}

uint64_t penalty_until(const struct source *source) {
  const struct penalty *penalty = count > 0 ? find(source) : NULL;
  return penalty && penalty->until > clock_now() ? penalty->until : 0;
}
