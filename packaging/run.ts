// Running other programs for the packages: each must succeed.
import { spawnSync } from "node:child_process";

export type Options = { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> };

/** Runs a program and returns its standard output. Throws an Error with its standard error if it fails. */
export const run = (program: string, args: readonly string[], { cwd, env = {} }: Options = {}): string => {
  const ended = spawnSync(program, args, {
    cwd,
    env: { ...process.env, LC_ALL: "C", ...env },
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
  if (ended.error !== undefined) throw new Error(`${program}: ${ended.error.message}`, { cause: ended.error });
  if (ended.status !== 0) throw new Error(`${program} ${args.join(" ")}: status ${ended.status}\n${ended.stderr}`);
  return ended.stdout;
};

/** Whether a program is in PATH. */
export const isInstalled = (program: string): boolean =>
  spawnSync("sh", ["-c", 'command -v "$0"', program]).status === 0;
