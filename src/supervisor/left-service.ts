// What a crank that was killed left: its journal read and understood, and what of it still lives. Changes nothing.
import type { DescriptorsLost } from "../control/happenings.ts";
import type { GoodSpec } from "../core/spec.ts";
import { readJournal } from "../keeper/journal.ts";
import { COMMANDS } from "../keeper/protocol.ts";
import type { KeeperFacts } from "./facts.ts";
import type { Adoption } from "./left.ts";
import type { Memory } from "./memory.ts";
import { formatProblem, recall } from "./recall.ts";
import type { Settings } from "./settings.ts";
import { bindHandle } from "./sockets.ts";
import { type Left, survey } from "./survey.ts";

type Surroundings = Pick<Memory, "platform" | "frontEnd"> & { readonly facts: KeeperFacts };

/** What is to be made of a journal that was left: `aside` completes "the journal FILE …". */
export type Verdict =
  | { readonly kind: "aside"; readonly reason: string }
  | ({
      readonly kind: "nobody";
      readonly pid: number;
      readonly lost: Adoption["lost"];
      /** What else is lost. */
      readonly losses: readonly DescriptorsLost[];
    } & Known)
  | ({ readonly kind: "adopt"; readonly adoption: Adoption } & Known);

/** What it knew of good runs, in which file it recorded them, and which number the next was to have. */
type Known = {
  readonly history: readonly GoodSpec[];
  readonly recordPath: string | null;
  readonly nextGeneration: number;
};

/** A journal of this boot, as its crank knew it. */
export type LeftService = Left & {
  readonly memory: Memory;
  readonly entries: ReadonlyMap<string, Uint8Array>;
  /** Workers to which a signal was perhaps sent and perhaps not. */
  readonly unsure: readonly number[];
};

/** Understands a journal; a text completes "the journal FILE …" and says why that is not possible. */
export const readLeft = (surroundings: Surroundings, bytes: Uint8Array): LeftService | string => {
  const journal = readJournal(bytes);
  switch (journal.kind) {
    case "empty":
      return "is empty";
    case "stale":
      return "is not the last state: its disk had failed, and crank was killed before it could be written again";
    case "newer":
      return `was written by a later version of crank (format ${journal.version})`;
    case "corrupt":
      return `is damaged: ${journal.reason}`;
    case "entries":
      break;
  }
  if (journal.bootId !== surroundings.facts.bootId) return "is from before the machine was started";
  try {
    const problem = formatProblem(journal.entries);
    if (problem !== null) return problem;
    const memory = recall(surroundings, journal.entries);
    const { settings, core, sockets, unstarted } = memory;
    if (!settings) return "was left by a crank that was killed before it had begun";
    const unsure = journal.unconfirmed.flatMap(({ code, id }) => (code === COMMANDS.signal.code ? [id] : []));
    const keeperOf = (worker: number) => memory.said.get(worker)?.keeper ?? journal.pid;
    const { pid, entries } = journal;
    return { pid, settings, core, sockets, unstarted, keeperOf, memory, entries, unsure };
  } catch (error) {
    return `cannot be understood: ${error instanceof Error ? error.message : String(error)}`;
  }
};

/** Looks at what was left, and decides. */
export const examine = async (surroundings: Surroundings, settings: Settings, bytes: Uint8Array): Promise<Verdict> => {
  const left = readLeft(surroundings, bytes);
  if (typeof left === "string") return { kind: "aside", reason: left };
  const { platform } = surroundings;
  const looker = { uid: platform.uid, binds: settings.binds, handleOf: bindHandle };
  try {
    const adoption = await survey(await platform.processes(), left, looker);
    const known: Known = {
      history: left.core.history,
      recordPath: left.settings.recordPath,
      nextGeneration: left.core.service.nextGeneration,
    };
    if (adoption.workers.length === 0)
      return { kind: "nobody", pid: left.pid, lost: adoption.lost, losses: lostDescriptors(left), ...known };
    return { kind: "adopt", adoption, ...known };
  } catch (error) {
    // Values of the wrong shape under the right checksum: somebody else's doing.
    return { kind: "aside", reason: `cannot be understood: ${error instanceof Error ? error.message : String(error)}` };
  }
};

/** What of the descriptors that workers had left for later ones is lost with the keeper that held them. */
export const lostDescriptors = ({ pid, memory }: LeftService): readonly DescriptorsLost[] => {
  const all = [...memory.stored.values()];
  const lost = all.filter(({ place }) => place.kind !== "lent").map(({ name }) => name);
  const lent = all.filter(({ place }) => place.kind === "lent").map(({ name }) => name);
  const loss = { kind: "descriptorsLost", cause: "killed", pid } as const;
  const named = (names: readonly string[]) => ({ count: names.length, names: names.slice(0, MOST_NAMES) });
  return [
    ...(lost.length > 0 ? [{ ...loss, extent: "surely", ...named(lost) } as const] : []),
    ...(lent.length > 0 ? [{ ...loss, extent: "perhaps", ...named(lent) } as const] : []),
  ];
};
const MOST_NAMES = 10;
