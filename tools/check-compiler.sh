#!/bin/sh
# Checks that $CC can make a static program with threads, like the keeper. Prints one sentence if it cannot.
set -u
fail() {
  echo "crank: $*" >&2
  exit 1
}

compiler=${CC:-cc}
# $CC may contain arguments, such as "ccache gcc".
command -v "${compiler%% *}" >/dev/null 2>&1 ||
  fail "a C compiler is missing ('$compiler' is not there): install one (on Debian and Ubuntu: apt-get install gcc libc6-dev) or name yours with make CC=..."

directory=$(mktemp -d) || fail "no temporary directory can be made in ${TMPDIR:-/tmp}"
trap 'rm -rf "$directory"' EXIT
cat >"$directory/try.c" <<'PROGRAM'
#include <linux/openat2.h>
#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>
static void *nothing(void *argument) { return argument; }
int main(void) {
  pthread_t thread;
  return pthread_create(&thread, NULL, nothing, NULL) || pthread_join(thread, NULL);
}
PROGRAM

$compiler -std=c11 -D_GNU_SOURCE -pthread -c -o "$directory/try.o" "$directory/try.c" >/dev/null 2>&1 ||
  fail "'$compiler' cannot compile a small program: the C library's and the kernel's headers are missing (on Debian and Ubuntu: apt-get install libc6-dev) or it knows no C11"
$compiler -static -pthread -o "$directory/try" "$directory/try.o" >/dev/null 2>&1 ||
  fail "'$compiler' cannot link a static program: install the C library's static part, libc.a (Debian and Ubuntu: libc6-dev; Fedora: glibc-static; musl has it)"
