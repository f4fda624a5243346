// einhorn's own state besides the service: the steps after an upgrade, the connections that follow it, and the workers' pings.
import type { RolloutOrder } from "../../core/model/state.ts";
import { findWorker } from "../../core/model/workers.ts";
import { type FrontEndPart, frontEndPart } from "../../supervisor/state/front-end-part.ts";
import type { Store } from "../../supervisor/state/store.ts";

/** A request that gets the progress and the end of an upgrade. `upgrade`: the upgrade of the master that it waits for; null: the workers are being replaced. */
export type Subscriber = {
  readonly connection: number;
  readonly requestId: string | number;
  readonly upgrade: number | null;
};

/** The workers are replaced when this upgrade of the master is done. */
export type Sequel = { readonly upgrade: number; readonly order: RolloutOrder };

/** `at`: wall clock, ms. */
export type Ping = { readonly at: number; readonly requestId: string | number | null };

type EinhornState = {
  readonly sequels: readonly Sequel[];
  readonly subscribers: readonly Subscriber[];
  /** By the worker's number. */
  readonly pings: Readonly<Record<number, Ping>>;
  /** Signals that were sent to a worker; the time (wall clock, ms) of the last. */
  readonly signals: Readonly<Record<number, { readonly names: readonly string[]; readonly at: number }>>;
  /** The variables of --drop-env-var are removed from the base environment. */
  readonly hasDropped: boolean;
};

const own: FrontEndPart<EinhornState> = frontEndPart<EinhornState>({
  sequels: [],
  subscribers: [],
  pings: {},
  signals: {},
  hasDropped: false,
});

/** The stored state. */
export const einhornState = own.read;

/** The connections that follow the upgrade. */
export const saveSubscribers = (store: Store, subscribers: readonly Subscriber[]): void =>
  own.write(store, { ...own.read(store), subscribers });

/** The step after the master has replaced itself. */
export const saveSequels = (store: Store, sequels: readonly Sequel[]): void =>
  own.write(store, { ...own.read(store), sequels });

/** The variables of --drop-env-var stay removed. */
export const saveDropped = (store: Store): void => own.write(store, { ...own.read(store), hasDropped: true });

/** A worker has reported that it is alive. */
export const savePing = (store: Store, worker: number, ping: Ping): void => {
  const known = own.read(store);
  own.write(store, { ...known, pings: { ...ofLiving(store, known.pings), [worker]: ping } });
};

/** Records that a worker was sent a signal. */
export const saveSignal = (store: Store, worker: number, signal: string): void => {
  const known = own.read(store);
  const names = [...new Set([...(known.signals[worker]?.names ?? []), signal])];
  const at = store.platform.wallNow();
  own.write(store, { ...known, signals: { ...ofLiving(store, known.signals), [worker]: { names, at } } });
};

/** Without workers that have exited. */
const ofLiving = <T>({ core }: Store, entries: Readonly<Record<number, T>>): Record<number, T> => {
  const kept: Record<number, T> = {};
  for (const [worker, entry] of Object.entries(entries)) {
    if (findWorker(core.workers, Number(worker))) kept[Number(worker)] = entry;
  }
  return kept;
};
