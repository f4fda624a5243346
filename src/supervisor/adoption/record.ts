// The record: the last good specs, on disk. Its four outer keys are those of the original crank, which can read the
// file; the rest is new. Only reads and writes texts: the platform handles the file.
import * as v from "valibot";
import { ANSWER_LISTS, JsonTooDeepError, parseJson } from "../../control/json.ts";
import { historyOf } from "../../core/model/history.ts";
import type { GoodSpec, Spec } from "../../core/model/spec.ts";
import { emptySpec, type SpecDefaults, stopStepsOf } from "../../spec/defaults.ts";
import { storedSpec, wholeNumber } from "../../spec/stored.ts";
import { keptBytes, MOST_SPEC_BYTES } from "../state/spec-size.ts";

const RECORD_VERSION = 1;
const NS_PER_MS = 1_000_000;

export type RecordReading =
  /** `leftOut`: for each unusable entry what is wrong with it, to complete "the record FILE …". */
  | { readonly kind: "history"; readonly history: readonly GoodSpec[]; readonly leftOut: readonly string[] }
  /** Nothing in it is usable. `reason` completes "the record FILE …". */
  | { readonly kind: "unusable"; readonly reason: string };

/** The content of a new record. */
export const EMPTY_RECORD = "{}\n";

/** The text of the file for this history. The newest spec is the one that the original crank would run. */
export const formatRecord = (given: readonly GoodSpec[]): string => {
  const history = historyOf(given);
  const newest = history.at(-1)?.spec;
  if (!newest) return EMPTY_RECORD;
  return `${JSON.stringify({
    cwd: newest.cwd,
    command: newest.command,
    start_timeout: (newest.startTimeoutMs ?? 0) * NS_PER_MS,
    stop_timeout: (newest.stopTimeoutMs ?? 0) * NS_PER_MS,
    crank: { version: RECORD_VERSION, history },
  })}\n`;
};

/** Whether it may hold a secret: the value of an environment variable, which /proc hides from other users too. */
export const holdsSecrets = (history: readonly GoodSpec[]): boolean =>
  history.some(({ spec }) => Object.values(spec.env).some((value) => value !== null));

/**
 * Reads a record of this crank or of the original: as much as can be understood. `defaults` fill in what the original
 * does not say.
 */
export const parseRecord = (text: string, defaults: SpecDefaults, cwd: string): RecordReading => {
  if (text.trim() === "") return { kind: "unusable", reason: "is empty" };
  let value: unknown;
  try {
    value = parseJson(text, ANSWER_LISTS);
  } catch (error) {
    if (!(error instanceof JsonTooDeepError)) throw error;
    return { kind: "unusable", reason: error.reason };
  }
  if (value === undefined) return { kind: "unusable", reason: "is not JSON, or is cut off" };
  if (Array.isArray(value)) return { kind: "unusable", reason: "is a list instead of an object" };
  const version = v.safeParse(v.object({ crank: v.object({ version: v.number() }) }), value);
  if (version.success && version.output.crank.version > RECORD_VERSION) {
    return {
      kind: "unusable",
      reason: `was written by a later version of crank (format ${version.output.crank.version}, this one reads ${RECORD_VERSION})`,
    };
  }
  const ours = v.safeParse(historySchema(), value);
  if (ours.success) {
    const { history, leftOut } = readEntries(ours.output.crank.history);
    if (history.length > 0 || leftOut.length === 0) return { kind: "history", history, leftOut };
    const newest = readOriginal(value, defaults, cwd);
    if (typeof newest === "string" || newest.length === 0) return { kind: "unusable", reason: leftOut[0] ?? "" };
    return { kind: "history", history: newest, leftOut };
  }
  const original = readOriginal(value, defaults, cwd);
  const hasHistory = typeof value === "object" && value !== null && "crank" in value;
  if (typeof original === "string") return { kind: "unusable", reason: original };
  if (!hasHistory) return { kind: "history", history: original, leftOut: [] };
  const wrong = wrongValue(ours.issues[0]);
  return original.length === 0
    ? { kind: "unusable", reason: wrong }
    : { kind: "history", history: original, leftOut: [wrong] };
};

type Issue = v.BaseIssue<unknown>;

const wrongValue = (issue: Issue, below = ""): string =>
  `has a wrong value at ${[below, v.getDotPath(issue) ?? ""].filter((part) => part !== "").join(".") || "the top level"}: ${issue.message}`;

/** Checks each entry by itself, so that a damaged one costs none of the others. */
const readEntries = (entries: readonly unknown[]): { history: readonly GoodSpec[]; leftOut: readonly string[] } => {
  const good: GoodSpec[] = [];
  const leftOut: string[] = [];
  for (const [index, entry] of entries.entries()) {
    const parsed = v.safeParse(goodSpecSchema(), entry);
    if (!parsed.success) {
      leftOut.push(wrongValue(parsed.issues[0], `crank.history.${index}`));
      continue;
    }
    const bytes = keptBytes(parsed.output.spec);
    if (bytes <= MOST_SPEC_BYTES + RESOLVED_BYTES) good.push(parsed.output);
    else
      leftOut.push(
        `has a spec of ${bytes} bytes (generation ${parsed.output.generation}), more than the ${MOST_SPEC_BYTES} that crank keeps`,
      );
  }
  return { history: historyOf(good), leftOut };
};

/** Allowance for what a deploy adds to a spec: the resolved paths, and the scaled number of workers. */
const RESOLVED_BYTES = 16 * 1024;

const readOriginal = (value: unknown, defaults: SpecDefaults, cwd: string): GoodSpec[] | string => {
  const parsed = v.safeParse(originalSchema(), value);
  return parsed.success ? fromOriginal(parsed.output, defaults, cwd) : wrongValue(parsed.issues[0]);
};

type Original = {
  cwd?: string | undefined;
  command?: string[] | null | undefined;
  start_timeout?: number | undefined;
  stop_timeout?: number | undefined;
};

const fromOriginal = (original: Original, defaults: SpecDefaults, cwd: string): GoodSpec[] => {
  const command = original.command ?? [];
  if (command.length === 0) return [];
  const stopTimeoutMs = fromNanoseconds(original.stop_timeout);
  const spec: Spec = {
    ...emptySpec(defaults),
    command,
    cwd: original.cwd === undefined || original.cwd === "" ? cwd : original.cwd,
    startTimeoutMs: fromNanoseconds(original.start_timeout),
    stopTimeoutMs,
    stopSteps: stopStepsOf("SIGTERM", stopTimeoutMs),
  };
  return [{ generation: 0, at: 0, spec }];
};

/** Missing, zero and negative values mean no limit. */
const fromNanoseconds = (ns: number | undefined): number | null =>
  ns === undefined || ns <= 0 ? null : ns / NS_PER_MS;

// Built when a record is read, because most supervisors never read one.
const originalSchema = () =>
  v.object({
    cwd: v.optional(v.string()),
    command: v.nullish(v.array(v.string())),
    start_timeout: v.optional(v.number()),
    stop_timeout: v.optional(v.number()),
  });

const historySchema = () =>
  v.object({ crank: v.object({ version: v.literal(RECORD_VERSION), history: v.array(v.unknown()) }) });

const goodSpecSchema = () => v.object({ generation: wholeNumber(), at: v.number(), spec: storedSpec() });
