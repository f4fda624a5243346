// Upgrades between versions with different protocols: supervisor and keeper are exchanged together.
import { expect, test } from "bun:test";
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PROTOCOL_VERSION } from "../../../src/keeper/protocol.ts";
import { VERSION } from "../../../src/version.ts";
import { RESPONDER } from "../harness/apps.ts";
import { ROOT } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { install, pointTo } from "../harness/installation.ts";
import { Upgraded } from "../harness/upgraded.ts";

const CC = process.env.CC ?? "cc";
const LATER_PROTOCOL = PROTOCOL_VERSION + 1;
const LATER_VERSION = "99.0.0";

const service = eachTest(new Upgraded());

/** Replaces text that must be there. */
const replaced = (text: string, from: string | RegExp, to: string): string => {
  const changed = text.replace(from, to);
  if (changed === text) throw new Error(`there is no ${from} to be replaced`);
  return changed;
};

/** Runs a program of the build; throws with its output if it fails. */
const make = (words: readonly string[], directory: string): void => {
  const ran = Bun.spawnSync([...words], { cwd: directory });
  if (ran.exitCode !== 0) throw new Error(`${words.join(" ")}: ${ran.stderr}`);
};

const ENGINE = join(ROOT, "build/engine");
const objectsIn = (directory: string, left: readonly string[]): readonly string[] =>
  readdirSync(directory)
    .filter((name) => name.endsWith(".o") && !left.includes(name))
    .map((name) => join(directory, name));

/** The image of a changed bundle: the path of an object file. */
const imageOf = (directory: string, change: (bundle: string) => string): string => {
  const bundle = readFileSync(join(ENGINE, "commands.mjs"), "utf8");
  writeFileSync(join(directory, "commands.mjs"), change(bundle));
  const build = join(ENGINE, "build");
  make([build, "compile", "commands.mjs", "bytecode"], directory);
  make([build, "image", "bytecode", "image"], directory);
  make([CC, '-DIMAGE="image"', "-c", "-o", "image.o", join(ROOT, "engine/image/image.S")], directory);
  return join(directory, "image.o");
};

/** A later version, made from this one's sources. */
const installLater = (directory: string): string => {
  const crank = install(directory);
  const sources = join(directory, "keeper");
  cpSync(join(ROOT, "keeper"), sources, { recursive: true });
  cpSync(join(ROOT, "engine"), join(directory, "engine"), { recursive: true });
  const header = join(sources, "protocol/protocol.h");
  const define = `#define PROTOCOL_VERSION ${PROTOCOL_VERSION}`;
  writeFileSync(header, replaced(readFileSync(header, "utf8"), define, `#define PROTOCOL_VERSION ${LATER_PROTOCOL}`));
  const image = imageOf(directory, (bundle) => {
    const speaks = replaced(bundle, `PROTOCOL_VERSION = ${PROTOCOL_VERSION}`, `PROTOCOL_VERSION = ${LATER_PROTOCOL}`);
    return replaced(speaks, `"${VERSION}"`, `"${LATER_VERSION}"`);
  });
  const rooms = ["", "host", "image"].map((room) => join(ENGINE, room));
  const engine = rooms.flatMap((room) => objectsIn(room, ["build.o", "fresh.o", "commands.image.o"]));
  const module = objectsIn(join(ENGINE, "module"), ["quickjs_data.o"]);
  const files = readdirSync(sources, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".c"));
  const flags = [
    "-std=c11",
    "-D_GNU_SOURCE",
    "-I.",
    `-DCRANK_VERSION="${LATER_VERSION}"`,
    "-static",
    "-no-pie",
    "-pthread",
  ];
  rmSync(crank);
  make([CC, ...flags, "-o", crank, ...files, image, ...engine, ...module, "-lm"], sources);
  pointTo(join(directory, "bin/runtime"), crank);
  return crank;
};

test("an upgrade to a version with another protocol, and back, loses nothing", async () => {
  const later = installLater(service.path("two"));
  const crank = await service.start();
  await service.deploy(...RESPONDER, "one");
  const workers = await service.allPids();
  const there = await service.ctl("upgrade", "-wait", "-exec", later);
  expect(there.stdout).toBe(`Upgraded from ${VERSION} to ${LATER_VERSION}, supervisor and keeper\n`);
  const info = await service.info();
  expect(info).toMatchObject({ pid: crank.pid, version: LATER_VERSION, keeperVersion: LATER_VERSION, upgrades: 1 });
  expect(info.protocol).toBe(LATER_PROTOCOL);
  expect(await service.allPids()).toEqual(workers);
  expect(await service.run(...RESPONDER, "two")).toMatchObject({ status: 0 });
  const back = await service.ctl("upgrade", "-wait", "-exec", service.installed);
  expect(back.stdout).toBe(`Upgraded from ${LATER_VERSION} to ${VERSION}, supervisor and keeper\n`);
  expect(await service.info()).toMatchObject({ pid: crank.pid, keeperVersion: VERSION, upgrades: 2 });
  await service.answers("two");
});
