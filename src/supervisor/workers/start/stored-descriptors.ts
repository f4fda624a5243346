// The descriptors that workers store for later workers: which there are, which worker is started with them, and when
// crank closes them. Workers' requests are in descriptor-requests.ts.
import type { Spec } from "../../../core/model/spec.ts";
import type { Worker, WorkerId } from "../../../core/model/worker.ts";
import { findWorker } from "../../../core/model/workers.ts";
import { recordEvent } from "../../events/supervisor-event.ts";
import { type DescriptorStore, EMPTY_STORE, type StoredDescriptor } from "../../state/parts/stored-descriptors.ts";
import type { Store } from "../../state/store.ts";

/** After the handles of sockets and of descriptors that are only taken to be closed. */
export const FIRST_STORED_HANDLE = 3_000_000;

/** Whether a notification is about stored descriptors. */
export const concernsStore = (fields: ReadonlyMap<string, string>): boolean =>
  fields.has("FDSTORE") || fields.has("FDSTOREREMOVE") || fields.has("FDTAKE");

/** At most a quarter of the descriptors that crank may open: the others are needed to start workers. */
export const storeLimit = ({ platform }: Store, { fdStore }: Spec): number => {
  if (fdStore === 0) return 0;
  const { openFiles } = platform.kernelLimits();
  return openFiles === null ? fdStore : Math.min(fdStore, Math.floor(openFiles / 4));
};

/** Gives a worker that is being started all kept descriptors. They count as lent until it is ready. */
export const lendStored = (store: Store, worker: WorkerId): readonly StoredDescriptor[] => {
  const kept = [...store.stored.values()].filter(({ place: state }) => state.kind === "kept");
  if (kept.length === 0) return kept;
  for (const stored of kept) saveStored(store, { ...stored, place: { kind: "lent", to: worker } });
  const { descriptorStore, platform } = store;
  saveDescriptorStore(store, {
    ...descriptorStore,
    startedWith: { ...descriptorStore.startedWith, [worker]: kept.length },
  });
  recordEvent(store, { kind: "descriptorsGiven", worker, count: kept.length, way: "start" }, platform.monotonicNow());
  return kept;
};

/** Updates the store after changes of the workers. */
export const reconcileStored = (store: Store, now: number): void => {
  if (store.descriptorStore === EMPTY_STORE) return;
  const { workers } = store.core;
  for (const stored of store.stored.values()) {
    if (stored.place.kind !== "lent") continue;
    const worker = findWorker(workers, stored.place.to);
    if (worker === undefined) saveStored(store, { ...stored, place: { kind: "kept" } });
    else if (wasReady(worker)) dropStored(store, stored.handle);
  }
  forgetWorkers(store);
  reportRest(store, now);
};

/** Reports what workers that are gone had stored and was not reported yet. */
const reportRest = (store: Store, now: number): void => {
  const { descriptorStore, core } = store;
  const known = Object.entries(descriptorStore.telling?.stored ?? {});
  const remaining = known.filter(([id]) => findWorker(core.workers, Number(id)) !== undefined);
  if (remaining.length === known.length) return;
  saveDescriptorStore(store, {
    ...descriptorStore,
    telling: { ...descriptorStore.telling, stored: Object.fromEntries(remaining) },
  });
  for (const [id, { more: count, name }] of known) {
    const worker = Number(id);
    if (findWorker(core.workers, worker) === undefined && count > 0)
      recordEvent(store, { kind: "descriptorsStored", worker, pid: null, name, count }, now);
  }
};

const wasReady = (worker: Worker): boolean =>
  worker.kind === "ready" || (worker.kind === "stopping" && worker.wasReady);

/** Forgets workers that are gone, and requests of stopping ones. */
const forgetWorkers = (store: Store): void => {
  const { descriptorStore, core } = store;
  const asking = descriptorStore.asking.filter((id) => {
    const worker = findWorker(core.workers, id);
    return worker !== undefined && worker.kind !== "stopping";
  });
  const known = Object.entries(descriptorStore.startedWith);
  const remaining = known.filter(([id]) => findWorker(core.workers, Number(id)) !== undefined);
  if (asking.length === descriptorStore.asking.length && remaining.length === known.length) return;
  saveDescriptorStore(store, { ...descriptorStore, asking, startedWith: Object.fromEntries(remaining) });
};

/** Closes crank's copy. */
export const dropStored = (store: Store, handle: number): void => {
  store.batch.command({ kind: "closeHandle", handle });
  forgetStored(store, handle);
};

/** Stores where a descriptor is now. */
export const saveStored = (store: Store, stored: StoredDescriptor): void => {
  store.stored.set(stored.handle, stored);
  store.batch.put(`stored/${stored.handle}`, stored);
};

/** Forgets a descriptor that is no longer crank's. */
export const forgetStored = (store: Store, handle: number): void => {
  store.stored.delete(handle);
  store.batch.remove(`stored/${handle}`);
};

export const saveDescriptorStore = (store: Store, descriptorStore: DescriptorStore): void => {
  store.descriptorStore = descriptorStore;
  store.batch.put("store", descriptorStore);
};
