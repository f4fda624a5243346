// Whether a generation that is in place accepts at the service's sockets: which worker is looked at, and when.
// unaccepted.ts examines it.
import type { GenerationNumber, Worker } from "../../../core/model/worker.ts";
import { allWorkers } from "../../../core/model/workers.ts";
import { type Listener, listenersOf } from "../../sockets/listeners.ts";
import { rememberLook } from "../../state/remember.ts";
import type { Memory } from "../../state/store.ts";

/** How long after its readiness a worker may take until it is seen to accept, ms. */
const LOOKED_FOR_MS = 1000;

/** When the next look is due, CLOCK_MONOTONIC ms; null: none. */
export const lookDueAt = ({ look }: Memory): number | null => look?.at ?? null;

/** The service's TCP sockets. */
export const acceptingListeners = (memory: Memory): readonly Listener[] =>
  listenersOf(memory).filter(({ address }) => address.startsWith("tcp"));

/** The worker of a generation that is looked at. One is enough, because the others run the same program. */
export const lookedAt = ({ core }: Memory, generation: GenerationNumber): Worker | undefined =>
  allWorkers(core.workers).find((worker) => worker.kind === "ready" && worker.generation === generation);

/** A generation is in place. Most programs are seen to accept by a quick check; others are looked at. */
export const beginLook = (memory: Memory, generation: GenerationNumber): void => {
  const pid = lookedAt(memory, generation)?.pid ?? null;
  const listeners = acceptingListeners(memory);
  const isOptional = memory.core.generations[generation]?.spec.socketsOptional === true;
  if (pid === null || listeners.length === 0 || isOptional) return;
  const inodes = listeners.map(({ inode }) => inode);
  if (memory.platform.watchesAll(pid, inodes)) return;
  const now = memory.platform.monotonicNow();
  rememberLook(memory, { generation, at: now, until: now + LOOKED_FOR_MS, waited: 0 });
};
