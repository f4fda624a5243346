// The flags of crankctl run, and the parameters that they make.
import type { LiveParams, ReadyParams, RunParams } from "../../../control/run-params.ts";
import { type FlagTable, type FlagValues, MAX_SECONDS, UsageError } from "../../flags.ts";

export const RUN_FLAGS = {
  cwd: {
    kind: "text",
    argument: "DIR",
    help: "working directory of the workers; with a COMMAND, the one that crankctl is called in",
  },
  start: {
    kind: "seconds",
    argument: "SEC",
    min: null,
    help: "how long a worker may take to become ready; 0 or less keeps the previous value (30 at first)",
  },
  stop: {
    kind: "seconds",
    argument: "SEC",
    min: null,
    help: "how long a worker may take to stop before it is killed; 0 or less keeps the previous value (30 at first)",
  },
  wait: { kind: "switch", help: "wait for the end of the rollout, and show its progress and result" },
  pid: {
    kind: "whole",
    argument: "PID",
    max: 4_194_304,
    help: "refuse the deploy unless PID is a ready worker's, or no worker is ready; 0 is any",
  },
  supersede: { kind: "switch", help: "give up the rollout in flight, if there is one" },

  instances: { kind: "whole", argument: "N", min: 1, max: 1000, group: "Rollout", help: "how many workers (1)" },
  surge: {
    kind: "whole",
    argument: "N",
    max: 1000,
    group: "Rollout",
    help: "how many more workers may run during a rollout (1)",
  },
  unavailable: {
    kind: "whole",
    argument: "N",
    max: 1000,
    group: "Rollout",
    help: "how many fewer workers may be available during a rollout (0)",
  },
  "min-ready": {
    kind: "seconds",
    argument: "SEC",
    group: "Rollout",
    help: "how long a worker must stay ready before it counts as available (0)",
  },
  "hand-over": {
    kind: "switch",
    group: "Rollout",
    help: "workers hand over their connections: start each successor when the old worker is gone (-surge 0)",
  },
  "fd-store": {
    kind: "whole",
    argument: "N",
    max: 1024,
    group: "Rollout",
    help: "how many descriptors workers may store (512)",
  },
  "sockets-optional": {
    kind: "switch",
    group: "Rollout",
    help: "a worker may be ready without holding all of the sockets",
  },
  retries: {
    kind: "whole",
    argument: "N",
    max: 1000,
    group: "Rollout",
    help: "how many more attempts follow when a worker fails before it is available (0)",
  },
  deadline: {
    kind: "seconds",
    argument: "SEC",
    group: "Rollout",
    help: "roll back when the rollout takes longer than this; 0 is no limit (0)",
  },
  pause: { kind: "seconds", argument: "SEC", group: "Rollout", help: "pause between two replacements (0)" },
  draining: {
    kind: "whole",
    argument: "N",
    max: 1000,
    group: "Rollout",
    help: "how many workers of all generations may drain at once; a rollout waits; 0 is no limit (0)",
  },

  "max-age": {
    kind: "seconds",
    argument: "SEC",
    group: "Recycling",
    help: "replace workers that are older, one at a time; 0 is no limit (0)",
  },
  "max-memory": {
    kind: "whole",
    argument: "MB",
    max: 1_048_576,
    group: "Recycling",
    help: "replace workers whose process tree uses more memory, one at a time; 0 is no limit (0)",
  },
  "memory-interval": {
    kind: "seconds",
    argument: "SEC",
    min: 1,
    group: "Recycling",
    help: "how often to check the memory (60)",
  },

  ready: {
    kind: "text",
    argument: "HOW",
    group: "Readiness",
    help: "how a worker proves that it serves: notify, ack, delay:SEC, tcp, http:PATH or exec:COMMAND (notify)",
  },
  "probe-interval": {
    kind: "seconds",
    argument: "SEC",
    group: "Readiness",
    help: "time between two probes of tcp, http or exec (0.25)",
  },
  "probe-timeout": { kind: "seconds", argument: "SEC", group: "Readiness", help: "limit for each probe (2)" },
  "probe-threshold": {
    kind: "whole",
    argument: "N",
    min: 1,
    max: 1000,
    group: "Readiness",
    help: "how many probes must succeed in a row (1)",
  },
  "probe-addr": {
    kind: "text",
    argument: "ADDR",
    group: "Readiness",
    help: "address to probe instead of the first socket, with {index}, {worker}, {pid} and {generation}; empty: the socket",
  },

  live: {
    kind: "text",
    argument: "HOW",
    group: "Liveness",
    help: "how a ready worker shows that it is alive, or else is replaced: http:PATH, exec:COMMAND, tcp, watchdog:SEC (it sends WATCHDOG=1 at least this often) or off (off)",
  },
  "live-interval": {
    kind: "seconds",
    argument: "SEC",
    group: "Liveness",
    help: "time between two probes of http, exec or tcp (10)",
  },
  "live-timeout": { kind: "seconds", argument: "SEC", group: "Liveness", help: "limit for each probe (5)" },
  "live-threshold": {
    kind: "whole",
    argument: "N",
    min: 1,
    max: 1000,
    group: "Liveness",
    help: "how many probes must fail in a row (3)",
  },
  "live-addr": {
    kind: "text",
    argument: "ADDR",
    group: "Liveness",
    help: "address to probe instead of the first socket, as -probe-addr",
  },

  "stop-signal": {
    kind: "text",
    argument: "SIGNAL",
    group: "Stopping",
    help: "the signal that asks a worker to stop (SIGTERM); SIGKILL follows after -stop",
  },
  "stop-steps": {
    kind: "text",
    argument: "STEPS",
    group: "Stopping",
    help: "several signals, each with its seconds since the stop began: SIGUSR2,SIGTERM@3,SIGKILL@6",
  },
  "kill-mode": {
    kind: "choice",
    argument: "MODE",
    choices: ["group", "process"],
    group: "Stopping",
    help: "what the last stop step ends: the worker's whole process tree (group), or its main process first (process)",
  },

  env: {
    kind: "texts",
    argument: "NAME=VALUE",
    group: "Process",
    help: "set an environment variable, in addition to those of crank",
  },
  "unset-env": { kind: "texts", argument: "NAME", group: "Process", help: "unset an environment variable" },
  user: {
    kind: "text",
    argument: "USER",
    group: "Process",
    help: "run as this user, with all of its groups, or as UID:GID",
  },
  umask: { kind: "text", argument: "MASK", group: "Process", help: "file creation mask, octal, as in 027" },
  "no-new-privs": {
    kind: "switch",
    group: "Process",
    help: "workers, and what they start, gain no privileges by executing a program such as sudo",
  },
  limit: {
    kind: "texts",
    argument: "NAME=N",
    group: "Process",
    help: "resource limit by its name without RLIMIT_, as in nofile=65536 or core=unlimited",
  },
} as const satisfies FlagTable;

type RunFlags = FlagValues<typeof RUN_FLAGS>;

/** The parameters of `run`. `cwd` is crankctl's own directory. Throws UsageError. */
export const runParams = (flags: RunFlags, command: readonly string[], cwd: () => string): RunParams => {
  const params: RunParams = {
    ...(command.length > 0 ? { command } : {}),
    ...directories(flags.cwd, command[0], cwd),
    ...(flags.start === undefined || flags.start <= 0 ? {} : { startTimeout: flags.start }),
    ...(flags.stop === undefined || flags.stop <= 0 ? {} : { stopTimeout: flags.stop }),
    ...(flags.wait === true ? { wait: true } : {}),
    ...(flags.pid === undefined || flags.pid === 0 ? {} : { pid: flags.pid }),
    ...(flags.supersede === true ? { supersede: true } : {}),
    ...given("instances", flags.instances),
    ...given("surge", flags.surge),
    ...given("unavailable", flags.unavailable),
    ...given("minReady", flags["min-ready"]),
    ...given("handOver", flags["hand-over"]),
    ...given("fdStore", flags["fd-store"]),
    ...given("socketsOptional", flags["sockets-optional"]),
    ...given("retries", flags.retries),
    ...(flags.deadline === undefined ? {} : { deadline: flags.deadline === 0 ? null : flags.deadline }),
    ...given("pause", flags.pause),
    ...(flags.draining === undefined ? {} : { draining: flags.draining === 0 ? null : flags.draining }),
    ...(flags["max-age"] === undefined ? {} : { maxAge: maxAge(flags["max-age"]) }),
    ...(flags["max-memory"] === undefined ? {} : { maxMemory: maxMemory(flags["max-memory"]) }),
    ...given("memoryInterval", flags["memory-interval"]),
    ...given("stopSignal", flags["stop-signal"]),
    ...(flags["stop-steps"] === undefined ? {} : { stopSteps: stopSteps(flags["stop-steps"]) }),
    ...given("killMode", flags["kill-mode"]),
    ...(flags.ready === undefined ? {} : { ready: ready(flags.ready) }),
    ...given("probeInterval", flags["probe-interval"]),
    ...given("probeTimeout", flags["probe-timeout"]),
    ...given("probeThreshold", flags["probe-threshold"]),
    ...given("probeAddress", flags["probe-addr"]),
    ...(flags.live === undefined ? {} : { live: live(flags.live) }),
    ...given("liveInterval", flags["live-interval"]),
    ...given("liveTimeout", flags["live-timeout"]),
    ...given("liveThreshold", flags["live-threshold"]),
    ...given("liveAddress", flags["live-addr"]),
    ...environment(flags.env ?? [], flags["unset-env"] ?? []),
    ...given("user", flags.user),
    ...(flags.umask === undefined ? {} : { umask: umask(flags.umask) }),
    ...given("noNewPrivs", flags["no-new-privs"]),
    ...limits(flags.limit ?? []),
  };
  if (params.stopSignal !== undefined && params.stopSteps !== undefined)
    throw new UsageError("-stop-signal and -stop-steps exclude each other: the first step is the stop signal");
  if (params.surge === 0 && params.unavailable === 0)
    throw new UsageError("with -surge 0, -unavailable must be at least 1: otherwise no worker could be replaced");
  return params;
};

const given = <K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } =>
  // The one key is K; TypeScript widens computed keys to string.
  value === undefined ? {} : ({ [key]: value } as { readonly [P in K]: V });

const SHORTEST_AGE_MS = 1000;

const maxAge = (ms: number): number | null => {
  if (ms > 0 && ms < SHORTEST_AGE_MS)
    throw new UsageError("-max-age has to be at least 1 second: workers would be replaced all the time");
  return ms === 0 ? null : ms;
};

/** 1 MB is 1024 × 1024 bytes, as in top(1). */
const maxMemory = (megabytes: number): number | null => (megabytes === 0 ? null : megabytes * 1024 ** 2);

/** A command is run, and a relative one found, where crankctl is called, as a shell would; without one, what the last run had stays. */
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

const absolute = (path: string, cwd: () => string): string => {
  if (path === "") throw new UsageError("-cwd must not be empty");
  return path.startsWith("/") ? path : `${cwd().replace(/\/$/, "")}/${path}`;
};

/** Reads `SIGNAL[@SECONDS],…`: only the first may leave its time out, and it is sent at once. */
const stopSteps = (text: string): { signal: string; after: number }[] => {
  const steps = text.split(",").map((step, index) => {
    const match = /^([A-Za-z0-9+-]+)(?:@(\d{1,10}(?:\.\d*)?|\.\d+))?$/.exec(step.trim());
    const signal = match?.[1];
    if (signal === undefined || (match?.[2] === undefined && index > 0))
      throw new UsageError(`-stop-steps: ${JSON.stringify(step)} is not a step; write SIGNAL@SECONDS, as in SIGTERM@3`);
    const seconds = Number(match?.[2] ?? 0);
    if (seconds > MAX_SECONDS) throw new UsageError(`-stop-steps: ${step} is further away than ${MAX_SECONDS} seconds`);
    return { signal, after: Math.round(seconds * 1000) };
  });
  if (steps[0]?.after !== 0)
    throw new UsageError("-stop-steps: the first step is taken at once, so it has no time or @0");
  for (const [index, step] of steps.entries()) {
    if (step.after < (steps[index - 1]?.after ?? 0))
      throw new UsageError(`-stop-steps: ${step.signal} comes before the step in front of it`);
  }
  return steps;
};

/** Reads `notify`, `ack`, `delay:SEC`, `tcp`, `http:PATH`, `exec:COMMAND`. */
const ready = (text: string): ReadyParams => {
  if (text === "notify" || text === "ack") return { kind: text };
  const after = secondsAfter("delay:", text);
  if (after !== null) return { kind: "delay", after };
  const asked = check(text);
  if (asked !== null) return asked;
  throw new UsageError(
    `-ready: ${JSON.stringify(text)} is not notify, ack, delay:SEC, tcp, http:PATH (as in http:/healthz) or exec:COMMAND`,
  );
};

/** Reads `off`, `watchdog:SEC`, `tcp`, `http:PATH`, `exec:COMMAND`. */
const live = (text: string): LiveParams => {
  if (text === "off") return { kind: "off" };
  const period = secondsAfter("watchdog:", text);
  if (period !== null && period > 0) return { kind: "watchdog", period };
  const asked = check(text);
  if (asked !== null) return asked;
  throw new UsageError(
    `-live: ${JSON.stringify(text)} is not http:PATH (as in http:/healthz), exec:COMMAND, tcp, watchdog:SEC or off`,
  );
};

/** What is asked of a worker from outside; null for anything else. A command's words are parted at white space; there is no shell. */
const check = (text: string): Extract<ReadyParams, { kind: "tcp" | "http" | "exec" }> | null => {
  if (text === "tcp") return { kind: "tcp" };
  if (/^http:\/[!-~]*$/.test(text)) return { kind: "http", path: text.slice("http:".length) };
  const command = text.startsWith("exec:") ? text.slice("exec:".length).trim().split(/\s+/) : [""];
  return command[0] === "" ? null : { kind: "exec", command };
};

/** The ms of what begins so and goes on with a number of seconds; null for anything else. */
const secondsAfter = (beginning: string, text: string): number | null => {
  const number = text.startsWith(beginning) ? text.slice(beginning.length) : "";
  return /^(\d{1,9}(\.\d*)?|\.\d+)$/.test(number) ? Math.round(Number(number) * 1000) : null;
};

const environment = (set: readonly string[], unset: readonly string[]): Pick<RunParams, "env"> => {
  if (set.length === 0 && unset.length === 0) return {};
  const entries = new Map<string, string | null>();
  for (const assignment of set) {
    const equals = assignment.indexOf("=");
    if (equals < 1) throw new UsageError(`-env: ${JSON.stringify(assignment)} is not NAME=VALUE`);
    entries.set(assignment.slice(0, equals), assignment.slice(equals + 1));
  }
  for (const name of unset) {
    if (name === "" || name.includes("=")) throw new UsageError(`-unset-env: ${JSON.stringify(name)} is not a name`);
    if (entries.has(name)) throw new UsageError(`${name} is both set with -env and unset with -unset-env`);
    entries.set(name, null);
  }
  return { env: Object.fromEntries(entries) };
};

const umask = (text: string): number => {
  if (!/^0?[0-7]{1,3}$/.test(text))
    throw new UsageError(`-umask must be octal, from 0 to 777, not ${JSON.stringify(text)}`);
  return Number.parseInt(text, 8);
};

const limits = (texts: readonly string[]): Pick<RunParams, "limits"> => {
  if (texts.length === 0) return {};
  return { limits: Object.fromEntries(texts.map(limit)) };
};

const limit = (text: string): [string, number | null] => {
  const match = /^(?:RLIMIT_)?([a-z]+)=(\d{1,15}|unlimited|infinity)$/i.exec(text);
  const [, name, value] = match ?? [];
  if (name === undefined || value === undefined)
    throw new UsageError(`-limit: ${JSON.stringify(text)} is not NAME=N, as in nofile=65536 or core=unlimited`);
  return [name.toLowerCase(), /^\d/.test(value) ? Number(value) : null];
};
