// The translator compared with other engines: for random modules over all instructions, the same calls have the same
// results, memory and traps. For another seed or more modules, set CRANK_ENGINE_SEED and CRANK_ENGINE_MODULES.
import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WasmError } from "../../tools/wasm-to-c/bytes.ts";
import { type Instruction, readInstruction } from "../../tools/wasm-to-c/instructions.ts";
import { moduleToC } from "../../tools/wasm-to-c/module-to-c.ts";
import { LOADS, OPERATORS, SATURATING, STORES } from "../../tools/wasm-to-c/operators.ts";
import { readModule } from "../../tools/wasm-to-c/read-module.ts";
import { Random } from "../lives/random.ts";
import { type Call, type Case, hasWasm2c, runInV8, runTranslated, runWasm2c } from "./differential.ts";
import { constant, opcode, type WrittenModule, writeModule } from "./module-writer.ts";
import { FUEL_AT_START, type RandomOptions, randomModule } from "./random-module.ts";
import { randomBits, TYPES } from "./random-values.ts";

const SEED = Number(process.env.CRANK_ENGINE_SEED ?? 2);
const MODULES = Number(process.env.CRANK_ENGINE_MODULES ?? 1);
const FUNCTIONS = 60;
const CALLS_OF_EACH = 6;

const home = mkdtempSync(join(tmpdir(), "crank-engine-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));

const written = (name: string, module: WrittenModule): string => {
  mkdirSync(join(home, name), { recursive: true });
  const path = join(home, name, "module.wasm");
  writeFileSync(path, writeModule(module));
  return path;
};

const randomCase = (name: string, options: RandomOptions): Case => {
  const module = randomModule(options);
  const random = new Random(options.seed + 1_000_000);
  const calls = module.functions.flatMap(({ exportedAs, signature }): Call[] =>
    exportedAs === null
      ? []
      : Array.from({ length: CALLS_OF_EACH }, () => ({
          name: exportedAs,
          signature,
          parameters: signature.params.map((type) => randomBits(type, random)),
        })),
  );
  return { directory: join(home, name), module: written(name, module), calls, fuel: FUEL_AT_START };
};

/** Each line with its call, so that a difference shows where it is. */
const labelled = ({ calls }: Case, lines: readonly string[]): readonly string[] =>
  calls.map(
    ({ name, parameters }, index) =>
      `${name}(${parameters.map((bits) => bits.toString(16)).join(", ")}): ${lines[index]}`,
  );

describe.each(Array.from({ length: MODULES }, (_, index) => SEED + index))("a random module, seed %d,", (seed) => {
  test("gives the same results and traps in translated C as in V8", () => {
    const one = randomCase(`traps-${seed}`, { seed, functions: FUNCTIONS, memoryTraps: "some" });
    const expected = labelled(one, runInV8(one));
    expect(labelled(one, runTranslated(one, ["-O1", "-DWASM_EXACT_LOADS"]))).toEqual([...expected]);
    const traps = new Set(expected.flatMap((line) => /trap .*/.exec(line) ?? []));
    expect(traps.size).toBeGreaterThanOrEqual(4);
    expect(expected.filter((line) => !line.includes("trap")).length).toBeGreaterThan(expected.length / 10);
  });

  test("gives the same when it is optimized like the engine", () => {
    const one = randomCase(`optimized-${seed}`, { seed: seed + 5000, functions: FUNCTIONS, memoryTraps: "none" });
    expect(labelled(one, runTranslated(one, ["-O2"]))).toEqual([...labelled(one, runInV8(one))]);
  });

  test.skipIf(!hasWasm2c)("gives the same as wasm2c's C (Debian's package wabt)", () => {
    const one = randomCase(`reference-${seed}`, { seed: seed + 9000, functions: FUNCTIONS / 2, memoryTraps: "some" });
    expect(labelled(one, runTranslated(one, ["-O1", "-DWASM_EXACT_LOADS"]))).toEqual([
      ...labelled(one, runWasm2c(one)),
    ]);
  });
});

/** An instruction by its name: an operator's, an access's, or its kind. */
const nameOf = (instruction: Instruction): string => {
  if (instruction.kind === "operator") return instruction.operator.name;
  if (instruction.kind === "load" || instruction.kind === "store") return instruction.access.name;
  return instruction.kind === "constant" ? `${instruction.literal.type}.const` : instruction.kind;
};
/** The kinds with one instruction each. A new kind that is missing here is a type error. */
const KINDS: Readonly<Record<Exclude<Instruction["kind"], "operator" | "load" | "store" | "constant">, true>> = {
  ...{ unreachable: true, nop: true, else: true, end: true, return: true, drop: true, select: true },
  ...{ memorySize: true, memoryGrow: true, memoryCopy: true, memoryFill: true, block: true, loop: true, if: true },
  ...{ br: true, brIf: true, brTable: true, call: true, callIndirect: true },
  ...{ localGet: true, localSet: true, localTee: true, globalGet: true, globalSet: true },
};

test("random modules contain every instruction that the translator knows", () => {
  const seen = new Set<string>();
  for (const seed of [SEED, SEED + 5000, SEED + 9000]) {
    const options = { seed, functions: FUNCTIONS, memoryTraps: "some" } as const;
    for (const definition of readModule(writeModule(randomModule(options))).functions) {
      if (!("code" in definition)) continue;
      for (const reader = definition.code(); !reader.isAtEnd; ) seen.add(nameOf(readInstruction(reader)));
    }
  }
  const tables = [...OPERATORS.values(), ...SATURATING, ...LOADS.values(), ...STORES.values()];
  const known = [...tables.map(({ name }) => name), ...TYPES.map((type) => `${type}.const`), ...Object.keys(KINDS)];
  expect(known.filter((name) => !seen.has(name))).toEqual([]);
});

const bare: WrittenModule = {
  functions: [],
  globals: [
    { type: "i32", bits: 0n },
    { type: "i32", bits: 1n },
    { type: "i64", bits: 2n },
    { type: "f32", bits: 0x80000000n },
    { type: "f64", bits: 0x3ff8000000000000n },
  ],
  pages: 1,
  maximumPages: 3,
  table: [],
  data: [],
};

test("every operator gives V8's result at the edges of its operands' ranges", () => {
  const random = new Random(SEED);
  const operators = [...OPERATORS.values(), ...SATURATING];
  const functions = operators.map(({ name, params, result }) => ({
    signature: { params, result },
    locals: [],
    code: [...params.flatMap((_, index) => [0x20, index]), ...opcode(name)],
    exportedAs: name.replace(".", "_"),
  }));
  const calls = functions.flatMap(({ signature, exportedAs }) =>
    Array.from({ length: 40 }, (): Call => {
      return { name: exportedAs, signature, parameters: signature.params.map((type) => randomBits(type, random)) };
    }),
  );
  const one: Case = {
    directory: join(home, "operators"),
    module: written("operators", { ...bare, functions }),
    calls,
    fuel: 0,
  };
  const expected = runInV8(one).map((line) => line.split(" ").slice(0, 2).join(" "));
  const actual = runTranslated(one, ["-O1"]).map((line) => line.split(" ").slice(0, 2).join(" "));
  expect(labelled(one, actual)).toEqual([...labelled(one, expected)]);
});

test("every load and store reaches the last byte of the memory and none after it", () => {
  const accesses = [...LOADS.values(), ...STORES.values()];
  const functions = accesses.map(({ name, type }) => {
    const isLoad = name.includes("load");
    const value = isLoad ? [] : constant(type, 0xfedcba9876543210n);
    return {
      signature: { params: ["i32" as const], result: isLoad ? type : null },
      locals: [],
      code: [0x20, 0, ...value, ...opcode(name), 0, 4],
      exportedAs: name.replace(".", "_"),
    };
  });
  const addresses = [
    ...Array.from({ length: 9 }, (_, index) => 65_536 - 4 - index),
    0,
    65_535,
    0x7fffffff,
    0xffffffff,
    0xfffffffc,
  ];
  const data = [{ at: 65_520, bytes: [0x80, 0xff, 1, 2, 0x83, 4, 5, 0xf6, 7, 8, 9, 10, 0x7f, 0xf1, 0x92, 0xa3] }];
  const calls = functions.flatMap(({ signature, exportedAs }) =>
    addresses.map((address): Call => ({ name: exportedAs, signature, parameters: [BigInt(address)] })),
  );
  const one: Case = {
    directory: join(home, "accesses"),
    module: written("accesses", { ...bare, functions, data }),
    calls,
    fuel: 0,
  };
  expect(labelled(one, runTranslated(one, ["-O1", "-DWASM_EXACT_LOADS"]))).toEqual([...labelled(one, runInV8(one))]);
});

test("the memory grows to its maximum and no further, with zeros", () => {
  const signature = { params: ["i32" as const], result: "i32" as const };
  const functions = [
    { signature, locals: [], code: [0x20, 0, 0x40, 0], exportedAs: "grow" },
    { signature, locals: [], code: [0x20, 0, ...opcode("i32.load"), 0, 0], exportedAs: "load" },
  ];
  const calls = [
    ["load", 65_536],
    ["grow", 1],
    ["load", 65_536],
    ["grow", 2],
    ["grow", 1],
    ["grow", 0],
    ["grow", 1],
    ["grow", 0xffffffff],
    ["load", 196_604],
  ].map(([name, value]): Call => ({ name: String(name), signature, parameters: [BigInt(value ?? 0)] }));
  const one: Case = {
    directory: join(home, "growth"),
    module: written("growth", { ...bare, functions }),
    calls,
    fuel: 0,
  };
  expect(labelled(one, runTranslated(one, ["-O1"]))).toEqual([...labelled(one, runInV8(one))]);
});

test("a function with a short common path is split without changing its behaviour", () => {
  const get = (index: number): readonly number[] => [0x20, index];
  const atFirst = [0, 0];
  const count = [...get(0), ...opcode("i32.load"), 2, 0];
  /** Decrements the value at an address; at zero, writes the second parameter there through its frame. */
  const release = [
    ...[0x23, 0, ...constant("i32", 16n), ...opcode("i32.sub"), 0x22, 2, 0x24, 0],
    ...[0x02, 0x40],
    ...[...get(0), ...opcode("i32.eqz"), 0x0d, 0],
    ...[...get(0), ...count, ...constant("i32", 1n), ...opcode("i32.sub"), 0x22, 3, ...opcode("i32.store"), 2, 0],
    ...[...get(3), ...constant("i32", 0n), ...opcode("i32.gt_s"), 0x0d, 0],
    ...[...get(2), ...get(1), ...opcode("i64.store"), ...atFirst],
    ...[...get(3), ...constant("i32", -2n), ...opcode("i32.eq"), 0x0d, 0],
    ...[...get(0), ...get(2), ...opcode("i64.load"), ...atFirst, ...opcode("i64.store"), 0, 8],
    0x0b,
    ...[...get(2), ...constant("i32", 16n), ...opcode("i32.add"), 0x24, 0],
  ];
  const functions = [
    {
      signature: { params: ["i32" as const, "i64" as const], result: null },
      locals: ["i32" as const, "i32" as const],
      code: release,
      exportedAs: "release",
    },
    {
      signature: { params: [], result: "i32" as const },
      locals: [],
      code: [0x23, 0],
      exportedAs: "stack",
    },
  ];
  const [released, stack] = functions.map(({ signature, exportedAs }) => ({ signature, name: exportedAs }));
  const calls = [0, 64, 64, 64, 64, 64, 128, 128, 0].flatMap((address): Call[] =>
    released && stack
      ? [
          { ...released, parameters: [BigInt(address), 0x1122334455667788n] },
          { ...stack, parameters: [] },
        ]
      : [],
  );
  const globals = [{ type: "i32" as const, bits: 4096n }, ...bare.globals.slice(1)];
  const data = [{ at: 64, bytes: [3] }];
  const one: Case = {
    directory: join(home, "opening"),
    module: written("opening", { ...bare, functions, globals, data }),
    calls,
    fuel: 0,
  };
  const made = moduleToC(readModule(writeModule({ ...bare, functions, globals, data })), "m", 1);
  expect(made.get("m.h")).toContain("static inline void export_release(u32 l0, u64 l1)");
  expect(made.get("m_0.c")).toContain("void rest_of_export_release(");
  expect(labelled(one, runTranslated(one, ["-O2"]))).toEqual([...labelled(one, runInV8(one))]);
});

describe("the translator refuses with an error message:", () => {
  const nothing = { params: [], result: null } as const;
  const translate = (code: readonly number[], result: "i32" | null = null) =>
    moduleToC(
      readModule(
        writeModule({
          ...bare,
          functions: [{ signature: { params: [], result }, locals: [], code, exportedAs: null }],
        }),
      ),
      "m",
      1,
    );

  test.each([
    ["an unknown instruction", [0xfd, 0x0c], "instruction 0xfd is not supported"],
    ["a bulk instruction for tables", [0xfc, 14, 0, 0], "instruction 0xfc 14 is not supported"],
    ["a missing operand", [0x1a], "an operand is missing"],
    ["an operand of another type", [...constant("i64", 1n), 0x45, 0x1a], "an operand is i64 instead of i32"],
    ["operands left over", [...constant("i64", 1n)], "operands are left over at the end of a block"],
    ["a branch out of more blocks than exist", [0x0c, 7], "a branch leaves 8 blocks, which are not there"],
    ["a missing local", [0x20, 3, 0x1a], "there is no local 3"],
    ["a missing function", [0x10, 9], "there is no function 9"],
    ["a block type of several values", [0x02, 0x00, 0x0b], "value type 0x0 is not supported"],
  ])("%s", (_, code, message) => {
    expect(() => translate(code)).toThrow(message);
    expect(() => translate(code)).toThrow(WasmError);
  });

  test("every truncated module", () => {
    const functions = [{ signature: nothing, locals: ["i32" as const], code: [0x41, 1, 0x21, 0], exportedAs: "f" }];
    const whole = writeModule({ ...bare, functions, table: [0], data: [{ at: 0, bytes: [1, 2, 3] }] });
    readModule(whole);
    const ends = Array.from({ length: whole.length }, (_, index) => index);
    const taken = ends.filter((end) => {
      try {
        moduleToC(readModule(whole.subarray(0, end)), "m", 1);
        return true;
      } catch (error) {
        expect(error).toBeInstanceOf(WasmError);
        return false;
      }
    });
    // Only if it ends between two sections that no later section depends on.
    for (const end of taken) expect(() => new WebAssembly.Module(whole.subarray(0, end))).not.toThrow();
  });
});
