// The C programs of test/apps/c, compiled on first use and kept in build/apps. The build needs a C compiler anyway.
import { spawnSync } from "node:child_process";
import { mkdirSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./bench.ts";

const FLAGS = ["-std=c11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-pthread"];

type App = "empty" | "moved" | "prompt" | "responder" | "starter" | "stopwatch" | "timer" | "worker";

/** The path of the program built from test/apps/c/NAME.c. Throws if it does not compile. */
export const compiled = (name: App): string => compiledBy(process.env.CC ?? "cc", name, []);

/** The same, linked statically: it starts as fast as a program can. */
export const compiledStatically = (name: App): string =>
  compiledBy(process.env.CC ?? "cc", name, ["-static"], "-static");

/** The same by another compiler, or with more flags; `suffix` keeps the files apart. */
export const compiledBy = (compiler: string, name: App, flags: readonly string[], suffix = ""): string => {
  const source = join(ROOT, "test/apps/c", `${name}.c`);
  const program = join(ROOT, "build/apps", `${name}${suffix}`);
  if (changedAt(program) > changedAt(source)) return program;
  mkdirSync(join(ROOT, "build/apps"), { recursive: true });
  // Tests run in parallel: each compiles into a file of its own, and the last one stays.
  const fresh = `${program}.${process.pid}`;
  const { status, stderr } = spawnSync(compiler, [...FLAGS, ...flags, "-o", fresh, source], { encoding: "utf8" });
  if (status !== 0) throw new Error(`${source} does not compile: ${stderr}`);
  renameSync(fresh, program);
  return program;
};

const changedAt = (path: string): number => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;

/** Answers each connection with `VERSION PID`, and misbehaves on request. It starts faster than any other worker. */
export const RESPONDER: readonly string[] = [compiledStatically("responder")];
