// What a spec has where nothing is asked for: at a first deploy, and in what earlier versions wrote.
import type { Spec, StopStep } from "../core/model/spec.ts";
import { type KeyedSpec, SPEC_FIELDS, SPEC_ROWS, type SparseKey } from "./fields.ts";

/** The base of a first deploy. A front end changes some of it. */
export type SpecDefaults = Omit<Spec, "command" | "cwd" | "callerCwd" | "resolved">;

/** How workers are stopped: by this signal, and by SIGKILL after that time; null is no limit. */
export const stopStepsOf = (signal: string, timeoutMs: number | null): readonly StopStep[] => [
  { signal, afterMs: 0 },
  ...(timeoutMs === null ? [] : [{ signal: "SIGKILL", afterMs: timeoutMs }]),
];

// The rows with a key and an initial value are all but the sparse ones.
const keyed = Object.fromEntries(
  SPEC_ROWS.flatMap(([, { key, initial, sparse }]) =>
    key === undefined || initial === undefined || sparse === true ? [] : [[key, initial]],
  ),
) as Omit<KeyedSpec, SparseKey>;

/** The defaults of crank. */
export const DEFAULTS: SpecDefaults = {
  ...keyed,
  env: {},
  user: null,
  limits: [],
  readiness: SPEC_FIELDS.ready.initial,
  liveness: null,
  stopSteps: stopStepsOf(SPEC_FIELDS["stop-signal"].initial, SPEC_FIELDS.stop.initial),
};

/** A spec without a command, with these defaults. A journal of an earlier version may lack some of them. */
export const emptySpec = (defaults: Partial<SpecDefaults>): Spec => ({
  ...DEFAULTS,
  ...defaults,
  command: [],
  cwd: "",
});

const BEFORE = Object.fromEntries(
  SPEC_ROWS.flatMap(([, { key, before }]) => (key === undefined || before === undefined ? [] : [[key, before]])),
);
const ADDED_KEYS = Object.keys(BEFORE);

/** A spec of an earlier version's journal, with the fields that it lacks; the same object if it lacks none. */
export const completed = (spec: Spec): Spec =>
  // The rows' values for their keys.
  ADDED_KEYS.every((key) => Object.hasOwn(spec, key)) ? spec : { ...BEFORE, ...spec };
