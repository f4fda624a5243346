// The probes that a `run` request asks for, for readiness and for liveness. Earlier settings stay until they are
// changed.
import type { RunParams } from "../../control/run-params.ts";
import type { Liveness, Probe, Readiness } from "../../core/model/spec.ts";
import { SPEC_FIELDS } from "../../spec/fields.ts";
import type { LiveParams, ReadyParams } from "../../spec/kinds.ts";
import { probeAddressProblem } from "../workers/start/probes.ts";
import { SpecError } from "./spec-error.ts";

/** The settings of a probe; undefined: not given. */
type Terms = {
  readonly interval: number | undefined;
  readonly timeout: number | undefined;
  readonly threshold: number | undefined;
  readonly address: string | undefined;
};

const READINESS_TERMS = {
  address: null,
  intervalMs: SPEC_FIELDS["probe-interval"].initial,
  timeoutMs: SPEC_FIELDS["probe-timeout"].initial,
  threshold: SPEC_FIELDS["probe-threshold"].initial,
} as const;
const LIVENESS_TERMS = {
  address: null,
  intervalMs: SPEC_FIELDS["live-interval"].initial,
  timeoutMs: SPEC_FIELDS["live-timeout"].initial,
  threshold: SPEC_FIELDS["live-threshold"].initial,
} as const;

/** How a worker proves that it can serve. Throws SpecError. */
export const readinessFrom = (from: Readiness, params: RunParams): Readiness => {
  const { ready, probeAddress, probeInterval, probeTimeout, probeThreshold } = params;
  const asked = ready === undefined ? from : askedReadiness(ready, from);
  const terms = { interval: probeInterval, timeout: probeTimeout, threshold: probeThreshold, address: probeAddress };
  if (asked.kind === "probe") return { kind: "probe", ...withTerms(asked, terms, "probe") };
  if (areGiven(terms))
    throw new SpecError("The service has no readiness probe to change; use -ready tcp, http or exec");
  return asked;
};

/** How a ready worker shows that it is alive; null: it does not. Throws SpecError. */
export const livenessFrom = (from: Liveness | null, params: RunParams): Liveness | null => {
  const { live, liveAddress, liveInterval, liveTimeout, liveThreshold } = params;
  const asked = live === undefined ? from : askedLiveness(live, from);
  const terms = { interval: liveInterval, timeout: liveTimeout, threshold: liveThreshold, address: liveAddress };
  if (asked?.kind === "probe") return { kind: "probe", ...withTerms(asked, terms, "liveness probe") };
  if (areGiven(terms)) throw new SpecError("The service has no liveness probe to change; use -live tcp, http or exec");
  return asked;
};

const areGiven = (terms: Terms): boolean => Object.values(terms).some((value) => value !== undefined);

const askedReadiness = (ready: ReadyParams, from: Readiness): Readiness => {
  switch (ready.kind) {
    case "notify":
    case "ack":
      return { kind: ready.kind };
    case "delay":
      return { kind: "delay", afterMs: ready.after };
    default:
      // Settings of the last probe stay for the next one.
      return { ...READINESS_TERMS, ...(from.kind === "probe" ? from : {}), kind: "probe", check: ready };
  }
};

const askedLiveness = (live: LiveParams, from: Liveness | null): Liveness | null => {
  switch (live.kind) {
    case "off":
      return null;
    case "watchdog":
      return { kind: "watchdog", periodMs: live.period };
    default:
      return { ...LIVENESS_TERMS, ...(from?.kind === "probe" ? from : {}), kind: "probe", check: live };
  }
};

const withTerms = (asked: Probe, { interval, timeout, threshold, address }: Terms, what: string): Probe => {
  const problem = address === undefined || address === "" ? null : probeAddressProblem(address);
  if (problem !== null)
    throw new SpecError(`The ${what}'s address ${JSON.stringify(address)} cannot be used: ${problem}`);
  return {
    check: asked.check,
    address: address === undefined ? asked.address : address === "" ? null : address,
    intervalMs: interval ?? asked.intervalMs,
    timeoutMs: timeout ?? asked.timeoutMs,
    threshold: threshold ?? asked.threshold,
  };
};
