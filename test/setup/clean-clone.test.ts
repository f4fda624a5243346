// A clean clone: built by one command, rebuilt only where something changed, installed, run as another user, removed. `make
// test` has compiled the engine's module for this checkout; the clone gets those objects, and make finds them up to date.
// With CRANK_TEST_CLONE=whole, as in .ci/run, the clone compiles its own.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { needing, ROOT_USER } from "../needs.ts";
import { cloneInto, ROOT, run, shell } from "./command.ts";

const OWN = ["crank", "crankctl", "crankx"];
const COMPAT = ["socketmaster", "einhorn", "einhornsh", "einhyrningsins", "einhyrningsinsctl"];
const COMMANDS = [...OWN, ...COMPAT];
/** einhorn and its shell exit with 1 when asked for help, as the originals do. */
const helpStatus = (name: string): number => (name.startsWith("einhorn") ? 1 : 0);
const VERSION = /^crank \d+\.\d+\.\d+\n$/;
const LONG = 240_000;
/** Of four, each of which takes seconds to compile. */
const ENGINE_OBJECT = "build/engine/module/quickjs_0.o";
const MOST_BYTES = 5_000_000;

let directory = "";
let clone = "";
const fromCache = { npm_config_prefer_offline: "true" };

/** What makes the module's objects, besides the packages and the flags: make compares those. */
const MODULE_INPUTS = "Makefile engine/engine.mk tools/wasm-to-c";

/** Whether this checkout's objects are those that the clone would compile. */
const isModuleShared =
  process.env.CRANK_TEST_CLONE !== "whole" &&
  existsSync(join(ROOT, ENGINE_OBJECT)) &&
  shell(`git status --porcelain -- ${MODULE_INPUTS}`, { cwd: ROOT }) === "";

/** Copies the translated module and its objects, in this order: make compares their times. */
const shareModule = (): void => {
  const paths = "build/module-flags build/engine/module/*.[ch] build/engine/module/*.o";
  shell(`for path in ${paths}; do mkdir -p "$TO/\${path%/*}" && cp "$path" "$TO/$path" || exit 1; done`, {
    cwd: ROOT,
    env: { TO: clone },
  });
};

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "setup-"));
  chmodSync(directory, 0o755);
  clone = join(directory, "clone");
  cloneInto(clone);
  if (isModuleShared) shareModule();
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/**
 * Where the clone's commit is built a second time: this checkout, which `make test` has built, if it holds that commit
 * unchanged, because compiling the engine takes longer than any other test.
 */
const buildElsewhere = (): string => {
  const head = (at: string): string => shell("git rev-parse HEAD", { cwd: at });
  const isSame = head(ROOT) === head(clone) && shell("git status --porcelain", { cwd: ROOT }) === "";
  const other = isSame ? ROOT : join(directory, "other place");
  if (!isSame) shell('git clone --quiet --no-hardlinks "$FROM" "$TO"', { env: { FROM: clone, TO: other } });
  expect(run("make", ["-j4"], { cwd: other, env: fromCache }).status).toBe(0);
  return other;
};

const builtAt = (): Record<string, number> =>
  Object.fromEntries(
    ["bin/crank", "build/engine/commands.image", ENGINE_OBJECT].map((path) => [
      path,
      statSync(join(clone, path)).mtimeMs,
    ]),
  );

describe("a clean clone", () => {
  test(
    "is built by a plain make, in parallel, which reports only the slow steps",
    () => {
      const { status, stdout, stderr } = run("make", ["-j4"], { cwd: clone, env: fromCache });
      const line = "Compiling the JavaScript engine, once for each version of it: this takes half a minute.\n";
      expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: isModuleShared ? "" : line, stderr: "" });
    },
    LONG,
  );

  test(
    "builds the same program elsewhere, byte for byte",
    () => {
      const [one, two] = [clone, buildElsewhere()].map((place) => readFileSync(join(place, "bin/crank")));
      expect(two?.equals(one ?? new Uint8Array())).toBe(true);
      expect(one?.length).toBeLessThan(MOST_BYTES);
    },
    LONG,
  );

  test("has every command in bin/, and they run", () => {
    for (const name of COMMANDS) {
      const { status, stdout } = run(join(clone, "bin", name), ["--help"], { cwd: "/" });
      expect(status).toBe(helpStatus(name));
      expect(stdout).toContain(name);
    }
    expect(run(join(clone, "bin/crank"), ["-version"], { cwd: "/" }).stdout).toMatch(VERSION);
  });

  test("is not rebuilt when nothing has changed", () => {
    const before = builtAt();
    expect(run("make", [], { cwd: clone }).status).toBe(0);
    expect(builtAt()).toEqual(before);
  });

  test(
    "is rebuilt only where something has changed",
    () => {
      const before = builtAt();
      shell('for file in keeper/*/*.c; do touch "$file"; break; done', { cwd: clone });
      expect(run("make", [], { cwd: clone }).status).toBe(0);
      const afterC = builtAt();
      expect(afterC["bin/crank"]).toBeGreaterThan(before["bin/crank"] ?? 0);
      expect({ ...afterC, "bin/crank": 0 }).toEqual({ ...before, "bin/crank": 0 });
      shell('for file in src/core/*.ts; do touch "$file"; break; done', { cwd: clone });
      expect(run("make", [], { cwd: clone }).status).toBe(0);
      const afterTypeScript = builtAt();
      expect(afterTypeScript["bin/crank"]).toBeGreaterThan(afterC["bin/crank"] ?? 0);
      expect(afterTypeScript[ENGINE_OBJECT]).toBe(before[ENGINE_OBJECT] ?? 0);
    },
    LONG,
  );

  test("has a clean work tree after a build", () => {
    expect(shell("git status --porcelain", { cwd: clone })).toBe("");
  });
});

describe("the commands", () => {
  test("run through symbolic links: absolute, relative, and chains of them", () => {
    const links = join(directory, "links");
    mkdirSync(join(links, "deep"), { recursive: true });
    symlinkSync(join(clone, "bin/crank"), join(links, "crank"));
    symlinkSync("../crank", join(links, "deep/crank"));
    symlinkSync("../clone/bin", join(directory, "links-bin"));
    symlinkSync("../../links/../clone/bin/crank", join(links, "deep/crankctl"));
    expect(run(join(links, "crank"), ["-version"], { cwd: "/" }).stdout).toMatch(VERSION);
    expect(run("./crank", ["-version"], { cwd: join(links, "deep") }).stdout).toMatch(VERSION);
    expect(run("deep/crank", ["-version"], { cwd: links }).stdout).toMatch(VERSION);
    expect(run("links/deep/crankctl", ["--help"], { cwd: directory }).stdout).toContain("crankctl");
  });

  test("run when found in PATH", () => {
    const path = `${join(clone, "bin")}:${process.env.PATH}`;
    expect(run("sh", ["-c", "crank -version"], { cwd: "/", env: { PATH: path } }).stdout).toMatch(VERSION);
  });
});

describe("make install", () => {
  const prefix = "/opt/crank";
  const install = (): string => join(directory, "stage");

  test("installs the names of other programs only when asked", () => {
    shell(`make install PREFIX=${prefix} DESTDIR="$STAGE"`, { cwd: clone, env: { STAGE: install() } });
    expect(readdirSync(`${install()}${prefix}/bin`).sort()).toEqual([...OWN].sort());
    shell(`make install-compat PREFIX=${prefix} DESTDIR="$STAGE"`, { cwd: clone, env: { STAGE: install() } });
    expect(readdirSync(`${install()}${prefix}/bin`).sort()).toEqual([...COMMANDS].sort());
    rmSync(install(), { recursive: true });
  });

  test("puts everything below DESTDIR and PREFIX, readable by all whatever the umask", () => {
    shell(`umask 077; make install install-compat PREFIX=${prefix} DESTDIR="$STAGE"`, {
      cwd: clone,
      env: { STAGE: install() },
    });
    const modes = shell('cd "$STAGE$PREFIX" && find . -printf "%M %P %l\\n" | sort -k2', {
      env: { STAGE: install(), PREFIX: prefix },
    });
    const lines = modes.split("\n").map((line) => line.trimEnd());
    const files = lines.filter((line) => line.startsWith("-"));
    for (const name of COMMANDS) expect(lines).toContain(`lrwxrwxrwx bin/${name} ../lib/crank/bin/crank`);
    expect(files).toContain("-rwxr-xr-x lib/crank/bin/crank");
    for (const name of readdirSync(join(clone, "LICENSES")))
      expect(files).toContain(`-rw-r--r-- lib/crank/LICENSES/${name}`);
    expect(files.filter((line) => line.startsWith("-rwx"))).toEqual([
      "-rwxr-xr-x lib/crank/bin/crank",
      "-rwxr-xr-x lib/crank/bin/runtime",
    ]);
    for (const name of COMMANDS) expect(files).toContain(`-rw-r--r-- share/man/man1/${name}.1`);
    for (const line of lines) if (line.startsWith("d")) expect(line).toStartWith("drwxr-xr-x");
  });

  const withoutCheckout = (look: (bin: string) => void): void => {
    const home = `${clone}.away`;
    shell('mv "$CLONE" "$AWAY"', { env: { CLONE: clone, AWAY: home } });
    try {
      look(`${install()}${prefix}/bin`);
    } finally {
      shell('mv "$AWAY" "$CLONE"', { env: { CLONE: clone, AWAY: home } });
    }
  };

  test("makes commands that run without the checkout, from any directory", () => {
    withoutCheckout((bin) => {
      for (const name of COMMANDS) expect(run(join(bin, name), ["--help"], { cwd: "/" }).stdout).toContain(name);
    });
  });

  needing(ROOT_USER).test("makes commands that run as another user", () => {
    withoutCheckout((bin) => {
      const asNobody = ["--reuid=65534", "--regid=65534", "--clear-groups", join(bin, "crank"), "-version"];
      expect(run("setpriv", asNobody, { cwd: "/" }).stdout).toMatch(VERSION);
    });
  });

  test("puts the library where an application can name it as a dependency", () => {
    const application = join(directory, "application");
    mkdirSync(application, { recursive: true });
    writeFileSync(join(application, "package.json"), '{"type":"module"}');
    writeFileSync(
      join(application, "app.js"),
      'import * as worker from "crank/worker"; console.log(typeof worker.drain);',
    );
    const library = `${install()}${prefix}/lib/crank`;
    run("npm", ["install", "--offline", "--no-audit", "--no-fund", library], { cwd: application });
    expect(run("node", ["app.js"], { cwd: application }).stdout).toBe("function\n");
    expect(statSync(join(library, "dist/worker/worker.d.ts")).mode & 0o777).toBe(0o644);
  });

  test("removes what an earlier version installed", () => {
    const library = `${install()}${prefix}/lib/crank`;
    const former = ["bin/runtime", "bin/trim.node", "dist/crank.mjs"].map((path) => join(library, path));
    for (const path of former) {
      rmSync(path, { force: true });
      writeFileSync(path, "");
    }
    shell(`make install PREFIX=${prefix} DESTDIR="$STAGE"`, { cwd: clone, env: { STAGE: install() } });
    expect(former.map((path) => existsSync(path))).toEqual([true, false, false]);
    expect(statSync(join(library, "bin/runtime")).ino).toBe(statSync(join(library, "bin/crank")).ino);
  });

  test("replaces a program that is running, and the running process goes on", () => {
    const running = `${install()}${prefix}/lib/crank/bin/crank`;
    const before = statSync(running).ino;
    shell(`make install PREFIX=${prefix} DESTDIR="$STAGE"`, { cwd: clone, env: { STAGE: install() } });
    expect(statSync(running).ino).not.toBe(before);
  });

  test("is undone by make uninstall, which leaves only directories that others use", () => {
    shell(`make uninstall PREFIX=${prefix} DESTDIR="$STAGE"`, { cwd: clone, env: { STAGE: install() } });
    expect(shell('find "$STAGE" ! -type d -o -path "*lib/crank*"', { env: { STAGE: install() } })).toBe("");
  });
});
