// npm packages: `crank` with one optional package for each machine, and `crank-worker`, the library that applications use.
import { cpSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Release } from "./release.ts";
import { run } from "./run.ts";
import { put } from "./stage.ts";

const COMMANDS = ["crank", "crankctl", "crankx"];
/** The machines that npm packages are made for; each is built on such a machine, or by `make cross`. */
const MACHINES = ["x64", "arm64"];

/** Builds the packages into `out`: all that this machine can build. Returns the files' names. */
export const buildNpm = (release: Release, work: string, out: string): readonly string[] => [
  pack(launcher(release, join(work, "npm/crank")), out),
  pack(program(release, join(work, `npm/crank-linux-${release.machine.npm}`)), out),
  pack(worker(release, join(work, "npm/crank-worker")), out),
];

const pack = (directory: string, out: string): string => {
  const packed = run("npm", ["pack", "--ignore-scripts", "--silent", "--pack-destination", out], { cwd: directory });
  return packed.trim().split("\n").at(-1) ?? "";
};

const manifest = ({ version, license }: Release, fields: Readonly<Record<string, unknown>>): string =>
  `${JSON.stringify({ version, license, ...fields }, null, 2)}\n`;

/** The commands: each starts the program of the machine's package; when npm runs scripts, they become that program. */
const launcher = (release: Release, directory: string): string => {
  const names = MACHINES.map((machine) => `crank-linux-${machine}`);
  put(
    directory,
    "package.json",
    manifest(release, {
      name: "crank",
      description: release.summary,
      os: ["linux"],
      engines: { node: ">=20" },
      bin: Object.fromEntries(COMMANDS.map((name) => [name, `bin/${name}`])),
      scripts: { postinstall: "node install.js" },
      optionalDependencies: Object.fromEntries(names.map((name) => [name, release.version])),
    }),
  );
  for (const name of COMMANDS) put(directory, `bin/${name}`, readFileSync("packaging/npm/launcher.js", "utf8"), 0o755);
  put(directory, "find.js", readFileSync("packaging/npm/find.js", "utf8"));
  put(directory, "install.js", readFileSync("packaging/npm/install.js", "utf8"));
  texts(directory);
  return directory;
};

const program = (release: Release, directory: string): string => {
  put(
    directory,
    "package.json",
    manifest(release, {
      name: `crank-linux-${release.machine.npm}`,
      description: `${release.summary}: the program for linux on ${release.machine.npm}`,
      os: ["linux"],
      cpu: [release.machine.npm],
    }),
  );
  mkdirSync(join(directory, "bin"), { recursive: true });
  cpSync("bin/crank", join(directory, "bin/crank"));
  for (const file of readdirSync("LICENSES"))
    put(directory, `LICENSES/${file}`, readFileSync(join("LICENSES", file), "utf8"));
  texts(directory);
  return directory;
};

const worker = (release: Release, directory: string): string => {
  // The type is certain, because the file belongs to the project.
  const { exports = {} } = JSON.parse(readFileSync("package.json", "utf8")) as {
    readonly exports?: Readonly<Record<string, unknown>>;
  };
  put(
    directory,
    "package.json",
    manifest(release, {
      name: "crank-worker",
      description: "For servers that run below crank: sockets, readiness, drains",
      type: "module",
      engines: { node: ">=20" },
      exports: { ".": exports["./worker"], ...exports },
    }),
  );
  cpSync("dist/worker", join(directory, "dist/worker"), { recursive: true });
  texts(directory);
  return directory;
};

const texts = (directory: string): void => {
  put(directory, "LICENSE", readFileSync("LICENSE", "utf8"));
  put(directory, "README.md", readFileSync("packaging/npm/README.md", "utf8"));
};
