// HTTP clients for the programs of docs/how-to/recipes that behave as browsers and scripts do: some open a connection for
// each request, some keep one, some read a long answer slowly. They break nothing themselves: every failure that they count
// was caused by the other side.
import { connect, type Socket } from "node:net";

/**
 * `answered`: complete answers with status 200. `slow`: those of them that were read slowly. `repeated`: a kept connection
 * ended while a request was in flight, so the request was sent again on another one, as RFC 9110, 9.2.2 allows: a server
 * that closes an idle connection cannot know of the request. `cut`: an answer that ended in the middle, or a fresh
 * connection without an answer. `silent`: nothing arrived for a long time and the connection stayed open; a server that
 * hangs.
 */
export type Counts = {
  answered: number;
  slow: number;
  repeated: number;
  refused: number;
  reset: number;
  cut: number;
  silent: number;
  failed: number;
};

export type ClientsOptions = {
  readonly port: number;
  readonly path: string;
  /** A path whose answer takes long to arrive or to read. */
  readonly slowPath: string;
  readonly anew: number;
  readonly kept: number;
  readonly slow: number;
};

/** Pause between two requests of one client, ms. */
const PAUSE_MS = 10;
/** Pause of a slow client after each piece of an answer, ms. */
const REST_MS = 10;
/** How long without a byte counts as silent, ms. */
const SILENCE_MS = 20_000;

type Fate = "answered" | "refused" | "reset" | "cut" | "silent" | "failed";

/** Clients that run until `stop`. */
export class Clients {
  readonly counts: Counts = { answered: 0, slow: 0, repeated: 0, refused: 0, reset: 0, cut: 0, silent: 0, failed: 0 };
  /** Descriptions of the first few failures. */
  readonly problems: string[] = [];
  readonly #options: ClientsOptions;
  readonly #loops: readonly Promise<void>[];
  #isOver = false;

  constructor(options: ClientsOptions) {
    this.#options = options;
    this.#loops = [
      ...Array.from({ length: options.anew }, () => this.#anew(options.path, 0)),
      ...Array.from({ length: options.slow }, () => this.#anew(options.slowPath, REST_MS)),
      ...Array.from({ length: options.kept }, () => this.#keep()),
    ];
  }

  async stop(): Promise<Counts & { readonly problems: readonly string[] }> {
    this.#isOver = true;
    await Promise.all(this.#loops);
    return { ...this.counts, problems: this.problems };
  }

  async #anew(path: string, restMs: number): Promise<void> {
    while (!this.#isOver) {
      const connection = new Connection(this.#options.port, restMs);
      const fate = await connection.ask(path, "close");
      connection.end();
      if (fate === "answered" && restMs > 0) this.counts.slow += 1;
      this.#note(fate, `a ${restMs > 0 ? "slow " : ""}request on a connection of its own: ${connection.story}`);
      await pause(PAUSE_MS);
    }
  }

  async #keep(): Promise<void> {
    let connection = new Connection(this.#options.port, 0);
    while (!this.#isOver) {
      if (!connection.isUsable) {
        connection.end();
        connection = new Connection(this.#options.port, 0);
      }
      const fate = await connection.ask(this.#options.path, "keep-alive");
      if (connection.wasIdlyClosed) this.counts.repeated += 1;
      else this.#note(fate, `a request on a kept connection: ${connection.story}`);
      await pause(PAUSE_MS);
    }
    connection.end();
  }

  #note(fate: Fate, story: string): void {
    this.counts[fate] += 1;
    if (fate !== "answered" && this.problems.length < 5) this.problems.push(`${fate}: ${story}`);
  }
}

const pause = (ms: number): Promise<void> => new Promise((wake) => setTimeout(wake, ms));

/** One connection, and its request in flight. */
class Connection {
  readonly #socket: Socket;
  readonly #restMs: number;
  #answered = 0;
  #text = "";
  /** Bytes of the answer's body still to come; null until the head is complete. */
  #missing: number | null = null;
  #settle: ((fate: Fate) => void) | null = null;
  #ended: Fate | null = null;
  #isLast = false;

  constructor(port: number, restMs: number) {
    this.#restMs = restMs;
    this.#socket = connect({ port, host: "127.0.0.1", allowHalfOpen: false });
    this.#socket.setNoDelay(true);
    this.#socket.setTimeout(SILENCE_MS, () => this.#finish("silent"));
    this.#socket.on("data", (piece: Buffer) => this.#hear(piece));
    this.#socket.on("error", (error: NodeJS.ErrnoException) =>
      this.#finish(error.code === "ECONNREFUSED" ? "refused" : "reset"),
    );
    this.#socket.on("close", () => this.#finish("cut"));
  }

  /** Whether another request may be sent on it. */
  get isUsable(): boolean {
    return this.#ended === null && !this.#isLast;
  }

  /** Whether it ended after an answer and before the first byte of the next. */
  get wasIdlyClosed(): boolean {
    return (this.#ended === "reset" || this.#ended === "cut") && this.#answered > 0 && this.#text === "";
  }

  get story(): string {
    return `${this.#answered} answers, then ${JSON.stringify(this.#text.slice(0, 120))}, ${this.#missing} bytes missing`;
  }

  ask(path: string, connection: "close" | "keep-alive"): Promise<Fate> {
    if (this.#ended !== null) return Promise.resolve(this.#ended);
    this.#text = "";
    this.#missing = null;
    this.#isLast = connection === "close";
    this.#socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: ${connection}\r\n\r\n`);
    return new Promise((settle) => {
      this.#settle = settle;
    });
  }

  end(): void {
    this.#ended ??= "answered";
    this.#socket.end();
    this.#socket.resume();
  }

  #hear(piece: Buffer): void {
    if (this.#missing !== null) this.#missing -= piece.length;
    else {
      this.#text += piece.toString("latin1");
      const end = this.#text.indexOf("\r\n\r\n");
      if (end < 0) return;
      const head = this.#text.slice(0, end);
      const length = /^content-length: *(\d+)/im.exec(head);
      if (!/^HTTP\/1\.[01] 200 /.test(head) || length === null) {
        this.#finish("failed");
        return;
      }
      if (/^connection: *close/im.test(head) || head.startsWith("HTTP/1.0")) this.#isLast = true;
      this.#missing = Number(length[1]) - (this.#text.length - end - 4);
    }
    if (this.#missing <= 0) this.#answer(this.#missing);
    else if (this.#restMs > 0) this.#rest();
  }

  #answer(missing: number): void {
    const settle = this.#settle;
    this.#settle = null;
    this.#answered += 1;
    settle?.(missing === 0 ? "answered" : "failed");
  }

  #rest(): void {
    this.#socket.pause();
    setTimeout(() => this.#socket.resume(), this.#restMs);
  }

  #finish(fate: Fate): void {
    this.#ended ??= fate;
    const settle = this.#settle;
    this.#settle = null;
    settle?.(fate);
    if (fate === "failed" || fate === "silent") this.#socket.destroy();
  }
}
