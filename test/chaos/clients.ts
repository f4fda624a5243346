// Clients of the service under chaos. Some connect for each request, some stay connected; each knows which answers are
// right. A broken connection is excused only if the worker that held it was killed.
import { connect, type Socket } from "node:net";
import type { Truth } from "./truth.ts";

/** How long a connection may be silent, ms: longer than any disturbance stops a worker. */
const SILENCE_MS = 60_000;
const PAUSE_MS = 20;
const TALK_MS = 100;
const SHOWN_FAULTS = 20;

/** One connection, from its start. */
type Held = { readonly begunAt: number; pid: number | null };

export class Clients {
  readonly counts = { answered: 0, talks: 0, drained: 0, excused: 0 };
  readonly faults: string[] = [];
  readonly #port: number;
  readonly #truth: Truth;
  readonly #loops: Promise<void>[];
  #isOver = false;

  constructor(options: { port: number; truth: Truth; fresh: number; staying: number }) {
    this.#port = options.port;
    this.#truth = options.truth;
    this.#loops = [
      ...Array.from({ length: options.fresh }, () => this.#askAgainAndAgain()),
      ...Array.from({ length: options.staying }, () => this.#stayAgainAndAgain()),
    ];
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#loops);
  }

  #fault(words: string): void {
    if (this.faults.length < SHOWN_FAULTS) this.faults.push(`${this.#truth.clock()} ${words}`);
  }

  async #askAgainAndAgain(): Promise<void> {
    while (!this.#isOver) {
      const held: Held = { begunAt: this.#truth.now(), pid: null };
      let text = "";
      const ending = await this.#talk("once\n", (_, words) => {
        text += words;
      });
      if (ending === "closed" && text.endsWith("\n")) this.#judge(held, text);
      else this.#lost(held, `a request ended with ${ending} after ${JSON.stringify(text)}`);
      await Bun.sleep(PAUSE_MS);
    }
  }

  async #stayAgainAndAgain(): Promise<void> {
    while (!this.#isOver) {
      const held: Held = { begunAt: this.#truth.now(), pid: null };
      let isTold = false;
      let timer: ReturnType<typeof setInterval> | undefined;
      const ending = await this.#talk("stay\n", (socket, words) => {
        this.counts.talks += 1;
        if (held.pid === null) {
          this.#judge(held, words.split("\n")[0] ?? "");
          timer = setInterval(() => {
            if (this.#isOver) socket.end();
            else if (!isTold) socket.write("again\n");
          }, TALK_MS);
        }
        if (!words.includes("bye\n")) return;
        isTold = true;
        this.counts.drained += 1;
        socket.end();
      });
      clearInterval(timer);
      if (!isTold && !this.#isOver) this.#lost(held, `a connection that stayed ended with ${ending}`);
    }
  }

  /** `VERSION PID`: of a version that may have answered since this connection started. */
  #judge(held: Held, answer: string): void {
    const [, version, pid] = /^(\S+) (\d+)\n?$/.exec(answer) ?? [];
    held.pid = pid === undefined ? null : Number(pid);
    this.counts.answered += 1;
    if (version === undefined) this.#fault(`an answer was ${JSON.stringify(answer)}`);
    else if (!this.#truth.mayHaveAnswered(version, held.begunAt))
      this.#fault(`${version} (pid ${pid}) answered, which does not serve`);
  }

  #lost(held: Held, words: string): void {
    if (!words.includes("ECONNREFUSED") && this.#truth.wasKilled(held.pid, held.begunAt)) this.counts.excused += 1;
    else this.#fault(`${words}${held.pid === null ? "" : ` (held by pid ${held.pid})`}`);
  }

  /** Connects, sends `greeting`, passes on what it receives, and reports how the connection ended. */
  #talk(greeting: string, hear: (socket: Socket, words: string) => void): Promise<string> {
    return new Promise((resolve) => {
      const socket = connect(this.#port, "127.0.0.1", () => socket.write(greeting));
      socket.setTimeout(SILENCE_MS, () => {
        resolve(`silence for ${SILENCE_MS / 1000} s`);
        socket.destroy();
      });
      socket.on("data", (bytes) => hear(socket, bytes.toString()));
      socket.once("error", (error) => resolve("code" in error ? String(error.code) : error.message));
      socket.once("close", () => resolve("closed"));
    });
  }
}
