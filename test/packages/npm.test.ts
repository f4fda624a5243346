// The npm packages, installed from their tarballs into an empty project, without a registry.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Bench, type Ended, type Running } from "../e2e/harness/bench.ts";
import { packageLike, VERSION } from "./built.ts";

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
  writeFileSync(join(bench.directory, "package.json"), '{"name": "an-app", "private": true, "type": "module"}\n');
});
afterEach(() => bench.clean());

const TARBALLS = [/^crank-linux-.*\.tgz$/, /^crank-\d[^-]*\.tgz$/, /^crank-worker-.*\.tgz$/];

const npmInstall = async (...flags: readonly string[]): Promise<void> => {
  const tarballs = TARBALLS.map((pattern) => packageLike(pattern));
  const installed = await bench.run(["npm", "install", "--offline", "--no-audit", "--no-fund", ...flags, ...tarballs]);
  expect(installed).toMatchObject({ status: 0 });
};

const SERVER = `
import { createServer } from "node:http";
import { drain, listen, onStop, ready } from "crank-worker";
const server = createServer((_, response) => response.end(process.argv[2]));
onStop(() => drain(server));
await listen(server);
ready();
`;

const npx = (...command: readonly string[]): Promise<Ended> => bench.run(["npx", "--no", "--", ...command]);

/** A new connection for each request: a kept one would stay with the old worker. */
const answer = async (port: string | undefined): Promise<string> =>
  (await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: "close" } })).text();

const deploys = async (crank: Running): Promise<void> => {
  await crank.wrote("stderr", "Listening on");
  const port = /Listening on tcp[46]?:\/\/\S*:(\d+)/.exec(crank.stderr())?.[1];
  writeFileSync(join(bench.directory, "server.js"), SERVER);
  const run = ["crankctl", "-ctl", join(bench.directory, "web.ctl"), "run", "-wait", "--", "node", "server.js"];
  for (const version of ["one", "two"]) {
    expect(await npx(...run, version)).toMatchObject({ status: 0 });
    expect(await answer(port)).toBe(version);
  }
};

const START = ["crank", "-prefix", ".", "-name", "web", "-bind", "127.0.0.1:0"];

test("after npm install npx runs the program itself, and a server that uses crank-worker deploys", async () => {
  await npmInstall();
  expect(await npx("crank", "-version")).toMatchObject({ status: 0, stdout: `crank ${VERSION}\n` });
  const elf = readFileSync(join(bench.directory, "node_modules/crank/bin/crank")).subarray(1, 4).toString();
  expect(elf).toBe("ELF");
  await deploys(bench.start(["npx", "--no", "--", ...START]));
});

test("without install scripts a launcher starts the program, and everything works", async () => {
  await npmInstall("--ignore-scripts");
  const help = await bench.run([join(bench.directory, "node_modules/.bin/crankctl"), "-help"]);
  expect(help).toMatchObject({ status: 0, stderr: "" });
  const crank = bench.start([join(bench.directory, "node_modules/.bin/crank"), ...START.slice(1)]);
  await deploys(crank);
  crank.signal("SIGTERM");
  expect((await crank.ended).status).toBe(0);
});

test("without the package for the machine each command says what is missing", async () => {
  const [, launcher] = TARBALLS;
  await bench.run([
    "npm",
    "install",
    "--offline",
    "--omit=optional",
    "--no-audit",
    "--no-fund",
    packageLike(launcher ?? /$/),
  ]);
  const ended = await npx("crank", "-version");
  expect(ended.status).toBe(1);
  expect(ended.stderr).toContain("is not installed. Install crank without --omit=optional");
  expect(ended.stderr).not.toContain("at ");
});

test("the package for applications is smaller than 100 kB and has no dependencies", async () => {
  const tarball = packageLike(/^crank-worker-.*\.tgz$/);
  expect(statSync(tarball).size).toBeLessThan(100_000);
  await npmInstall();
  const manifest = readFileSync(join(bench.directory, "node_modules/crank-worker/package.json"), "utf8");
  expect(JSON.parse(manifest)).not.toHaveProperty("dependencies");
  expect(existsSync(join(bench.directory, "node_modules/crank-worker/dist/worker/worker.js"))).toBe(true);
});
