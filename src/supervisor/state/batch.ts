// The result of one event: keeper commands and journal changes, collected and sent as one batch.
import { LIMITS, type SentCommand } from "../../keeper/protocol.ts";

/** Commands that only send output. */
const OUTPUT: ReadonlySet<SentCommand["kind"]> = new Set(["log", "write", "follow"]);
/** Commands that come after all others. */
const ENDS: ReadonlySet<SentCommand["kind"]> = new Set(["barrier", "mark", "exit"]);

/**
 * How many bytes of starts one batch takes, out of the keeper's LIMITS.batchBytes. As much again is for their journal
 * entries, and the rest for a single start that is larger than this.
 */
const MOST_START_BYTES = LIMITS.batchBytes / 4;

/**
 * One batch in progress. Journal changes go first, then commands for sockets and workers, then output, each in the
 * order in which they were added: a signal does not wait for a log line.
 */
export class Batch {
  /** By journal key. */
  #changes = new Map<string, SentCommand>();
  #actions: SentCommand[] = [];
  #output: SentCommand[] = [];
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
    if (OUTPUT.has(command.kind)) this.#output.push(command);
    else if (ENDS.has(command.kind)) this.#ends.push(command);
    else this.#actions.push(command);
  }

  /** Whether a start of this many bytes fits into this batch; the first one always does. */
  hasRoomToStart(bytes: number): boolean {
    return this.#startBytes === 0 || this.#startBytes + bytes <= MOST_START_BYTES;
  }

  /** Starts a worker with this batch; the command has about this many bytes. */
  start(command: SentCommand, bytes: number): void {
    this.#startBytes += bytes;
    this.command(command);
  }

  get isEmpty(): boolean {
    return (
      this.#changes.size === 0 && this.#actions.length === 0 && this.#output.length === 0 && this.#ends.length === 0
    );
  }

  /** Whether it holds commands other than output and journal changes. */
  get hasActions(): boolean {
    return this.#actions.length > 0 || this.#ends.length > 0;
  }

  /** Whether it ends the keeper, so that nothing can be sent afterwards. */
  get isLast(): boolean {
    return this.#ends.some((command) => command.kind === "exit");
  }

  /** The whole batch, ended by its commit; the batch is empty afterwards. */
  take(consumed: number, tickAt: number): SentCommand[] {
    const batch: SentCommand[] = [];
    this.#changes.forEach((change) => {
      batch.push(change);
    });
    append(batch, this.#actions);
    append(batch, this.#output);
    append(batch, this.#ends);
    batch.push({ kind: "commit", consumed, tickAt });
    this.#changes.clear();
    this.#actions = [];
    this.#output = [];
    this.#ends = [];
    this.#startBytes = 0;
    return batch;
  }
}

const append = (batch: SentCommand[], commands: readonly SentCommand[]): void => {
  for (let index = 0; index < commands.length; index++) batch.push(commands[index] as SentCommand);
};
