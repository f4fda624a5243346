// From a `run` request to a complete spec: missing parameters come from the last good spec, impossible ones are
// refused.
import type { RunParams } from "../../control/run-params.ts";
import { asGiven, type Identity, type Limit, type Liveness, type Readiness, type Spec } from "../../core/model/spec.ts";
import { emptySpec, type SpecDefaults, stopStepsOf } from "../../spec/defaults.ts";
import { type Meaning, SPEC_ROWS } from "../../spec/fields.ts";
import { LIMIT_NAMES, limitNumber } from "../os/limits.ts";
import type { Platform } from "../os/platform.ts";
import { parseSignal } from "../os/signals.ts";
import { MOST_ID } from "../os/users.ts";
import type { Settings } from "../state/settings.ts";
import { sizeProblem } from "../state/spec-size.ts";
import { livenessFrom, readinessFrom } from "./checks.ts";
import { SpecError } from "./spec-error.ts";

/** What a spec is made of. */
type Request = {
  readonly platform: Platform;
  readonly defaults: SpecDefaults;
  /** The spec on top of which the parameters are. */
  readonly from: Spec;
  readonly params: RunParams;
};

/** What the table of fields leaves to this module, by the names that it uses. The first that is wrong is reported. */
const MEANINGS: Readonly<Record<Meaning, (request: Request) => Partial<Spec>>> = {
  directory: ({ from, params }) => directories(from, params),
  environment: ({ from, params }) => ({ env: { ...from.env, ...params.env } }),
  user: ({ platform, from, params }) => ({
    user: params.user === undefined ? from.user : userFor(platform, params.user),
  }),
  limits: ({ from, params }) => ({ limits: mergeLimits(from.limits, params.limits) }),
  overlap: ({ defaults, from, params }) => overlap(defaults, from, params),
  readiness: ({ from, params }) => ({ readiness: readinessFrom(from.readiness, params) }),
  liveness: ({ from, params }) => ({ liveness: livenessFrom(from.liveness ?? null, params) }),
  stopping: ({ from, params }) => stopping(from, params),
};

/** The spec of these parameters on top of `base` (null: nothing was ever deployed). Throws SpecError. */
export const specFrom = (platform: Platform, settings: Settings, base: Spec | null, params: RunParams): Spec => {
  const { defaults, cwd } = settings;
  const from = base ? asGiven(base) : { ...emptySpec(defaults), cwd };
  const request = { platform, defaults, from, params };
  const { callerCwd: _, ...given } = asTaken(from, params);
  let spec: Spec = given;
  for (const meaning of Object.values(MEANINGS)) spec = { ...spec, ...meaning(request) };
  const problem = sizeProblem(platform, spec);
  if (problem !== null) throw new SpecError(problem);
  return spec;
};

/** What is wrong with a spec for a service that has no sockets: a probe needs another address. Null: nothing. */
export const probeWithoutSocket = ({ readiness, liveness }: Spec): string | null => {
  const asksSocket = (one: Readiness | Liveness | null): boolean =>
    one?.kind === "probe" && one.check.kind !== "exec" && one.address === null;
  const flag = asksSocket(readiness) ? "-probe-addr" : asksSocket(liveness) ? "-live-addr" : null;
  return flag === null ? null : `There is no socket to probe: give ${flag}, or start crank with -bind`;
};

/** The spec with the fields that mean what is given, and keep their value if nothing is. */
const asTaken = (from: Spec, params: RunParams): Spec => {
  const spec: Record<string, unknown> = { ...from };
  const given: Readonly<Record<string, unknown>> = params;
  for (const [, { key, parameter, meaning, sparse }] of SPEC_ROWS) {
    const value = given[parameter];
    if (key === undefined || meaning !== undefined || value === undefined) continue;
    if (sparse === true && value === false) delete spec[key];
    else spec[key] = value;
  }
  // Every value is one of the key that its row names.
  return spec as Spec;
};

/** The command, the directory in which it runs, and the one where it is looked for. */
const directories = (from: Spec, params: RunParams): Pick<Spec, "command" | "cwd" | "callerCwd"> => {
  const isNew = params.command !== undefined && params.command.length > 0;
  const command = isNew && params.command ? params.command : from.command;
  if (command.length === 0) throw new SpecError("Command is missing");
  // It only applies to a relative path.
  const isRelative = command[0]?.includes("/") === true && !command[0].startsWith("/");
  const callerCwd = !isRelative ? undefined : isNew ? params.callerCwd : from.callerCwd;
  return {
    command,
    cwd: params.cwd ?? (isNew ? params.callerCwd : undefined) ?? from.cwd,
    ...(callerCwd === undefined ? {} : { callerCwd }),
  };
};

/**
 * How old and new workers overlap. With handing over they do not, because the successor is started with what its
 * predecessor left. A request that turns handing over off gets the default overlap back.
 */
const overlap = (
  defaults: SpecDefaults,
  from: Spec,
  params: RunParams,
): Pick<Spec, "handOver" | "surge" | "unavailable"> => {
  const handOver = params.handOver ?? from.handOver;
  const base = from.handOver && !handOver ? defaults : from;
  const { surge = base.surge, unavailable = base.unavailable } = params;
  if (!handOver) {
    if (surge === 0 && unavailable === 0)
      throw new SpecError("With -surge 0, -unavailable must be at least 1: otherwise no worker could be replaced");
    return { handOver, surge, unavailable };
  }
  if (params.surge !== undefined && params.surge > 0)
    throw new SpecError(
      "With -hand-over, workers exit before their successors start: use -surge 0, or -hand-over=false",
    );
  return { handOver, surge: 0, unavailable: Math.max(1, unavailable) };
};

/**
 * A user of the database, or UID:GID, which does not need the database. A uid alone needs it, as in chroot(1): a
 * guessed group could have more rights than meant.
 */
const userFor = (platform: Platform, name: string): Identity => {
  const [, uid, gid] = /^(\d{1,10}):(\d{1,10})$/.exec(name) ?? [];
  if (uid !== undefined && gid !== undefined) return numbered(platform, Number(uid), Number(gid));
  const user = platform.findUser(name);
  if (user) return user;
  const unasked = platform.canAskForUsers()
    ? ""
    : "; getent, which knows users that are not in /etc/passwd, cannot be executed";
  if (!/^\d+$/.test(name)) throw new SpecError(`No such user: ${JSON.stringify(name)}${unasked}`);
  throw new SpecError(`No user has the uid ${name}, so its group is unknown${unasked}; give UID:GID`);
};

/** With this group and no others, whatever the database says. */
const numbered = (platform: Platform, uid: number, gid: number): Identity => {
  if (Math.max(uid, gid) > MOST_ID)
    throw new SpecError(`${uid}:${gid} is out of range: the highest uid and gid is ${MOST_ID}`);
  return { name: String(uid), home: "/", shell: "/bin/sh", ...platform.findUser(String(uid)), uid, gid, groups: [gid] };
};

const mergeLimits = (base: readonly Limit[], changes: RunParams["limits"]): readonly Limit[] => {
  if (!changes) return base;
  const merged = new Map(base.map((limit) => [limit.name, limit]));
  for (const [name, value] of Object.entries(changes)) {
    if (limitNumber(name) === null)
      throw new SpecError(`No such limit: ${JSON.stringify(name)}; use one of ${LIMIT_NAMES.join(", ")}`);
    merged.set(name, { name, soft: value, hard: value });
  }
  return [...merged.values()];
};

const stopping = (from: Spec, params: RunParams): Pick<Spec, "stopSteps" | "stopTimeoutMs"> => {
  if (params.stopSteps !== undefined && params.stopSteps.length > 0)
    return givenSteps(params.stopSteps, params.stopTimeout);
  if (params.stopTimeout === undefined && params.stopSignal === undefined) {
    return { stopSteps: from.stopSteps, stopTimeoutMs: from.stopTimeoutMs };
  }
  const stopTimeoutMs = params.stopTimeout === undefined ? from.stopTimeoutMs : params.stopTimeout;
  const signal = knownSignal(params.stopSignal ?? from.stopSteps[0]?.signal ?? "SIGTERM");
  return { stopTimeoutMs, stopSteps: stopStepsOf(signal, stopTimeoutMs) };
};

const givenSteps = (
  steps: readonly { readonly signal: string; readonly after: number }[],
  stopTimeout: number | null | undefined,
): Pick<Spec, "stopSteps" | "stopTimeoutMs"> => {
  const stopSteps = steps.map((step) => ({ signal: knownSignal(step.signal), afterMs: step.after }));
  if (stopSteps[0]?.afterMs !== 0) throw new SpecError("The first stop step must have the time 0");
  for (const [index, step] of stopSteps.entries()) {
    if (index > 0 && step.afterMs < (stopSteps[index - 1]?.afterMs ?? 0))
      throw new SpecError("The stop steps must be in ascending order of their times");
  }
  const last = stopSteps.at(-1);
  const stopTimeoutMs = stopTimeout ?? (last?.signal === "SIGKILL" ? last.afterMs : null);
  if (last?.signal === "SIGKILL" || stopTimeoutMs === null) return { stopSteps, stopTimeoutMs };
  return {
    stopSteps: [...stopSteps, { signal: "SIGKILL", afterMs: Math.max(stopTimeoutMs, last?.afterMs ?? 0) }],
    stopTimeoutMs,
  };
};

const knownSignal = (text: string): string => {
  const signal = parseSignal(text);
  if (signal === null) throw new SpecError(`Unknown signal ${text}`);
  return signal;
};
