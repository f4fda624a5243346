// The model of a watched service, as plain values: crank's answers, and values derived from them.
import type { EventEntry, Status, Usage } from "../../../control/messages.ts";

export type Link =
  | { readonly kind: "connecting" }
  | { readonly kind: "live" }
  /** crank is unreachable; `since`: wall clock, ms. The connection is retried. */
  | { readonly kind: "lost"; readonly reason: string; readonly since: number };

export type ServiceView = {
  readonly name: string;
  readonly link: Link;
  /** The last status; kept when the link is lost. */
  readonly status: Status | null;
  /** The maximum number of connections of each worker, by its id. */
  readonly peaks: ReadonlyMap<number, number>;
  /** Each worker's last two measurements. */
  readonly usages: ReadonlyMap<number, { readonly last: Usage; readonly before: Usage | null }>;
  /** The newest last; bounded. */
  readonly events: readonly EventEntry[];
};

/** More than any screen has lines. */
const MAX_EVENTS = 300;

/** A service before its first answer. */
export const unseen = (name: string): ServiceView => ({
  name,
  link: { kind: "connecting" },
  status: null,
  peaks: new Map(),
  usages: new Map(),
  events: [],
});

/** The view after crank's next answer to `status`. */
export const afterStatus = (view: ServiceView, status: Status): ServiceView => ({
  ...view,
  status,
  peaks: new Map(
    status.workers.map(({ id, usage }) => [id, Math.max(view.peaks.get(id) ?? 0, usage?.connections ?? 0)]),
  ),
  usages: new Map(
    status.workers.flatMap(({ id, usage }) => {
      if (usage == null) return [];
      const known = view.usages.get(id);
      if (known?.last.at === usage.at) return [[id, known]];
      return [[id, { last: usage, before: known?.last ?? null }]];
    }),
  ),
});

/** The view after one more event. */
export const afterEvent = (view: ServiceView, entry: EventEntry): ServiceView => ({
  ...view,
  events: [...view.events, entry].slice(-MAX_EVENTS),
});

/** The share of one processor that a worker took between its last two measurements, or null. */
export const cpuShare = (view: ServiceView, worker: number): number | null => {
  const known = view.usages.get(worker);
  if (known === undefined || known.before === null || known.last.cpu === null || known.before.cpu === null) return null;
  const seconds = (Date.parse(known.last.at) - Date.parse(known.before.at)) / 1000;
  return seconds > 0 ? Math.max(0, (known.last.cpu - known.before.cpu) / seconds) : null;
};

/** Workers that are stopping. `connections` and `most` are null if they were not measured. */
export type Drains = { readonly workers: number; readonly connections: number | null; readonly most: number | null };

/** The progress of the drains. */
export const drainsOf = (view: ServiceView): Drains => {
  const stopping = (view.status?.workers ?? []).filter((worker) => worker.state === "stopping");
  const counted = stopping.filter((worker) => worker.usage?.connections != null);
  if (counted.length === 0) return { workers: stopping.length, connections: null, most: null };
  return {
    workers: stopping.length,
    connections: counted.reduce((sum, worker) => sum + (worker.usage?.connections ?? 0), 0),
    most: counted.reduce((sum, worker) => sum + (view.peaks.get(worker.id) ?? 0), 0),
  };
};

/** Connections of all workers together, or null. */
export const connectionsOf = (view: ServiceView): number | null => {
  const counts = (view.status?.workers ?? []).map((worker) => worker.usage?.connections ?? null);
  return counts.every((count) => count === null) ? null : counts.reduce<number>((sum, count) => sum + (count ?? 0), 0);
};

/** Connections that wait in the service's queues, or null. */
export const queuedIn = (view: ServiceView): number | null => {
  const queues = (view.status?.sockets ?? []).map((socket) => socket.queue);
  return queues.every((queue) => queue === null) ? null : queues.reduce<number>((sum, queue) => sum + (queue ?? 0), 0);
};

/** How many workers are ready. */
export const readyIn = (view: ServiceView): number =>
  (view.status?.workers ?? []).filter((worker) => worker.state === "ready").length;
