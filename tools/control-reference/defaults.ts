// The defaults of `run`: the spec of a first deploy that gives only a command.
import { asGiven, type Spec } from "../../src/core/model/spec.ts";
import { specFrom } from "../../src/supervisor/control/specs.ts";
import type { Platform } from "../../src/supervisor/os/platform.ts";
import { CRANK_DEFAULTS, type Settings } from "../../src/supervisor/state/settings.ts";

// A small spec without a user is made without using the system.
const deploy = (ready: "notify" | "tcp"): Spec => {
  const settings = { defaults: CRANK_DEFAULTS, cwd: "" } as Settings;
  const probes = ready === "tcp" ? { ready: { kind: ready }, live: { kind: ready } } : {};
  return asGiven(specFrom({} as Platform, settings, null, { command: ["server"], ...probes }));
};

/** Parameters whose field in the spec has another name, apart from unit suffixes. */
const FIELDS: Readonly<Record<string, keyof Spec>> = {
  ready: "readiness",
  live: "liveness",
  deadline: "rolloutDeadlineMs",
  draining: "maxDraining",
};
const IN_WORDS: Readonly<Record<string, string>> = {
  command: "none: the first deploy must name one",
  cwd: "`callerCwd`, else the directory of crank",
  callerCwd: "the directory of crank",
  env: "no changes to crank's environment",
  user: "crank's user",
  umask: "crank's umask",
  limits: "crank's limits",
  stopSignal: '"SIGTERM"',
  live: '{"kind":"off"}',
  noNewPrivs: "false",
  socketsOptional: "false",
  wait: "false",
  supersede: "false",
  clientId: "none",
  pid: "none",
};

const probeField = (name: string, of: "probe" | "live"): string | null => {
  if (!name.startsWith(of) || name === of) return null;
  const spec = deploy("tcp");
  const probe = of === "probe" ? spec.readiness : spec.liveness;
  const field = name.slice(of.length).replace(/^./, (letter) => letter.toLowerCase());
  const values = Object.entries(probe ?? {});
  const [, value] = values.find(([key]) => key === field || key === `${field}Ms`) ?? [];
  return JSON.stringify(value ?? "");
};

/**
 * The default of a parameter of `run`, as Markdown. Throws if there is none, so that new parameters are not forgotten.
 */
export const defaultOf = (name: string): string => {
  const words = IN_WORDS[name];
  if (words !== undefined) return /^["{]/.test(words) ? `\`${words}\`` : words;
  const ofProbe = probeField(name, "probe") ?? probeField(name, "live");
  if (ofProbe !== null) return `\`${ofProbe}\``;
  const spec = deploy("notify");
  const field = FIELDS[name] ?? Object.keys(spec).find((key) => key === name || key === `${name}Ms`);
  const value = field === undefined ? undefined : (spec as Readonly<Record<string, unknown>>)[field];
  if (value === undefined)
    throw new Error(`the default of run's ${name} is not known: name it in tools/control-reference/defaults.ts`);
  return `\`${JSON.stringify(value).replaceAll("afterMs", "after")}\``;
};
