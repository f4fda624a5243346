// Results of probes, as events of the core.
import type { CoreEvent } from "../../../core/model/events.ts";
import { allWorkers } from "../../../core/model/workers.ts";
import type { KeeperEvent } from "../../../keeper/protocol.ts";
import { log } from "../../events/log.ts";
import { processId } from "../../state/process-ids.ts";
import type { Store } from "../../state/store.ts";
import { probedBy } from "../start/probes.ts";
import { whyNotServing } from "./serving.ts";

type Times = Pick<KeeperEvent, "happenedAt" | "deliveredAt">;

type Found = Pick<Extract<CoreEvent, { kind: "probed" }>, "verdict" | "detail">;

const decoder = new TextDecoder();

/** Takes a probe's result (keeper/helpers/probe.h): `ok`, or `no ` or `unsure ` and the reason. */
export const takeProbeResult = (
  store: Store,
  probe: number,
  report: Uint8Array,
  times: Times,
): Promise<void> | void => {
  const [, verdict = "no", detail = ""] = /^(ok|no|unsure)(?: (.*))?$/.exec(decoder.decode(report)) ?? [];
  // The pattern allows only these three.
  return advanceProbed(store, probe, { verdict: verdict as Found["verdict"], detail }, times);
};

/** A probe's process is gone. If it has reported its result, this has no effect. */
export const probeIsGone = (store: Store, probe: number, times: Times): void => {
  // A failed probe is passed on without anything to wait for.
  void advanceProbed(store, probe, { verdict: "no", detail: "could not be probed" }, times);
  store.probed.delete(probe);
};

const advanceProbed = (
  store: Store,
  probe: number,
  { verdict, detail }: Found,
  { happenedAt, deliveredAt }: Times,
): Promise<void> | void => {
  const worker = probedBy(store, probe);
  if (!worker || worker.kind === "stopping" || worker.probing?.nextAt !== null) return;
  if (verdict !== "ok") log(store, "debug", `The probe of worker ${worker.id} found that it ${detail}`);
  const found = { now: deliveredAt, at: happenedAt, worker: worker.id, probe, verdict, detail };
  const waiting = verdict === "ok" ? whyNotServing(store, worker) : null;
  if (!waiting) return store.advance({ kind: "probed", ...found });
  return waiting.then((sockets) => store.advance({ kind: "probed", ...found, ...(sockets ? { sockets } : {}) }));
};

/** Running probes that the keeper does not know have failed. */
export const reconcileProbes = (store: Store, known: ReadonlySet<number>, now: number): void => {
  for (const worker of allWorkers(store.core.workers)) {
    const probing = worker.kind === "stopping" ? null : worker.probing;
    if (!probing || probing.nextAt !== null || known.has(processId("probe", probing.probe))) continue;
    probeIsGone(store, probing.probe, { happenedAt: now, deliveredAt: now });
  }
};
