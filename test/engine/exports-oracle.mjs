// Calls every function that the engine's module exports, with plausible arguments, in the WebAssembly
// engine of the runtime that runs this (V8 under Node): `exports-oracle.mjs MODULE SIGNATURES SEED ROUNDS`. Prints a line for
// each call: its name, the bits of its arguments, and the result. Each call except the first few, which set up the state,
// starts with the same memory.
import { readFileSync } from "node:fs";

const [, , modulePath, signaturesPath, seed, rounds] = process.argv;
const signatures = JSON.parse(readFileSync(signaturesPath, "utf8"));
const module = new WebAssembly.Module(readFileSync(modulePath));

let exports;
const memory = () => new Uint8Array(exports.memory.buffer);
const imports = {};
for (const { module: from, name } of WebAssembly.Module.imports(module)) {
  imports[from] ??= {};
  imports[from][name] = () => 0;
}
const begin = () => {
  exports = new WebAssembly.Instance(module, imports).exports;
};

/** Set for each call, so that its arguments do not depend on the others. */
let state = 0;
const next = () => {
  state = (state + 0x6d2b79f5) >>> 0;
  let mixed = state;
  mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
};
const pick = (list) => list[Math.floor(next() * list.length)];

const view = new DataView(new ArrayBuffer(8));
const bitsOf = (type, value) => {
  if (type === null || value === undefined) return 0n;
  if (type === "i32") return BigInt.asUintN(32, BigInt(value));
  if (type === "i64") return BigInt.asUintN(64, value);
  if (Number.isNaN(value)) return type === "f32" ? 0x7fc00000n : 0x7ff8000000000000n;
  if (type === "f32") view.setFloat32(0, value);
  else view.setFloat64(0, value);
  return type === "f32" ? BigInt(view.getUint32(0)) : view.getBigUint64(0);
};

const hash = () => {
  const words = new Uint32Array(exports.memory.buffer);
  let sum = 0x811c9dc5;
  for (let i = 0; i < words.length; i++) sum = Math.imul(sum ^ words[i], 0x01000193);
  return (sum >>> 0).toString(16).padStart(8, "0");
};

const TRAPS = [
  [/unreachable/, "unreachable"],
  [/divide by zero|remainder by zero/, "division"],
  [/unrepresentable/, "conversion"],
  [/table index|signature mismatch|null function/, "table"],
  [/memory access out of bounds/, "memory"],
  [/call stack/, "memory"],
];

const hex = (bits) => bits.toString(16);
const report = (name, parameters, outcome) => {
  const bits = parameters.map((value, index) => hex(bitsOf(signatures[name].params[index], value)));
  process.stdout.write(`${[name, ...bits].join(" ")} = ${outcome}\n`);
};

const call = (name, parameters) => {
  try {
    const result = exports[name](...parameters);
    report(name, parameters, `${hex(bitsOf(signatures[name].result, result))} ${hash()}`);
    return result;
  } catch (error) {
    const trap = TRAPS.find(([words]) => words.test(String(error)))?.[1] ?? String(error);
    report(name, parameters, `trap ${trap}`);
    return undefined;
  }
};

// The initial state: an engine with a string, an object and an array of bytes, and text in its memory.
begin();
call("_initialize", []);
call("qjs_init", []);
call("qjs_destroy", []);
call("qjs_init", []);
const context = call("qjs_get_context_ptr", []);
const runtime = call("qjs_get_runtime_ptr", []);
const text = call("malloc", [64]);
call("memset", [text, 0x61, 40]);
call("memset", [text + 40, 0, 24]);
const room = call("malloc", [4096]);
call("memset", [room, 0, 4096]);
const string = call("JS_NewStringLen", [context, text, 40]);
const object = call("JS_NewObject", [context]);
const array = call("JS_NewArray", [context]);
const bytes = call("JS_NewUint8ArrayCopy", [context, text, 40]);
const number = call("JS_NewNumber", [context, 1.5]);
call("JS_SetPropertyUint32", [context, array, 0, string]);
const kept = call("JS_NewStringLen", [context, text, 12]);
const units = call("JS_ToCStringLenUTF16", [context, 0, string]);
const atom = call("JS_NewAtomLen", [context, text, 4]);
const other = call("JS_NewRuntime", []);
// A value in memory, because some functions take its address.
const boxed = call("qjs_new_object", []);

const stage = memory().slice();
const pointer = exports.__stack_pointer.value;
const restore = () => {
  if (memory().length !== stage.length) begin();
  exports.memory.grow((stage.length - memory().length) / 65536);
  memory().set(stage);
  exports.__stack_pointer.value = pointer;
};

/** They follow lists or count to a number in their arguments, and loop forever on invalid ones, so they get valid ones. `qjs_destroy`,
 * which needs an engine without references, was called at the start. */
const UNDEFINED = 3n << 32n;
const SEVEN = 7n;
const ALL = 7;
const FITTING = {
  JS_AtomToString: [
    [context, atom],
    [context, 1],
  ],
  JS_GetProperty: [
    [context, object, atom],
    [context, string, 1],
    [context, UNDEFINED, atom],
  ],
  JS_ToPropertyKey: [
    [context, string],
    [context, SEVEN],
    [context, object],
  ],
  js_calloc_rt: [[runtime, 3, 40]],
  JS_GetClassProto: [
    [context, 1],
    [context, 2],
  ],
  JS_AtomToCStringLen: [
    [context, room, atom],
    [context, 0, 1],
  ],
  JS_DefinePropertyValueUint32: [
    [context, array, 1, SEVEN, ALL],
    [context, object, 4000000000, number, ALL],
    [context, UNDEFINED, 0, SEVEN, ALL],
  ],
  JS_DeleteProperty: [
    [context, object, atom, 0],
    [context, array, 1, 1],
  ],
  JS_SetClassProto: [[context, 2, object]],
  JS_ComputeMemoryUsage: [[runtime, room]],
  JS_FreeCStringRT_UTF16: [[runtime, units]],
  JS_SetPropertyValue: [
    [context, object, string, SEVEN, 0],
    [context, array, SEVEN, number, 0],
    [context, UNDEFINED, string, SEVEN, 0],
  ],
  JS_Invoke: [
    [context, array, atom, 0, 0],
    [context, string, 1, 0, 0],
  ],
  JS_ThrowDOMException: [[context, text, text, 0]],
  js_free: [
    [context, room],
    [context, 0],
  ],
  JS_ToCStringLen2: [
    [context, room, string, 0],
    [context, room, number, 1],
    [context, 0, UNDEFINED, 0],
  ],
  JS_ToCStringLenUTF16: [
    [context, room, string],
    [context, room, number],
  ],
  js_string_codePointRange: [
    [context, UNDEFINED, 0, room],
    [context, UNDEFINED, 2, room],
  ],
  JS_FreeValueRT: [
    [runtime, object],
    [runtime, string],
    [runtime, SEVEN],
  ],
  JS_AddIntrinsicMapSet: [[context]],
  JS_DefineProperty: [
    [context, object, atom, SEVEN, UNDEFINED, UNDEFINED, (ALL << 8) | ALL],
    [context, array, 1, number, UNDEFINED, UNDEFINED, ALL],
  ],
  JS_FreeRuntime: [[other]],
};

const VALUES = [string, object, array, bytes, number, kept, 3n << 32n, 2n << 32n, (1n << 32n) | 1n, 7n, 0n];
const argument = (type, place) => {
  if (type === "i64") return pick(VALUES);
  if (type === "f64") return pick([0, 1.5, -2.25, 1e300, 710, 0.5]);
  if (type === "f32") return pick([0, 1.5, -2.25]);
  if (place === 0) return pick([context, context, context, runtime, text, boxed]);
  return pick([text, text, room, boxed, room + 64, context, 0, 1, 2, 5, 40]);
};

for (let round = 0; round < Number(rounds); round++) {
  Object.keys(signatures).forEach((name, index) => {
    if (Object.hasOwn(FITTING, name) || name === "qjs_destroy") return;
    state = (Number(seed) * 1_000_003 + round * 10_007 + index) >>> 0;
    restore();
    call(name, signatures[name].params.map(argument));
  });
}

for (const [name, lists] of Object.entries(FITTING)) {
  for (const list of lists) {
    restore();
    call(name, list);
  }
}
