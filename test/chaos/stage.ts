// The service under chaos: its successive cranks, on a disk of its own that can be filled, and its processes.
import { mkdirSync, readdirSync, readFileSync, readlinkSync, statfsSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { Bench, CRANK, CRANKCTL, type Ended, ROOT, type Running } from "../e2e/harness/bench.ts";
import { freePorts } from "../e2e/harness/ports.ts";
import { isAlive, killCrank } from "../e2e/harness/processes.ts";
import { waitFor } from "../e2e/harness/wait.ts";

/** Size of the disk in bytes: room for journal, record and locks, and small enough to fill at once. */
const DISK = "16m";
const LISTENING = "0A";

export type WorkerSeen = {
  readonly pid: number | null;
  readonly id: number;
  readonly generation: number;
  readonly state: string;
};
export type StatusSeen = {
  readonly generation: number;
  readonly instances: number;
  readonly rollout: object | null;
  readonly workers: readonly WorkerSeen[];
};
export type RunSeen = {
  readonly generation: number;
  readonly current: boolean;
  readonly command: readonly string[];
  readonly instances: number;
};

export class Stage {
  readonly bench = new Bench();
  readonly name = `chaos${process.pid}`;
  readonly port: number;
  readonly #prefix: string;
  /** The process whose mount namespace has the disk; null: there is none, and nothing fills it. */
  readonly #holder: Running | null;
  crank: Running;
  /** Everything that earlier cranks wrote to standard error. */
  said = "";

  static async open(): Promise<Stage> {
    const [port = 0] = await freePorts(1);
    const stage = new Stage(port);
    await waitFor("the disk", () => stage.#holder === null || stage.#holder.stdout().includes("mounted"));
    stage.crank = await stage.#start();
    return stage;
  }

  private constructor(port: number) {
    this.port = port;
    this.#prefix = join(this.bench.directory, "disk");
    mkdirSync(this.#prefix);
    const script = `mount -t tmpfs -o size=${DISK} crank-chaos "$1" && echo mounted && exec sleep 86400`;
    const isPossible = Bun.spawnSync(["unshare", "--mount", "true"]).success;
    this.#holder = isPossible ? this.bench.start(["unshare", "--mount", "sh", "-c", script, "sh", this.#prefix]) : null;
    this.crank = { ...this.bench.start(["true"]) };
  }

  get hasDisk(): boolean {
    return this.#holder !== null;
  }

  /** A command line, run where the disk is mounted. */
  #there(command: readonly string[]): readonly string[] {
    if (this.#holder === null) return command;
    return ["nsenter", "-t", String(this.#holder.pid), "--mount", `--wd=${ROOT}`, "--", ...command];
  }

  async #start(): Promise<Running> {
    const flags = ["-prefix", this.#prefix, "-name", this.name, "-bind", `127.0.0.1:${this.port}`, "-respawn"];
    const crank = this.bench.start(this.#there([CRANK, ...flags]));
    const isHere = async () => crank.stderr().includes("Listening on") && (await this.ctl("info")).status === 0;
    await Promise.race([
      waitFor("crank", isHere),
      crank.ended.then(({ status, stderr }) => {
        throw new Error(`crank ended with ${status}: ${stderr}`);
      }),
    ]);
    return crank;
  }

  ctl(...args: readonly string[]): Promise<Ended> {
    return this.bench.run(this.#there([CRANKCTL, "-prefix", this.#prefix, "-name", this.name, ...args]));
  }

  async status(): Promise<StatusSeen> {
    return this.#json("status");
  }

  async history(): Promise<readonly RunSeen[]> {
    return this.#json("history");
  }

  async #json(command: string) {
    const { status, stdout, stderr } = await this.ctl(command, "-json");
    if (status !== 0) throw new Error(`crankctl ${command}: ${stderr}`);
    return JSON.parse(stdout);
  }

  /** Kills the keeper and with it the supervisor; the next crank starts after the pause. */
  async replaceCrank(pauseMs: number): Promise<void> {
    await killCrank(this.crank);
    this.said += this.crank.stderr();
    await Bun.sleep(pauseMs);
    this.crank = await this.#start();
  }

  /** Fills the disk, or frees it. */
  async fill(): Promise<void> {
    await this.bench.run(["sh", "-c", 'cat /dev/zero > "$1"', "sh", this.#ballast()]);
    if (statfsSync(this.#disk()).bavail > 0) throw new Error("the disk could not be filled");
  }

  free(): void {
    truncateSync(this.#ballast(), 0);
  }

  #disk(): string {
    return `/proc/${this.#holder?.pid}/root${this.#prefix}`;
  }

  #ballast(): string {
    return join(this.#disk(), "ballast");
  }

  /**
   * Every process of the service except keeper and supervisor, found by the name in its environment or by a listening
   * socket.
   */
  processes(): ReadonlyMap<number, string> {
    const inodes = listeningInodes(this.port);
    const own = new Set([this.crank.pid, process.pid]);
    const found = new Map<number, string>();
    for (const entry of readdirSync("/proc")) {
      const pid = Number(entry);
      if (!Number.isInteger(pid) || own.has(pid) || !isAlive(pid)) continue;
      const environment = textOf(`/proc/${pid}/environ`).split("\0");
      const command = textOf(`/proc/${pid}/cmdline`).split("\0").join(" ").trim();
      const isSupervisor = parentOf(pid) === this.crank.pid && !environment.includes(`CRANK_NAME=${this.name}`);
      if (isSupervisor) continue;
      if (environment.includes(`CRANK_NAME=${this.name}`)) found.set(pid, `${command} (by its environment)`);
      else if (holdsOneOf(pid, inodes)) found.set(pid, `${command} (holds the socket)`);
    }
    return found;
  }

  async close(): Promise<void> {
    await this.bench.clean();
    for (const pid of this.processes().keys()) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has just ended.
      }
    }
  }
}

const textOf = (path: string): string => {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return ""; // It has just ended.
  }
};

export const parentOf = (pid: number): number =>
  Number(/^PPid:\s*(\d+)$/m.exec(textOf(`/proc/${pid}/status`))?.[1] ?? 0);

const listeningInodes = (port: number): ReadonlySet<string> => {
  const local = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const lines = textOf("/proc/net/tcp")
    .split("\n")
    .map((line) => line.trim().split(/\s+/));
  const listening = lines.filter((fields) => fields[1]?.endsWith(local) && fields[3] === LISTENING);
  return new Set(listening.map((fields) => `socket:[${fields[9]}]`));
};

const holdsOneOf = (pid: number, links: ReadonlySet<string>): boolean => {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => links.has(linkOf(`/proc/${pid}/fd/${fd}`)));
  } catch {
    return false;
  }
};

const linkOf = (path: string): string => {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
};
