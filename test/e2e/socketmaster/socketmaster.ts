// socketmaster for a test: started with a program that reports what it has got, and queried through its socket.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Bench, type Ended, portOf, ROOT, type Running, type StartOptions } from "../harness/bench.ts";
import { Talk } from "../harness/talk.ts";
import { waitFor } from "../harness/wait.ts";

export const SOCKETMASTER = join(ROOT, "bin/socketmaster");
export const LISTENER = join(ROOT, "test/apps/listener.py");
export const ANY_PORT = ["-listen", "tcp://127.0.0.1:0"];

/** The socketmasters of a test. */
export class Masters {
  #bench: Bench | null = null;

  open(): void {
    this.#bench = new Bench();
  }

  clean(): Promise<void> {
    return this.bench.clean();
  }

  get bench(): Bench {
    if (!this.#bench) throw new Error("the bench has not been opened");
    return this.#bench;
  }

  path(name: string): string {
    return join(this.bench.directory, name);
  }

  start(command: readonly string[], options: StartOptions = {}): Running {
    return this.bench.start(command, options);
  }

  run(command: readonly string[]): Promise<Ended> {
    return this.bench.run(command);
  }

  /** Starts socketmaster with the listener as its program. */
  master(flags: readonly string[], ...words: readonly string[]): Running {
    return this.start([SOCKETMASTER, "-command", "python3", ...flags, "--", LISTENER, ...words]);
  }

  /** The answer of the listener at this port, or at this path. */
  async answerFrom(where: number | string): Promise<string> {
    // Bun calls a connection to a unix socket reset if the peer has answered and closed it before Bun looks at it.
    const talk = await waitFor("a connection", () =>
      Talk.open(where).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "ECONNRESET") throw error;
        return null;
      }),
    );
    await talk.isEnded();
    return talk.heard.trim();
  }

  /** The same, once there is an answer. */
  async serving(master: Running): Promise<string> {
    await pids(master);
    return this.answerFrom(portOf(master));
  }
}

/** Waits until this many processes have started, and returns their pids in order. */
export const pids = (master: Running, count = 1): Promise<number[]> =>
  waitFor(`${count} processes`, () => {
    const found = [...master.stderr().matchAll(/\[(\d+)\] worker /g)].map((match) => Number(match[1]));
    return found.length >= count && found;
  });

/** Waits until socketmaster has written this. */
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
