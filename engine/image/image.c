#define _GNU_SOURCE
#include "image/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "build-id.h"
#include "engine.h"
#include "exports.h"
#include "heap.h"
#include "write.h"

enum { FORMAT = 2, PAGE = 4096 };

static const char MAGIC[8] = "crankimg";

struct header {
  char magic[8];
  u32 format;
  /* Start of the stored memory. */
  u32 from;
  /* The build that the engine comes from. An image fits only that build, because it contains numbers of host functions. */
  char build_id[65];
  char padding[7];
  u64 length;
  struct engine_state state;
  /* Covers everything before it. */
  u64 checksum;
};
_Static_assert(sizeof(struct header) <= PAGE, "the header is one page");

static _Noreturn void fail(const char *what, const char *why) {
  (void)fprintf(stderr, "crank: %s: %s\n", what, why);
  _exit(BROKEN);
}

/* FNV-1a: detects damage by disks and copies, but no attack. */
static u64 checksum_of(const struct header *header) {
  const u8 *bytes = (const u8 *)header;
  u64 sum = 14695981039346656037u;
  for (size_t i = 0; i < offsetof(struct header, checksum); i++) sum = (sum ^ bytes[i]) * 1099511628211u;
  return sum;
}

/* Writing ---------------------------------------------------------------------------------------------------------- */

static bool is_zero(const char *bytes, size_t length) {
  for (size_t i = 0; i < length; i++) {
    if (bytes[i] != 0) return false;
  }
  return true;
}

void image_write(const char *path) {
  struct engine_state state = engine_state();
  if (state.stack % PAGE != 0) fail(path, "the engine is in the middle of something");
  const char *memory = (const char *)WASM_MEMORY;
  size_t end = (size_t)state.pages * WASM_PAGE;
  while (end > state.stack && is_zero(memory + end - PAGE, PAGE)) end -= PAGE;

  struct header header;
  memset(&header, 0, sizeof header);
  header.format = FORMAT;
  header.from = state.stack;
  header.length = end - state.stack;
  header.state = state;
  memcpy(header.magic, MAGIC, sizeof MAGIC);
  memcpy(header.build_id, ENGINE_BUILD_ID, sizeof header.build_id);
  header.checksum = checksum_of(&header);
  char first[PAGE] = {0};
  memcpy(first, &header, sizeof header);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) fail(path, strerror(errno));
  if (!write_whole(fd, first, sizeof first) || !write_whole(fd, memory + state.stack, header.length) || close(fd) < 0)
    fail(path, strerror(errno));
}

/* Loading ---------------------------------------------------------------------------------------------------------- */

static ssize_t read_at(int fd, void *to, size_t length, size_t at) {
  size_t done = 0;
  while (done < length) {
    ssize_t count = pread(fd, (char *)to + done, length - done, (off_t)(at + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return -1;
    if (count == 0) break;
    done += (size_t)count;
  }
  return (ssize_t)done;
}

static const char *check(const struct header *header, size_t length) {
  if (memcmp(header->magic, MAGIC, sizeof MAGIC) != 0) return "it is not an image of the engine";
  if (header->format != FORMAT) return "this program cannot read its format";
  if (memcmp(header->build_id, ENGINE_BUILD_ID, sizeof header->build_id) != 0) return "it was made by another build";
  if (header->length != length - PAGE) return "it is cut off, or something was added to it";
  const struct engine_state *state = &header->state;
  if (header->checksum != checksum_of(header)) return "it is damaged";
  bool is_whole = header->from % PAGE == 0 && header->length % PAGE == 0 && state->stack == header->from;
  bool fits = state->pages <= HEAP_MOST_PAGES && header->from + header->length <= (u64)state->pages * WASM_PAGE;
  return is_whole && fits ? NULL : "it is damaged";
}

static const char *out_of_room(void) {
  return errno == EEXIST ? "the address range of the engine is in use" : strerror(errno);
}

static const char *fill(int fd, size_t at, const struct header *header) {
  ssize_t count = read_at(fd, (void *)(WASM_MEMORY + header->from), header->length, at);
  return count == (ssize_t)header->length ? NULL : "it cannot be read completely";
}

static const char *copy(int fd, size_t at, const struct header *header) {
  if (heap_map_huge(header->from, (size_t)header->state.pages * WASM_PAGE) < 0) return out_of_room();
  return fill(fd, at, header);
}

static const char *map(int fd, size_t at, const struct header *header) {
  size_t end = header->from + header->length;
  size_t size = (size_t)header->state.pages * WASM_PAGE;
  if (heap_map(0, header->from) < 0) return out_of_room();
  if (heap_map_file(header->from, header->length, fd, (off_t)at) == 0)
    return heap_map(end, size - end) == 0 ? NULL : out_of_room();
  /* EINVAL: the system's pages are larger than the image's. ENODEV: the file system does not support mmap(2). */
  bool must_read = errno == EINVAL || errno == ENODEV;
  if (!must_read || heap_map(header->from, size - header->from) < 0) return out_of_room();
  return fill(fd, at, header);
}

const char *image_load(int fd, size_t at, size_t length, enum image_use use) {
  struct header header;
  if (length < PAGE || read_at(fd, &header, sizeof header, at) != (ssize_t)sizeof header) return "it is cut off";
  const char *wrong = check(&header, length);
  if (wrong != NULL) return wrong;
  bool is_copied = use == IMAGE_COPIED && heap_has_huge_pages();
  wrong = is_copied ? copy(fd, at + PAGE, &header) : map(fd, at + PAGE, &header);
  if (wrong != NULL) return wrong;
  heap_guard();
  engine_resume(&header.state);
  return NULL;
}

/* This program's image: from image.S, on a page of its own, in a segment that the linker placed. */
extern const char image_start[];
extern const char image_end[];
extern const char __executable_start[];

struct elf_header {
  char identity[16];
  uint16_t type, machine;
  uint32_t version;
  uint64_t entry, programs, sections;
  uint32_t flags;
  uint16_t size, program_size, program_count;
};
struct elf_program {
  uint32_t type, flags;
  uint64_t offset, address, physical, file_size, memory_size, alignment;
};
enum { LOADED = 1 };

/* The file offset of an address of this program; -1 if it is in no segment. */
static ssize_t offset_of(const char *address) {
  struct elf_header header;
  memcpy(&header, __executable_start, sizeof header);
  for (uint16_t i = 0; i < header.program_count; i++) {
    struct elf_program program;
    memcpy(&program, __executable_start + header.programs + (size_t)i * header.program_size, sizeof program);
    uint64_t at = (uint64_t)(uintptr_t)address - program.address;
    if (program.type == LOADED && at < program.file_size) return (ssize_t)(program.offset + at);
  }
  return -1;
}

/* Without /proc: copies the image that the kernel has mapped with the program. */
static const char *load_mapped(size_t length) {
  struct header header;
  if (length < PAGE) return "it is cut off";
  memcpy(&header, image_start, sizeof header);
  const char *wrong = check(&header, length);
  if (wrong != NULL) return wrong;
  if (heap_map(0, (size_t)header.state.pages * WASM_PAGE) < 0) return out_of_room();
  heap_guard();
  memcpy((void *)(WASM_MEMORY + header.from), image_start + PAGE, header.length);
  engine_resume(&header.state);
  return NULL;
}

void image_load_own(void) {
  ssize_t at = offset_of(image_start);
  size_t length = (size_t)(image_end - image_start);
  int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  if (at < 0) fail("this program cannot be used", "it holds no image");
  const char *wrong = fd < 0 ? load_mapped(length) : image_load(fd, (size_t)at, length, IMAGE_COPIED);
  if (wrong != NULL) fail("the image in this program cannot be used", wrong);
  if (fd >= 0) (void)close(fd);
}
