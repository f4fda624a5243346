// An einhyrningsins for a test: started on its own socket, driven by raw lines.
import { connect } from "node:net";
import { join } from "node:path";
import { type Needs, needing } from "../../needs.ts";
import { Bench, type Ended, portOf, ROOT, type Running, type StartOptions } from "./bench.ts";
import { waitFor } from "./wait.ts";

export const EINHYRNINGSINS = join(ROOT, "bin/einhyrningsins");
export const EINHYRNINGSINSCTL = join(ROOT, "bin/einhyrningsinsctl");
export const WORKER = join(ROOT, "test/apps/einhorn/worker.py");

const NEWLINE = 0x0a;

/** How many scenes run at once: with more, a busy machine would not start a worker within its time as an infant. */
const STAGES = 3;
let playing = 0;
const queue: (() => void)[] = [];

const takeStage = async (): Promise<Stage> => {
  if (playing >= STAGES) await new Promise<void>((resolve) => queue.push(resolve));
  else playing += 1;
  return new Stage();
};

/** The next scene replaces this one. */
const leaveStage = (): void => {
  const next = queue.shift();
  if (next) next();
  else playing -= 1;
};

/** A test with its own bench, beside others of its file: most of their time is spent waiting for infants. */
export const scene = (name: string, play: (stage: Stage) => Promise<void>, needs: Needs = []): void => {
  needing(...needs).concurrentTest(
    name,
    async () => {
      const stage = await takeStage();
      try {
        await play(stage);
      } finally {
        await stage.bench.clean();
        leaveStage();
      }
    },
    300_000,
  );
};

export class Stage {
  readonly bench = new Bench();
  readonly socket = join(this.bench.directory, "control.sock");

  /** A path of this scene's own. */
  path(name: string): string {
    return join(this.bench.directory, name);
  }

  /** Runs einhyrningsins to its end. */
  run(...args: readonly string[]): Promise<Ended> {
    return this.bench.run([EINHYRNINGSINS, ...args]);
  }

  /** Starts einhyrningsins with this scene's control socket. */
  start(args: readonly string[], options: StartOptions = {}): Running {
    return this.bench.start([EINHYRNINGSINS, "-d", this.socket, ...args], options);
  }

  /** Starts the worker in Python, with one socket. */
  master(flags: readonly string[], ...words: readonly string[]): Running {
    return this.start(["-b", "127.0.0.1:0", ...flags, "python3", WORKER, ...words]);
  }

  /** The output of einhyrningsinsctl for a command. */
  async ctl(command: string): Promise<string> {
    return (await this.bench.run([EINHYRNINGSINSCTL, "-d", this.socket, "-e", command])).stdout.trimEnd();
  }

  /** Waits until `status` has a line that matches. */
  async status(pattern: RegExp): Promise<string> {
    return waitFor(`${pattern} in status`, async () => {
      const text = await this.ctl("status");
      return pattern.test(text) && text;
    });
  }

  /** Sends these bytes to the control socket, and returns the answer: this many bytes, or up to a newline or the end. */
  exchange(bytes: string | Uint8Array, length?: number): Promise<string> {
    return new Promise((resolve, reject) => {
      const parts: Buffer[] = [];
      const client = connect(this.socket, () => client.write(bytes));
      const finish = (): void => {
        client.destroy();
        resolve(Buffer.concat(parts).toString("latin1"));
      };
      client.on("data", (part: Buffer) => {
        parts.push(part);
        const got = Buffer.concat(parts);
        if (length === undefined ? got.at(-1) === NEWLINE : got.length >= length) finish();
      });
      client.on("close", finish).on("error", reject);
    });
  }
}

/** The pids of the Python workers that have reported their start, in order. */
export const workersOf = (master: Running): number[] =>
  [...master.stdout().matchAll(/^worker \S+ (\d+) is here$/gm)].map((match) => Number(match[1]));

/** Waits until this many workers have started. */
export const workers = (master: Running, count: number): Promise<number[]> =>
  waitFor(`${count} workers`, () => {
    const found = workersOf(master);
    return found.length >= count && found;
  });

/** Waits until the log, or a worker, has written it. */
export const said = (master: Running, what: string | RegExp): Promise<true> =>
  waitFor(String(what), () => {
    const text = master.stdout() + master.stderr();
    return (typeof what === "string" ? text.includes(what) : what.test(text)) || null;
  });

/** The service's answer to a new connection. */
export const answerFrom = (master: Running): Promise<string> =>
  new Promise((resolve, reject) => {
    let text = "";
    connect(portOf(master), "127.0.0.1")
      .on("data", (bytes) => {
        text += bytes.toString();
      })
      .on("error", reject)
      .on("close", () => resolve(text.trim()));
  });
