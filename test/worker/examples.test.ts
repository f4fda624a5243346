// The workers of examples/workers, each in its own language: a real crank replaces them without clients noticing.
import { describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../e2e/harness/bench.ts";
import { eachTest } from "../e2e/harness/each-test.ts";
import { Service } from "../e2e/harness/service.ts";
import { Talk } from "../e2e/harness/talk.ts";
import { waitFor } from "../e2e/harness/wait.ts";
import { type Fact, needing } from "../needs.ts";
import { inPath, RUNTIMES } from "./runtimes.ts";

const EXAMPLES = join(ROOT, "examples/workers");
const MAX_LINES = 60;

/** The command that runs an example. */
type Command = () => readonly string[];

const interpreted =
  (program: string, file: string): Command =>
  () => [program, join(EXAMPLES, file)];

const compileGo = (): readonly string[] => {
  const program = join(ROOT, "build/apps/worker-go");
  mkdirSync(join(ROOT, "build/apps"), { recursive: true });
  const env = { ...process.env, GOCACHE: join(ROOT, "build/go-cache"), GOPROXY: "off", GO111MODULE: "auto" };
  const ended = spawnSync("go", ["build", "-o", program, join(EXAMPLES, "worker.go")], { env, encoding: "utf8" });
  if (ended.status !== 0) throw new Error(`the example in Go does not compile: ${ended.stderr}`);
  return [program];
};

const onRuntime =
  (name: "Bun" | "Deno"): Command =>
  () => [...(RUNTIMES.get(name) ?? []), join(EXAMPLES, "worker.ts")];

const PERL: Fact = { name: "perl", isMet: inPath("perl") !== undefined };
const DENO: Fact = { name: "deno", isMet: RUNTIMES.has("Deno") };

const LANGUAGES: readonly (readonly [string, readonly (string | Fact)[], Command])[] = [
  ["Python", ["python3"], interpreted("python3", "worker.py")],
  ["Ruby", ["ruby"], interpreted("ruby", "worker.rb")],
  ["shell", [PERL], interpreted("sh", "worker.sh")],
  ["Go", ["golang-go"], compileGo],
  ["TypeScript on Bun", [], onRuntime("Bun")],
  ["TypeScript on Deno", [DENO], onRuntime("Deno")],
];

const web = eachTest(new Service());

/** Whether the server has accepted this connection: until then it has no file in the kernel. */
const isAccepted = (port: number, clientPort: number): boolean => {
  const hex = (number: number): string => number.toString(16).toUpperCase().padStart(4, "0");
  return readFileSync("/proc/net/tcp", "utf8")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .some(([, local, remote, , , , , , , inode]) => {
      const isIt = local?.endsWith(`:${hex(port)}`) && remote?.endsWith(`:${hex(clientPort)}`);
      return isIt && inode !== "0";
    });
};

/** Sends requests on new connections until it is stopped. Returns the failures. */
const askAgainAndAgain = async (port: number, isOver: () => boolean): Promise<string[]> => {
  const wrong: string[] = [];
  while (!isOver()) {
    try {
      const talk = await Talk.open(port, "plain");
      talk.say("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
      const ending = await talk.isEnded();
      if (ending !== "closed" || !/version \d from \d+\n/.test(talk.heard)) wrong.push(`${ending}: ${talk.heard}`);
    } catch (error) {
      wrong.push(String(error));
    }
  }
  return wrong;
};

describe.each(LANGUAGES)("the example in %s", (_, needs, command) => {
  needing(...needs).test("is replaced repeatedly without a client noticing", async () => {
    await web.start();
    const program = command();
    const deploy = async (version: number): Promise<void> => {
      const ended = await web.run("--", ...program, "version", String(version));
      if (ended.status !== 0) throw new Error(`the deploy failed: ${ended.stderr}${ended.stdout}`);
    };
    await deploy(0);
    const { port } = web;
    let isOver = false;
    const asking = [1, 2, 3].map(() => askAgainAndAgain(port, () => isOver));
    for (let version = 1; version <= 4; version++) await deploy(version);
    await web.settled(1);

    // Half of a request is sent before the deploy, the other half after it.
    const split = await Talk.open(port, "plain");
    split.say("GET / HTTP/1.1\r\nHo");
    await waitFor("the connection to be accepted", () => isAccepted(port, split.port));
    await deploy(5);
    isOver = true;
    expect((await Promise.all(asking)).flat()).toEqual([]);
    split.say("st: localhost\r\nConnection: close\r\n\r\n");
    expect(await split.isEnded()).toBe("closed");
    expect(split.heard).toMatch(/version 4 from \d+\n/);
    await web.settled(1);
    const { stdout } = await web.ctl("events", "-once", "-json");
    expect(stdout).not.toMatch(/SIGKILL|"signal":9/);
  });
});

test.each(readdirSync(EXAMPLES))("%s is short enough to be read at a glance", (file) => {
  expect(readFileSync(join(EXAMPLES, file), "utf8").trimEnd().split("\n").length).toBeLessThanOrEqual(MAX_LINES);
});
