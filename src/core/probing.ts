// Workers that are asked whether they can serve: one probe after the other, until enough of them in a row went well.
import type { Probed } from "./events.ts";
import type { Readiness } from "./spec.ts";
import type { Worker } from "./state.ts";
import { changeService, emit, putWorker, specOf, type Turn } from "./turn.ts";

type Starting = Extract<Worker, { kind: "starting" }>;
type ByProbe = Extract<Readiness, { kind: "probe" }>;

/** How a worker is probed for its readiness; null: it proves itself in another way. */
export const probeOf = (turn: Turn, worker: Worker): ByProbe | null => {
  const readiness = specOf(turn, worker.generation)?.readiness;
  return readiness?.kind === "probe" ? readiness : null;
};

/** Sends the first probe of a worker that runs now, or the next one of a worker whose time for it has come. */
export const beginProbe = (turn: Turn, worker: Starting): void => {
  const { probing } = worker;
  const probe = turn.service.nextProbe;
  changeService(turn, { nextProbe: probe + 1 });
  putWorker(turn, {
    ...worker,
    probing: { probe, passed: probing?.passed ?? 0, nextAt: null, detail: probing?.detail ?? "" },
  });
  emit(turn, { kind: "probe", worker: worker.id, probe });
};

/** Takes a probe's result. Returns whether the worker has shown what it had to; if not, the next probe follows after the interval. */
export const takeProbed = (turn: Turn, worker: Starting, { probe, ok, detail }: Probed): boolean => {
  const { probing } = worker;
  const readiness = probeOf(turn, worker);
  if (!readiness || probing?.probe !== probe || probing.nextAt !== null) return false;
  const passed = ok ? probing.passed + 1 : 0;
  if (passed >= readiness.threshold) return true;
  putWorker(turn, { ...worker, probing: { probe, passed, nextAt: turn.now + readiness.intervalMs, detail } });
  return false;
};
