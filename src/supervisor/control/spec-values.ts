// A spec as the values of the parameters of `run`: the inverse of specs.ts.
import type { ServiceSettings } from "../../control/messages.ts";
import type { Check, Identity, Liveness, Probe, Readiness, Spec } from "../../core/model/spec.ts";
import { stopStepsOf } from "../../spec/defaults.ts";
import { SPEC_ROWS } from "../../spec/fields.ts";

/** All settings of a spec. */
export const settingsOf = (spec: Spec): ServiceSettings => ({
  command: spec.command,
  values: { ...keyed(spec), ...composed(spec) },
  ...(spec.resolved ? { resolved: { cwd: spec.resolved.cwd, file: spec.resolved.file } } : {}),
});

type Values = Readonly<Record<string, unknown>>;

const keyed = (spec: Spec): Values =>
  Object.fromEntries(
    SPEC_ROWS.flatMap(([, { key, parameter, initial }]) =>
      key === undefined ? [] : [[parameter, spec[key] ?? initial ?? null]],
    ),
  );

/** Those that are parts of other keys. Null: it does not apply. */
const composed = (spec: Spec): Values => {
  const { readiness, liveness, stopSteps, stopTimeoutMs } = spec;
  const signal = stopSteps[0]?.signal ?? "";
  const isPlainStop = JSON.stringify(stopSteps) === JSON.stringify(stopStepsOf(signal, stopTimeoutMs));
  return {
    cwd: spec.cwd,
    env: spec.env,
    user: spec.user === null ? null : userText(spec.user),
    limits: Object.fromEntries(spec.limits.map(({ name, soft }) => [name, soft])),
    ready: readyOf(readiness),
    ...termsOf("probe", readiness.kind === "probe" ? readiness : null),
    live: liveOf(liveness ?? null),
    ...termsOf("live", liveness?.kind === "probe" ? liveness : null),
    stopSignal: signal,
    stopSteps: isPlainStop ? null : stopSteps.map((step) => ({ signal: step.signal, after: step.afterMs })),
  };
};

/** The name, or UID:GID if that was given. */
const userText = ({ name, uid, gid }: Identity): string => (name === String(uid) ? `${uid}:${gid}` : name);

const termsOf = (prefix: "probe" | "live", probe: Probe | null): Values => ({
  [`${prefix}Interval`]: probe?.intervalMs ?? null,
  [`${prefix}Timeout`]: probe?.timeoutMs ?? null,
  [`${prefix}Threshold`]: probe?.threshold ?? null,
  [`${prefix}Address`]: probe === null ? null : (probe.address ?? ""),
});

const readyOf = (readiness: Readiness): Check | { readonly kind: string; readonly after?: number } => {
  if (readiness.kind === "probe") return readiness.check;
  return readiness.kind === "delay" ? { kind: "delay", after: readiness.afterMs } : { kind: readiness.kind };
};

const liveOf = (liveness: Liveness | null): Check | { readonly kind: string; readonly period?: number } => {
  if (liveness === null) return { kind: "off" };
  return liveness.kind === "probe" ? liveness.check : { kind: "watchdog", period: liveness.periodMs };
};
