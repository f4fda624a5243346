// Whether a generation that is in place accepts at the service's sockets: which one is to be looked at, and when. What is
// seen then is in unaccepted.ts.
import type { GenerationNumber, Worker } from "../../../core/model/worker.ts";
import { allWorkers } from "../../../core/model/workers.ts";
import { type Listener, listenersOf } from "../../sockets/listeners.ts";
import { rememberLook } from "../../state/remember.ts";
import type { Memory } from "../../state/store.ts";

/** How long a worker that has said that it is ready may take until it is seen to accept, ms. */
const LOOKED_FOR_MS = 1000;

/** When that is looked at next, CLOCK_MONOTONIC ms; null: nothing is to be found out. */
export const lookDueAt = ({ look }: Memory): number | null => look?.at ?? null;

/** The service's sockets that a worker accepts connections of the internet from. */
export const acceptingListeners = (memory: Memory): readonly Listener[] =>
  listenersOf(memory).filter(({ address }) => address.startsWith("tcp"));

/** The worker of a generation that is looked at: the others run the same program. */
export const lookedAt = ({ core }: Memory, generation: GenerationNumber): Worker | undefined =>
  allWorkers(core.workers).find((worker) => worker.kind === "ready" && worker.generation === generation);

/** A generation is in place. Most programs are seen to accept at a glance; others are looked at. */
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
