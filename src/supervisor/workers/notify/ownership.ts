// Ownership of processes: the only place that decides whether a process belongs to a worker, for notifications,
// MAINPID=, stored descriptors and adoption. Ancestry is the proof. For an orphan, whose ancestry ends at the process
// that orphans are reparented to, the environment must name service, keeper, generation and worker, and all user ids
// must be the worker's: any user can write such an environment, but not become another user.
import type { Spec } from "../../../core/model/spec.ts";
import type { Worker } from "../../../core/model/worker.ts";
import { allWorkers } from "../../../core/model/workers.ts";
import type { Environment, ProcessFacts, ProcessTable } from "../../os/processes.ts";
import type { Store } from "../../state/store.ts";

/** How many ancestors are followed. */
const MAX_GENERATIONS = 64;
/** How often the walk is repeated, because an ancestor may end meanwhile. */
const MAX_WALKS = 8;

/** A worker as named by its environment. `keeper`: the pid of the crank that started it. */
export type WorkerName = {
  readonly service: string;
  readonly keeper: number;
  readonly worker: number;
  readonly generation: number;
  /** Changes of the environment by `-env`. */
  readonly changes: Spec["env"];
};

/** Whether an environment is that of this worker, or of a process that it started. */
export const isNamedBy = (environment: Environment | null, name: WorkerName): boolean => {
  if (!environment) return false;
  const expected = {
    // Without a name of its own, crank leaves the variable as it was.
    ...(name.service === "" ? {} : { CRANK_NAME: name.service }),
    CRANK_WORKER: String(name.worker),
    CRANK_GENERATION: String(name.generation),
    EINHORN_MASTER_PID: String(name.keeper),
    ...Object.fromEntries(Object.entries(name.changes).filter(([variable]) => IDENTITY.has(variable))),
  };
  return Object.entries(expected).every(([variable, value]) => (environment.get(variable) ?? null) === value);
};
const IDENTITY: ReadonlySet<string> = new Set(["CRANK_NAME", "CRANK_WORKER", "CRANK_GENERATION", "EINHORN_MASTER_PID"]);

/** Whether a process has only these user ids. A process that runs a set-id program has others. */
export const hasOnly = ({ uids }: Pick<ProcessFacts, "uids">, allowed: readonly number[]): boolean =>
  uids.every((uid) => allowed.includes(uid));

/**
 * Where the ancestry of a process ends. `orphan`: at the process to which this worker's orphans are reparented, which
 * proves nothing. `gone`: the process has ended. `interrupted`: ancestors ended faster than they could be looked up.
 */
export type Ancestry = "its own" | "orphan" | "foreign" | "gone" | "interrupted";

/** Follows the ancestors of a process up to the worker. */
export const ancestryOf = (store: Store, worker: Worker, pid: number): Ancestry => {
  const reapers = reapersOf(store, worker);
  const others = new Set(allWorkers(store.core.workers).flatMap((other) => (other === worker ? [] : [other.pid])));
  for (let walk = 0; walk < MAX_WALKS; walk++) {
    const found = walkUp(store, worker, { pid, reapers, others });
    if (found !== "interrupted") return found;
  }
  return "interrupted";
};

type Walk = {
  readonly pid: number;
  readonly reapers: ReadonlySet<number>;
  readonly others: ReadonlySet<number | null>;
};

const walkUp = ({ platform }: Store, worker: Worker, { pid: from, reapers, others }: Walk): Ancestry => {
  for (let pid = from, step = 0; step < MAX_GENERATIONS; step++) {
    if (pid === worker.pid) return "its own";
    if (others.has(pid)) return "foreign";
    if (reapers.has(pid)) return step === 0 ? "foreign" : "orphan";
    if (pid <= 1) return "foreign";
    const lineage = platform.lineage(pid);
    if (!lineage) return step === 0 ? "gone" : "interrupted";
    pid = lineage.parent;
  }
  return "foreign";
};

/** Orphans become the keeper's children. Those of an adopted worker are reparented where that worker was. */
const reapersOf = (store: Store, worker: Worker): ReadonlySet<number> => {
  const keeper = store.facts.pid;
  const parent = worker.pid === null ? undefined : store.platform.lineage(worker.pid)?.parent;
  const isAdopted = store.reports.get(worker.id)?.keeper !== undefined || (parent !== undefined && parent !== keeper);
  if (!isAdopted) return new Set([keeper]);
  return new Set(parent === undefined ? [keeper, 0, 1] : [keeper, 0, 1, parent]);
};

/** The name of a worker in its own environment. */
export const nameOfWorker = (store: Store, worker: Worker): WorkerName => ({
  service: store.settings?.name ?? "",
  keeper: store.reports.get(worker.id)?.keeper ?? store.facts.pid,
  worker: worker.id,
  generation: worker.generation,
  changes: store.core.generations[worker.generation]?.spec.env ?? {},
});

/** The user ids of a worker: that of its spec or of crank, and the one that it changed to. */
export const usersOf = ({ core, platform }: Store, { pid, generation }: Worker): readonly number[] => {
  const owner = core.generations[generation]?.spec.user?.uid ?? platform.uid;
  const own = pid === null ? undefined : platform.lineage(pid)?.uid;
  return own === undefined ? [owner] : [owner, own];
};

/** Why a process does not belong to the worker, as part of a sentence; null: it does. */
export const whyNotItsOwn = async (
  store: Store,
  processes: ProcessTable,
  worker: Worker,
  facts: ProcessFacts,
): Promise<string | null> => {
  switch (ancestryOf(store, worker, facts.pid)) {
    case "its own":
      return null;
    case "gone":
      return "no such process";
    case "foreign":
    case "interrupted":
      return "it does not descend from the worker";
    case "orphan":
      break;
  }
  if (!hasOnly(facts, usersOf(store, worker)))
    return `it does not descend from the worker, and belongs to user ${facts.uids[1] ?? "unknown"}`;
  if (isNamedBy(await processes.environment(facts.pid), nameOfWorker(store, worker))) return null;
  return "it does not descend from the worker, and its environment does not name it";
};
