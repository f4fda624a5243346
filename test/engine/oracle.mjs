// Runs a module's functions in the WebAssembly engine of the runtime that runs this (V8 under Node), and prints the result
// of each call: `oracle.mjs MODULE CALLS`. The calls are JSON: [function, result type or null, [[type, bits] …]] …
import { readFileSync } from "node:fs";

const [, , modulePath, callsPath, fuel] = process.argv;
const module = new WebAssembly.Module(readFileSync(modulePath));
let exports;
const reset = () => {
  exports = new WebAssembly.Instance(module).exports;
};

const view = new DataView(new ArrayBuffer(8));
const argumentOf = ([type, text]) => {
  const bits = BigInt(text);
  if (type === "i32") return Number(BigInt.asIntN(32, bits));
  if (type === "i64") return BigInt.asIntN(64, bits);
  if (type === "f32") {
    view.setUint32(0, Number(bits));
    return view.getFloat32(0);
  }
  view.setBigUint64(0, bits);
  return view.getFloat64(0);
};

const bitsOf = (type, value) => {
  if (type === null) return 0n;
  if (type === "i32") return BigInt.asUintN(32, BigInt(value));
  if (type === "i64") return BigInt.asUintN(64, value);
  if (Number.isNaN(value)) return type === "f32" ? 0x7fc00000n : 0x7ff8000000000000n;
  if (type === "f32") {
    view.setFloat32(0, value);
    return BigInt(view.getUint32(0));
  }
  view.setFloat64(0, value);
  return view.getBigUint64(0);
};

const hash = () => {
  const words = new Uint32Array(exports.memory.buffer);
  let sum = 0x811c9dc5;
  for (const word of words) sum = Math.imul(sum ^ word, 0x01000193);
  return (sum >>> 0).toString(16).padStart(8, "0");
};

/** V8's messages, by wasm.h's name for the trap. */
const TRAPS = [
  [/unreachable/, "unreachable"],
  [/divide by zero|remainder by zero|division by zero/i, "division"],
  [/unrepresentable/, "conversion"],
  [/table index|signature mismatch|null function/i, "table"],
  [/memory access out of bounds/, "memory"],
];

reset();
const lines = JSON.parse(readFileSync(callsPath, "utf8")).map(([name, type, parameters]) => {
  exports.g0.value = Number(fuel);
  try {
    const bits = bitsOf(type, exports[name](...parameters.map(argumentOf)));
    const pages = exports.memory.buffer.byteLength / 65536;
    return `${bits.toString(16).padStart(16, "0")} ${hash()} ${pages}`;
  } catch (error) {
    const trap = TRAPS.find(([words]) => words.test(String(error)));
    reset();
    return `trap ${trap?.[1] ?? String(error)}`;
  }
});
process.stdout.write(`${lines.join("\n")}\n`);
