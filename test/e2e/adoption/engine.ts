// Faults in a supervisor's engine, injected from outside: its memory is written through /proc/PID/mem, as a debugger does.
// The product has no back door for this.
import { spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../harness/bench.ts";
import { supervisorOf } from "../harness/processes.ts";
import type { Service } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";

/** bin/crank with symbols, built by `make engine`. */
const SYMBOLS = join(ROOT, "build/crank-symbols");
export const hasSymbols = existsSync(SYMBOLS);

/** The supervisor, woken by a request and now waiting. */
export const awake = async (service: Service): Promise<number> => {
  await service.ctl("ps");
  return waitFor("the supervisor", () => supervisorOf(service.crank));
};

/** The addresses of the functions and variables of bin/crank. */
export const symbols = (): ReadonlyMap<string, number> => {
  const { stdout } = spawnSync("nm", [SYMBOLS], { encoding: "utf8", maxBuffer: 1 << 26 });
  const lines = stdout.split("\n").map((line) => line.split(" "));
  return new Map(lines.map(([address = "", , name = ""]) => [name, Number.parseInt(address, 16)]));
};

/** Writes into another process's memory, its text included. */
export const poke = (pid: number, address: number, bytes: Uint8Array): void => {
  const memory = openSync(`/proc/${pid}/mem`, "r+");
  try {
    writeSync(memory, bytes, 0, bytes.length, address);
  } finally {
    closeSync(memory);
  }
};

/** Machine code of x86-64 that calls a function below 4 GiB with one number. */
export const callOf = (address: number, argument: number): Uint8Array => {
  // mov $argument, %edi; mov $address, %eax; and $-16, %rsp; call *%rax
  const code = Buffer.from([0xbf, 0, 0, 0, 0, 0xb8, 0, 0, 0, 0, 0x48, 0x83, 0xe4, 0xf0, 0xff, 0xd0]);
  code.writeUInt32LE(argument >>> 0, 1);
  code.writeUInt32LE(address, 6);
  return code;
};
