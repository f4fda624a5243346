// An einhorn for a test: started on its own files, driven by einhornsh and by raw lines.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { type Needs, needing } from "../../needs.ts";
import { Bench, ROOT, type Running } from "./bench.ts";
import { endLeft } from "./processes.ts";
import { waitFor } from "./wait.ts";

export const EINHORN = join(ROOT, "bin/einhorn");
export const EINHORNSH = join(ROOT, "bin/einhornsh");
export const WORKER = join(ROOT, "test/apps/einhorn/worker.py");

export class Stage {
  readonly bench = new Bench();
  readonly socket = this.path("einhorn.sock");
  readonly #environment = { TMPDIR: this.bench.directory };

  /** A path of this scene's own. */
  path(name: string): string {
    return join(this.bench.directory, name);
  }

  start(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Running {
    return this.bench.start([EINHORN, ...args], { env: { ...this.#environment, ...environment } });
  }

  /** The Python worker, which acknowledges. */
  master(flags: readonly string[], version = "v1", ...habits: readonly string[]): Running {
    const worker = ["python3", WORKER, version, "ack", ...habits];
    return this.start(["-m", "manual", "-s", "0.1", "-b", "127.0.0.1:0", ...flags, ...worker]);
  }

  /** The output of einhornsh for these commands. */
  async sh(commands: string): Promise<string> {
    return (await this.bench.run([EINHORNSH, "-d", this.socket, "-e", commands])).stdout.trimEnd();
  }

  /** Waits until `state` matches. */
  async state(pattern: RegExp): Promise<string> {
    return waitFor(`${pattern} in state`, async () => {
      const text = existsSync(this.socket) ? await this.sh("state") : "";
      return pattern.test(text) && text;
    });
  }

  /** Waits until exactly this many workers exist and all are ready; returns their pids. */
  ready(count: number): Promise<number[]> {
    return waitFor(`${count} ready workers`, async () => {
      const text = existsSync(this.socket) ? await this.sh("state") : "";
      const pids = [...text.matchAll(/^ {4}(\d+):$/gm)].map((match) => Number(match[1]));
      return pids.length === count && (text.match(/:acked: true/g)?.length ?? 0) === count && pids;
    });
  }

  /** Sends bytes, and returns the answer up to a newline or the end. */
  exchange(bytes: string | Uint8Array): Promise<string> {
    return new Promise((resolve, reject) => {
      let got = "";
      const client = connect(this.socket, () => client.write(bytes));
      client.setEncoding("latin1");
      client.on("data", (part: string) => {
        got += part;
        if (got.endsWith("\n")) client.destroy();
      });
      client.on("close", () => resolve(got)).on("error", reject);
    });
  }

  async clean(): Promise<void> {
    await this.bench.clean();
    await endLeft(this.bench.directory);
  }
}

/** A command for --reexec-as that records its arguments; `body` must execute `$EINHORN "$@"`. */
export const wrapper = (stage: Stage, body: string): string => {
  const path = stage.path("wrapper");
  writeFileSync(path, `#!/bin/sh\necho "$*" >>"$0.said"\nEINHORN=${EINHORN}\n${body}\n`, { mode: 0o755 });
  return path;
};

/** What a wrapper ends with. */
export const EXECUTES = 'exec $EINHORN "$@"';

/** A client that stays connected, and the messages that it has received. */
export class Client {
  readonly #socket: Socket;
  #text = "";

  constructor(path: string) {
    this.#socket = connect(path).setEncoding("utf8");
    this.#socket.on("data", (part: string) => {
      this.#text += part;
    });
  }

  write(text: string): void {
    this.#socket.write(text);
  }

  async line(number: number): Promise<string> {
    const lines = (): string[] => this.#text.split("\n").slice(0, -1);
    return waitFor(`line ${number}`, () => lines()[number - 1]);
  }

  async messages(last: RegExp): Promise<string[]> {
    await waitFor(`${last} among the messages`, () => last.test(this.#text));
    return this.#text.split("\n").slice(0, -1);
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** A test with its own stage. */
export const scene = (name: string, play: (stage: Stage) => Promise<void>, needs: Needs = []): void =>
  needing(...needs).test(
    name,
    async () => {
      const stage = new Stage();
      try {
        await play(stage);
      } finally {
        await stage.clean();
      }
    },
    120_000,
  );

/** A process's nice value (proc_pid_stat(5)). */
export const niceOf = (pid: number): number =>
  Number(
    readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ")[16],
  );

/** What ps shows of a process. */
export const titleOf = (pid: number): string => readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0")[0] ?? "";
