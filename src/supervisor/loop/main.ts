// The supervisor as a process. Descriptor 3 is the channel to the keeper: a hello arrives, then events are handled one
// after the other. After some time without work it asks the keeper to let it end.
import { host } from "#host";
import { bytesOf } from "../../host/bytes.ts";
import type { Timer } from "../../host/clock.ts";
import { openChannel } from "../../keeper/channel.ts";
import { encodeBatch, encodeCommands, MessageDecoder } from "../../keeper/frames.ts";
import {
  type Greeting,
  type KeeperEvent,
  type Message,
  PROTOCOL_VERSION,
  type SentCommand,
} from "../../keeper/protocol.ts";
import { linuxPlatform } from "../os/linux.ts";
import type { KeeperFacts } from "../state/keeper-facts.ts";
import type { FrontEnd } from "../state/store.ts";
import { answerUpgradeCheck } from "../upgrade/check.ts";
import { type Hello, type Link, Supervisor } from "./supervisor.ts";

const { clock, files, processes } = host;

const STDERR = 2;
const KEEPER_FD = 3;
/** EX_SOFTWARE of sysexits(3): the keeper starts another supervisor. */
const BROKEN = 70;

/** Runs until the keeper lets it end. */
export const superviseAs = async (frontEnd: FrontEnd): Promise<void> => {
  if (processes.arguments()[0] === "--upgrade-check") return answerUpgradeCheck(frontEnd);
  processes.onUncaught(breakDown);
  const decoder = new MessageDecoder();
  const life = new Life(frontEnd);
  const channel = await openChannel(KEEPER_FD, {
    data: (bytes) => {
      life.take(decoder.push(bytes));
    },
    close: () => processes.exit(0),
  });
  if (processes.variable("CRANK_CANDIDATE") !== undefined) channel.write(encodeCommands([{ kind: "present" }]));
  let consumed = 0;
  life.connect({
    send: (commands) => {
      for (const bytes of encodeBatch(commands, consumed)) channel.write(bytes);
      consumed = consumedBy(commands) ?? consumed;
    },
    flushed: () => channel.flushed(),
    between: (act) => life.take([act]),
  });
};

/** The event that a batch consumes; undefined: none. */
const consumedBy = (commands: readonly SentCommand[]): number | undefined => {
  const last = commands.at(-1);
  return last?.kind === "commit" ? last.consumed : undefined;
};

/** Prints one sentence and ends, to be restarted. Half-done work is in no batch, so nothing is lost. */
const breakDown = (error: unknown): void => {
  const message = error instanceof Error ? error.message : String(error);
  complain(`crank: the supervisor has a fault and restarts: ${message}`);
  if (processes.variable("CRANK_DEBUG") !== undefined && error instanceof Error) complain(error.stack ?? "");
  processes.exit(BROKEN);
};

/** Writes a line to stderr, as much of it as can be written at once. */
const complain = (line: string): void => {
  try {
    files.write(STDERR, bytesOf(`${line}\n`));
  } catch {
    // It is closed, or full.
  }
};

/** The life of one supervisor, from its hello to its end. */
class Life {
  readonly #frontEnd: FrontEnd;
  /** Messages from the keeper, and actions to do between them. */
  readonly #queue: (Message | (() => void))[] = [];
  #link: Link | null = null;
  #greetings: Greeting[] = [];
  #supervisor: Supervisor | null = null;
  #isBusy = false;
  #idleTimer: Timer | undefined;

  constructor(frontEnd: FrontEnd) {
    this.#frontEnd = frontEnd;
  }

  connect(link: Link): void {
    this.#link = link;
    this.#work();
  }

  take(next: readonly (Message | (() => void))[]): void {
    this.#queue.push(...next);
    this.#work();
  }

  /** Handles the queue one by one. Awaits only what has to be awaited. */
  #work(): void {
    if (this.#isBusy || !this.#link) return;
    this.#isBusy = true;
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
      const waiting = typeof next === "function" ? next() : this.#handle(next, this.#link);
      if (!waiting) continue;
      this.#idleTimer?.cancel();
      waiting.then(() => {
        this.#isBusy = false;
        this.#work();
      }, breakDown);
      return;
    }
    this.#isBusy = false;
    this.#rest(this.#link);
  }

  #handle(message: Message, link: Link): Promise<void> | undefined {
    switch (message.kind) {
      case "sleep":
        return processes.exit(0);
      case "helloEnd":
        return this.#begin(link);
      case "hello":
      case "helloEntry":
      case "helloWorker":
      case "helloHandle":
      case "helloConnection":
      case "helloZone":
        this.#greetings.push(message);
        return undefined;
      default:
        return this.#supervisor?.handle(message satisfies KeeperEvent);
    }
  }

  #begin(link: Link): Promise<void> {
    const hello = collect(this.#greetings);
    this.#greetings = [];
    const startedAt = clock.monotonicNow();
    const now = hello.now;
    const platform = linuxPlatform(() => now + Math.round(clock.monotonicNow() - startedAt));
    const supervisor = new Supervisor({ platform, frontEnd: this.#frontEnd }, hello, link);
    this.#supervisor = supervisor;
    link.send([{ kind: "attach", protocol: PROTOCOL_VERSION }]);
    return supervisor.start();
  }

  /** No work: after `lingerMs` it asks the keeper to let it end. */
  #rest(link: Link): void {
    this.#idleTimer?.cancel();
    const supervisor = this.#supervisor;
    if (!supervisor || supervisor.recording !== null) return;
    const { lingerMs, consumed } = supervisor;
    this.#idleTimer = clock.after(lingerMs, () => link.send([{ kind: "idle", seen: consumed }]));
  }
}

const collect = (greetings: readonly Greeting[]): Hello & { readonly now: number } => {
  const hello = greetings.find((greeting) => greeting.kind === "hello");
  if (!hello) throw new Error("the keeper's hello did not begin with 'hello'");
  if (hello.protocol !== PROTOCOL_VERSION)
    throw new Error(`the keeper speaks protocol ${hello.protocol}, this supervisor ${PROTOCOL_VERSION}`);
  const zone = greetings.find((greeting) => greeting.kind === "helloZone");
  const facts: KeeperFacts = { ...hello, fresh: hello.fresh === 1, ...(zone ? { zone } : {}) };
  const entries = new Map<string, Uint8Array>();
  for (const greeting of greetings) if (greeting.kind === "helloEntry") entries.set(greeting.key, greeting.value);
  const workers = greetings.filter((greeting) => greeting.kind === "helloWorker");
  const handles = greetings.filter((greeting) => greeting.kind === "helloHandle");
  return { facts, entries, workers, handles, now: hello.now };
};
