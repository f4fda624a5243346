// The keeper's ids of the processes that it starts: one number space, with a range for each kind.

/** A worker, or one of crank's own helpers. */
export type ProcessKind = "worker" | "probe" | "upgradeCheck" | "measurement" | "helperCommand";

/** Where the range of each kind begins. No kind ever has enough processes to reach the next range. */
const FIRST = {
  worker: 0,
  probe: 2 ** 40,
  upgradeCheck: 2 ** 41,
  measurement: 2 ** 42,
  helperCommand: 2 ** 43,
} as const satisfies Record<ProcessKind, number>;

/** The kind of the process with this id. */
export const kindOf = (id: number): ProcessKind => {
  if (id < FIRST.probe) return "worker";
  if (id < FIRST.upgradeCheck) return "probe";
  if (id < FIRST.measurement) return "upgradeCheck";
  return id < FIRST.helperCommand ? "measurement" : "helperCommand";
};

/** The id of the process with this number within its kind. */
export const processId = (kind: ProcessKind, number: number): number => FIRST[kind] + number;

/** The number, within its kind, of the process with this id. */
export const numberOf = (id: number): number => id - FIRST[kindOf(id)];
