// Upgrades between versions that do not speak the same protocol: supervisor and keeper are exchanged at once.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { PROTOCOL_VERSION } from "../../src/keeper/protocol.ts";
import { VERSION } from "../../src/version.ts";
import { install } from "./harness/installation.ts";
import { ROOT } from "./harness/service.ts";
import { RESPONDER, Upgraded } from "./harness/upgraded.ts";

const LATER_PROTOCOL = PROTOCOL_VERSION + 1;
const LATER_VERSION = "99.0.0";

let service: Upgraded;
beforeEach(() => {
  // A runtime that takes bundles, for those can be changed here.
  const bun = resolve(ROOT, `node_modules/@oven/bun-linux-${process.arch === "arm64" ? "aarch64" : "x64"}/bin/bun`);
  service = new Upgraded({ CRANK_RUNTIME: process.env.CRANK_RUNTIME || bun });
});
afterEach(() => service.clean());

/** Replaces what has to be there. */
const replaced = (text: string, from: string | RegExp, to: string): string => {
  const changed = text.replace(from, to);
  if (changed === text) throw new Error(`there is no ${from} to be replaced`);
  return changed;
};

/** A later version, made of this one's sources. */
const installLater = (directory: string): string => {
  const crank = install(directory);
  const sources = join(directory, "keeper");
  cpSync(join(ROOT, "keeper"), sources, { recursive: true });
  const header = join(sources, "protocol.h");
  const define = `#define PROTOCOL_VERSION ${PROTOCOL_VERSION}`;
  writeFileSync(header, replaced(readFileSync(header, "utf8"), define, `#define PROTOCOL_VERSION ${LATER_PROTOCOL}`));
  rmSync(crank);
  const files = readdirSync(sources).filter((name) => name.endsWith(".c"));
  const flags = ["-std=c11", "-D_GNU_SOURCE", `-DCRANK_VERSION="${LATER_VERSION}"`, "-static", "-pthread"];
  const compiled = Bun.spawnSync([process.env.CC ?? "cc", ...flags, "-o", crank, ...files], { cwd: sources });
  if (compiled.exitCode !== 0) throw new Error(compiled.stderr.toString());
  rmSync(join(directory, "dist"));
  mkdirSync(join(directory, "dist"));
  const bundle = readFileSync(join(ROOT, "dist/crank.mjs"), "utf8");
  const speaks = replaced(bundle, `PROTOCOL_VERSION = ${PROTOCOL_VERSION}`, `PROTOCOL_VERSION = ${LATER_PROTOCOL}`);
  writeFileSync(join(directory, "dist/crank.mjs"), replaced(speaks, `"${VERSION}"`, `"${LATER_VERSION}"`));
  return crank;
};

test("an upgrade to a version with another protocol, and back, loses nothing", async () => {
  const later = installLater(service.path("two"));
  const crank = await service.start();
  await service.deploy(...RESPONDER, "one");
  const workers = await service.workers();
  const there = await service.ctl("upgrade", "-wait", "-exec", later);
  expect(there.stdout).toBe(`Upgraded from ${VERSION} to ${LATER_VERSION}, supervisor and keeper\n`);
  const info = await service.info();
  expect(info).toMatchObject({ pid: crank.pid, version: LATER_VERSION, keeperVersion: LATER_VERSION, upgrades: 1 });
  expect(info.protocol).toBe(LATER_PROTOCOL);
  expect(await service.workers()).toEqual(workers);
  expect(await service.deploy(...RESPONDER, "two")).toMatchObject({ status: 0 });
  const back = await service.ctl("upgrade", "-wait", "-exec", service.installed);
  expect(back.stdout).toBe(`Upgraded from ${LATER_VERSION} to ${VERSION}, supervisor and keeper\n`);
  expect(await service.info()).toMatchObject({ pid: crank.pid, keeperVersion: VERSION, upgrades: 2 });
  expect(await service.answer()).toStartWith("two ");
});
