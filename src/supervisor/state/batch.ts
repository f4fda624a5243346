// What one event leads to: keeper commands and journal changes, collected until they leave as one batch.
import { LIMITS, type SentCommand } from "../../keeper/protocol.ts";

/** What is said. */
const WORDS: ReadonlySet<SentCommand["kind"]> = new Set(["log", "write", "follow"]);
/** What comes after everything else. */
const ENDS: ReadonlySet<SentCommand["kind"]> = new Set(["barrier", "mark", "exit"]);

/**
 * How many bytes of starts one batch takes, of the keeper's LIMITS.batchBytes: as much again is left for what the journal
 * keeps of them, and for a start that is larger than this alone.
 */
const MOST_START_BYTES = LIMITS.batchBytes / 4;

/**
 * One batch in the making. Journal changes go first; then what is done to sockets and workers, then what is said, each
 * in the order in which it was wanted: a signal does not wait for a line of the log.
 */
export class Batch {
  /** By journal key. */
  #changes = new Map<string, SentCommand>();
  #deeds: SentCommand[] = [];
  #words: SentCommand[] = [];
  #ends: SentCommand[] = [];
  #startBytes = 0;

  /** Sets a journal key to a JSON value. */
  put(key: string, value: unknown): void {
    this.putText(key, JSON.stringify(value));
  }

  /** Sets a journal key to a value that is JSON already. */
  putText(key: string, json: string): void {
    this.#changes.set(key, { kind: "put", key, value: json });
  }

  /** Removes a journal key. */
  remove(key: string): void {
    this.#changes.set(key, { kind: "remove", key });
  }

  command(command: SentCommand): void {
    if (WORDS.has(command.kind)) this.#words.push(command);
    else if (ENDS.has(command.kind)) this.#ends.push(command);
    else this.#deeds.push(command);
  }

  /** Whether a start of so many bytes still fits into this batch; the first one always does. */
  hasRoomToStart(bytes: number): boolean {
    return this.#startBytes === 0 || this.#startBytes + bytes <= MOST_START_BYTES;
  }

  /** Starts a worker with this batch: a command of about so many bytes. */
  start(command: SentCommand, bytes: number): void {
    this.#startBytes += bytes;
    this.command(command);
  }

  get isEmpty(): boolean {
    return this.#changes.size === 0 && this.#deeds.length === 0 && this.#words.length === 0 && this.#ends.length === 0;
  }

  /** Whether something is to be done, not only written down or said. */
  get hasDeeds(): boolean {
    return this.#deeds.length > 0 || this.#ends.length > 0;
  }

  /** Whether the keeper's own end is in it: then nothing can be said afterwards. */
  get isLast(): boolean {
    return this.#ends.some((command) => command.kind === "exit");
  }

  /** The whole batch, ended by its commit; the batch is empty afterwards. */
  take(consumed: number, tickAt: number): SentCommand[] {
    const batch: SentCommand[] = [];
    this.#changes.forEach((change) => {
      batch.push(change);
    });
    append(batch, this.#deeds);
    append(batch, this.#words);
    append(batch, this.#ends);
    batch.push({ kind: "commit", consumed, tickAt });
    this.#changes.clear();
    this.#deeds = [];
    this.#words = [];
    this.#ends = [];
    this.#startBytes = 0;
    return batch;
  }
}

const append = (batch: SentCommand[], commands: readonly SentCommand[]): void => {
  for (let place = 0; place < commands.length; place++) batch.push(commands[place] as SentCommand);
};
