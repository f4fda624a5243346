// The service manager's side, played by test/apps/service-manager.py: what crank sent to it, and the orders that it was
// given.
import { join } from "node:path";
import { type Bench, CRANK, ROOT, type Running, type StartOptions } from "./bench.ts";
import { waitFor } from "./wait.ts";

/** One event there. `fds`: how many descriptors came with the message. */
export type Happening = {
  readonly kind: string;
  readonly pid: number;
  readonly said: Readonly<Record<string, string>>;
  readonly fds: number;
  readonly status: number;
  readonly passed: readonly string[];
  readonly names: readonly string[];
  readonly port: number;
  /** CLOCK_MONOTONIC, microseconds. */
  readonly at: number;
};

/** `socket`: where NOTIFY_SOCKET is. `command`: what starts crank, instead of crank itself. */
type Options = StartOptions & { readonly socket?: string; readonly command?: readonly string[] };

export class ServiceManager {
  readonly #process: Running;
  #seen = 0;

  private constructor(running: Running) {
    this.#process = running;
  }

  /** Plays the manager of one crank, which the order `start` starts. */
  static async of(bench: Bench, args: readonly string[], options: Options = {}): Promise<ServiceManager> {
    const socket = options.socket ?? join(bench.directory, "notify.sock");
    const crank = [...(options.command ?? [CRANK]), "-prefix", bench.directory, "-name", "web", ...args];
    const program = join(ROOT, "test/apps/service-manager.py");
    const manager = new ServiceManager(
      bench.start(["python3", program, socket, ...crank], { ...options, stdin: "pipe" }),
    );
    await manager.next("ready");
    return manager;
  }

  /** All events so far, oldest first. */
  get happened(): readonly Happening[] {
    const text = this.#process.stdout();
    return text
      .slice(0, text.lastIndexOf("\n") + 1)
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line));
  }

  /** Everything that crank sent, except the watchdog's heartbeats. */
  get said(): readonly Happening["said"][] {
    return this.happened.flatMap(({ kind, said }) => (kind === "said" && said.WATCHDOG !== "1" ? [said] : []));
  }

  /** crank's output. */
  get log(): string {
    return this.#process.stderr();
  }

  order(words: string): void {
    this.#process.write(`${words}\n`);
  }

  /** Waits for the next event of a kind, after the last one that was waited for. */
  next(kind: string): Promise<Happening> {
    return this.#await(kind, (happening) => happening.kind === kind);
  }

  /** Waits until crank sends this. */
  hears(name: string, value: string | RegExp = /./): Promise<Happening["said"]> {
    const isIt = ({ kind, said }: Happening): boolean =>
      kind === "said" &&
      said[name] !== undefined &&
      (typeof value === "string" ? said[name] === value : value.test(said[name]));
    return this.#await(`${name}=${value}`, isIt).then(({ said }) => said);
  }

  /** Starts crank and waits until it reports that it is ready. Returns its pid. */
  async startReady(): Promise<number> {
    this.order("start");
    const { pid } = await this.next("started");
    await this.hears("READY", "1");
    return pid;
  }

  #await(what: string, isIt: (happening: Happening) => boolean): Promise<Happening> {
    return waitFor(`${what} at the service manager: ${this.#process.stderr()}`, () => {
      const { happened } = this;
      const at = happened.findIndex((happening, index) => index >= this.#seen && isIt(happening));
      if (at >= 0) this.#seen = at + 1;
      return happened[at];
    });
  }
}
