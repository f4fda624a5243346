// Immutable maps from whole numbers to values: a change makes another map, which shares all but the changed path. Each
// entry has a due time and each node the earliest below it, so that the next due entry is found without a search.
// Changes with one owner share their copies (owner.ts).
import type { Owner } from "./owner.ts";

/** The due time of an entry that is never due. */
export const NEVER = Number.POSITIVE_INFINITY;

/** Bits of an id per level; a node has a slot for each of their values. */
const BITS = 5;
const SLOTS = 2 ** BITS;
const LAST = SLOTS - 1;

// Layout of a node: the slots; the due time of each slot; the earliest of those; a bit for each slot that is not empty;
// a bit for each slot that is ever due; the number of entries below; the level, which is the number of id bits below
// those that choose a slot; the owner.
const DUE = SLOTS;
const EARLIEST = 2 * SLOTS;
const TAKEN = EARLIEST + 1;
const WAITING = EARLIEST + 2;
const COUNT = EARLIEST + 3;
const LEVEL = EARLIEST + 4;
const OWNER = EARLIEST + 5;

/**
 * On level 0 the slots hold values, above it nodes. One array, because copying an array is faster than making objects.
 */
type Node = readonly unknown[];

/** The root. `of` exists only as a type: that of the values. */
export type IdMap<T> = Node & { readonly of?: T };

const emptyNode = (level: number): Node => [
  ...Array<undefined>(SLOTS).fill(undefined),
  ...Array<number>(SLOTS).fill(NEVER),
  NEVER,
  0,
  0,
  0,
  level,
  null,
];
const EMPTY_NODES: readonly Node[] = [0, 1, 2, 3, 4, 5, 6].map((height) => emptyNode(height * BITS));

/** The empty map. */
export const EMPTY: IdMap<never> = emptyNode(0);

// Typed access to a node's places; the layout above says what they hold.
const numberAt = (node: Node, slot: number): number => node[slot] as number;
const childAt = (node: Node, slot: number): Node | undefined => node[slot] as Node | undefined;

/** The number of entries. */
export const sizeOf = (map: IdMap<unknown>): number => map[COUNT] as number;

/** The value of an id. */
export const find = <T>(map: IdMap<T>, id: number): T | undefined => {
  let level = map[LEVEL] as number;
  if (id >>> level > LAST) return undefined;
  let node: Node | undefined = map;
  for (; level > 0 && node; level -= BITS) node = node[(id >>> level) & LAST] as Node | undefined;
  return node?.[id & LAST] as T | undefined;
};

/** The map with this entry, which replaces one with the same id. */
export const withEntry = <T>(map: IdMap<T>, id: number, value: T, dueAt = NEVER, owner: Owner = null): IdMap<T> => {
  let root: Node = map;
  while (id >>> (root[LEVEL] as number) > LAST) root = raised(root);
  return changed(root, id, value, dueAt, owner);
};

/** The map without the entry of this id. */
export const withoutEntry = <T>(map: IdMap<T>, id: number, owner: Owner = null): IdMap<T> => {
  if (find(map, id) === undefined) return map;
  return map[COUNT] === 1 ? EMPTY : changed(map, id, undefined, NEVER, owner);
};

/** The same entries, with one level more. */
const raised = (root: Node): Node => {
  const above = EMPTY_NODES[numberAt(root, LEVEL) / BITS + 1] ?? [];
  if (root[COUNT] === 0) return above;
  const next: unknown[] = above.with(0, root);
  next[DUE] = root[EARLIEST];
  next[EARLIEST] = root[EARLIEST];
  next[TAKEN] = 1;
  next[WAITING] = root[EARLIEST] === NEVER ? 0 : 1;
  next[COUNT] = root[COUNT];
  return next;
};

/** The node with this value for the id, undefined for none: the node itself if it has this owner, else a copy. */
const changed = (node: Node, id: number, value: unknown, dueAt: number, owner: Owner): Node => {
  // On this engine with() is faster than slice().
  const next = owner !== null && node[OWNER] === owner ? (node as unknown[]) : node.with(OWNER, owner);
  const level = node[LEVEL] as number;
  const slot = (id >>> level) & LAST;
  const before = node[slot];
  let content = value;
  let due = dueAt;
  let more: number;
  if (level === 0) {
    more = (value === undefined ? 0 : 1) - (before === undefined ? 0 : 1);
  } else {
    const old = (before ?? EMPTY_NODES[level / BITS - 1]) as Node;
    // Before the change, which may be in place.
    const count = old[COUNT] as number;
    const child = changed(old, id, value, dueAt, owner);
    more = (child[COUNT] as number) - count;
    content = child[COUNT] === 0 ? undefined : child;
    due = child[EARLIEST] as number;
  }
  next[slot] = content;
  if (more !== 0) {
    const taken = next[TAKEN] as number;
    next[TAKEN] = content === undefined ? taken & ~(1 << slot) : taken | (1 << slot);
    next[COUNT] = (next[COUNT] as number) + more;
  }
  if (next[DUE + slot] !== due) setDue(next, slot, due);
  return next;
};

const setDue = (next: unknown[], slot: number, dueAt: number): void => {
  const before = next[DUE + slot] as number;
  const earliest = next[EARLIEST] as number;
  const waiting = next[WAITING] as number;
  next[WAITING] = dueAt === NEVER ? waiting & ~(1 << slot) : waiting | (1 << slot);
  next[DUE + slot] = dueAt;
  if (dueAt <= earliest) next[EARLIEST] = dueAt;
  else if (before === earliest) next[EARLIEST] = earliestIn(next);
};

// apply(), because spreading the array uses an iterator, which takes longer than everything else here.
const earliestIn = (node: Node): number =>
  node[WAITING] === 0 ? NEVER : Math.min.apply(null, node.slice(DUE, EARLIEST) as number[]);

const lowest = (bits: number): number => 31 - Math.clz32(bits & -bits);

/** All values, ordered by id. */
export const valuesOf = <T>(map: IdMap<T>): T[] => dueIn<T>(map, NEVER, []);

/** When the first entry is due; NEVER: no entry is. */
export const earliestOf = (map: IdMap<unknown>): number => map[EARLIEST] as number;

/** The values that are due by `now`, ordered by id. */
export const valuesDue = <T>(map: IdMap<T>, now: number): T[] => dueIn<T>(map, now, []);

const dueIn = <T>(node: Node, now: number, found: T[]): T[] => {
  if ((node[EARLIEST] as number) > now) return found;
  for (let slot = 0; slot < SLOTS; slot++) {
    if ((node[DUE + slot] as number) > now) continue;
    const content = node[slot];
    // If `now` is NEVER, empty slots come this far too.
    if (content === undefined) continue;
    if (node[LEVEL] === 0) found.push(content as T);
    else dueIn(content as Node, now, found);
  }
  return found;
};

/** The lowest id of the entries that are due first; null: no entry is ever due. */
export const firstDue = (map: IdMap<unknown>): number | null => {
  if (map[EARLIEST] === NEVER) return null;
  let node: Node = map;
  let id = 0;
  for (;;) {
    const slot = node.indexOf(node[EARLIEST], DUE) - DUE;
    id = id * SLOTS + slot;
    if (node[LEVEL] === 0) return id;
    node = node[slot] as Node;
  }
};

/** The ids whose values differ between two maps, in order. Shared nodes are skipped. */
export const differences = <T>(before: IdMap<T>, after: IdMap<T>): number[] => {
  let [a, b]: [Node, Node] = [before, after];
  while (numberAt(a, LEVEL) < numberAt(b, LEVEL)) a = raised(a);
  while (numberAt(b, LEVEL) < numberAt(a, LEVEL)) b = raised(b);
  return differencesIn(a, b, 0, []);
};

const differencesIn = (a: Node, b: Node, base: number, found: number[]): number[] => {
  const level = numberAt(a, LEVEL);
  for (let bits = numberAt(a, TAKEN) | numberAt(b, TAKEN); bits !== 0; bits &= bits - 1) {
    const slot = lowest(bits);
    if (a[slot] === b[slot]) continue;
    const id = base + slot * 2 ** level;
    const none = EMPTY_NODES[level / BITS - 1] ?? [];
    if (level === 0) found.push(id);
    else differencesIn(childAt(a, slot) ?? none, childAt(b, slot) ?? none, id, found);
  }
  return found;
};
