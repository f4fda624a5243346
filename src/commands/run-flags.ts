// The flags of crankctl run, and their conversion to parameters.
import type { RunParams, RunRequest } from "../control/run-params.ts";
import { SPEC_ROWS, type SpecParams } from "../spec/fields.ts";
import { repeats } from "../spec/read.ts";
import { type FlagTable, type FlagValues, UsageError } from "./flags.ts";
import { SPEC_FLAGS } from "./spec-flags.ts";

/** Flags of the deploy itself. */
const REQUEST_FLAGS = {
  wait: { kind: "switch", help: "wait for the end of the rollout; show its progress and result" },
  pid: {
    kind: "whole",
    argument: "PID",
    max: 4_194_304,
    help: "refuse the deploy unless PID is a ready worker or no worker is ready; 0 is any",
  },
  "env-file": {
    kind: "texts",
    argument: "FILE",
    help: "a file of NAME=VALUE lines, as Docker's env files; -env and -unset-env override it",
  },
  supersede: { kind: "switch", help: "cancel the rollout in flight, if there is one" },
} as const satisfies FlagTable;

export const RUN_FLAGS = { ...SPEC_FLAGS, ...REQUEST_FLAGS } as const satisfies FlagTable;

type RunFlags = FlagValues<typeof RUN_FLAGS>;

/** The parameters of `run`. `cwd` is crankctl's own directory. Throws UsageError. */
export const runParams = (flags: RunFlags, command: readonly string[], cwd: () => string): RunParams => {
  const params = specParams(flags);
  if (params.stopSignal !== undefined && params.stopSteps !== undefined)
    throw new UsageError("-stop-signal: excludes -stop-steps, whose first step is the stop signal. Omit one of them.");
  return { ...params, ...requestParams(flags, command), ...directories(params.cwd, command[0], cwd) };
};

/** The fields as parameters. Those that one parameter has together are merged. */
const specParams = (flags: RunFlags): SpecParams => {
  const params: Record<string, unknown> = {};
  for (const [flag, field] of SPEC_ROWS) {
    const value = flags[flag];
    if (value === undefined) continue;
    params[field.parameter] = repeats(field)
      ? // The values of a flag that repeats are a list of maps.
        merged(params[field.parameter] as Entries | undefined, value as readonly Entries[])
      : value;
  }
  // Every value was parsed by its row, and SpecParams has the type of the row's kind.
  return params as SpecParams;
};

type Entries = Readonly<Record<string, unknown>>;

/** Later entries replace earlier ones of their flag, and those of another flag must have other names. */
const merged = (before: Entries = {}, given: readonly Entries[]): Entries => {
  const entries = new Map(Object.entries(before));
  for (const [name, value] of given.flatMap(Object.entries<unknown>)) {
    if (Object.hasOwn(before, name))
      throw new UsageError(`-env ${name}: it is unset with -unset-env too. Omit one of them.`);
    entries.set(name, value);
  }
  return Object.fromEntries(entries);
};

const requestParams = (flags: RunFlags, command: readonly string[]): RunRequest => ({
  ...(command.length > 0 ? { command } : {}),
  ...(flags.wait === true ? { wait: true } : {}),
  ...(flags.pid === undefined || flags.pid === 0 ? {} : { pid: flags.pid }),
  ...(flags.supersede === true ? { supersede: true } : {}),
});

/**
 * A command is run, and a relative one found, where crankctl is called, as a shell would; without one, what the last run
 * had stays.
 */
const directories = (
  given: string | undefined,
  program: string | undefined,
  cwd: () => string,
): Pick<RunParams, "cwd" | "callerCwd"> => {
  const isRelative = program?.includes("/") === true && !program.startsWith("/");
  return {
    ...(given === undefined ? {} : { cwd: absolute(given, cwd) }),
    ...(program === undefined || (given !== undefined && !isRelative) ? {} : { callerCwd: cwd() }),
  };
};

/** A path below `cwd`, if it is relative. */
export const absolute = (path: string, cwd: () => string): string =>
  path.startsWith("/") ? path : `${cwd().replace(/\/$/, "")}/${path}`;
