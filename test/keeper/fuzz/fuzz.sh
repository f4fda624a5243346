#!/bin/bash
# Fuzzes the keeper under the address and undefined-behaviour sanitizers: test/keeper/fuzz/fuzz.sh SECONDS (default 30), spread
# over all targets. Installs nothing. An input that fails is left in build/fuzz/, and its target is printed.
set -u
cd "$(dirname "$0")/../../.."
seconds=${1:-30}
clang=${CLANG:-clang}

if ! command -v "$clang" > /dev/null; then
  echo "FUZZING IS NOT POSSIBLE: clang is missing. Install it (Debian: apt-get install clang libclang-rt-14-dev), or name it in CLANG." >&2
  exit 1
fi
mkdir -p build/fuzz
printf 'int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n) { return d != 0 && n > 1000000; }\n' > build/fuzz/probe.c
if ! "$clang" -fsanitize=fuzzer,address build/fuzz/probe.c -o build/fuzz/probe 2> build/fuzz/probe.log; then
  echo "FUZZING IS NOT POSSIBLE: clang has no fuzzer runtime. Install it (Debian: apt-get install libclang-rt-14-dev). It says:" >&2
  head -3 build/fuzz/probe.log >&2
  exit 1
fi

targets=(batch lines journal output)
each=$(((seconds + ${#targets[@]} - 1) / ${#targets[@]}))
broken=0
for target in "${targets[@]}"; do
  # The batch target has its own channel.
  sources=$(ls keeper/*/*.c | grep -v '/main\.c$')
  [ "$target" = batch ] && sources=$(echo "$sources" | grep -v '/channel\.c$')
  # shellcheck disable=SC2086 # the sources are a list
  if ! "$clang" -std=c11 -D_GNU_SOURCE -Ikeeper -DCRANK_VERSION='"fuzz"' -g -O1 -fno-omit-frame-pointer -pthread \
    -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -Wno-unused-command-line-argument \
    "test/keeper/fuzz/$target.c" test/keeper/harness/stand-in.c $sources -o "build/fuzz/$target"; then
    echo "the fuzzer for $target cannot be built" >&2
    broken=1
    continue
  fi
  mkdir -p "build/fuzz/corpus-$target"
  echo "fuzzing $target for $each s"
  if ! ASAN_OPTIONS=detect_leaks=1 nice "build/fuzz/$target" -max_total_time="$each" -max_len=4096 -rss_limit_mb=1024 -timeout=20 \
    -print_final_stats=1 -artifact_prefix="build/fuzz/$target-" "build/fuzz/corpus-$target" > "build/fuzz/$target.log" 2>&1; then
    tail -n 60 "build/fuzz/$target.log" >&2
    echo "BROKEN: $target; again: build/fuzz/$target INPUT, with the input from build/fuzz/" >&2
    broken=1
    continue
  fi
  grep -e number_of_executed_units -e average_exec_per_sec "build/fuzz/$target.log"
done
[ "$broken" -eq 0 ] && echo "fuzzed for $seconds s: nothing broke"
exit "$broken"
