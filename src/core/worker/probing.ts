// Probes: while a worker starts, until enough in a row succeed and it can serve; while it is ready, until enough in a
// row fail and it is not alive.

import { type Draft, emit, ownService, putWorker, specOf } from "../model/draft.ts";
import type { Probed } from "../model/events.ts";
import type { Probe, Spec } from "../model/spec.ts";
import type { Probing, Worker } from "../model/worker.ts";

type Starting = Extract<Worker, { kind: "starting" }>;
type Ready = Extract<Worker, { kind: "ready" }>;

/** The probe for the worker's current state; null: none. */
export const probeFor = (spec: Spec | undefined, { kind }: Worker): Probe | null => {
  const asked = kind === "starting" ? spec?.readiness : kind === "ready" ? spec?.liveness : null;
  return asked?.kind === "probe" ? asked : null;
};

const probeOf = (draft: Draft, worker: Worker): Probe | null => probeFor(specOf(draft, worker.generation), worker);

/** Probing of a worker that becomes ready: the first probe comes after an interval. */
export const firstProbing = (now: number, liveness: Probe): Probing => ({
  probe: 0,
  streak: 0,
  nextAt: now + liveness.intervalMs,
  detail: "",
});

/** Starts the watchdog of a ready worker, if its spec has one. */
export const beginWatch = (draft: Draft, worker: Worker, spec: Spec | undefined): void => {
  const liveness = spec?.liveness;
  if (liveness?.kind === "watchdog") emit(draft, { kind: "watch", worker: worker.id, periodMs: liveness.periodMs });
};

/** Sends the first or the next probe of a worker. */
export const beginProbe = (draft: Draft, worker: Starting | Ready): void => {
  const probe = draft.service.nextProbe;
  const { streak = 0, detail = "" } = worker.probing ?? {};
  ownService(draft).nextProbe = probe + 1;
  putWorker(draft, { ...worker, probing: { probe, streak, nextAt: null, detail } });
  emit(draft, { kind: "probe", worker: worker.id, probe });
};

/** Returns whether the result decides: the worker can serve, or is not alive. Otherwise the next probe is scheduled. */
export const takeProbed = (draft: Draft, worker: Starting | Ready, { probe, verdict, detail }: Probed): boolean => {
  const { probing } = worker;
  const asked = probeOf(draft, worker);
  if (!asked || probing?.probe !== probe || probing.nextAt !== null) return false;
  const streak = STREAK_AFTER[worker.kind][verdict](probing.streak);
  if (streak >= asked.threshold) return true;
  putWorker(draft, { ...worker, probing: { probe, streak, nextAt: draft.now + asked.intervalMs, detail } });
  return false;
};

const longer = (streak: number): number => streak + 1;
const broken = (): number => 0;

/** `unsure`: other workers took all its connections. That is no proof that it serves, nor that it is not alive. */
const STREAK_AFTER = {
  starting: { ok: longer, no: broken, unsure: broken },
  ready: { ok: broken, no: longer, unsure: (streak: number) => streak },
} as const;
