// Messages that have arrived, and readers that wait for one.
import type { Message } from "../../../src/keeper/protocol.ts";

export class MessageQueue {
  readonly #come: Message[] = [];
  readonly #waiting: { readonly resolve: (message: Message) => void; readonly reject: (error: Error) => void }[] = [];
  #end: Error | null = null;

  push(message: Message): void {
    const waiting = this.#waiting.shift();
    if (waiting) waiting.resolve(message);
    else this.#come.push(message);
  }

  /** No more messages will come. */
  end(why: string): void {
    this.#end ??= new Error(why);
    for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#end);
  }

  get isEmpty(): boolean {
    return this.#come.length === 0;
  }

  next(): Promise<Message> {
    const message = this.#come.shift();
    if (message) return Promise.resolve(message);
    if (this.#end) return Promise.reject(this.#end);
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }
}
