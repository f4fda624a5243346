// What probes found, as events of the core.
import type { KeeperEvent } from "../keeper/protocol.ts";
import { advance } from "./carry-out.ts";
import { log } from "./log.ts";
import type { Memory } from "./memory.ts";
import { probeWorker } from "./probes.ts";

type Times = Pick<KeeperEvent, "happenedAt" | "deliveredAt">;

const decoder = new TextDecoder();

/** Takes what a probe said (keeper/probe.h): `ok`, or `no ` and why. */
export const takeProbeResult = (memory: Memory, probe: number, said: Uint8Array, times: Times): void => {
  const text = decoder.decode(said);
  tellCore(memory, probe, { ok: text === "ok", detail: text === "ok" ? "" : text.replace(/^no /, "") }, times);
};

/** A probe is gone. One that has said what it found is not waited for any more. */
export const probeIsGone = (memory: Memory, probe: number, times: Times): void =>
  tellCore(memory, probe, { ok: false, detail: "could not be probed" }, times);

const tellCore = (
  memory: Memory,
  probe: number,
  { ok, detail }: { readonly ok: boolean; readonly detail: string },
  { happenedAt, deliveredAt }: Times,
): void => {
  for (const worker of Object.values(memory.core.workers)) {
    if (worker.kind !== "starting" || worker.probing?.probe !== probe || worker.probing.nextAt !== null) continue;
    if (!ok) log(memory, "debug", `The probe of worker ${worker.id} found that it ${detail}`);
    advance(memory, { kind: "probed", now: deliveredAt, at: happenedAt, worker: worker.id, probe, ok, detail });
    return;
  }
};

/** Probes that were under way and of which the keeper knows nothing have found nothing. */
export const reconcileProbes = (memory: Memory, known: ReadonlySet<number>, now: number): void => {
  for (const worker of Object.values(memory.core.workers)) {
    const probing = worker.kind === "starting" ? worker.probing : null;
    if (!probing || probing.nextAt !== null || known.has(probeWorker(probing.probe))) continue;
    probeIsGone(memory, probing.probe, { happenedAt: now, deliveredAt: now });
  }
};
