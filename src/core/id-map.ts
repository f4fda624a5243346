// Maps from whole numbers to values that never change: a change makes another map, which shares with the one before
// everything but the path to what has changed. Each entry has a time at which it is due, and each node the earliest of those
// below it, so that what is due next is found without a look at the rest.

/** The time of what is never due. */
export const NEVER = Number.POSITIVE_INFINITY;

/** Bits of an id for each level, and so many slots in a node. */
const BITS = 5;
const SLOTS = 2 ** BITS;

/** `taken`: a bit for each slot that is not empty. */
type Node<T> = {
  readonly taken: number;
  readonly slots: readonly (T | Node<T> | undefined)[];
  readonly dues: readonly number[];
  readonly earliest: number;
};

/** `level`: how many bits of an id stand below those that choose among the root's slots. */
export type IdMap<T> = { readonly size: number; readonly level: number; readonly root: Node<T> };

const NOTHING: Node<never> = {
  taken: 0,
  slots: Array(SLOTS).fill(undefined),
  dues: Array(SLOTS).fill(NEVER),
  earliest: NEVER,
};

/** Nothing in it. */
export const EMPTY: IdMap<never> = { size: 0, level: 0, root: NOTHING };

/** What belongs to an id. */
export const find = <T>({ level, root }: IdMap<T>, id: number): T | undefined => {
  if (id >>> level >= SLOTS) return undefined;
  let node: Node<T> | undefined = root;
  for (let below = level; below > 0 && node; below -= BITS)
    node = node.slots[(id >>> below) & (SLOTS - 1)] as Node<T> | undefined; // Above level 0 all slots are nodes.
  return node?.slots[id & (SLOTS - 1)] as T | undefined; // And there they are values.
};

/** The map with an entry more, or with another one in the place of that with its id. */
export const withEntry = <T>(map: IdMap<T>, id: number, value: T, dueAt = NEVER): IdMap<T> => {
  const size = find(map, id) === undefined ? map.size + 1 : map.size;
  let { level, root } = map;
  while (id >>> level >= SLOTS) {
    root = root.taken === 0 ? NOTHING : withSlot<T>(NOTHING, 0, root, root.earliest);
    level += BITS;
  }
  return { size, level, root: put(root, level, id, value, dueAt) };
};

/** The map without an entry, if there was one. */
export const withoutEntry = <T>(map: IdMap<T>, id: number): IdMap<T> => {
  if (find(map, id) === undefined) return map;
  const root = drop(map.root, map.level, id);
  return root ? { size: map.size - 1, level: map.level, root } : EMPTY;
};

const put = <T>(node: Node<T>, level: number, id: number, value: T, dueAt: number): Node<T> => {
  const slot = (id >>> level) & (SLOTS - 1);
  if (level === 0) return withSlot(node, slot, value, dueAt);
  // As in `find`.
  const child = put((node.slots[slot] ?? NOTHING) as Node<T>, level - BITS, id, value, dueAt);
  return withSlot(node, slot, child, child.earliest);
};

const drop = <T>(node: Node<T>, level: number, id: number): Node<T> | undefined => {
  const slot = (id >>> level) & (SLOTS - 1);
  // As in `find`.
  const child = level === 0 ? undefined : drop(node.slots[slot] as Node<T>, level - BITS, id);
  if (child === undefined && node.taken === bit(slot)) return undefined;
  return withSlot(node, slot, child, child?.earliest ?? NEVER);
};

const withSlot = <T>(node: Node<T>, slot: number, content: T | Node<T> | undefined, dueAt: number): Node<T> => {
  const taken = content === undefined ? node.taken & ~bit(slot) : node.taken | bit(slot);
  const slots = node.slots.with(slot, content);
  const { dues, earliest } = node;
  const before = dues[slot] ?? NEVER;
  if (before === dueAt) return { taken, slots, dues, earliest };
  const next = dues.with(slot, dueAt);
  if (dueAt <= earliest) return { taken, slots, dues: next, earliest: dueAt };
  return { taken, slots, dues: next, earliest: before > earliest ? earliest : Math.min(...next) };
};

const bit = (slot: number): number => 1 << slot;
const lowest = (bits: number): number => 31 - Math.clz32(bits & -bits);

/** All values, in the order of their ids. */
export const valuesOf = <T>({ level, root }: IdMap<T>): T[] => dueIn(root, level, NEVER, []);

/** When the first entry is due; NEVER: none is. */
export const earliestOf = <T>({ root }: IdMap<T>): number => root.earliest;

/** The values that are due by `now`, in the order of their ids. */
export const valuesDue = <T>({ level, root }: IdMap<T>, now: number): T[] => dueIn(root, level, now, []);

const dueIn = <T>(node: Node<T>, level: number, now: number, found: T[]): T[] => {
  if (node.earliest > now) return found;
  for (let bits = node.taken; bits !== 0; bits &= bits - 1) {
    const slot = lowest(bits);
    if ((node.dues[slot] ?? NEVER) > now) continue;
    // As in `find`.
    if (level > 0) dueIn(node.slots[slot] as Node<T>, level - BITS, now, found);
    else found.push(node.slots[slot] as T);
  }
  return found;
};

/** The lowest id of those that are due first; null: none is. */
export const firstDue = <T>({ level, root }: IdMap<T>): number | null => {
  if (root.earliest === NEVER) return null;
  let node = root;
  let id = 0;
  for (let below = level; ; below -= BITS) {
    const slot = node.dues.indexOf(node.earliest);
    id = id * SLOTS + slot;
    if (below === 0) return id;
    node = node.slots[slot] as Node<T>; // As in `find`.
  }
};

/** The ids under which two maps do not hold the same, in their order: what both share is passed over. */
export const differences = <T>(before: IdMap<T>, after: IdMap<T>): number[] => {
  const level = Math.max(before.level, after.level);
  return differencesIn(raised(before, level), raised(after, level), level, 0, []);
};

const raised = <T>({ level, root }: IdMap<T>, to: number): Node<T> => {
  let node = root;
  for (let reached = level; reached < to && node.taken !== 0; reached += BITS)
    node = withSlot<T>(NOTHING, 0, node, node.earliest);
  return node;
};

const differencesIn = <T>(a: Node<T>, b: Node<T>, level: number, base: number, found: number[]): number[] => {
  for (let bits = a.taken | b.taken; bits !== 0; bits &= bits - 1) {
    const slot = lowest(bits);
    const [left, right] = [a.slots[slot], b.slots[slot]];
    if (left === right) continue;
    const id = base + slot * 2 ** level;
    if (level === 0) found.push(id);
    else differencesIn((left ?? NOTHING) as Node<T>, (right ?? NOTHING) as Node<T>, level - BITS, id, found); // As in `find`.
  }
  return found;
};
