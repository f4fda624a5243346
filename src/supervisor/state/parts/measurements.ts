import type { Batch } from "../batch.ts";

/** `memory`: only what costs the same however many connections there are. */
export type Scope = "memory" | "everything";

/** One measurement. `begunAt`, `endedAt`: CLOCK_MONOTONIC ms. */
export type Measurement = {
  readonly number: number;
  readonly scope: Scope;
  readonly begunAt: number;
  /** null: it is running. */
  readonly endedAt: number | null;
  /** The handles of its sockets, in its order. */
  readonly handles: readonly number[];
};

/** Usage of a worker's process tree; null: not permitted to read. */
export type WorkerUsage = {
  readonly processes: number;
  /** Bytes. */
  readonly memory: number | null;
  /** ms. */
  readonly cpuMs: number;
  readonly connections: number | null;
};

export type SocketUsage = {
  readonly connections: number | null;
  readonly queue: number | null;
  readonly limit: number | null;
  readonly drops: number | null;
};

/** Of all TCP sockets in the network namespace. */
export type ListenCounters = { readonly overflows: number; readonly drops: number };

type Found = {
  readonly workers: ReadonlyMap<number, WorkerUsage>;
  readonly sockets: ReadonlyMap<number, SocketUsage>;
  readonly counters: ListenCounters | null;
};

const NOTHING: Found = { workers: new Map(), sockets: new Map(), counters: null };
const decoder = new TextDecoder();

/** The last measurement and the running one, decoded on demand. */
export class Measurements {
  #number = 0;
  #last: Measurement | null = null;
  #current: Measurement | null = null;
  /** The reports, by number of measurement. */
  readonly #reports = new Map<number, Uint8Array[]>();
  #found: Found | null = null;

  /** Restores the state of the last measurements from the journal. */
  restore({ number, last, current }: Journalled): void {
    this.#number = number;
    this.#last = last;
    this.#current = current;
  }

  /** Restores one part of a report from the journal. Parts may come in any order. */
  restorePart(name: string, bytes: Uint8Array): void {
    const [number = 0, part = 0] = name.split("-").map(Number);
    const parts = this.#reports.get(number) ?? [];
    parts[part] = bytes;
    this.#reports.set(number, parts);
  }

  /** The last complete one. */
  get last(): Measurement | null {
    return this.#last;
  }

  get current(): Measurement | null {
    return this.#current;
  }

  /** Begins the next one. Returns its number. */
  begin(batch: Batch, { scope, begunAt, handles }: Pick<Measurement, "scope" | "begunAt" | "handles">): number {
    this.#number += 1;
    this.#current = { number: this.#number, scope, begunAt, endedAt: null, handles };
    this.#write(batch);
    return this.#number;
  }

  /** Takes a part of the running one's report. Returns whether the report is complete. */
  take(batch: Batch, bytes: Uint8Array, at: number): boolean {
    const current = this.#current;
    if (!current) return false;
    const parts = this.#reports.get(current.number) ?? [];
    // A copy, because the bytes belong to the event.
    const kept = bytes.slice();
    batch.putText(partKey(current.number, parts.length), decoder.decode(kept));
    parts.push(kept);
    this.#reports.set(current.number, parts);
    if (!decoder.decode(kept.subarray(-END.length)).endsWith(END)) return false;
    this.#forget(batch, this.#last);
    this.#last = { ...current, endedAt: at };
    this.#current = null;
    this.#found = null;
    this.#write(batch);
    return true;
  }

  /** The running one has failed; the last one still counts. */
  abandon(batch: Batch): void {
    this.#forget(batch, this.#current);
    this.#current = null;
    this.#write(batch);
  }

  worker(id: number): WorkerUsage | null {
    return this.#read().workers.get(id) ?? null;
  }

  /** By socket handle. */
  socket(handle: number): SocketUsage | null {
    return this.#read().sockets.get(handle) ?? null;
  }

  get counters(): ListenCounters | null {
    return this.#read().counters;
  }

  #write(batch: Batch): void {
    const known: Journalled = { number: this.#number, last: this.#last, current: this.#current };
    batch.put("measured", known);
  }

  #forget(batch: Batch, measurement: Measurement | null): void {
    if (!measurement) return;
    const parts = this.#reports.get(measurement.number) ?? [];
    for (const part of parts.keys()) batch.remove(partKey(measurement.number, part));
    this.#reports.delete(measurement.number);
  }

  #read(): Found {
    const last = this.#last;
    this.#found ??= last ? readParts(last, this.#reports.get(last.number) ?? []) : NOTHING;
    return this.#found;
  }
}

type Journalled = {
  readonly number: number;
  readonly last: Measurement | null;
  readonly current: Measurement | null;
};

const END = "end\n";

const partKey = (number: number, part: number): string => `usage/${number}-${part}`;

/** Reads the format of keeper/helpers/measure.h. */
const readParts = ({ handles }: Measurement, parts: readonly Uint8Array[]): Found => {
  const workers = new Map<number, WorkerUsage>();
  const sockets = new Map<number, SocketUsage>();
  let counters: ListenCounters | null = null;
  for (const part of parts) {
    for (const line of decoder.decode(part).split("\n")) {
      const [kind, ...fields] = line.split(" ");
      const [first = 0, ...rest] = fields.map(numberOrNull);
      const [a = null, b = null, c = null, d = null] = rest;
      if (kind === "w" && first !== null)
        workers.set(first, { processes: a ?? 0, memory: b, cpuMs: c ?? 0, connections: d });
      if (kind === "s" && first !== null)
        sockets.set(handles[first] ?? 0, { connections: a, queue: b, limit: c, drops: d });
      if (kind === "n" && first !== null && a !== null) counters = { overflows: first, drops: a };
    }
  }
  return { workers, sockets, counters };
};

const numberOrNull = (field: string): number | null => (field === "-" || field === "" ? null : Number(field));
