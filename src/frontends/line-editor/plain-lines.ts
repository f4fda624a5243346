// Lines from a pipe, a file, or a terminal without editing, each after a prompt.
import { host } from "#host";
import type { Output } from "../../commands/output.ts";
import { MOST_LINE } from "./line.ts";
import type { Lines } from "./lines.ts";

export class PlainLines implements Lines {
  readonly #out: Output;
  readonly #prompt: string;
  readonly #forget: (() => void)[] = [];
  readonly #lines: string[] = [];
  #rest = "";
  #isTooLong = false;
  #hasEnded = false;
  #wake: () => void = () => {};
  #interrupted: () => void = () => {};
  readonly interrupted = new Promise<void>((resolve) => {
    this.#interrupted = resolve;
  });

  constructor(out: Output, prompt: string) {
    this.#out = out;
    this.#prompt = prompt;
    this.#forget.push(host.terminal.read({ typed: (text) => this.#take(text), ended: () => this.#finish() }));
    if (host.terminal.isTerminal(0)) this.#forget.push(host.signals.on("SIGINT", () => this.#interrupt()));
  }

  async next(): Promise<string | null> {
    this.#out.write(this.#prompt);
    while (this.#lines.length === 0 && !this.#hasEnded)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    return this.#lines.shift() ?? null;
  }

  remember(): void {}

  close(): void {
    for (const forget of this.#forget.splice(0)) forget();
    // After the last prompt.
    this.#out.write("\n");
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#add(line);
    if (this.#rest.length > MOST_LINE) {
      this.#rest = "";
      this.#isTooLong = true;
    }
    this.#wake();
  }

  /** A line that is too long is ignored. */
  #add(line: string): void {
    if (!this.#isTooLong && line.length <= MOST_LINE) this.#lines.push(line);
    this.#isTooLong = false;
  }

  #finish(): void {
    if (this.#rest !== "") this.#add(this.#rest);
    this.#hasEnded = true;
    this.#wake();
  }

  #interrupt(): void {
    this.#lines.length = 0;
    this.#rest = "";
    this.#interrupted();
    this.#finish();
  }
}
