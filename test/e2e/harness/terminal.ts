// A real terminal for a test: tmux, whose screen shows what a person would see.
import { expect } from "bun:test";
import { join } from "node:path";
import { type Bench, CRANKCTL } from "./bench.ts";
import { isAlive } from "./processes.ts";
import type { Service } from "./service.ts";
import { waitFor } from "./wait.ts";

export type TerminalOptions = {
  readonly columns: number;
  readonly rows: number;
  readonly env?: Readonly<Record<string, string>>;
};

/** Interval between two looks at a screen, ms. */
const LOOK_MS = 50;

/** The `state` of an unchanged terminal. */
export const RESTORED = { otherScreen: false, cursor: true, wraps: true };

/** A shell in its own terminal; `close` it before the bench is cleaned. */
export class Terminal {
  readonly #bench: Bench;
  readonly #socket: string;

  private constructor(bench: Bench, socket: string) {
    this.#bench = bench;
    this.#socket = socket;
  }

  static async open(bench: Bench, { columns, rows, env = {} }: TerminalOptions): Promise<Terminal> {
    const terminal = new Terminal(bench, join(bench.directory, `tmux-${columns}x${rows}`));
    const size = ["-x", String(columns), "-y", String(rows)];
    const variables = { LANG: "C.UTF-8", PS1: "$ ", ...env };
    const settings = Object.entries(variables).flatMap(([name, value]) => ["-e", `${name}=${value}`]);
    await terminal.#tmux("new-session", "-d", ...size, ...settings, "bash --norc --noprofile");
    await terminal.see(/[$#] *$/m);
    return terminal;
  }

  /** Types text; `Enter`, `Up`, `C-z` and the like are keys. */
  async type(...keys: readonly string[]): Promise<void> {
    await this.#tmux("send-keys", ...keys);
  }

  /** Pastes text, marked as pasted if the program has asked for that. */
  async paste(text: string): Promise<void> {
    await this.#tmux("set-buffer", text);
    await this.#tmux("paste-buffer", "-p", "-r");
  }

  /** `crankctl ARGS`, followed by its status, as a line for the shell. */
  line(...args: readonly string[]): string {
    return `clear; ${CRANKCTL} -prefix ${this.#bench.directory} ${args.join(" ")}; echo "ended with $?"`;
  }

  /** Starts `crankctl ARGS` and waits until it has taken the screen. */
  async watch(...args: readonly string[]): Promise<void> {
    await this.type(this.line(...args), "Enter");
    await this.see("q quit");
  }

  /** The terminal is as it was, and its shell works as before. */
  async expectRestored(): Promise<void> {
    expect(await this.state()).toEqual(RESTORED);
    await this.type(
      "stty -a | tr ' ' '\\n' | grep -xE -- '-?(icanon|echo|isig|opost);?' | sort | xargs echo it is",
      "Enter",
    );
    await this.see(/^it is echo icanon isig opost/m);
  }

  /** The text of the screen, a line for each row, without trailing blanks. */
  async screen(): Promise<string> {
    return await this.#tmux("capture-pane", "-p");
  }

  /** The same, with the escape sequences of colours. */
  async colours(): Promise<string> {
    return await this.#tmux("capture-pane", "-p", "-e");
  }

  /** Waits until the screen holds what is looked for, and returns it. */
  async see(what: string | RegExp): Promise<string> {
    let seen = "";
    try {
      return await waitFor(`${what} on the screen`, async () => {
        // Each look starts a process.
        await Bun.sleep(LOOK_MS);
        seen = await this.screen();
        return (typeof what === "string" ? seen.includes(what) : what.test(seen)) && seen;
      });
    } catch (error) {
      throw new Error(`the screen shows\n${seen}`, { cause: error });
    }
  }

  async resize(columns: number, rows: number): Promise<void> {
    await this.#tmux("resize-window", "-x", String(columns), "-y", String(rows));
  }

  /** The column of the cursor, from 0. */
  async cursorColumn(): Promise<number> {
    return Number((await this.#tmux("display-message", "-p", "#{cursor_x}")).trim());
  }

  /** The settings of the terminal that a program may leave changed. */
  async state(): Promise<{ readonly otherScreen: boolean; readonly cursor: boolean; readonly wraps: boolean }> {
    const flags = await this.#tmux("display-message", "-p", "#{alternate_on} #{cursor_flag} #{wrap_flag}");
    const [alternate, cursor, wrap] = flags.trim().split(" ");
    return { otherScreen: alternate === "1", cursor: cursor === "1", wraps: wrap === "1" };
  }

  /** The pid of the program in the foreground of its shell. */
  async foreground(): Promise<number> {
    const shell = (await this.#tmux("display-message", "-p", "#{pane_pid}")).trim();
    const { stdout } = await this.#bench.run(["ps", "-o", "pid=", "--ppid", shell]);
    return Number(stdout.trim().split("\n").at(-1));
  }

  async close(): Promise<void> {
    const server = Number((await this.#tmux("display-message", "-p", "#{pid}")).trim());
    await this.#tmux("kill-server");
    await waitFor("the end of tmux", () => !isAlive(server));
  }

  async #tmux(...words: readonly string[]): Promise<string> {
    const { status, stdout, stderr } = await this.#bench.run(
      ["tmux", "-u", "-S", this.#socket, "-f", "/dev/null", ...words],
      {
        env: { TMUX: undefined },
      },
    );
    if (status !== 0) throw new Error(`tmux ${words[0]}: ${stderr}`);
    return stdout;
  }
}

/** The terminals of each test of a service. */
export class Terminals {
  readonly #service: Service;
  #open: Terminal[] = [];

  constructor(service: Service) {
    this.#service = service;
    service.atEnd(() => this.close());
  }

  async open(options: TerminalOptions): Promise<Terminal> {
    const terminal = await Terminal.open(this.#service.bench, options);
    this.#open.push(terminal);
    return terminal;
  }

  async close(): Promise<void> {
    for (const terminal of this.#open.splice(0)) await terminal.close();
  }
}
