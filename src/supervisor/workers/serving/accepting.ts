// Whether the current generation accepts at the service's sockets: which worker is checked, and when.
// unaccepted.ts examines it.
import type { GenerationNumber, Worker } from "../../../core/model/worker.ts";
import { allWorkers } from "../../../core/model/workers.ts";
import { type Listener, listenersOf } from "../../sockets/listeners.ts";
import { saveAcceptCheck } from "../../state/save.ts";
import type { Store } from "../../state/store.ts";

/** How long after its readiness a worker may take until it is seen to accept, ms. */
const CHECKED_FOR_MS = 1000;

/** When the next look is due, CLOCK_MONOTONIC ms; null: none. */
export const acceptCheckDueAt = ({ acceptCheck }: Store): number | null => acceptCheck?.at ?? null;

/** The service's TCP sockets. */
export const acceptingListeners = (store: Store): readonly Listener[] =>
  listenersOf(store).filter(({ address }) => address.startsWith("tcp"));

/** The worker of a generation that is looked at. One is enough, because the others run the same program. */
export const checkedWorker = ({ core }: Store, generation: GenerationNumber): Worker | undefined =>
  allWorkers(core.workers).find((worker) => worker.kind === "ready" && worker.generation === generation);

/** A rollout is complete. A quick check shows for most programs that they accept; others are examined. */
export const beginAcceptCheck = (store: Store, generation: GenerationNumber): void => {
  const pid = checkedWorker(store, generation)?.pid ?? null;
  const listeners = acceptingListeners(store);
  const isOptional = store.core.generations[generation]?.spec.socketsOptional === true;
  if (pid === null || listeners.length === 0 || isOptional) return;
  const inodes = listeners.map(({ inode }) => inode);
  if (store.platform.watchesAll(pid, inodes)) return;
  const now = store.platform.monotonicNow();
  saveAcceptCheck(store, { generation, at: now, until: now + CHECKED_FOR_MS, waited: 0 });
};
