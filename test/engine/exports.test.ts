// The engine's module itself, as `make engine` translated and compiled it: each function that it exports, called beside V8
// with the same arguments in the same memory.
import { afterAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Signature } from "../../tools/wasm-to-c/module.ts";
import { C_TYPES } from "../../tools/wasm-to-c/operators.ts";
import { readModule } from "../../tools/wasm-to-c/read-module.ts";
import { ROOT } from "../setup/command.ts";
import { isBuilt } from "./harness.ts";

/** Some functions loop forever on invalid arguments, so these get only valid ones (the oracle's FITTING). */
const SEED = "2";
const ROUNDS = "3";
const MODULE = join(ROOT, "node_modules/quickjs-wasi/quickjs.wasm");
const OBJECTS = ["0", "1", "2", "3", "tables", "data"].map((part) =>
  join(ROOT, `build/engine/module/quickjs_${part}.o`),
);

const home = mkdtempSync(join(tmpdir(), "crank-exports-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));

const checked = (command: string, words: readonly string[]): string => {
  const { status, stdout, stderr, error } = spawnSync(command, words, {
    encoding: "utf8",
    maxBuffer: 1 << 28,
    timeout: 120_000,
  });
  if (status !== 0) throw new Error(`${command} ${words.join(" ")}: ${error ?? status}: ${stderr.slice(0, 2000)}`);
  return stdout;
};

const exported = (): ReadonlyMap<string, Signature> => {
  const { exports, functions } = readModule(readFileSync(MODULE));
  const entries = exports.flatMap(({ kind, name, index }): [string, Signature][] => {
    const signature = functions[index]?.signature;
    return kind === "function" && signature !== undefined ? [[name, signature]] : [];
  });
  return new Map(entries);
};

/** A C function that makes one call with arguments as bits. */
const adapter = (name: string, { params, result }: Signature): string => {
  const words = params.map((type, index) =>
    type[0] === "f" ? `${type}_reinterpret_i${type.slice(1)}(a[${index}])` : `(${C_TYPES[type]})a[${index}]`,
  );
  const call = `export_${name}(${words.join(", ")})`;
  if (result === null) return `static u64 call_${name}(const u64 *a) { ${call}; return 0; }`;
  const value = result === "f64" ? `bits(${call})` : result === "f32" ? `i32_reinterpret_f32(${call})` : call;
  return `static u64 call_${name}(const u64 *a) { return ${value}; }`;
};

/** Reads the oracle's calls from its input, makes them, and prints the same lines. */
const driver = (signatures: ReadonlyMap<string, Signature>, stage: number): string => `
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "quickjs.h"
u32 wasm_memory_pages;
static sigjmp_buf back;
static u32 mapped;
static const char *const traps[] = {"unreachable", "division", "conversion", "conversion", "table", "memory"};
_Noreturn void wasm_trap(enum wasm_trap trap) { siglongjmp(back, 1 + (int)trap); }
static void on_fault(int number) { siglongjmp(back, 1 + TRAP_OUT_OF_BOUNDS); }
static void map(u32 from, u32 pages) {
  void *at = (void *)(WASM_MEMORY + (u64)from * WASM_PAGE);
  if (pages && mmap(at, (size_t)pages * WASM_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != at) abort();
}
u32 wasm_memory_grow(u32 pages) {
  u32 before = wasm_memory_pages;
  if ((u64)before + pages > WASM_MOST_PAGES) return UINT32_MAX;
  map(before, pages);
  wasm_memory_pages += pages;
  return before;
}
u32 import_host_get_timezone_offset(u32 a, u32 b) { return 0; }
u32 import_host_interrupt(void) { return 0; }
void import_host_promise_rejection(u32 a, u32 b, u32 c) {}
u32 import_host_module_normalize(u32 a, u32 b) { return 0; }
u32 import_host_module_load(u32 a, u32 b) { return 0; }
u32 import_host_call(u32 a, u32 b, u32 c, u32 d, u32 e) { return 0; }
u32 import_clock_time_get(u32 a, u64 b, u32 c) { return 0; }
u32 import_fd_close(u32 a) { return 0; }
u32 import_fd_fdstat_get(u32 a, u32 b) { return 0; }
u32 import_fd_seek(u32 a, u64 b, u32 c, u32 d) { return 0; }
u32 import_fd_write(u32 a, u32 b, u32 c, u32 d) { return 0; }
u32 import_random_get(u32 a, u32 b) { return 0; }
static u64 bits(f64 v) { return v != v ? 0x7ff8000000000000 : i64_reinterpret_f64(v); }
${[...signatures].map(([name, signature]) => adapter(name, signature)).join("\n")}
static const struct { const char *name; u64 (*call)(const u64 *); } functions[] = {
${[...signatures.keys()].map((name) => `{"${name}", call_${name}},`).join("\n")}
};
static char *stage;
static u32 stage_pages, stage_pointer;
static void restore(void) {
  if (wasm_memory_pages > stage_pages)
    munmap((void *)(WASM_MEMORY + (u64)stage_pages * WASM_PAGE), (size_t)(wasm_memory_pages - stage_pages) * WASM_PAGE);
  wasm_memory_pages = stage_pages;
  memcpy((void *)WASM_MEMORY, stage, (size_t)stage_pages * WASM_PAGE);
  g0 = stage_pointer;
}
static void attempt(u64 (*call)(const u64 *), const u64 *a) {
  int trap = sigsetjmp(back, 1);
  if (trap) { printf("trap %s\\n", traps[trap - 1]); return; }
  u64 result = call(a);
  u32 sum = 0x811c9dc5;
  const u32 *end = (const u32 *)(WASM_MEMORY + (u64)wasm_memory_pages * WASM_PAGE);
  for (const u32 *at = (const u32 *)WASM_MEMORY; at < end; at++) sum = (sum ^ *at) * 0x01000193u;
  printf("%llx %08x\\n", (unsigned long long)result, sum);
}
int main(int argc, char **argv) {
  static char other[65536];
  stack_t signal_stack = {.ss_sp = other, .ss_size = sizeof other};
  sigaltstack(&signal_stack, NULL);
  struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_ONSTACK};
  sigaction(SIGSEGV, &action, NULL);
  wasm_memory_pages = WASM_FIRST_PAGES;
  map(0, WASM_FIRST_PAGES);
  wasm_data_init();
  FILE *calls = fopen(argv[1], "r");
  char line[4096];
  for (int number = 0; fgets(line, sizeof line, calls); number++) {
    if (number == ${stage}) {
      stage_pages = wasm_memory_pages; stage_pointer = g0;
      stage = malloc((size_t)stage_pages * WASM_PAGE);
      memcpy(stage, (void *)WASM_MEMORY, (size_t)stage_pages * WASM_PAGE);
    }
    if (number >= ${stage}) restore();
    u64 a[16] = {0};
    int count = 0;
    *strchr(line, '=') = 0;
    char *name = strtok(line, " ");
    printf("%s ", name);
    for (char *word = strtok(NULL, " "); word; word = strtok(NULL, " ")) { a[count++] = strtoull(word, NULL, 16); printf("%s ", word); }
    printf("= ");
    for (unsigned i = 0; i < sizeof functions / sizeof *functions; i++)
      if (strcmp(functions[i].name, name) == 0) attempt(functions[i].call, a);
  }
}
`;

describe.skipIf(!isBuilt)("the engine's module (make engine)", () => {
  test("has the same result, memory or trap as V8 at each of its exports", () => {
    const signatures = exported();
    expect(signatures.size).toBeGreaterThan(400);
    const list = join(home, "signatures.json");
    writeFileSync(list, JSON.stringify(Object.fromEntries(signatures)));
    const oracle = join(import.meta.dirname, "exports-oracle.mjs");
    const expected = checked("node", [oracle, MODULE, list, SEED, ROUNDS]);
    writeFileSync(join(home, "calls"), expected);
    const tried = new Set(expected.split("\n").map((line) => line.split(" ", 1)[0]));
    expect([...signatures.keys()].filter((name) => !tried.has(name))).toEqual([]);
    const stage = expected.split("\n").findIndex((line) => line.startsWith("qjs_new_object ")) + 1;
    writeFileSync(join(home, "driver.c"), driver(signatures, stage));
    const flags = ["-std=gnu11", "-w", "-O1", "-no-pie", "-ffp-contract=off", "-DWASM_TABLE_ROOM=1"];
    const includes = ["-I", join(ROOT, "tools/wasm-to-c"), "-I", join(ROOT, "build/engine/module")];
    checked(process.env.CC ?? "cc", [
      ...flags,
      ...includes,
      join(home, "driver.c"),
      ...OBJECTS,
      "-o",
      join(home, "driver"),
      "-lm",
    ]);
    const actual = checked(join(home, "driver"), [join(home, "calls")]);
    expect(actual.split("\n").length).toBe(expected.split("\n").length);
    expect(actual.split("\n")).toEqual(expected.split("\n"));
    // Most calls do not trap.
    expect(expected.split("\n").filter((line) => line.includes("= trap")).length).toBeLessThan(
      expected.split("\n").length * 0.6,
    );
  });
});
