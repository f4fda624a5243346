// The installed files, as `make install` puts them: every package is made of such a tree.
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { run } from "./run.ts";

/** Runs `make` for each target with DESTDIR=`directory`, which is emptied before. Returns the directory. */
export const stage = (directory: string, prefix: string, targets: readonly string[]): string => {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const settings = [`DESTDIR=${directory}`, `PREFIX=${prefix}`, `UNITS=${prefix}/lib/systemd/system`];
  run("make", ["--no-print-directory", "-s", ...settings, ...targets]);
  return directory;
};

/** Writes a file below a directory, with what is above it. */
export const put = (directory: string, path: string, text: string, mode = 0o644): void => {
  const file = join(directory, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text, { mode });
};

/** Packs the manual pages, as distributions have them. */
export const packManuals = (directory: string, prefix: string): void => {
  const pages = join(directory, prefix, "share/man");
  if (!existsSync(pages)) return;
  const files = readdirSync(pages, { recursive: true, encoding: "utf8" }).filter((name) => /\.\d$/.test(name));
  if (files.length > 0) run("gzip", ["-9n", ...files.map((name) => join(pages, name))]);
};
