// What the tests of real keepers share.
import { afterEach } from "bun:test";
import { readFileSync } from "node:fs";
import { type CommandOf, spawnOf } from "../harness/keeper-under-test.ts";
import { type RealKeeper, type RealOptions, startReal } from "../harness/real-keeper.ts";

/** Starts keepers; each ends with its test. */
export const realKeepers = (): ((options?: RealOptions) => Promise<RealKeeper>) => {
  let running: RealKeeper[] = [];
  afterEach(async () => {
    for (const keeper of running) await keeper.stop();
    running = [];
  });
  return async (options = {}) => {
    const keeper = await startReal(options);
    running.push(keeper);
    return keeper;
  };
};

/** Whether a process waits in sendto(2), for room in its peer's queue. */
export const isSending = (pid: number): boolean => {
  const number = process.arch === "arm64" ? "206" : "44";
  return (
    readFileSync(`/proc/${pid}/stat`, "utf8").includes(") S ") &&
    readFileSync(`/proc/${pid}/syscall`, "utf8").startsWith(`${number} `)
  );
};

/** A worker in Python; its output comes with its exit. */
export const python = (
  keeper: RealKeeper,
  worker: number,
  program: string,
  changes: Partial<CommandOf<"spawn">> = {},
) => spawnOf(keeper, worker, [], { file: "/usr/bin/env", args: ["env", "python3", "-c", program], ...changes });

/** The pid of a keeper's only child. */
export const childOf = (pid: number): number =>
  Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim());
