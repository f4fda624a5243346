// Runs commands for the tests of building and installing, and makes the directories for them.
import { spawnSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

/** The checkout that the tests belong to. */
export const ROOT = resolve(import.meta.dirname, "../..");

export type Ran = { readonly status: number | null; readonly stdout: string; readonly stderr: string };
export type RunOptions = { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> };

/** Runs a command to its end. `env` is added to a minimal environment: nothing of an outer make leaks in. */
export const run = (command: string, words: readonly string[], options: RunOptions = {}): Ran => {
  const { MAKEFLAGS, MAKELEVEL, MFLAGS, ...plain } = process.env;
  const { status, stdout, stderr, error } = spawnSync(command, words, {
    cwd: options.cwd ?? ROOT,
    env: { ...plain, ...options.env },
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 240_000,
  });
  if (error) throw error;
  return { status, stdout, stderr };
};

/** Runs a line of shell that must succeed; returns its output. */
export const shell = (line: string, options: RunOptions = {}): string => {
  const ran = run("sh", ["-c", line], options);
  if (ran.status !== 0) throw new Error(`${line}: status ${ran.status}: ${ran.stdout}${ran.stderr}`);
  return ran.stdout;
};

/** Clones the committed state into `directory`. */
export const cloneInto = (directory: string): void => {
  shell(`git clone --quiet --no-hardlinks "$FROM" "$TO"`, { env: { FROM: ROOT, TO: directory } });
};

const TOOLS = "sh make mkdir uname find mktemp rm mv cp cmp cat grep head touch test sed git env dirname ln".split(" ");

/** A directory to use as PATH: the usual small tools, and of the others only `extra` (name → shell script, or null for the real one). */
export const sparsePath = (directory: string, extra: Readonly<Record<string, string | null>>): string => {
  mkdirSync(directory, { recursive: true });
  for (const tool of TOOLS)
    symlinkSync(shell(`command -v ${tool} || true`).trim() || "/bin/false", join(directory, tool));
  for (const [name, script] of Object.entries(extra)) {
    if (script === null) symlinkSync(shell(`command -v ${name}`).trim(), join(directory, name));
    else writeFileSync(join(directory, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }
  return directory;
};
