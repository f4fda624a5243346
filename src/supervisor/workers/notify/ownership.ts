// Whose process it is: the one place that decides whether a process belongs to a worker of this service, for what it says,
// for MAINPID=, for stored descriptors and for adoption. Ancestry is the proof. Where it ends, at the process that orphans
// are given to, a process belongs to the worker only if its environment names service, keeper, generation and worker, and
// all of its user ids are the worker's: any user can write such an environment, but not become another user.
import type { Spec } from "../../../core/model/spec.ts";
import type { Worker } from "../../../core/model/worker.ts";
import { allWorkers } from "../../../core/model/workers.ts";
import type { Environment, ProcessFacts, ProcessTable } from "../../os/processes.ts";
import type { Memory } from "../../state/store.ts";

/** How far up its ancestors are followed. */
const MAX_GENERATIONS = 64;
/** How often that is tried: each time an ancestor may end meanwhile. */
const MAX_WALKS = 8;

/** A worker as its environment names it. `keeper`: the pid of the crank that started it. */
export type WorkerName = {
  readonly service: string;
  readonly keeper: number;
  readonly worker: number;
  readonly generation: number;
  /** What `-env` changes of it. */
  readonly changes: Spec["env"];
};

/** Whether an environment is that of this worker, or of what it started. */
export const isNamedBy = (environment: Environment | null, name: WorkerName): boolean => {
  if (!environment) return false;
  const expected = {
    // A crank without a name leaves what it was started with.
    ...(name.service === "" ? {} : { CRANK_NAME: name.service }),
    CRANK_WORKER: String(name.worker),
    CRANK_GENERATION: String(name.generation),
    EINHORN_MASTER_PID: String(name.keeper),
    ...Object.fromEntries(Object.entries(name.changes).filter(([variable]) => IDENTITY.has(variable))),
  };
  return Object.entries(expected).every(([variable, value]) => (environment.get(variable) ?? null) === value);
};
const IDENTITY: ReadonlySet<string> = new Set(["CRANK_NAME", "CRANK_WORKER", "CRANK_GENERATION", "EINHORN_MASTER_PID"]);

/** Whether a process has no user id but these: one that runs a set-id program has others. */
export const hasOnly = ({ uids }: Pick<ProcessFacts, "uids">, allowed: readonly number[]): boolean =>
  uids.every((uid) => allowed.includes(uid));

/**
 * Where the way up from a process leads. `orphan`: to the process that this worker's orphans are given to, which proves
 * nothing; `gone`: it has ended; `interrupted`: its ancestors ended faster than they could be looked up.
 */
export type Ancestry = "its own" | "orphan" | "foreign" | "gone" | "interrupted";

/** Follows the ancestors of a process up to the worker. */
export const ancestryOf = (memory: Memory, worker: Worker, pid: number): Ancestry => {
  const reapers = reapersOf(memory, worker);
  const others = new Set(allWorkers(memory.core.workers).flatMap((other) => (other === worker ? [] : [other.pid])));
  for (let walk = 0; walk < MAX_WALKS; walk++) {
    const found = walkUp(memory, worker, { pid, reapers, others });
    if (found !== "interrupted") return found;
  }
  return "interrupted";
};

type Walk = {
  readonly pid: number;
  readonly reapers: ReadonlySet<number>;
  readonly others: ReadonlySet<number | null>;
};

const walkUp = ({ platform }: Memory, worker: Worker, { pid: from, reapers, others }: Walk): Ancestry => {
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

/** Orphans become the keeper's children; those of an adopted worker go where that worker itself went. */
const reapersOf = (memory: Memory, worker: Worker): ReadonlySet<number> => {
  const keeper = memory.facts.pid;
  const parent = worker.pid === null ? undefined : memory.platform.lineage(worker.pid)?.parent;
  const isAdopted = memory.reports.get(worker.id)?.keeper !== undefined || (parent !== undefined && parent !== keeper);
  if (!isAdopted) return new Set([keeper]);
  return new Set(parent === undefined ? [keeper, 0, 1] : [keeper, 0, 1, parent]);
};

/** How its own environment names a worker. */
export const nameOfWorker = (memory: Memory, worker: Worker): WorkerName => ({
  service: memory.settings?.name ?? "",
  keeper: memory.reports.get(worker.id)?.keeper ?? memory.facts.pid,
  worker: worker.id,
  generation: worker.generation,
  changes: memory.core.generations[worker.generation]?.spec.env ?? {},
});

/** The user ids that are a worker's: its spec's or crank's, and what it has become by itself. */
export const usersOf = ({ core, platform }: Memory, { pid, generation }: Worker): readonly number[] => {
  const owner = core.generations[generation]?.spec.user?.uid ?? platform.uid;
  const own = pid === null ? undefined : platform.lineage(pid)?.uid;
  return own === undefined ? [owner] : [owner, own];
};

/** Why a process is not the worker's, as part of a sentence; null: it is. */
export const whyNotItsOwn = async (
  memory: Memory,
  processes: ProcessTable,
  worker: Worker,
  facts: ProcessFacts,
): Promise<string | null> => {
  switch (ancestryOf(memory, worker, facts.pid)) {
    case "its own":
      return null;
    case "gone":
      return "there is no such process";
    case "foreign":
    case "interrupted":
      return "it does not descend from the worker";
    case "orphan":
      break;
  }
  if (!hasOnly(facts, usersOf(memory, worker)))
    return `it does not descend from the worker, and belongs to user ${facts.uids[1] ?? "unknown"}`;
  if (isNamedBy(await processes.environment(facts.pid), nameOfWorker(memory, worker))) return null;
  return "it does not descend from the worker, and its environment does not name it";
};
