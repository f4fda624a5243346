// What a killed crank left: its journal, read and understood, and what of it still lives. Changes nothing.
import type { DescriptorsLost } from "../../control/supervisor-events.ts";
import type { GoodSpec } from "../../core/model/spec.ts";
import { allWorkers } from "../../core/model/workers.ts";
import { readJournal } from "../../keeper/journal.ts";
import { COMMANDS } from "../../keeper/protocol.ts";
import { bindHandle } from "../state/handles.ts";
import type { KeeperFacts } from "../state/keeper-facts.ts";
import type { Adoption } from "../state/parts/adoption.ts";
import { formatProblem, restoreStore } from "../state/restore.ts";
import type { Settings } from "../state/settings.ts";
import type { Store } from "../state/store.ts";
import { findOrphans, type Orphan, reconstruct } from "./orphaned-workers.ts";
import { type Orphaned, survey } from "./survey.ts";

type Surroundings = Pick<Store, "platform" | "frontEnd"> & { readonly facts: KeeperFacts };

/** What to do with a left journal. `aside` completes "the journal FILE …". */
export type Verdict =
  /** `isStale`: its keeper marked it as invalid. */
  | { readonly kind: "aside"; readonly reason: string; readonly isStale: boolean }
  | ({
      readonly kind: "noWorkers";
      readonly lost: Adoption["lost"];
      /** What else is lost. */
      readonly losses: readonly DescriptorsLost[];
    } & Known)
  | ({ readonly kind: "adopt"; readonly adoption: Adoption } & Known);

/** The good deploys that it knew, the file in which it recorded them, and its next number. */
type Known = {
  readonly pid: number;
  /** The ids of all workers that it knew. */
  readonly workers: readonly number[];
  readonly history: readonly GoodSpec[];
  readonly recordPath: string | null;
  readonly nextGeneration: number;
};

/** A journal of this boot, as its crank left it. */
export type OrphanedService = Orphaned & {
  readonly store: Store;
  readonly entries: ReadonlyMap<string, Uint8Array>;
  /** Workers to which a signal may or may not have been sent. */
  readonly unsure: readonly number[];
  /** The last event that was consumed. */
  readonly consumed: number;
};

/** Reads a journal. A string says why it cannot be used, and completes "the journal FILE …". */
export const readOrphanedService = (surroundings: Surroundings, bytes: Uint8Array): OrphanedService | string => {
  const journal = readJournal(bytes);
  switch (journal.kind) {
    case "empty":
      return "is empty";
    case "stale":
      return "is out of date: its disk had failed, and crank was killed before it was written again";
    case "newer":
      return `was written by a later version of crank (format ${journal.version})`;
    case "corrupt":
      return `is damaged: ${journal.reason}`;
    case "entries":
      break;
  }
  if (journal.bootId !== surroundings.facts.bootId) return "is from before the last boot";
  const unsure = journal.unconfirmed.flatMap(({ code, id }) => (code === COMMANDS.signal.code ? [id] : []));
  return understand(surroundings, journal, unsure);
};

type Written = {
  readonly pid: number;
  readonly entries: ReadonlyMap<string, Uint8Array>;
  readonly consumed: number;
};

const understand = (
  surroundings: Surroundings,
  { pid, entries, consumed }: Written,
  unsure: readonly number[],
): OrphanedService | string => {
  try {
    const problem = formatProblem(entries);
    if (problem !== null) return problem;
    const store = restoreStore(surroundings, entries);
    const { settings, core, sockets, unstarted } = store;
    if (!settings) return "was left by a crank that was killed during its start";
    const keeperOf = (worker: number) => store.reports.get(worker)?.keeper ?? pid;
    return { pid, settings, core, sockets, unstarted, keeperOf, store, entries, unsure, consumed };
  } catch (error) {
    return `cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  }
};

/** The service of orphaned workers without a journal; null: it cannot be understood. */
export const serviceOfOrphans = (surroundings: Surroundings, { pid, orphans }: Adoption): OrphanedService | null => {
  const encoder = new TextEncoder();
  const entries = new Map(
    Object.entries(orphans?.entries ?? {}).map(([key, value]) => [key, encoder.encode(JSON.stringify(value))] as const),
  );
  // Stopping workers are signalled again, because it is not known which of them were.
  const orphaned = understand(surroundings, { pid, entries, consumed: 0 }, []);
  return typeof orphaned === "string" ? null : orphaned;
};

/** Orphaned workers without a journal. `unknown`: they hold the sockets, but the record does not say what they run. */
export type OrphanVerdict =
  | { readonly kind: "none" }
  | { readonly kind: "unknown"; readonly orphans: readonly Orphan[] }
  | { readonly kind: "adopt"; readonly adoption: Adoption };

/** Looks for orphaned workers of this service, and decides what to do with them. `isWanted`: whether they count. */
export const examineOrphans = async (
  surroundings: Surroundings,
  settings: Settings,
  history: readonly GoodSpec[],
  isWanted: (orphans: readonly Orphan[]) => boolean = (orphans) => orphans.length > 0,
): Promise<OrphanVerdict> => {
  const { platform } = surroundings;
  const processes = platform.processes;
  const search = { platform, settings, history };
  const found = await findOrphans(processes, search);
  if (!isWanted(found.workers)) return { kind: "none" };
  const orphans = reconstruct(search, found, platform.monotonicNow());
  if (!orphans) return { kind: "unknown", orphans: found.workers };
  const pid = found.workers.at(-1)?.keeper ?? 0;
  const orphaned = serviceOfOrphans(surroundings, { pid, sockets: [], workers: [], lost: [], orphans });
  if (!orphaned) return { kind: "unknown", orphans: found.workers };
  const surveyor = { pid: platform.pid, uid: platform.uid, binds: settings.binds, handleOf: bindHandle };
  return { kind: "adopt", adoption: { ...(await survey(processes, orphaned, surveyor)), orphans } };
};

/** Examines a left journal, and decides. */
export const examine = async (surroundings: Surroundings, settings: Settings, bytes: Uint8Array): Promise<Verdict> => {
  const orphaned = readOrphanedService(surroundings, bytes);
  if (typeof orphaned === "string")
    return { kind: "aside", reason: orphaned, isStale: readJournal(bytes).kind === "stale" };
  const { platform } = surroundings;
  const surveyor = { pid: platform.pid, uid: platform.uid, binds: settings.binds, handleOf: bindHandle };
  try {
    const adoption = await survey(platform.processes, orphaned, surveyor);
    const known: Known = {
      pid: orphaned.pid,
      workers: allWorkers(orphaned.core.workers).map(({ id }) => id),
      history: orphaned.core.history,
      recordPath: orphaned.settings.recordPath,
      nextGeneration: orphaned.core.service.nextGeneration,
    };
    if (adoption.workers.length === 0)
      return { kind: "noWorkers", lost: adoption.lost, losses: lostDescriptors(orphaned), ...known };
    return { kind: "adopt", adoption, ...known };
  } catch (error) {
    // Values of the wrong shape with the right checksum were not written by crank.
    return {
      kind: "aside",
      isStale: false,
      reason: `cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    };
  }
};

/** The stored descriptors that are lost because the keeper that held them was killed. */
export const lostDescriptors = ({ pid, store }: OrphanedService): readonly DescriptorsLost[] => {
  const all = [...store.stored.values()];
  const lost = all.filter(({ place: state }) => state.kind !== "lent").map(({ name }) => name);
  const lent = all.filter(({ place: state }) => state.kind === "lent").map(({ name }) => name);
  const loss = { kind: "descriptorsLost", cause: "killed", pid } as const;
  const named = (names: readonly string[]) => ({ count: names.length, names: names.slice(0, MOST_NAMES) });
  return [
    ...(lost.length > 0 ? [{ ...loss, extent: "surely", ...named(lost) } as const] : []),
    ...(lent.length > 0 ? [{ ...loss, extent: "perhaps", ...named(lent) } as const] : []),
  ];
};
const MOST_NAMES = 10;
