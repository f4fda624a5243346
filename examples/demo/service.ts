// The demo's crank: started in its own directory, followed through its events and its workers' lines, and ended.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import type { EventEntry } from "../../src/control/messages.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const NAME = "demo";

export type Told = { readonly status: number | null; readonly stdout: string; readonly stderr: string };
/** What a worker printed, as crank passes it on. */
export type WorkerLine = { readonly time: string; readonly id: number; readonly pid: number; readonly line: string };
export type Hearing = { event(entry: EventEntry): void; line(line: WorkerLine): void };

export class Service {
  readonly directory = mkdtempSync(join(tmpdir(), "crank-demo-"));
  #started: ChildProcess[] = [];
  #crank: ChildProcess | null = null;
  #stderr = "";

  /** Starts crank on a free port, and returns the port when it listens. */
  async start(hearing: Hearing): Promise<number> {
    const flags = ["-prefix", this.directory, "-name", NAME, "-bind", "127.0.0.1:0", "-log-format", "json"];
    const crank = this.#spawn("crank", flags);
    this.#crank = crank;
    createInterface({ input: crank.stdout ?? process.stdin }).on("line", (text) => hearing.line(JSON.parse(text)));
    const port = await new Promise<number>((found, failed) => {
      crank.stderr?.on("data", (piece: Buffer) => {
        this.#stderr += piece.toString();
        const match = /Listening on tcp\S*:(\d+)/.exec(this.#stderr);
        if (match) found(Number(match[1]));
      });
      crank.on("exit", (status) => failed(new Error(`crank ended with status ${status}: ${this.#stderr}`)));
    });
    const following = ["-prefix", this.directory, "-name", NAME, "events", "-json", "-from", "0"];
    const events = this.#spawn("crankctl", following);
    createInterface({ input: events.stdout ?? process.stdin }).on("line", (text) => hearing.event(JSON.parse(text)));
    return port;
  }

  /** Runs crankctl to its end. */
  ctl(...args: readonly string[]): Promise<Told> {
    const child = this.#spawn("crankctl", ["-prefix", this.directory, "-name", NAME, ...args]);
    let stdout = "";
    let stderr = "";
    child.stdout?.on("data", (piece: Buffer) => {
      stdout += piece.toString();
    });
    child.stderr?.on("data", (piece: Buffer) => {
      stderr += piece.toString();
    });
    return new Promise((ended) => child.on("close", (status) => ended({ status, stdout, stderr })));
  }

  /** Kills the supervisor with SIGKILL, and returns its pid. */
  async killSupervisor(): Promise<number> {
    const { supervisorPid } = JSON.parse((await this.ctl("info", "-json")).stdout) as { supervisorPid: number };
    process.kill(supervisorPid, "SIGKILL");
    return supervisorPid;
  }

  /** The resident memory of the keeper, kB. */
  keeperMemory(): number {
    const text = readFileSync(`/proc/${this.#crank?.pid}/status`, "utf8");
    return Number(/VmRSS:\s+(\d+)/.exec(text)?.[1] ?? 0);
  }

  /** Crank's log so far. */
  get log(): string {
    return this.#stderr;
  }

  /** Ends all processes that were started here, including the workers, and removes the directory. */
  async clean(): Promise<void> {
    const workers = this.#crank?.exitCode === null && this.#crank.pid ? descendants(this.#crank.pid) : [];
    for (const pid of workers) endNow(pid);
    for (const child of this.#started) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill("SIGKILL");
      await new Promise((ended) => child.once("exit", ended));
    }
    rmSync(this.directory, { recursive: true, force: true });
  }

  #spawn(program: "crank" | "crankctl", args: readonly string[]): ChildProcess {
    const child = spawn(join(ROOT, "bin", program), args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
    this.#started.push(child);
    return child;
  }
}

const descendants = (pid: number): readonly number[] => {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean);
    return children.flatMap((child) => [Number(child), ...descendants(Number(child))]);
  } catch {
    return [];
  }
};

const endNow = (pid: number): void => {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has already exited.
  }
};
