// What the tests of workers' process trees share: a service whose workers record their pids and answer when told.
import { existsSync, readFileSync } from "node:fs";
import { createConnection } from "node:net";
import { join } from "node:path";
import { ROOT } from "../harness/bench.ts";
import type { Service, Worker } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";

export const PATIENT = `python3 ${join(ROOT, "test/apps/patient.py")}`;

export const sh = (script: string): string[] => ["--", "sh", "-c", script];

/** Deploys programs to the service, and finds the processes that they started. */
export const treesOf = (service: Service) => {
  const flags = (): string[] => ["-env", `HOLD=${service.path("go")}`, "-env", `PIDS=${service.path("pids")}`];
  const run = (...words: string[]) => service.run(...flags(), ...words);
  const deploy = async (...words: string[]): Promise<void> => service.deploy(...flags(), ...words);
  /** The pids of all servers so far, in the order of their starts. */
  const servers = (): number[] =>
    existsSync(service.path("pids"))
      ? readFileSync(service.path("pids"), "utf8")
          .split("\n")
          .flatMap((line) => (line === "" ? [] : [Number(line)]))
      : [];
  const server = (index: number): Promise<number> =>
    waitFor(`server ${index}`, () => servers()[index] ?? null) as Promise<number>;

  /** Sends a line to the service; returns the answer. */
  const ask = (line: string): { readonly connected: Promise<void>; readonly answer: Promise<string> } => {
    const connected = Promise.withResolvers<void>();
    const answer = new Promise<string>((done, fail) => {
      let text = "";
      const connection = createConnection(service.port, "127.0.0.1", () => {
        connection.write(`${line}\n`);
        connected.resolve();
      });
      connection.on("data", (bytes) => {
        text += bytes;
      });
      connection.once("close", () => done(text)).once("error", fail);
    });
    return { connected: connected.promise, answer };
  };

  /** A worker by its number, if it exists. */
  const shown = async (id: number): Promise<Worker | undefined> =>
    (await service.ps()).find((worker) => worker.id === id);

  return { run, deploy, servers, server, ask, shown };
};
