// The Debian package, in a system with nothing else installed.
import { afterEach, beforeEach, expect } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { compiledStatically } from "../e2e/harness/apps.ts";
import { Bench } from "../e2e/harness/bench.ts";
import { Load } from "../e2e/harness/load.ts";
import { freePorts } from "../e2e/harness/ports.ts";
import { waitFor } from "../e2e/harness/wait.ts";
import { needing } from "../needs.ts";
import { BareDebian, DEBIAN } from "./bare-debian.ts";
import { packageLike, packagesOf, VERSION } from "./built.ts";

const NEXT = "9.9.9";
const bare = needing(DEBIAN);
const DEB = /^crank_.*\.deb$/;
const COMPAT = /^crank-compat_.*\.deb$/;

let bench: Bench;
let debian: BareDebian;

beforeEach(async () => {
  bench = new Bench();
  debian = await BareDebian.make(bench);
}, 600_000);
afterEach(() => bench.clean());

/** Installs packages there and asserts success. Returns dpkg's output. */
const install = async (...files: readonly string[]): Promise<string> => {
  const ended = await debian.run("dpkg", "-i", ...files.map((file) => debian.put(file)));
  expect(ended).toMatchObject({ status: 0, stderr: "" });
  return ended.stdout;
};

bare.test(
  "the package installs on a bare Debian, serves, upgrades under load, and leaves nothing behind",
  async () => {
    const [port = 0] = await freePorts(1);
    const worker = debian.put(compiledStatically("worker"));
    const before = await debian.run("find", "/etc", "/usr", "/var/lib", "/run", "-not", "-path", "/var/lib/dpkg/*");

    const began = performance.now();
    await install(packageLike(DEB));
    expect(await debian.run("crank", "-version")).toEqual({ status: 0, stdout: `crank ${VERSION}\n`, stderr: "" });
    expect((await debian.run("einhorn", "--version")).status).not.toBe(0);
    const crank = debian.start("crank", "-prefix", "/var/lib/crank", "-name", "web", "-bind", `127.0.0.1:${port}`);
    await crank.wrote("stderr", "Listening on");
    const ctl = ["crankctl", "-prefix", "/var/lib/crank", "-name", "web"];
    expect(await debian.run(...ctl, "run", "-wait", "--", worker, "one")).toMatchObject({ status: 0 });
    const clients = new Load({ port, anew: 4, pauseMs: 5, stays: 20, talkMs: 50 });
    await waitFor("an answer", () => clients.counts.answered > 0);
    console.log(`from dpkg -i to the first answer: ${Math.round(performance.now() - began)} ms`);
    await waitFor("clients that stay", () => clients.staying === 20);

    const next = await packagesOf(bench, NEXT);
    expect(await install(packageLike(DEB, next))).toContain("crank: web runs the new version\n");
    const info = JSON.parse((await debian.run(...ctl, "info", "-json")).stdout) as Record<string, unknown>;
    expect(info).toMatchObject({ version: NEXT });
    const answered = clients.counts.answered;
    await waitFor("answers after the upgrade", () => clients.counts.answered > answered + 20);
    expect(await debian.run(...ctl, "run", "-wait", "--", worker, "two")).toMatchObject({ status: 0 });
    // Those that the old worker sent away are back.
    await waitFor("clients that stay", () => clients.staying === 20);
    expect(await clients.stop()).toMatchObject({ refused: 0, reset: 0, cut: 0, problems: [] });

    await debian.run(...ctl, "shutdown", "-wait");
    expect((await crank.ended).status).toBe(0);
    expect((await debian.run("dpkg", "--purge", "crank")).status).toBe(0);
    const after = await debian.run("find", "/etc", "/usr", "/var/lib", "/run", "-not", "-path", "/var/lib/dpkg/*");
    const known = new Set(before.stdout.split("\n"));
    expect(after.stdout.split("\n").filter((path) => !known.has(path))).toEqual([]);
  },
  600_000,
);

bare.test(
  "crank-compat installs the command names of other tools, and nothing else",
  async () => {
    await install(packageLike(DEB), packageLike(COMPAT));
    expect((await debian.run("einhyrningsins", "--version")).stdout).toContain("einhyrningsins 0.2.0");
    expect((await debian.run("dpkg", "-r", "crank-compat")).status).toBe(0);
    expect(existsSync(join(debian.directory, "usr/bin/einhorn"))).toBe(false);
    expect((await debian.run("crankctl", "-help")).status).toBe(0);
  },
  120_000,
);
