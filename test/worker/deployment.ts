// A service whose workers are test/apps/library/worker.mjs, deployed by a real crank.
import { join } from "node:path";
import { Bench, portOf, ROOT, type Running } from "../e2e/harness/bench.ts";
import { Talk } from "../e2e/harness/talk.ts";
import { waitFor } from "../e2e/harness/wait.ts";
import { RUNTIMES, type RuntimeName } from "./runtimes.ts";

export type Kind = "http" | "https" | "http2" | "http2 over TLS" | "net" | "tls" | "ws";

const WORKER = join(ROOT, "test/apps/library/worker.mjs");
const BEHIND_TLS: readonly Kind[] = ["https", "http2 over TLS", "tls"];

export type DeployOptions = {
  /** The drain's options, as src/worker/drain.ts has them. */
  readonly drain?: Readonly<Record<string, unknown>>;
  readonly flags?: readonly string[];
};

export class Deployment {
  readonly bench = new Bench();
  readonly #runtime: RuntimeName;
  readonly #kind: Kind;
  #crank: Running | undefined;

  constructor(runtime: RuntimeName, kind: Kind) {
    this.#runtime = runtime;
    this.#kind = kind;
  }

  get port(): number {
    return portOf(this.#running());
  }

  /** The output of workers and crank. */
  get log(): string {
    return `${this.#running().stdout()}${this.#running().stderr()}`;
  }

  /** Starts crank and version 1. */
  async start(options: DeployOptions = {}): Promise<void> {
    this.#crank = await this.bench.crank("web", ["-bind", "127.0.0.1:0?name=main"]);
    await this.deploy(1, options);
  }

  /** Deploys a new version. Resolves when the old worker has been told to stop. */
  async deploy(version: number, { drain = {}, flags = [] }: DeployOptions = {}): Promise<void> {
    const env = ["-env", `VERSION=${version}`, "-env", `DRAIN=${JSON.stringify(drain)}`];
    const command = [...(RUNTIMES.get(this.#runtime) ?? []), WORKER, this.#kind];
    const ended = await this.bench.ctl("web", "run", "-wait", ...env, ...flags, "--", ...command);
    if (ended.status !== 0) throw new Error(`the deploy failed: ${ended.stderr}`);
  }

  /** Waits until the old worker drains. */
  async drains(): Promise<void> {
    await waitFor("the drain to begin", () => this.log.includes("told to stop"));
  }

  /** Waits until the old worker has drained by itself. Resolves to its last line. */
  async drained(): Promise<string> {
    const said = await waitFor("the drain's end", () => /drained: .*/.exec(this.log)?.[0]);
    await waitFor("the old worker to be gone", async () => {
      const { stdout } = await this.bench.ctl("web", "ps", "-stopping", "-json");
      return stdout.trim() === "[]";
    });
    return said;
  }

  talk(): Promise<Talk> {
    return Talk.open(this.port, BEHIND_TLS.includes(this.#kind) ? "TLS" : "plain");
  }

  #running(): Running {
    if (!this.#crank) throw new Error("crank has not been started");
    return this.#crank;
  }
}
