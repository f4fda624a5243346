// The same calls of the same module in several engines: V8, the translated C, and wasm2c's C. Each prints a line per
// call: the result's bits, a checksum of the memory and its pages, or the trap. After a trap the module is instantiated again.
import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Signature, ValueType } from "../../tools/wasm-to-c/module.ts";
import { moduleToC } from "../../tools/wasm-to-c/module-to-c.ts";
import { C_TYPES } from "../../tools/wasm-to-c/operators.ts";
import { readModule } from "../../tools/wasm-to-c/read-module.ts";
import { ROOT } from "../setup/command.ts";

export type Call = {
  readonly name: string;
  readonly signature: Signature;
  /** Bits of the parameters. */
  readonly parameters: readonly bigint[];
};

/** A module on disk, and the calls. */
export type Case = {
  readonly directory: string;
  readonly module: string;
  readonly calls: readonly Call[];
  readonly fuel: number;
};

const WASM2C = "/usr/share/wabt/wasm2c";
/** Whether Debian's package wabt is installed. */
export const hasWasm2c = existsSync(WASM2C) && spawnSync("wasm2c", ["--version"]).status === 0;

const checked = (command: string, words: readonly string[]): string => {
  const { status, stdout, stderr, error } = spawnSync(command, words, {
    encoding: "utf8",
    maxBuffer: 1 << 28,
    timeout: 120_000,
  });
  if (status !== 0) throw new Error(`${command} ${words.join(" ")}: ${error ?? status}: ${stderr.slice(0, 2000)}`);
  return stdout;
};

/** V8's results, from Node, with which the project is built anyway. */
export const runInV8 = ({ directory, module, calls, fuel }: Case): readonly string[] => {
  const list = calls.map(({ name, signature, parameters }) => [
    name,
    signature.result,
    parameters.map((bits, index) => [signature.params[index], String(bits)]),
  ]);
  writeFileSync(join(directory, "calls.json"), JSON.stringify(list));
  const script = join(import.meta.dirname, "oracle.mjs");
  return linesOf(checked("node", [script, module, join(directory, "calls.json"), String(fuel)]));
};

/** The results of the translated C, compiled with `flags`. */
export const runTranslated = (one: Case, flags: readonly string[]): readonly string[] => {
  const name = basename(one.module, ".wasm");
  for (const [file, text] of moduleToC(readModule(checkedBytes(one.module)), name, 1))
    writeFileSync(join(one.directory, file), text);
  const driver = join(one.directory, "driver.c");
  writeFileSync(driver, `#include "${name}.h"\n${TRANSLATED}${calling(one, (callee) => `export_${callee}(`)}`);
  const sources = [driver, ...["0", "tables", "data"].map((part) => join(one.directory, `${name}_${part}.c`))];
  return compiled(one, sources, ["-I", join(ROOT, "tools/wasm-to-c"), "-ffp-contract=off", ...flags]);
};

/** The results of wasm2c's C. */
export const runWasm2c = (one: Case): readonly string[] => {
  const output = join(one.directory, "reference.c");
  checked("wasm2c", [one.module, "-n", "m", "-o", output]);
  const driver = join(one.directory, "reference-driver.c");
  writeFileSync(driver, `#include "reference.h"\n${REFERENCE}${calling(one, (callee) => `Z_mZ_${callee}(&m, `)}`);
  return compiled(one, [driver, output, join(WASM2C, "wasm-rt-impl.c")], ["-I", WASM2C, "-O1"]);
};

const checkedBytes = (path: string): Uint8Array => new Uint8Array(Bun.mmap(path));

/** For another architecture: CC=aarch64-linux-gnu-gcc CRANK_ENGINE_EMULATOR="qemu-aarch64 -L /usr/aarch64-linux-gnu". */
const EMULATOR = (process.env.CRANK_ENGINE_EMULATOR ?? "").split(" ").filter((word) => word !== "");

const compiled = ({ directory }: Case, sources: readonly string[], flags: readonly string[]): readonly string[] => {
  const program = join(directory, "driver");
  checked(process.env.CC ?? "cc", ["-std=gnu11", "-w", ...flags, "-I", directory, ...sources, "-o", program, "-lm"]);
  const [command = program, ...words] = [...EMULATOR, program];
  return linesOf(checked(command, words));
};

const linesOf = (text: string): readonly string[] => text.trimEnd().split("\n");

/** The calls as C: a wrapper per function, a table of arguments, and a main that makes the calls. */
const calling = ({ calls, fuel }: Case, callee: (name: string) => string): string => {
  const called = new Map(calls.map(({ name, signature }) => [name, signature]));
  const names = [...called.keys()];
  const bodies = [...called].map(([name, { params, result }]) => {
    const words = params.map((type, place) => fromBits(type, `a[${place}]`));
    const call = `${callee(name)}${words.join(", ")})`.replace(", )", ")");
    const body = result === null ? `${call}; return 0;` : `return ${toBits(result, call)};`;
    return `static unsigned long long call_${name}(const unsigned long long *a) { ${body} }`;
  });
  const table = calls.map(
    ({ name, parameters }) => `{${names.indexOf(name)}, {${parameters.map((bits) => `${bits}ull`).join(", ") || 0}}}`,
  );
  return `
static unsigned long long bits_f32(float v) { unsigned b; if (v != v) return 0x7fc00000; memcpy(&b, &v, 4); return b; }
static unsigned long long bits_f64(double v) { unsigned long long b; if (v != v) return 0x7ff8000000000000; memcpy(&b, &v, 8); return b; }
static float f32_of(unsigned b) { float v; memcpy(&v, &b, 4); return v; }
static double f64_of(unsigned long long b) { double v; memcpy(&v, &b, 8); return v; }
${bodies.join("\n")}
static unsigned long long (*const functions[])(const unsigned long long *) = {${names.map((name) => `call_${name}`).join(", ")}};
static const struct { unsigned function; unsigned long long a[4]; } calls[] = {${table.join(",\n")}};
int main(void) {
  prepare();
  reset();
  for (unsigned long i = 0; i < sizeof calls / sizeof *calls; i++) {
    set_fuel(${fuel});
    const char *trap = attempt(functions[calls[i].function], calls[i].a);
    if (trap) { printf("trap %s\\n", trap); reset(); continue; }
    unsigned sum = 0x811c9dc5;
    for (const unsigned *at = memory_start(), *end = at + page_count() * 16384; at < end; at++) sum = (sum ^ *at) * 0x01000193u;
    printf("%016llx %08x %u\\n", result, sum, page_count());
  }
}
`;
};

const fromBits = (type: ValueType, c: string): string =>
  type === "f32" || type === "f64" ? `${type}_of(${c})` : `(${C_TYPES[type]})${c}`;

const toBits = (type: ValueType, c: string): string => (type === "f32" || type === "f64" ? `bits_${type}(${c})` : c);

/** The driver of the translated module: memory in its free 8 GiB, and traps as jumps. */
const TRANSLATED = `
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
u32 wasm_memory_pages;
static sigjmp_buf back;
static unsigned long long result;
static struct { u32 g0; u32 g1; u64 g2; f32 g3; f64 g4; } first;
static const char *const names[] = {"unreachable", "division", "conversion", "conversion", "table", "memory"};
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
static void prepare(void) {
  struct sigaction action = {.sa_handler = on_fault};
  sigaction(SIGSEGV, &action, NULL);
  first.g0 = g0; first.g1 = g1; first.g2 = g2; first.g3 = g3; first.g4 = g4;
}
static void reset(void) {
  munmap((void *)WASM_MEMORY, (size_t)WASM_MOST_PAGES * WASM_PAGE);
  wasm_memory_pages = WASM_FIRST_PAGES;
  map(0, WASM_FIRST_PAGES);
  wasm_data_init();
  g0 = first.g0; g1 = first.g1; g2 = first.g2; g3 = first.g3; g4 = first.g4;
}
static void set_fuel(unsigned fuel) { g0 = fuel; }
static const unsigned *memory_start(void) { return (const unsigned *)WASM_MEMORY; }
static unsigned page_count(void) { return wasm_memory_pages; }
static const char *attempt(unsigned long long (*call)(const unsigned long long *), const unsigned long long *a) {
  int trap = sigsetjmp(back, 1);
  if (trap) return names[trap - 1];
  result = call(a);
  return NULL;
}
`;

/** The same for wasm2c's output. */
const REFERENCE = `
#include <stdio.h>
#include <stdlib.h>
#include "wasm-rt-impl.h"
static Z_m_instance_t m;
static int is_there;
static unsigned long long result;
static void prepare(void) { wasm_rt_init(); Z_m_init_module(); }
static void reset(void) { if (is_there) Z_m_free(&m); is_there = 1; memset(&m, 0, sizeof m); Z_m_instantiate(&m); }
static void set_fuel(unsigned fuel) { *Z_mZ_g0(&m) = fuel; }
static const unsigned *memory_start(void) { return (const unsigned *)Z_mZ_memory(&m)->data; }
static unsigned page_count(void) { return Z_mZ_memory(&m)->pages; }
static const char *attempt(unsigned long long (*call)(const unsigned long long *), const unsigned long long *a) {
  switch (wasm_rt_impl_try()) {
    case WASM_RT_TRAP_NONE: result = call(a); return NULL;
    case WASM_RT_TRAP_OOB: return "memory";
    case WASM_RT_TRAP_DIV_BY_ZERO: return "division";
    case WASM_RT_TRAP_INT_OVERFLOW: case WASM_RT_TRAP_INVALID_CONVERSION: return "conversion";
    case WASM_RT_TRAP_UNREACHABLE: return "unreachable";
    case WASM_RT_TRAP_CALL_INDIRECT: return "table";
    default: return "other";
  }
}
`;
