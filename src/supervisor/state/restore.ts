// Restores the memory from the journal's entries, at every hello. remember.ts writes them.

import { stateOf } from "../../core/model/plain-state.ts";
import { type GoodSpec, type Spec, UNPACED } from "../../core/model/spec.ts";
import type { Generation } from "../../core/model/state.ts";
import { initialState } from "../../core/model/state.ts";
import type { Worker } from "../../core/model/worker.ts";
import { Batch } from "./batch.ts";
import { keptValue } from "./kept-value.ts";
import { NOTHING_COUNTED } from "./parts/counters.ts";
import { EventLog } from "./parts/event-log.ts";
import { Measurements } from "./parts/measurements.ts";
import { NO_SERVICE_MANAGER } from "./parts/service-manager.ts";
import { EMPTY_STORE } from "./parts/stored-descriptors.ts";
import { rememberSpecText } from "./spec-texts.ts";
import type { Memory } from "./store.ts";

const EMPTY_CORE = initialState({ respawn: null, history: [] });

/** Passes an event to the core (loop/apply-effects.ts). */
type Advance = (memory: Memory, ...taken: Parameters<Memory["advance"]>) => void;

const onlyRead: Advance = (_memory, { kind }) => {
  throw new Error(`A state that was restored to be read takes no event (${kind})`);
};

/**
 * Rebuilds the memory from the journal's entries. They are crank's own, from `remember*`; their version is checked
 * before.
 */
export const restoreStore = (
  { platform, frontEnd, facts }: Pick<Memory, "platform" | "frontEnd" | "facts">,
  entries: ReadonlyMap<string, Uint8Array>,
  advance: Advance = onlyRead,
): Memory => {
  const memory: Memory = {
    platform,
    frontEnd,
    facts,
    advance: (event, signals) => advance(memory, event, signals),
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
    store: EMPTY_STORE,
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
    look: null,
    upgrade: null,
    program: null,
    format: FIRST_FORMAT,
    own: null,
  };
  restoreEntries(memory, entries);
  return memory;
};

/** Restores journal entries. */
export const restoreEntries = (memory: Memory, entries: Iterable<readonly [string, Uint8Array]>): void => {
  const generations: Record<number, Generation> = {};
  const workers: Record<number, Worker> = {};
  for (const [key, bytes] of entries) {
    const slash = key.indexOf("/");
    const name = slash < 0 ? "" : key.slice(slash + 1);
    const restore = RESTORE[slash < 0 ? key : key.slice(0, slash)];
    restore?.(memory, name, bytes, generations, workers);
  }
  memory.core = stateOf({ ...memory.core, generations, workers });
};

/** Restores the value of one journal key. `name`: what follows the slash in the key; "" without one. */
type Restore = (
  memory: Memory,
  name: string,
  bytes: Uint8Array,
  generations: Record<number, Generation>,
  workers: Record<number, Worker>,
) => void;

const decoder = new TextDecoder();
const parse = (bytes: Uint8Array) => keptValue(decoder.decode(bytes));

/** A spec of an earlier version lacks some fields. */
const completed = (spec: Spec): Spec => (Object.hasOwn(spec, "pauseMs") ? spec : { ...spec, ...UNPACED });

const RESTORE: Readonly<Record<string, Restore>> = {
  settings: (memory, _name, bytes) => {
    memory.settings = parse(bytes);
  },
  boot: (memory, _name, bytes) => {
    memory.boot = parse(bytes);
  },
  service: (memory, _name, bytes) => {
    // The service of an earlier version lacks some fields.
    memory.core = { ...memory.core, service: { ...memory.core.service, ...parse(bytes) } };
  },
  history: (memory, _name, bytes) => {
    const good: GoodSpec = parse(bytes);
    const history: GoodSpec[] = [...memory.core.history, { ...good, spec: completed(good.spec) }];
    memory.core = { ...memory.core, history: history.sort((a, b) => a.generation - b.generation) };
  },
  generation: (_memory, name, bytes, generations) => {
    const generation: Generation = parse(bytes);
    const spec = completed(generation.spec);
    if (spec === generation.spec) rememberSpecText(spec, bytes);
    generations[Number(name)] = { ...generation, spec };
  },
  worker: (_memory, name, bytes, _generations, workers) => {
    workers[Number(name)] = parse(bytes);
  },
  decision: (memory, _name, bytes) => {
    memory.decision = parse(bytes);
  },
  counters: (memory, _name, bytes) => {
    memory.counters = { ...memory.counters, ...parse(bytes) };
  },
  once: (memory, _name, bytes) => {
    memory.once = parse(bytes);
  },
  serviceManager: (memory, _name, bytes) => {
    memory.serviceManager = parse(bytes);
  },
  adoption: (memory, _name, bytes) => {
    memory.adoption = parse(bytes);
  },
  socket: (memory, name, bytes) => {
    memory.sockets.set(Number(name), parse(bytes));
  },
  name: (memory, name, bytes) => {
    memory.names.set(Number(name), parse(bytes));
  },
  stored: (memory, name, bytes) => {
    memory.stored.set(Number(name), parse(bytes));
  },
  store: (memory, _name, bytes) => {
    memory.store = parse(bytes);
  },
  closed: (memory, _name, bytes) => {
    memory.closed = parse(bytes);
  },
  measured: (memory, _name, bytes) => {
    memory.measurements.restore(parse(bytes));
  },
  usage: (memory, name, bytes) => {
    memory.measurements.restorePart(name, bytes);
  },
  pending: (memory, name, bytes) => {
    memory.pending.set(Number(name), parse(bytes));
  },
  finished: (memory, _name, bytes) => {
    memory.finished.push(...parse(bytes));
  },
  unstarted: (memory, _name, bytes) => {
    memory.unstarted = parse(bytes);
  },
  said: (memory, name, bytes) => {
    memory.reports.set(Number(name), parse(bytes));
  },
  followers: (memory, _name, bytes) => {
    for (const connection of parse(bytes)) memory.followers.add(connection);
  },
  authenticated: (memory, _name, bytes) => {
    for (const connection of parse(bytes)) memory.authenticated.add(connection);
  },
  own: (memory, _name, bytes) => {
    memory.own = parse(bytes);
  },
  look: (memory, _name, bytes) => {
    memory.look = parse(bytes);
  },
  upgrade: (memory, _name, bytes) => {
    memory.upgrade = parse(bytes);
  },
  program: (memory, _name, bytes) => {
    memory.program = parse(bytes);
  },
  format: (memory, _name, bytes) => {
    memory.format = parse(bytes);
  },
  told: (memory, _name, bytes) => {
    memory.events.restorePublished(parse(bytes));
  },
  notes: (memory, name, bytes) => {
    const [first, count, words] = name.split("+").map(Number);
    memory.events.restore(first ?? 0, count ?? 0, words ?? 0, bytes);
  },
};

/** Raised when the journal's values change in such a way that an older crank would misread them. */
export const FORMAT = 2;
/** The version of journals that do not have one. */
const FIRST_FORMAT = 1;

/** Writes the format version into the journal, unless it is there. */
export const rememberFormat = (memory: Memory): void => {
  if (memory.format === FORMAT) return;
  memory.format = FORMAT;
  memory.batch.put("format", FORMAT);
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
