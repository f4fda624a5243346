// The terminal's side of the line editor: sets up the terminal, passes keys to the pure part, draws, and restores the
// terminal whenever the program ends or stops.
import { host } from "#host";
import type { Output } from "../../commands/output.ts";
import { atEnd, endProgram } from "../../commands/program.ts";
import { SIGNALS, type SignalName } from "../../host/signals.ts";
import { type Completer, listed } from "./completion.ts";
import { beginLine, type Editing, type Effect, press, shownOf } from "./editing.ts";
import { type History, remember } from "./history.ts";
import { type Key, keysAfterPause, keysIn, NOTHING, type Pending } from "./keys.ts";
import { back, backAfterResize, changed, drawn, leave, type Picture, pictureOf, type Size } from "./layout.ts";
import { MOST_LINE } from "./line.ts";
import type { Lines } from "./lines.ts";

const { clock, processes, signals, terminal } = host;

/** If nothing follows an Escape within this time, it was the key and not the beginning of a sequence, as in readline(3). */
const ESCAPE_MS = 500;
/** Minimum time between drawings during a paste. */
const PASTE_DRAW_MS = 100;
/** Resizing a window with the mouse reports many sizes. */
const RESIZE_DRAW_MS = 20;

/** xterm's bracketed paste: pasted text is marked. */
const PASTE_ON = "\x1b[?2004h";
const PASTE_OFF = "\x1b[?2004l";
const CLEAR_SCREEN = "\x1b[H\x1b[2J";
const BELL = "\x07";
const UNKNOWN_SIZE = { columns: 80, rows: 24 };

const ENDING: readonly SignalName[] = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"];

type Timer = ReturnType<typeof clock.after>;

export class LineEditor implements Lines {
  readonly #out: Output;
  readonly #prompt: string;
  readonly #complete: Completer;
  readonly #forget: (() => void)[] = [];
  #forgetStop: () => void = () => {};
  #isTaken = false;
  #hasEnded = false;
  #history: History = [];
  #editing: Editing = beginLine([], "");
  #pending: Pending = NOTHING;
  /** Input that arrived while no line was read, or after the end of a line. */
  readonly #ahead: Key[] = [];
  #aheadLength = 0;
  #give: ((line: string | null) => void) | null = null;
  #interrupted: () => void = () => {};
  #picture: Picture | null = null;
  #escape: Timer | null = null;
  #drawing: Timer | null = null;

  /** Resolves at ^C while a line is answered. */
  readonly interrupted = new Promise<void>((resolve) => {
    this.#interrupted = resolve;
  });

  /** Uses the terminal until `close`. */
  constructor(out: Output, prompt: string, complete: Completer) {
    this.#out = out;
    this.#prompt = prompt;
    this.#complete = complete;
    this.#open();
  }

  next(): Promise<string | null> {
    if (this.#hasEnded && this.#ahead.length === 0) return Promise.resolve(null);
    this.#editing = beginLine(this.#history, this.#editing.cut);
    this.#picture = null;
    return new Promise((resolve) => {
      this.#give = resolve;
      const ahead = this.#ahead.splice(0);
      this.#aheadLength = 0;
      this.#press(ahead);
    });
  }

  remember(entry: string): void {
    this.#history = remember(this.#history, entry);
  }

  close(): void {
    this.#release();
    this.#escape?.cancel();
    this.#drawing?.cancel();
    this.#forgetStop();
    for (const forget of this.#forget.splice(0)) forget();
  }

  #open(): void {
    for (const name of ENDING) this.#forget.push(signals.on(name, () => this.#end(128 + SIGNALS[name])));
    this.#forgetStop = signals.on("SIGTSTP", () => this.#suspend());
    this.#forget.push(signals.on("SIGCONT", () => this.#resume()));
    this.#forget.push(signals.on("SIGWINCH", () => this.#resized()));
    this.#forget.push(atEnd(() => this.#release()));
    this.#take();
    this.#forget.push(terminal.read({ typed: (text) => this.#typed(text), ended: () => this.#finish() }));
  }

  // Keys ----------------------------------------------------------------------------------------------------------------

  #typed(text: string): void {
    this.#escape?.cancel();
    const { keys, pending } = keysIn(this.#pending, text);
    this.#pending = pending;
    if (pending.rest !== "" && !pending.isPasting) this.#escape = clock.after(ESCAPE_MS, () => this.#paused());
    this.#press(keys);
  }

  #paused(): void {
    const { keys, pending } = keysAfterPause(this.#pending);
    this.#pending = pending;
    this.#press(keys);
  }

  #press(keys: readonly Key[]): void {
    for (const key of keys) {
      if (this.#give === null) this.#keep(key);
      else this.#do(key);
    }
    if (this.#give === null) return;
    if (this.#hasEnded) this.#deliver(null);
    else if (this.#pending.isPasting) this.#drawing ??= clock.after(PASTE_DRAW_MS, () => this.#draw());
    else this.#draw();
  }

  /** While a line is answered, keys wait, except those that stop the program. */
  #keep(key: Key): void {
    if (key.kind === "command") {
      if (key.command === "interrupt") return this.#interrupted();
      if (key.command === "suspend") return this.#suspend();
      if (key.command === "quit") return this.#end(128 + SIGNALS.SIGQUIT);
    }
    const length = "text" in key ? key.text.length : 1;
    if (this.#aheadLength + length > MOST_LINE) return this.#write(BELL);
    this.#aheadLength += length;
    this.#ahead.push(key);
  }

  #do(key: Key): void {
    const { editing, effect } = press(this.#editing, key, { history: this.#history, complete: this.#complete });
    this.#editing = editing;
    this.#perform(effect);
  }

  #perform(effect: Effect): void {
    switch (effect.kind) {
      case "none":
        return;
      case "bell":
        return this.#write(BELL);
      case "accept":
        return this.#deliver(effect.text);
      case "leave":
        return this.#deliver(null);
      case "suspend":
        return this.#suspend();
      case "quit":
        return this.#end(128 + SIGNALS.SIGQUIT);
      case "clearScreen":
        this.#write(CLEAR_SCREEN);
        this.#picture = null;
        return this.#draw();
      case "list":
        return this.#list(effect.candidates);
    }
  }

  #list(candidates: readonly string[]): void {
    this.#leavePicture();
    this.#write(listed(candidates, this.#size().columns).join("\r\n"));
    this.#write("\r\n");
  }

  /** The line is complete: it stays on the screen, and later output is below it. */
  #deliver(line: string | null): void {
    const give = this.#give;
    this.#leavePicture();
    this.#give = null;
    give?.(line);
  }

  /** No more input: the terminal was closed. */
  #finish(): void {
    this.#hasEnded = true;
    this.#interrupted();
    if (this.#give !== null) this.#deliver(null);
  }

  // The screen ----------------------------------------------------------------------------------------------------------

  #size(): Size {
    const { columns, rows } = terminal.size(1) ?? UNKNOWN_SIZE;
    // A terminal without a known size reports 0.
    return { columns: columns || UNKNOWN_SIZE.columns, rows: rows || UNKNOWN_SIZE.rows };
  }

  #draw(): void {
    this.#drawing?.cancel();
    this.#drawing = null;
    if (this.#give === null || !this.#isTaken) return;
    const { prompt, line } = shownOf(this.#editing, this.#prompt);
    const before = this.#picture;
    const size = this.#size();
    const after = pictureOf(prompt, line, size);
    this.#picture = after;
    if (before === null) this.#write(drawn(after));
    // The size may change before the signal arrives.
    else if (before.columns !== after.columns) this.#write(backAfterResize(before, size.columns) + drawn(after));
    else this.#write(changed(before, after));
  }

  #leavePicture(): void {
    // The last keys may not have been drawn yet.
    this.#draw();
    if (this.#picture !== null) this.#write(leave(this.#picture));
    this.#picture = null;
  }

  #resized(): void {
    if (this.#picture !== null) this.#drawing ??= clock.after(RESIZE_DRAW_MS, () => this.#draw());
  }

  // The terminal --------------------------------------------------------------------------------------------------------

  #take(): void {
    terminal.setRaw("raw");
    this.#isTaken = true;
    terminal.undoScreen(PASTE_OFF);
    this.#write(PASTE_ON);
  }

  #release(): void {
    if (!this.#isTaken) return;
    this.#write(PASTE_OFF);
    terminal.undoScreen("");
    this.#isTaken = false;
    try {
      terminal.setRaw("cooked");
    } catch {
      // The terminal was closed, so there is nothing to restore.
    }
  }

  /** Stops the process group, as ^Z does. Continues here after SIGCONT. */
  #suspend(): void {
    if (!this.#isTaken) return;
    this.#leavePicture();
    this.#release();
    this.#forgetStop();
    processes.kill(0, SIGNALS.SIGTSTP);
    this.#forgetStop = signals.on("SIGTSTP", () => this.#suspend());
    this.#take();
    this.#draw();
  }

  /** Continued after SIGSTOP, which cannot be handled: another program may have changed the terminal. */
  #resume(): void {
    if (!this.#isTaken) return;
    this.#take();
    if (this.#picture !== null) this.#write(back(this.#picture) + drawn(this.#picture));
  }

  #end(status: number): never {
    if (this.#picture !== null) this.#write(leave(this.#picture));
    this.#release();
    return endProgram(status);
  }

  /** A closed terminal is the end of the input. */
  #write(text: string): void {
    if (text === "" || !this.#isTaken) return;
    try {
      this.#out.write(text);
    } catch {
      this.#isTaken = false;
      this.#finish();
    }
  }
}
