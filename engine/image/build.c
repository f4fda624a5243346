/* The build runs `build check`, then `build compile BUNDLE BYTECODE`, then, in a new engine, `build image BYTECODE IMAGE`. The
 * tests run `build run copied|mapped IMAGE ARGUMENT...`. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine.h"
#include "image/fresh.h"
#include "host/host.h"
#include "image/image.h"

static _Noreturn void fail(const char *what, const char *why) {
  (void)fprintf(stderr, "crank: %s: %s\n", what, why);
  exit(1);
}

static char *read_file(const char *path, size_t *length) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) fail(path, strerror(errno));
  if (fseek(file, 0, SEEK_END) < 0) fail(path, strerror(errno));
  long size = ftell(file);
  if (size < 0 || fseek(file, 0, SEEK_SET) < 0) fail(path, strerror(errno));
  char *bytes = malloc((size_t)size + 1);
  if (bytes == NULL || fread(bytes, 1, (size_t)size, file) != (size_t)size) fail(path, "it cannot be read");
  (void)fclose(file);
  bytes[size] = '\0';
  *length = (size_t)size;
  return bytes;
}

static void write_file(const char *path, const void *bytes, size_t length) {
  FILE *file = fopen(path, "wb");
  if (file == NULL) fail(path, strerror(errno));
  if (fwrite(bytes, 1, length, file) != length || fclose(file) != 0) fail(path, strerror(errno));
}

static void compile(const char *bundle, const char *output) {
  size_t length;
  char *source = read_file(bundle, &length);
  u32 bytecode_length;
  const u8 *bytecode = fresh_compile(source, length, "crank", &bytecode_length);
  write_file(output, bytecode, bytecode_length);
  free(source);
}

static void make_image(const char *input, const char *output) {
  size_t length;
  char *bytecode = read_file(input, &length);
  fresh_evaluate((const u8 *)bytecode, length);
  fresh_settle();
  image_write(output);
  free(bytecode);
}

static _Noreturn void run(int argc, char **argv) {
  struct stat status;
  int fd = open(argv[3], O_RDONLY | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &status) < 0) fail(argv[3], strerror(errno));
  host_prepare(argc - 3, argv + 3);
  enum image_use use = strcmp(argv[2], "mapped") == 0 ? IMAGE_MAPPED : IMAGE_COPIED;
  const char *wrong = image_load(fd, 0, (size_t)status.st_size, use);
  if (wrong != NULL) fail(argv[3], wrong);
  engine_run();
}

int main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "";
  if (argc > 3 && strcmp(what, "run") == 0) run(argc, argv);
  host_prepare(argc, argv);
  fresh_start();
  if (argc == 2 && strcmp(what, "check") == 0) fresh_check_values();
  else if (argc == 4 && strcmp(what, "compile") == 0) compile(argv[2], argv[3]);
  else if (argc == 4 && strcmp(what, "image") == 0) make_image(argv[2], argv[3]);
  else fail("usage", "build check | build compile BUNDLE BYTECODE | build image BYTECODE IMAGE");
  return 0;
}
