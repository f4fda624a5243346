// A service whose crank is upgraded: an installation that a link leads to, the service `web`, and what has to be the same
// afterwards.
import { readdirSync, readFileSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { join } from "node:path";
import type { Info, Status } from "../../../src/control/messages.ts";
import { install, pointTo } from "./installation.ts";
import { Bench, descendants, type Ended, portOf, ROOT, type Running, waitFor } from "./service.ts";

export const RESPONDER = ["python3", join(ROOT, "test/apps/responder.py")];

export class Upgraded {
  readonly bench = new Bench();
  /** What crank is started by: a link. */
  readonly link: string;
  /** Where it leads to at first. */
  readonly installed: string;
  readonly #env: Readonly<Record<string, string>>;
  #crank: Running | null = null;

  /** `env`: more variables for crank. */
  constructor(env: Readonly<Record<string, string>> = {}) {
    this.#env = env;
    this.link = this.path("crank");
    this.installed = install(this.path("one"));
    pointTo(this.link, this.installed);
  }

  path(name: string): string {
    return join(this.bench.directory, name);
  }

  /** Starts crank by the link, and waits until it listens. */
  async start(...args: readonly string[]): Promise<Running> {
    return this.#run([this.link, ...this.#arguments, ...args]);
  }

  /** The same by a descriptor of the program, as systemd does it. */
  async startByDescriptor(): Promise<Running> {
    const script =
      "import os, sys; os.execve(os.open(sys.argv[1], os.O_RDONLY | os.O_CLOEXEC), sys.argv[1:], os.environ)";
    return this.#run(["python3", "-c", script, this.link, ...this.#arguments]);
  }

  get #arguments(): readonly string[] {
    return ["-prefix", this.bench.directory, "-name", "web", "-bind", "127.0.0.1:0"];
  }

  async #run(command: readonly string[]): Promise<Running> {
    const crank = this.bench.start(command, { env: this.#env });
    this.#crank = crank;
    await waitFor("crank", () => crank.stderr().includes("Listening on"));
    return crank;
  }

  get crank(): Running {
    if (!this.#crank) throw new Error("crank was not started");
    return this.#crank;
  }

  get port(): number {
    return portOf(this.crank);
  }

  ctl(...args: readonly string[]): Promise<Ended> {
    return this.bench.ctl("web", ...args);
  }

  deploy(...args: readonly string[]): Promise<Ended> {
    return this.ctl("run", "-wait", ...args);
  }

  async info(): Promise<Info> {
    return JSON.parse((await this.ctl("info", "-json")).stdout);
  }

  async status(): Promise<Status> {
    return JSON.parse((await this.ctl("status", "-json")).stdout);
  }

  async workers(): Promise<number[]> {
    return (await this.status()).workers.map((worker) => worker.pid ?? 0);
  }

  /** Waits for this many upgrades in all. */
  upgrades(count: number): Promise<Info> {
    return waitFor(`${count} upgrades`, async () => {
      const info = await this.info();
      return info.upgrades === count && info;
    });
  }

  /** What the service answers to a connection. */
  answer(): Promise<string> {
    return new Promise((resolve, reject) => {
      let text = "";
      const socket = createConnection(this.port, "127.0.0.1");
      socket.on("data", (bytes) => {
        text += bytes;
      });
      socket.on("end", () => resolve(text));
      socket.on("error", reject);
    });
  }

  /** A connection to the control socket, with the lines that came. */
  async control(): Promise<{ readonly socket: Socket; readonly lines: string[] }> {
    const socket = createConnection(this.path("web.ctl"));
    const lines: string[] = [];
    let rest = "";
    socket.on("data", (bytes) => {
      const parts = (rest + bytes).split("\n");
      rest = parts.pop() ?? "";
      lines.push(...parts);
    });
    await new Promise<void>((resolve, reject) => {
      socket.on("connect", resolve);
      socket.on("error", reject);
    });
    return { socket, lines };
  }

  /** The keeper's open descriptors, as what they are. */
  descriptors(): string[] {
    return readdirSync(`/proc/${this.crank.pid}/fd`);
  }

  zombies(): number[] {
    return descendants(this.crank.pid).filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
      } catch {
        return false;
      }
    });
  }

  clean(): Promise<void> {
    return this.bench.clean();
  }
}
