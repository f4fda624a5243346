// What one event leads to: keeper commands and journal changes, collected until they leave as one batch.
import type { Command } from "../keeper/protocol.ts";

const encoder = new TextEncoder();

/** One batch in the making. Journal changes go first, commands after them in the order they were wanted. */
export class Outbox {
  #changes = new Map<string, string | undefined>();
  #commands: Command[] = [];

  /** Sets a journal key to a JSON value. */
  put(key: string, value: unknown): void {
    this.putText(key, JSON.stringify(value));
  }

  /** Sets a journal key to a value that is JSON already. */
  putText(key: string, json: string): void {
    this.#changes.set(key, json);
  }

  /** Removes a journal key. */
  remove(key: string): void {
    this.#changes.set(key, undefined);
  }

  command(command: Command): void {
    this.#commands.push(command);
  }

  get isEmpty(): boolean {
    return this.#changes.size === 0 && this.#commands.length === 0;
  }

  /** The whole batch, ended by its commit; the outbox is empty afterwards. */
  take(consumed: number, tickAt: number): Command[] {
    const batch: Command[] = [];
    for (const [key, value] of this.#changes) {
      if (value === undefined) batch.push({ kind: "remove", key });
      else batch.push({ kind: "put", key, value: encoder.encode(value) });
    }
    for (const command of this.#commands) batch.push(command);
    batch.push({ kind: "commit", consumed, tickAt });
    this.#changes.clear();
    this.#commands = [];
    return batch;
  }
}
