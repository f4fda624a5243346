// A service whose workers are programs that do not know crank, with crank/register loaded first.
import { expect } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Ended, ROOT } from "../e2e/harness/bench.ts";
import { Service } from "../e2e/harness/service.ts";
import { waitFor } from "../e2e/harness/wait.ts";
import { RUNTIMES } from "./runtimes.ts";

export const NODE = RUNTIMES.get("Node")?.[0] ?? "node";

export class Registered extends Service {
  /** The runtime, and the flags before the program. */
  runtime: readonly string[] = [NODE];
  preload: readonly string[] = ["--import", "crank/register"];

  override async open(): Promise<void> {
    await super.open();
    mkdirSync(this.path("node_modules"));
    symlinkSync(ROOT, this.path("node_modules/crank"));
    symlinkSync(join(ROOT, "node_modules/ws"), this.path("node_modules/ws"));
  }

  /** Deploys this program, with flags of `crankctl run`, in the test's directory. */
  source(text: string, { name = "server.mjs", flags = [] }: ProgramOptions = {}): Promise<Ended> {
    writeFileSync(this.path(name), text);
    return this.command([...this.preload, name], flags);
  }

  command(words: readonly string[], flags: readonly string[] = []): Promise<Ended> {
    return this.run("-cwd", this.directory, ...flags, "--", ...this.runtime, ...words);
  }

  /** The output of workers and crank. */
  get log(): string {
    return `${this.crank.stdout()}${this.crank.stderr()}`;
  }

  async logged(words: string | RegExp): Promise<void> {
    await waitFor(`${words} in ${this.log}`, () =>
      typeof words === "string" ? this.log.includes(words) : words.test(this.log),
    );
  }
}

type ProgramOptions = { readonly name?: string; readonly flags?: readonly string[] };

export const DONE = { status: 0, stdout: expect.stringContaining(" deployed in "), stderr: "" };

/** The source of a server of node:http on port 3000, followed by this. */
export const httpServer = (more = ""): string => `
import http from "node:http";
const server = http.createServer((request, response) => response.end(process.env.VERSION + "\\n"));
server.listen(3000);
${more}
`;
