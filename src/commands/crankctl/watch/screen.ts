// The terminal: taken over, drawn on, and restored whenever the program ends or is stopped.
import { host } from "#host";
import { SIGNALS, type SignalName } from "../../../host/signals.ts";
import type { Output } from "../../output.ts";
import { atEnd } from "../../program.ts";

/** xterm's control sequences, which all terminals of today share: the other screen, no cursor, no wrapping of long lines. */
const ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J";
const LEAVE = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l";

export type ScreenEvents = {
  /** Typed input. Not called if standard input is not a terminal. */
  readonly typed: (text: string) => void;
  /** The size has changed, or the program continues after a stop: everything must be redrawn. */
  readonly changed: () => void;
  /** A signal or the end of the terminal ends the program with this status. The screen has been left. */
  readonly ended: (status: number) => void;
};

/** The terminal while this program uses it. Draws only the lines that have changed. */
export class Screen {
  readonly #out: Output;
  readonly #events: ScreenEvents;
  readonly #forget: (() => void)[] = [];
  #isTaken = false;
  #drawn: readonly string[] = [];

  constructor(out: Output, events: ScreenEvents) {
    this.#out = out;
    this.#events = events;
  }

  get size(): { readonly columns: number; readonly rows: number } {
    const { columns, rows } = host.terminal.size(1) ?? { columns: 0, rows: 0 };
    // A terminal without a known size reports 0.
    return { columns: columns > 0 ? columns : 80, rows: rows > 0 ? rows : 24 };
  }

  /** Uses the terminal until `close`. */
  open(): void {
    this.#on("SIGINT", () => this.#end(128 + 2));
    this.#on("SIGTERM", () => this.#end(128 + 15));
    this.#on("SIGHUP", () => this.#end(128 + 1));
    this.#on("SIGQUIT", () => this.#end(128 + 3));
    this.#on("SIGTSTP", () => this.suspend());
    this.#on("SIGCONT", () => this.#resume());
    this.#on("SIGWINCH", () => this.#resize());
    this.#forget.push(atEnd(() => this.#leave()));
    if (host.terminal.isTerminal(0)) this.#listen();
    this.#enter();
  }

  /** Restores it. */
  close(): void {
    this.#leave();
    for (const forget of this.#forget.splice(0)) forget();
  }

  /** Suspends the program as Ctrl-Z does, with the terminal restored; `fg` continues it. */
  suspend(): void {
    this.#leave();
    host.processes.kill(host.processes.identity().pid, SIGNALS.SIGSTOP);
  }

  /** Shows these lines, one for each row of the screen. Only what has changed since the last time is written. */
  draw(lines: readonly string[]): void {
    if (!this.#isTaken) return;
    // The size may change before the signal arrives.
    const isWhole = lines.length !== this.#drawn.length;
    let text = isWhole ? "\x1b[2J" : "";
    for (const [row, line] of lines.entries()) {
      // Erased first: after a line that is as wide as the screen, the cursor is still on its last character.
      if (isWhole || line !== this.#drawn[row]) text += `\x1b[${row + 1};1H\x1b[K${line}`;
    }
    this.#drawn = lines;
    this.#write(text);
  }

  #on(name: SignalName, listener: () => void): void {
    this.#forget.push(host.signals.on(name, listener));
  }

  #listen(): void {
    const ended = (): void => this.#end(128 + 1);
    this.#forget.push(host.terminal.read({ typed: this.#events.typed, ended }));
  }

  #enter(): void {
    this.#isTaken = true;
    this.#drawn = [];
    this.#setRaw(true);
    host.terminal.undoScreen(LEAVE);
    this.#write(ENTER);
  }

  #leave(): void {
    if (!this.#isTaken) return;
    this.#isTaken = false;
    this.#write(LEAVE);
    host.terminal.undoScreen("");
    this.#setRaw(false);
  }

  #resume(): void {
    if (!this.#isTaken) this.#enter();
    this.#resize();
  }

  #resize(): void {
    if (!this.#isTaken) return;
    this.#drawn = [];
    this.#events.changed();
  }

  #setRaw(isRaw: boolean): void {
    if (!host.terminal.isTerminal(0)) return;
    try {
      host.terminal.setRaw(isRaw ? "raw" : "cooked");
    } catch (error) {
      // The terminal was closed, so there is nothing to restore.
      if (isRaw) throw error;
    }
  }

  #end(status: number): void {
    this.#leave();
    this.#events.ended(status);
  }

  /** A closed terminal ends the program like SIGHUP. */
  #write(text: string): void {
    if (text === "") return;
    try {
      this.#out.writeNow(text);
    } catch {
      this.#isTaken = false;
    }
    if (this.#out.hasReader && (this.#isTaken || text.endsWith(LEAVE))) return;
    this.#isTaken = false;
    this.#events.ended(128 + 1);
  }
}
