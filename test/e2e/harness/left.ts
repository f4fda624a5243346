// A service whose crank is killed: the crank, the next one, and what is left behind, found and ended by what only this
// bench's workers were given.
import { readdirSync, readFileSync } from "node:fs";
import { createConnection } from "node:net";
import { join } from "node:path";
import { killCrank } from "./kill-crank.ts";
import { freePorts } from "./ports.ts";
import { Bench, CRANK, isAlive, ROOT, type Running, waitFor } from "./service.ts";

export { killCrank } from "./kill-crank.ts";

export const RESPONDER = ["python3", join(ROOT, "test/apps/responder.py")];

export type Worker = { readonly pid: number; readonly id: number; readonly state: string };

/** The service `web` on a port of its own. */
export class Service {
  readonly bench = new Bench();
  readonly port: number;

  static async open(): Promise<Service> {
    const [port = 0] = await freePorts(1);
    return new Service(port);
  }

  private constructor(port: number) {
    this.port = port;
  }

  /** crank's command line. */
  get command(): readonly string[] {
    return [CRANK, "-prefix", this.bench.directory, "-name", "web", "-bind", `127.0.0.1:${this.port}`];
  }

  start(...args: readonly string[]): Promise<Running> {
    return this.bench.crank("web", ["-bind", `127.0.0.1:${this.port}`, ...args]);
  }

  /** Starts the next crank, which adopts. */
  async adopt(...args: readonly string[]): Promise<Running> {
    const crank = await this.start(...args);
    await waitFor("the adoption", () => crank.stderr().includes("Adopted "));
    return crank;
  }

  async replace(crank: Running, ...args: readonly string[]): Promise<Running> {
    await killCrank(crank);
    return this.adopt(...args);
  }

  async deploy(...args: readonly string[]): Promise<void> {
    const { status, stdout, stderr } = await this.bench.ctl("web", "run", "-wait", ...args);
    if (status !== 0) throw new Error(`${stdout}${stderr}`);
  }

  async workers(): Promise<readonly Worker[]> {
    const { status, stdout, stderr } = await this.bench.ctl("web", "ps", "-json");
    if (status !== 0) throw new Error(stderr);
    return JSON.parse(stdout).workers ?? JSON.parse(stdout);
  }

  /** The processes that are to go on; a deploy is complete while those before it are still being stopped. */
  async pids(): Promise<number[]> {
    return (await this.workers()).filter(({ state }) => state !== "stopping").map(({ pid }) => pid);
  }

  /** What the responder answers to a connection. */
  ask(): Promise<string> {
    return new Promise((done, fail) => {
      const connection = createConnection(this.port, "127.0.0.1");
      let text = "";
      connection.on("data", (bytes) => {
        text += bytes.toString();
      });
      connection.once("close", () => done(text)).once("error", fail);
    });
  }

  path(name: string): string {
    return join(this.bench.directory, name);
  }

  async clean(): Promise<void> {
    await this.bench.clean();
    await endLeft(this.bench);
  }
}

/** Every living process whose environment has the bench's directory in it. */
const leftProcesses = ({ directory }: Bench): number[] =>
  readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) return [];
    try {
      return readFileSync(`/proc/${name}/environ`, "utf8").includes(`${directory}/`) ? [Number(name)] : [];
    } catch {
      return [];
    }
  });

/** Ends what no crank ends any more. */
export const endLeft = async (bench: Bench): Promise<void> => {
  for (const pid of leftProcesses(bench)) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has just ended.
    }
  }
  await waitFor("the end of what was left", () => leftProcesses(bench).every((pid) => !isAlive(pid)));
};
