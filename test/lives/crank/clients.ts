// Clients of a simulated crank: their requests, in random pieces, and whether each gets exactly one answer.
import type { Random } from "../random.ts";

const encoder = new TextEncoder();

/** What the clients need of the world. */
export type Wire = {
  /** Whether connections are accepted. */
  isThere(): boolean;
  connect(): number;
  send(connection: number, bytes: Uint8Array): void;
  hangUp(connection: number): void;
  after(ms: number, happen: () => void): void;
};

type Question = {
  readonly id: string;
  readonly method: string;
  readonly connection: number;
  answers: number;
  isGiven: boolean;
};

export class Clients {
  readonly #random: Random;
  readonly #wire: Wire;
  readonly #questions = new Map<string, Question>();
  readonly #partial = new Map<number, string>();
  #asked = 0;

  constructor(random: Random, wire: Wire) {
    this.#random = random;
    this.#wire = wire;
  }

  /** Sends a random request. `pids`: of workers, to choose from. */
  askSomething(): void {
    const random = this.#random;
    const kind = random.pick([
      "run",
      "run",
      "run",
      "run",
      "scale",
      "reload",
      "rollback",
      "ps",
      "status",
      "kill",
      "events",
      "history",
      "garbage",
      "twice",
    ]);
    if (kind === "run") this.ask("run", this.runParams());
    else if (kind === "scale")
      this.ask("scale", random.chance(0.5) ? { to: random.between(0, 4) } : { by: random.between(-1, 1) });
    else if (kind === "reload" || kind === "rollback") this.ask(kind, { wait: random.chance(0.7) });
    else if (kind === "kill") this.#kill();
    else if (kind === "events") this.ask("events", { from: 0, follow: random.chance(0.5) });
    else if (kind === "garbage")
      this.#wire.send(
        this.#wire.connect(),
        encoder.encode(random.pick(["\n", "what\n", "{\n", "[]\n", '{"jsonrpc":"2.0"}\n'])),
      );
    else if (kind === "twice") this.#askTwice();
    else this.ask(kind, {});
  }

  /** The end of workers is not awaited after a signal that ends none. */
  #kill(): void {
    const signal = this.#random.pick(["TERM", "KILL", "USR1"]);
    this.ask("kill", { ready: true, signal, wait: signal !== "USR1" && this.#random.chance(0.5) });
  }

  /**
   * Sends a request, hangs up, and repeats it with the same client id: one deploy, and the last client gets the answer.
   */
  #askTwice(): void {
    const params = { ...this.runParams(), wait: true, clientId: `client ${this.#asked}` };
    const first = this.ask("run", params, "whole");
    this.#wire.after(this.#random.between(0, 300), () => {
      this.#giveUp(first);
      this.#wire.after(this.#random.between(0, 2000), () => this.#askAgain(params));
    });
  }

  /** No connection is possible while no crank runs. */
  #askAgain(params: Record<string, unknown>): void {
    if (this.#wire.isThere()) this.ask("run", params);
    else this.#wire.after(10, () => this.#askAgain(params));
  }

  runParams(): Record<string, unknown> {
    const random = this.#random;
    return {
      command: ["/bin/server"],
      cwd: "/",
      wait: random.chance(0.8),
      supersede: random.chance(0.2),
      instances: random.pick([1, 1, 2, 3]),
      ...random.pick([
        { handOver: false, surge: 1 },
        { handOver: false, surge: 2 },
        { handOver: true, surge: 0 },
      ]),
      minReady: random.pick([0, 0, 50]),
      startTimeout: random.pick([null, 1000, 3000]),
      stopSteps: random.pick([
        [
          { signal: "TERM", after: 0 },
          { signal: "KILL", after: 1000 },
        ],
        [
          { signal: "USR2", after: 0 },
          { signal: "TERM", after: 300 },
          { signal: "KILL", after: 600 },
        ],
      ]),
      retries: random.pick([0, 0, 1]),
      deadline: random.pick([null, null, 4000]),
      pause: random.pick([0, 0, 500]),
      draining: random.pick([null, null, 1, 2]),
      maxAge: random.pick([null, null, 3000]),
      maxMemory: random.pick([null, null, 1000]),
      memoryInterval: random.pick([1000, 4000]),
      ...(random.chance(0.2) ? { live: { kind: "watchdog", period: 20_000 } } : {}),
    };
  }

  /** Workers become old and large for ever, so the end of a life deploys without limits. */
  endRecycling(): void {
    const endless = { maxAge: null, maxMemory: null, deadline: null, startTimeout: null, minReady: 0 };
    this.ask("run", { ...this.runParams(), ...endless, supersede: true }, "whole");
  }

  ask(method: string, params: unknown, how: "whole" | "any" = "any"): Question {
    this.#asked += 1;
    const id = `question ${this.#asked}`;
    const connection = this.#wire.connect();
    const question = { id, method, connection, answers: 0, isGiven: false };
    this.#questions.set(id, question);
    const bytes = encoder.encode(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`);
    const cut = how === "any" && this.#random.chance(0.2) ? this.#random.between(1, bytes.length - 1) : bytes.length;
    this.#wire.send(connection, bytes.subarray(0, cut));
    if (cut < bytes.length)
      this.#wire.after(this.#random.between(0, 50), () => this.#wire.send(connection, bytes.subarray(cut)));
    if (how === "any" && this.#random.chance(0.05))
      this.#wire.after(this.#random.between(51, 500), () => this.#giveUp(question));
    return question;
  }

  /** All connections are lost, with their outstanding answers. */
  loseConnections(): void {
    for (const question of this.#questions.values()) question.isGiven = true;
    this.#partial.clear();
  }

  #giveUp(question: Question): void {
    question.isGiven = true;
    this.#wire.hangUp(question.connection);
  }

  /** Bytes from crank. Returns what is wrong with them, or null. */
  answered(connection: number, bytes: Uint8Array): string | null {
    const lines = ((this.#partial.get(connection) ?? "") + new TextDecoder().decode(bytes)).split("\n");
    this.#partial.set(connection, lines.pop() ?? "");
    for (const line of lines) {
      const message = JSON.parse(line);
      const question = this.#questions.get(message.id);
      if (!question) continue;
      question.answers += 1;
      if (question.connection !== connection) return `${question.id} was answered on another connection`;
      if (question.answers > 1) return `${question.id} (${question.method}) was answered twice: ${line}`;
      if (message.error && message.error.code <= -32600 && message.error.code >= -32700)
        return `${question.method} was not understood: ${line}`;
    }
    return null;
  }

  /** Unanswered requests of clients that are still connected. */
  get unanswered(): readonly string[] {
    return [...this.#questions.values()]
      .filter((question) => question.answers === 0 && !question.isGiven)
      .map((question) => `${question.id} (${question.method})`);
  }
}
