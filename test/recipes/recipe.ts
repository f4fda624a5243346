// A page of docs/how-to/recipes, followed literally: its files are written to a directory, its crank is started there, and
// its `crankctl run` deploys again and again while clients send requests.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { Bench, ROOT } from "../e2e/harness/bench.ts";
import { freePorts } from "../e2e/harness/ports.ts";
import { descendants } from "../e2e/harness/processes.ts";
import { waitFor } from "../e2e/harness/wait.ts";
import { Clients } from "./clients.ts";

export type Recipe = {
  /** docs/how-to/recipes/PAGE.md. */
  readonly page: string;
  /** Debian packages that the page needs, each with a command that tells whether it is installed. */
  readonly needs: Readonly<Record<string, string>>;
  readonly path?: string;
  /** A path whose answer takes long; without one, `big` in the page's directory is a large file that is read slowly. */
  readonly slowPath?: string;
  /** A directory of packages that the page's program may import. */
  readonly packages?: string;
  /** Replaces words of the page's deploy command, to run another of its programs. */
  readonly program?: { readonly shown: string; readonly deployed: string };
  /** The page expects a server at port 9000 without saying which: here one that takes a second for each answer. */
  readonly backend?: true;
};

const DEPLOYS = Number(process.env.CRANK_RECIPE_DEPLOYS ?? 20);
const BIG_BYTES = 24 * 1024 * 1024;
/** A deploy takes as long as the program takes to start; the test waits until the last one's predecessor has drained. */
const LIMIT_MS = 240_000;

/** TCP_LISTEN as in /proc/net/tcp, and the bit of open(2). */
const LISTENING = "0A";
const O_NONBLOCK = 0o4000;

type Page = {
  readonly files: ReadonlyMap<string, string>;
  /** The line that starts crank, and the command that deploys. */
  readonly crank: string;
  readonly deploy: string;
};

/** Blocks with a name after their language are files; the first `sh` block without one holds the commands. */
const readPage = (name: string): Page => {
  const text = readFileSync(join(ROOT, `docs/how-to/recipes/${name}.md`), "utf8");
  const files = new Map<string, string>();
  let commands = "";
  for (const [, language, file, body = ""] of text.matchAll(/^```(\w+)(?: (\S+))?\n(.*?)^```$/gms)) {
    if (file !== undefined) files.set(file, body);
    else if (language === "sh" && commands === "") commands = body;
  }
  const [crank = "", deploy = ""] = commands.split(/^(?=crankctl)/m);
  if (!crank.includes("crank -bind") || !deploy.startsWith("crankctl"))
    throw new Error(`docs/how-to/recipes/${name}.md has no block with crank and crankctl run`);
  return { files, crank: crank.trim().replace(/ &$/, ""), deploy };
};

const isInstalled = (look: string): boolean => spawnSync("sh", ["-c", `PATH=$PATH:/usr/sbin; ${look}`]).status === 0;

/** One test: deploys of the page's program under load. */
export const testRecipe = (recipe: Recipe): void => {
  let bench: Bench;
  beforeEach(() => {
    bench = new Bench();
  });
  afterEach(() => bench.clean());

  const missing = Object.entries(recipe.needs).flatMap(([name, look]) => (isInstalled(look) ? [] : [name]));

  const isTried = missing.length === 0;
  test.if(isTried)(
    `${recipe.page}${recipe.program ? ` (${recipe.program.deployed})` : ""}${isTried ? "" : ` (needs ${missing.join(", ")})`}: ${DEPLOYS} deploys under load refuse, reset and cut off no connection`,
    () => deployUnderLoad(bench, recipe),
    LIMIT_MS,
  );
};

const deployUnderLoad = async (bench: Bench, recipe: Recipe): Promise<void> => {
  const page = readPage(recipe.page);
  const [port = 0, inner = 0] = await freePorts(2);
  const fill = (text: string): string => text.replaceAll("8080", String(port)).replaceAll("9000", String(inner));
  for (const [name, body] of page.files) {
    writeFileSync(join(bench.directory, name), fill(body));
    chmodSync(join(bench.directory, name), 0o755);
  }
  // Servers that drop root must be able to read it.
  chmodSync(bench.directory, 0o755);
  writeFileSync(join(bench.directory, "index.html"), "hello\n");
  writeFileSync(join(bench.directory, "big"), "");
  truncateSync(join(bench.directory, "big"), BIG_BYTES);

  if (recipe.packages !== undefined) linkPackages(recipe.packages, join(bench.directory, "node_modules"));
  const { shown, deployed } = recipe.program ?? { shown: "", deployed: "" };
  const command = fill(page.deploy).replace(shown, deployed);

  const env = { PATH: `${ROOT}/bin:${process.env.PATH}:/usr/sbin`, CRANK_PREFIX: bench.directory };
  const crank = bench.start(["bash", "-c", `exec ${fill(page.crank)}`], { env });
  await waitFor("crank's start", () => crank.stderr().includes("Listening on"));
  const deploy = async (): Promise<void> => {
    const { status, stderr } = await bench.run(["bash", "-c", command], { env });
    expect({ status, stderr, log: status === 0 ? "" : crank.stdout().slice(-2000) }).toEqual({
      status: 0,
      stderr: "",
      log: "",
    });
  };
  const workers = async (): Promise<{ pid: number; generation: number; state: string }[]> =>
    JSON.parse((await bench.run(["crankctl", "-name", "web", "ps", "-json"], { env })).stdout);

  const backend = recipe.backend === true ? slowServer(inner) : null;
  await deploy();
  const clients = new Clients({
    port,
    path: recipe.path ?? "/",
    slowPath: recipe.slowPath ?? "/big",
    anew: 8,
    kept: 8,
    slow: 4,
  });
  await waitFor("answers", () => clients.counts.answered > 100 || clients.problems.length > 0);
  for (let number = 1; number <= DEPLOYS; number++) await deploy();
  await waitFor("the last drain", async () => (await workers()).every((worker) => worker.state === "ready"));
  const counts = await clients.stop();
  backend?.close();
  console.log(`${recipe.page}: ${JSON.stringify(counts)}`);

  expect(counts).toMatchObject({ refused: 0, reset: 0, cut: 0, silent: 0, failed: 0, problems: [] });
  expect(counts.slow).toBeGreaterThan(0);
  expect(new Set((await workers()).map((worker) => worker.generation))).toEqual(new Set([DEPLOYS + 1]));
  // Each drained by itself; none was killed after its stop timeout.
  const kills = crank.stderr().match(/^.*SIGKILL.*$/gm) ?? [];
  expect(kills).toEqual([]);
  expect(descendants(crank.pid).length).toBeGreaterThan(0);
  // A server that blocks in accept(2) for a connection that another process took hangs until the next one; clients rarely
  // see it.
  expect(isBlocking(crank.pid, port)).toBe(false);
};

/** The packages of a directory, and crank itself. */
const linkPackages = (from: string, to: string): void => {
  mkdirSync(to);
  for (const name of readdirSync(from)) symlinkSync(join(from, name), join(to, name));
  symlinkSync(ROOT, join(to, "crank"));
};

/** Whether accept(2) blocks on the socket that listens at a port; all processes that hold the socket share its flags. */
const isBlocking = (pid: number, port: number): boolean => {
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const listening = readFileSync("/proc/net/tcp", "utf8")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .find((fields) => fields[1] === local && fields[3] === LISTENING);
  const link = `socket:[${listening?.[9]}]`;
  const fd = readdirSync(`/proc/${pid}/fd`).find((name) => readlinkSync(`/proc/${pid}/fd/${name}`) === link);
  const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, "utf8"))?.[1] ?? "";
  return (Number.parseInt(flags, 8) & O_NONBLOCK) === 0;
};

const slowServer = (port: number): Server =>
  createServer((_, response) => {
    setTimeout(() => response.end("hello\n"), 1000);
  }).listen(port, "127.0.0.1");
