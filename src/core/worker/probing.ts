// Workers that are asked: whether they can serve, one probe after the other, until enough of them in a row went well; and
// then whether they are alive, until enough of them in a row failed.

import { changeService, type Draft, emit, putWorker, specOf } from "../model/draft.ts";
import type { Probed } from "../model/events.ts";
import type { Probe, Spec } from "../model/spec.ts";
import type { Probing, Worker } from "../model/worker.ts";

type Starting = Extract<Worker, { kind: "starting" }>;
type Ready = Extract<Worker, { kind: "ready" }>;

/** How a worker is asked in the state that it is in; null: it is not. */
export const probeFor = (spec: Spec | undefined, { kind }: Worker): Probe | null => {
  const asked = kind === "starting" ? spec?.readiness : kind === "ready" ? spec?.liveness : null;
  return asked?.kind === "probe" ? asked : null;
};

const probeOf = (draft: Draft, worker: Worker): Probe | null => probeFor(specOf(draft, worker.generation), worker);

/** Whether it has to be asked whether it can serve. */
export const isProbed = (draft: Draft, worker: Starting): boolean => probeOf(draft, worker) !== null;

/** The probes of a worker that gets ready: the first one comes after an interval. null: it is not asked. */
export const livenessProbing = (draft: Draft, worker: Worker): Probing | null => {
  const liveness = specOf(draft, worker.generation)?.liveness;
  if (liveness?.kind !== "probe") return null;
  return { probe: 0, streak: 0, nextAt: draft.now + liveness.intervalMs, detail: "" };
};

/** Lets the keeper watch over a ready worker that has to say by itself that it is alive. */
export const beginWatch = (draft: Draft, worker: Worker): void => {
  const liveness = specOf(draft, worker.generation)?.liveness;
  if (liveness?.kind === "watchdog") emit(draft, { kind: "watch", worker: worker.id, periodMs: liveness.periodMs });
};

/** Sends the first probe of a worker that runs now, or the next one of a worker whose time for it has come. */
export const beginProbe = (draft: Draft, worker: Starting | Ready): void => {
  const probe = draft.service.nextProbe;
  const { streak = 0, detail = "" } = worker.probing ?? {};
  changeService(draft, { nextProbe: probe + 1 });
  putWorker(draft, { ...worker, probing: { probe, streak, nextAt: null, detail } });
  emit(draft, { kind: "probe", worker: worker.id, probe });
};

/** Takes a probe's result. Returns whether that decides: the worker can serve, or is not alive. If not, the next one follows after the interval. */
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

/** A worker that only other workers keep from answering has not shown that it can serve; but that says nothing against its life either. */
const STREAK_AFTER = {
  starting: { ok: longer, no: broken, unsure: broken },
  ready: { ok: broken, no: longer, unsure: (streak: number) => streak },
} as const;
