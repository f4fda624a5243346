// Faults in the engine of a supervisor, from outside: its memory is written to through /proc/PID/mem, as a debugger does. The
// product has no back door for this.
import { spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { type Bench, CRANK, CRANKCTL, type Ended, ROOT, type Running, supervisorOf, waitFor } from "./service.ts";

/** bin/crank with its symbols, which `make engine` builds. */
const SYMBOLS = join(ROOT, "build/crank-symbols");
export const hasSymbols = existsSync(SYMBOLS);

/** A service whose commands have something in front of them. */
export class Service {
  readonly #bench: Bench;
  readonly #own: readonly string[];
  readonly #before: readonly string[];

  /** `before`: words in front of each command, a wrapper. */
  constructor(bench: Bench, before: readonly string[] = []) {
    this.#bench = bench;
    this.#own = ["-prefix", bench.directory, "-name", "web"];
    this.#before = before;
  }

  /** The supervisor stays awake for `linger` seconds after the last event. */
  async start(linger = 60): Promise<Running> {
    const words = [CRANK, ...this.#own, "-bind", "127.0.0.1:0", "-verbose", "-linger", String(linger)];
    const crank = this.#bench.start([...this.#before, ...words]);
    await crank.wrote("stderr", "Listening on");
    return crank;
  }

  /** A command line of crankctl. */
  command(...args: readonly string[]): readonly string[] {
    return [...this.#before, CRANKCTL, ...this.#own, ...args];
  }

  ctl(...args: readonly string[]): Promise<Ended> {
    return this.#bench.run(this.command(...args));
  }

  /** The supervisor, which has been asked something and now waits. */
  async awake(crank: Running): Promise<number> {
    await this.ctl("ps");
    return waitFor("the supervisor", () => supervisorOf(crank));
  }
}

/** Where the functions and variables of bin/crank are. */
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
