// Clients for a service under test: some open a connection for each request, some stay connected. They count what they see
// and cause no failure themselves: every socket is read to its end and closed in order.

/** What the clients saw. `drained`: a staying connection received `bye` and reconnected. */
export type Counts = { answered: number; refused: number; reset: number; cut: number; drained: number; talks: number };

export type LoadOptions = {
  readonly port: number;
  /** Clients that open a connection for each request, and the pause of each between two, ms. */
  readonly anew: number;
  readonly pauseMs: number;
  /** Clients that stay connected, and how often each sends something, ms. */
  readonly stays: number;
  readonly talkMs: number;
};

/** How long a connection may go without a byte before it counts as cut: long enough for any queue. */
const SILENCE_S = 60;

const NOTHING: Counts = { answered: 0, refused: 0, reset: 0, cut: 0, drained: 0, talks: 0 };

/** Clients that run until `stop`. */
export class Load {
  readonly counts: Counts = { ...NOTHING };
  readonly #options: LoadOptions;
  readonly #loops: Promise<void>[];
  #isOver = false;
  #staying = 0;
  #problems: string[] = [];

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#loops = [
      ...Array.from({ length: options.anew }, () => this.#askAgainAndAgain()),
      ...Array.from({ length: options.stays }, (_, index) => this.#stay(index)),
    ];
  }

  /** How many staying clients have a connection that answers. */
  get staying(): number {
    return this.#staying;
  }

  /** Ends all clients and returns what they saw, with a description of the first few problems. */
  async stop(): Promise<Counts & { readonly problems: readonly string[] }> {
    this.#isOver = true;
    await Promise.all(this.#loops);
    return { ...this.counts, problems: this.#problems };
  }

  async #askAgainAndAgain(): Promise<void> {
    while (!this.#isOver) {
      const answer = await this.#talkOnce();
      if (answer) this.counts.answered += 1;
      await Bun.sleep(this.#options.pauseMs);
    }
  }

  async #talkOnce(): Promise<boolean> {
    let text = "";
    const ended = await this.#connect("once\n", (_, bytes) => {
      text += bytes.toString();
    });
    if (ended === "closed" && text.endsWith("\n")) return true;
    if (ended === "closed") this.#note("cut", `a request got ${JSON.stringify(text)} and no more`);
    return false;
  }

  /** Holds a connection as long as it may, and opens another when it is asked to go. */
  async #stay(index: number): Promise<void> {
    await Bun.sleep((index * this.#options.talkMs) / Math.max(1, this.#options.stays));
    while (!this.#isOver) await this.#stayOnce();
  }

  async #stayOnce(): Promise<void> {
    let isGreeted = false;
    let isTold = false;
    let timer: ReturnType<typeof setInterval> | undefined;
    const ended = await this.#connect("stay\n", (socket, bytes) => {
      this.counts.talks += 1;
      if (!isGreeted) {
        isGreeted = true;
        this.#staying += 1;
        timer = setInterval(() => {
          if (this.#isOver) socket.end();
          else if (!isTold) socket.write("again\n");
        }, this.#options.talkMs);
      }
      if (!bytes.toString().includes("bye")) return;
      isTold = true;
      this.counts.drained += 1;
      socket.end();
    });
    clearInterval(timer);
    if (isGreeted) this.#staying -= 1;
    if (ended === "closed" && !isTold && !this.#isOver)
      this.#note("cut", "a staying connection was closed without a word");
  }

  /** Connects, sends `greeting`, and passes on what it receives until the connection has ended. */
  #connect(greeting: string, hear: (socket: Bun.Socket, bytes: Buffer) => void): Promise<"closed" | "failed"> {
    return new Promise((resolve) => {
      const fail = (error: Error): void => {
        const code = "code" in error ? String(error.code) : error.message;
        this.#note(code === "ECONNREFUSED" ? "refused" : "reset", code);
        resolve("failed");
      };
      Bun.connect({
        hostname: "127.0.0.1",
        port: this.#options.port,
        socket: {
          open: (socket) => {
            socket.timeout(SILENCE_S);
            socket.write(greeting);
          },
          timeout: (socket) => {
            this.#note("cut", `a connection heard nothing for ${SILENCE_S} s`);
            resolve("failed");
            socket.end();
          },
          data: hear,
          end: (socket) => {
            socket.end();
          },
          close: (_, error) => (error ? fail(error) : resolve("closed")),
          error: (_, error) => fail(error),
          connectError: (_, error) => fail(error),
        },
      }).catch(() => {});
    });
  }

  #note(what: "refused" | "reset" | "cut", words: string): void {
    this.counts[what] += 1;
    if (this.#problems.length < 5) this.#problems.push(`${what}: ${words}`);
  }
}
