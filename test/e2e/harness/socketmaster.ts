// socketmaster for a test: started with a program that says what it has got, and asked through its socket.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Bench, portOf, ROOT, type Running, waitFor } from "./service.ts";

export const SOCKETMASTER = join(ROOT, "bin/socketmaster");
export const LISTENER = join(ROOT, "test/apps/listener.py");
export const ANY_PORT = ["-listen", "tcp://127.0.0.1:0"];

const CLIENT = `import socket, sys
where = sys.argv[1]
s = socket.create_connection(("127.0.0.1", int(where))) if where.isdigit() else socket.socket(socket.AF_UNIX)
if not where.isdigit(): s.connect(where)
print(s.makefile().read())`;

/** A bench with socketmasters on it. */
export class MasterBench extends Bench {
  /** Starts socketmaster with the listener as its program. */
  master(flags: readonly string[], ...words: readonly string[]): Running {
    return this.start([SOCKETMASTER, "-command", "python3", ...flags, "--", LISTENER, ...words]);
  }

  /** What the listener says at this port, or at this path. */
  async answerFrom(where: number | string): Promise<string> {
    return (await this.run(["python3", "-c", CLIENT, String(where)])).stdout.trim();
  }

  /** The same, when there is one. */
  async serving(master: Running): Promise<string> {
    await pids(master);
    return this.answerFrom(portOf(master));
  }
}

/** Waits until so many processes have started, and gives their pids in order. */
export const pids = (master: Running, count = 1): Promise<number[]> =>
  waitFor(`${count} processes`, () => {
    const found = [...master.stderr().matchAll(/\[(\d+)\] worker /g)].map((match) => Number(match[1]));
    return found.length >= count && found;
  });

/** Waits until socketmaster has said this. */
export const said = (master: Running, what: string): Promise<true> =>
  waitFor(what, () => master.stderr().includes(what) || null);

/** The pids of the programs that socketmaster has started and that still run. */
export const childrenOf = (master: Running): string[] =>
  readFileSync(`/proc/${master.pid}/task/${master.pid}/children`, "utf8")
    .trim()
    .split(" ")
    .filter((pid) => commandOf(pid).includes(LISTENER) && !commandOf(pid).includes("\0-command\0"));

const commandOf = (pid: string): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
};
