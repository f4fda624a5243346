// Restores the store from the journal's entries, at every hello. save.ts writes them.

import { stateOf } from "../../core/model/plain-state.ts";
import type { GoodSpec } from "../../core/model/spec.ts";
import type { Generation } from "../../core/model/state.ts";
import { initialState } from "../../core/model/state.ts";
import type { Worker } from "../../core/model/worker.ts";
import { completed } from "../../spec/defaults.ts";
import { Batch } from "./batch.ts";
import { keptValue } from "./kept-value.ts";
import { NOTHING_COUNTED } from "./parts/counters.ts";
import { EventLog } from "./parts/event-log.ts";
import { Measurements } from "./parts/measurements.ts";
import { NO_SERVICE_MANAGER } from "./parts/service-manager.ts";
import { EMPTY_STORE } from "./parts/stored-descriptors.ts";
import { saveSpecText } from "./spec-texts.ts";
import type { Store } from "./store.ts";

const EMPTY_CORE = initialState({ respawn: null, history: [] });

/** Passes an event to the core (loop/apply-effects.ts). */
type Advance = (store: Store, ...taken: Parameters<Store["advance"]>) => void;

const onlyRead: Advance = (_memory, { kind }) => {
  throw new Error(`A state that was restored to be read takes no event (${kind})`);
};

/**
 * Rebuilds the store from the journal's entries. They are crank's own, from `save*`; their version is checked
 * before.
 */
export const restoreStore = (
  { platform, frontEnd, facts }: Pick<Store, "platform" | "frontEnd" | "facts">,
  entries: ReadonlyMap<string, Uint8Array>,
  advance: Advance = onlyRead,
): Store => {
  const store: Store = {
    platform,
    frontEnd,
    facts,
    advance: (event, signals) => advance(store, event, signals),
    batch: new Batch(),
    events: new EventLog(),
    measurements: new Measurements(),
    settings: null,
    boot: { stage: "fresh", barrier: 0, failure: null, isUnwanted: false },
    core: EMPTY_CORE,
    last: null,
    decision: null,
    counters: NOTHING_COUNTED,
    serviceManager: NO_SERVICE_MANAGER,
    adoption: null,
    sockets: new Map(),
    names: new Map(),
    stored: new Map(),
    descriptorStore: EMPTY_STORE,
    closed: [],
    pending: new Map(),
    finished: [],
    unstarted: [],
    probed: new Map(),
    reports: new Map(),
    once: {},
    inodes: new Map(),
    followers: new Set(),
    authenticated: new Set(),
    penalties: undefined,
    acceptCheck: null,
    upgrade: null,
    program: null,
    format: FIRST_FORMAT,
    frontEndPart: null,
  };
  restoreEntries(store, entries);
  return store;
};

/** Restores journal entries. */
export const restoreEntries = (store: Store, entries: Iterable<readonly [string, Uint8Array]>): void => {
  const generations: Record<number, Generation> = {};
  const workers: Record<number, Worker> = {};
  for (const [key, bytes] of entries) {
    const slash = key.indexOf("/");
    const name = slash < 0 ? "" : key.slice(slash + 1);
    const restore = RESTORE[slash < 0 ? key : key.slice(0, slash)];
    restore?.(store, name, bytes, generations, workers);
  }
  store.core = stateOf({ ...store.core, generations, workers });
};

/** Restores the value of one journal key. `name`: what follows the slash in the key; "" without one. */
type Restore = (
  store: Store,
  name: string,
  bytes: Uint8Array,
  generations: Record<number, Generation>,
  workers: Record<number, Worker>,
) => void;

const decoder = new TextDecoder();
const parse = (bytes: Uint8Array) => keptValue(decoder.decode(bytes));

const RESTORE: Readonly<Record<string, Restore>> = {
  settings: (store, _name, bytes) => {
    store.settings = parse(bytes);
  },
  boot: (store, _name, bytes) => {
    store.boot = parse(bytes);
  },
  service: (store, _name, bytes) => {
    // The service of an earlier version lacks some fields.
    store.core = { ...store.core, service: { ...store.core.service, ...parse(bytes) } };
  },
  history: (store, _name, bytes) => {
    const good: GoodSpec = parse(bytes);
    const history: GoodSpec[] = [...store.core.history, { ...good, spec: completed(good.spec) }];
    store.core = { ...store.core, history: history.sort((a, b) => a.generation - b.generation) };
  },
  generation: (_memory, name, bytes, generations) => {
    const generation: Generation = parse(bytes);
    const spec = completed(generation.spec);
    if (spec === generation.spec) saveSpecText(spec, bytes);
    generations[Number(name)] = { ...generation, spec };
  },
  worker: (_memory, name, bytes, _generations, workers) => {
    workers[Number(name)] = parse(bytes);
  },
  decision: (store, _name, bytes) => {
    store.decision = parse(bytes);
  },
  counters: (store, _name, bytes) => {
    store.counters = { ...store.counters, ...parse(bytes) };
  },
  once: (store, _name, bytes) => {
    store.once = parse(bytes);
  },
  serviceManager: (store, _name, bytes) => {
    store.serviceManager = parse(bytes);
  },
  adoption: (store, _name, bytes) => {
    store.adoption = parse(bytes);
  },
  socket: (store, name, bytes) => {
    store.sockets.set(Number(name), parse(bytes));
  },
  name: (store, name, bytes) => {
    store.names.set(Number(name), parse(bytes));
  },
  stored: (store, name, bytes) => {
    store.stored.set(Number(name), parse(bytes));
  },
  store: (store, _name, bytes) => {
    store.descriptorStore = parse(bytes);
  },
  closed: (store, _name, bytes) => {
    store.closed = parse(bytes);
  },
  measured: (store, _name, bytes) => {
    store.measurements.restore(parse(bytes));
  },
  usage: (store, name, bytes) => {
    store.measurements.restorePart(name, bytes);
  },
  pending: (store, name, bytes) => {
    store.pending.set(Number(name), parse(bytes));
  },
  finished: (store, _name, bytes) => {
    store.finished.push(...parse(bytes));
  },
  unstarted: (store, _name, bytes) => {
    store.unstarted = parse(bytes);
  },
  said: (store, name, bytes) => {
    store.reports.set(Number(name), parse(bytes));
  },
  followers: (store, _name, bytes) => {
    for (const connection of parse(bytes)) store.followers.add(connection);
  },
  authenticated: (store, _name, bytes) => {
    for (const connection of parse(bytes)) store.authenticated.add(connection);
  },
  own: (store, _name, bytes) => {
    store.frontEndPart = parse(bytes);
  },
  look: (store, _name, bytes) => {
    store.acceptCheck = parse(bytes);
  },
  upgrade: (store, _name, bytes) => {
    store.upgrade = parse(bytes);
  },
  program: (store, _name, bytes) => {
    store.program = parse(bytes);
  },
  format: (store, _name, bytes) => {
    store.format = parse(bytes);
  },
  told: (store, _name, bytes) => {
    store.events.restorePublished(parse(bytes));
  },
  notes: (store, name, bytes) => {
    const [first, count, workerEvents] = name.split("+").map(Number);
    store.events.restore(first ?? 0, count ?? 0, workerEvents ?? 0, bytes);
  },
};

/** Raised when the journal's values change in such a way that an older crank would misread them. */
export const FORMAT = 2;
/** The version of journals that do not have one. */
const FIRST_FORMAT = 1;

/** Writes the format version into the journal, unless it is there. */
export const saveFormat = (store: Store): void => {
  if (store.format === FORMAT) return;
  store.format = FORMAT;
  store.batch.put("format", FORMAT);
};

/** Why entries cannot be read; null if they can. Completes "the journal …". */
export const formatProblem = (entries: ReadonlyMap<string, Uint8Array>): string | null => {
  const written = entries.get("format");
  const format: unknown = written === undefined ? FIRST_FORMAT : parse(written);
  if (typeof format !== "number" || format > FORMAT)
    return `was written by a later version of crank (its values have format ${format}, this one knows ${FORMAT})`;
  const unknown = [...entries.keys()].find((key) => !Object.hasOwn(RESTORE, key.split("/")[0] ?? ""));
  return unknown === undefined ? null : `holds ${JSON.stringify(unknown)}, which this version of crank does not know`;
};
