// The descriptors that workers store for later workers: which there are, which worker is started with them, and when
// crank closes them. Workers' requests are in descriptor-requests.ts.
import type { Spec } from "../../../core/model/spec.ts";
import type { Worker, WorkerId } from "../../../core/model/worker.ts";
import { findWorker } from "../../../core/model/workers.ts";
import { recordEvent } from "../../events/supervisor-event.ts";
import { type DescriptorStore, EMPTY_STORE, type StoredDescriptor } from "../../state/parts/stored-descriptors.ts";
import type { Memory } from "../../state/store.ts";

/** After the handles of sockets and of descriptors that are only taken to be closed. */
export const FIRST_STORED_HANDLE = 3_000_000;

/** Whether a notification is about stored descriptors. */
export const concernsStore = (said: ReadonlyMap<string, string>): boolean =>
  said.has("FDSTORE") || said.has("FDSTOREREMOVE") || said.has("FDTAKE");

/** At most a quarter of the descriptors that crank may open: the others are needed to start workers. */
export const storeLimit = ({ platform }: Memory, { fdStore }: Spec): number => {
  if (fdStore === 0) return 0;
  const { openFiles } = platform.kernelLimits();
  return openFiles === null ? fdStore : Math.min(fdStore, Math.floor(openFiles / 4));
};

/** Gives a worker that is being started all kept descriptors. They count as lent until it is ready. */
export const lendStored = (memory: Memory, worker: WorkerId): readonly StoredDescriptor[] => {
  const kept = [...memory.stored.values()].filter(({ place }) => place.kind === "kept");
  if (kept.length === 0) return kept;
  for (const stored of kept) rememberStored(memory, { ...stored, place: { kind: "lent", to: worker } });
  const { store, platform } = memory;
  rememberStore(memory, { ...store, startedWith: { ...store.startedWith, [worker]: kept.length } });
  recordEvent(memory, { kind: "descriptorsGiven", worker, count: kept.length, way: "start" }, platform.monotonicNow());
  return kept;
};

/** Updates the store after changes of the workers. */
export const reconcileStored = (memory: Memory, now: number): void => {
  if (memory.store === EMPTY_STORE) return;
  const { workers } = memory.core;
  for (const stored of memory.stored.values()) {
    if (stored.place.kind !== "lent") continue;
    const worker = findWorker(workers, stored.place.to);
    if (worker === undefined) rememberStored(memory, { ...stored, place: { kind: "kept" } });
    else if (wasReady(worker)) dropStored(memory, stored.handle);
  }
  forgetWorkers(memory);
  tellRest(memory, now);
};

/** Reports what workers that are gone had stored and was not reported yet. */
const tellRest = (memory: Memory, now: number): void => {
  const { store, core } = memory;
  const known = Object.entries(store.telling?.stored ?? {});
  const left = known.filter(([id]) => findWorker(core.workers, Number(id)) !== undefined);
  if (left.length === known.length) return;
  rememberStore(memory, { ...store, telling: { ...store.telling, stored: Object.fromEntries(left) } });
  for (const [id, { more: count, name }] of known) {
    const worker = Number(id);
    if (findWorker(core.workers, worker) === undefined && count > 0)
      recordEvent(memory, { kind: "descriptorsStored", worker, pid: null, name, count }, now);
  }
};

const wasReady = (worker: Worker): boolean =>
  worker.kind === "ready" || (worker.kind === "stopping" && worker.wasReady);

/** Forgets workers that are gone, and requests of stopping ones. */
const forgetWorkers = (memory: Memory): void => {
  const { store, core } = memory;
  const asking = store.asking.filter((id) => {
    const worker = findWorker(core.workers, id);
    return worker !== undefined && worker.kind !== "stopping";
  });
  const known = Object.entries(store.startedWith);
  const left = known.filter(([id]) => findWorker(core.workers, Number(id)) !== undefined);
  if (asking.length === store.asking.length && left.length === known.length) return;
  rememberStore(memory, { ...store, asking, startedWith: Object.fromEntries(left) });
};

/** Closes crank's copy. */
export const dropStored = (memory: Memory, handle: number): void => {
  memory.batch.command({ kind: "closeHandle", handle });
  forgetStored(memory, handle);
};

/** Stores where a descriptor is now. */
export const rememberStored = (memory: Memory, stored: StoredDescriptor): void => {
  memory.stored.set(stored.handle, stored);
  memory.batch.put(`stored/${stored.handle}`, stored);
};

/** Forgets a descriptor that is no longer crank's. */
export const forgetStored = (memory: Memory, handle: number): void => {
  memory.stored.delete(handle);
  memory.batch.remove(`stored/${handle}`);
};

export const rememberStore = (memory: Memory, store: DescriptorStore): void => {
  memory.store = store;
  memory.batch.put("store", store);
};
