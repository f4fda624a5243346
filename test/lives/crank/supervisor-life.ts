// One supervisor of a simulated crank, from its hello to its normal or violent end: what src/supervisor/loop/main.ts is
// for a real process.
import { encodeBatch, encodeCommands, MessageDecoder } from "../../../src/keeper/frames.ts";
import { type Greeting, type Message, PROTOCOL_VERSION, type SentCommand } from "../../../src/keeper/protocol.ts";
import { type Hello, type Link, Supervisor } from "../../../src/supervisor/loop/supervisor.ts";
import type { Platform } from "../../../src/supervisor/os/platform.ts";
import type { FrontEnd } from "../../../src/supervisor/state/store.ts";

/** The moments at which a supervisor can be killed. */
export type Moment = "before an event" | "before sending" | "within a batch" | "after sending";

export type LifeOptions = {
  readonly platform: Platform;
  readonly frontEnd: FrontEnd;
  /** Sends bytes to the keeper. */
  readonly send: (bytes: Uint8Array) => void;
  /** Whether it is killed now. */
  readonly isKilledAt: (moment: Moment) => boolean;
  /** It was killed at such a moment. */
  readonly onKilled: () => void;
  /** It has no work, and will ask to end after `lingerMs` unless an event comes. */
  readonly onRest: (lingerMs: number) => void;
  /** It exits with the keeper's permission. */
  readonly onSleep: () => void;
  /** It crashed. */
  readonly onFault: (error: unknown) => void;
};

class Killed extends Error {}

export class SupervisorLife {
  readonly #options: LifeOptions;
  readonly #decoder = new MessageDecoder();
  readonly #inbox: Message[] = [];
  readonly #between: (() => void)[] = [];
  #greetings: Greeting[] = [];
  #supervisor: Supervisor | null = null;
  #isAlive = true;
  #hasAttached = false;
  #worked = 0;

  constructor(options: LifeOptions) {
    this.#options = options;
  }

  get hasAttached(): boolean {
    return this.#hasAttached;
  }
  get isAlive(): boolean {
    return this.#isAlive;
  }
  /** The number of handled messages: tells whether one came since it was idle. */
  get worked(): number {
    return this.#worked;
  }
  get hasWork(): boolean {
    return this.#isAlive && this.#inbox.length > 0;
  }

  receive(bytes: Uint8Array): void {
    if (this.#isAlive) this.#inbox.push(...this.#decoder.push(bytes));
  }

  kill(): void {
    this.#isAlive = false;
  }

  /** Handles the inbox, one message after the other, until it is empty or the supervisor is dead. */
  async work(): Promise<void> {
    try {
      for (let message = this.#inbox.shift(); message && this.#isAlive; message = this.#inbox.shift()) {
        this.#worked += 1;
        await this.#handle(message);
        await this.#recorded();
      }
    } catch (error) {
      if (error instanceof Killed || !this.#isAlive) return;
      this.#isAlive = false;
      return this.#options.onFault(error);
    }
    if (this.#isAlive && this.#supervisor) this.#options.onRest(this.#supervisor.lingerMs);
  }

  /** Every record is written before the next event, so that its time does not depend on the kills. */
  async #recorded(): Promise<void> {
    this.#actBetween();
    for (let recording = this.#supervisor?.recording; recording; recording = this.#supervisor?.recording) {
      await recording;
      this.#actBetween();
    }
  }

  #actBetween(): void {
    for (let act = this.#between.shift(); act && this.#isAlive; act = this.#between.shift()) act();
  }

  /** Asks the keeper to let it end. */
  askForSleep(): void {
    const supervisor = this.#supervisor;
    if (this.#isAlive && supervisor) this.#options.send(encodeCommands([{ kind: "idle", seen: supervisor.consumed }]));
  }

  #handle(message: Message): Promise<void> | undefined {
    switch (message.kind) {
      case "sleep":
        this.#isAlive = false;
        this.#options.onSleep();
        return undefined;
      case "helloEnd":
        return this.#begin();
      case "hello":
      case "helloEntry":
      case "helloWorker":
      case "helloHandle":
      case "helloConnection":
      case "helloZone":
        this.#greetings.push(message);
        return undefined;
      default:
        this.#mayDie("before an event");
        return this.#supervisor?.handle(message);
    }
  }

  #begin(): Promise<void> {
    this.#mayDie("before an event");
    const supervisor = new Supervisor(this.#options, collect(this.#greetings), this.#link());
    this.#supervisor = supervisor;
    this.#options.send(encodeCommands([{ kind: "attach", protocol: PROTOCOL_VERSION }]));
    this.#hasAttached = true;
    return supervisor.start();
  }

  #link(): Link {
    return {
      send: (commands) => this.#send(commands),
      flushed: () => (this.#isAlive ? Promise.resolve() : Promise.reject(new Killed())),
      between: (act) => {
        this.#between.push(act);
      },
    };
  }

  #send(commands: readonly SentCommand[]): void {
    if (!this.#isAlive) throw new Killed();
    this.#mayDie("before sending");
    for (const bytes of encodeBatch(commands, 0)) {
      if (this.#options.isKilledAt("within a batch")) {
        this.#options.send(bytes.subarray(0, bytes.length - 1));
        this.#die();
      }
      this.#options.send(bytes);
    }
    if (!this.#isAlive) throw new Killed();
    this.#mayDie("after sending");
  }

  #mayDie(moment: Moment): void {
    if (this.#options.isKilledAt(moment)) this.#die();
  }

  #die(): never {
    this.#isAlive = false;
    this.#options.onKilled();
    throw new Killed();
  }
}

const collect = (greetings: readonly Greeting[]): Hello => {
  const hello = greetings.find((greeting) => greeting.kind === "hello");
  if (!hello) throw new Error("a hello without its beginning");
  const entries = new Map<string, Uint8Array>();
  for (const greeting of greetings) if (greeting.kind === "helloEntry") entries.set(greeting.key, greeting.value);
  return {
    facts: { ...hello, fresh: hello.fresh === 1 },
    entries,
    workers: greetings.filter((greeting) => greeting.kind === "helloWorker"),
    handles: greetings.filter((greeting) => greeting.kind === "helloHandle"),
  };
};
