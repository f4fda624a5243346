// The numbers by which the keeper knows the processes that it has started: one space, of which each kind has a part.

/** What a process of the keeper is: a worker, or one of crank's own helpers. */
export type ProcessKind = "worker" | "probe" | "upgradeCheck" | "measurement" | "helperCommand";

/** Where the numbers of each kind begin. No kind ever has so many that it reaches the next one. */
const FIRST = {
  worker: 0,
  probe: 2 ** 40,
  upgradeCheck: 2 ** 41,
  measurement: 2 ** 42,
  helperCommand: 2 ** 43,
} as const satisfies Record<ProcessKind, number>;

/** What the process with this id is. */
export const kindOf = (id: number): ProcessKind => {
  if (id < FIRST.probe) return "worker";
  if (id < FIRST.upgradeCheck) return "probe";
  if (id < FIRST.measurement) return "upgradeCheck";
  return id < FIRST.helperCommand ? "measurement" : "helperCommand";
};

/** The id of number `number` of its kind. */
export const processId = (kind: ProcessKind, number: number): number => FIRST[kind] + number;

/** Which one of its kind the process with this id is. */
export const numberOf = (id: number): number => id - FIRST[kindOf(id)];
