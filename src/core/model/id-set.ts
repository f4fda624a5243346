// Immutable sets of whole numbers: a change makes another set, which shares all but the changed path. 32 numbers are
// the bits of one word. Changes with one owner share their copies (owner.ts).
import type { Owner } from "./owner.ts";

/** Bits of a number per level; a node has a slot for each of their values. */
const BITS = 5;
const SLOTS = 2 ** BITS;
const LAST = SLOTS - 1;

// Layout of a node: the slots; a bit for each slot that is not empty; the number of members below; the level, which is
// the number of bits below those that choose a slot; the owner.
const TAKEN = SLOTS;
const COUNT = SLOTS + 1;
const LEVEL = SLOTS + 2;
const OWNER = SLOTS + 3;

/**
 * On level BITS the slots hold words, above it nodes; 0: empty. One array, because copying an array is faster than
 * making objects.
 */
type Node = readonly (number | Node | Owner)[];
/** The root. */
export type IdSet = Node;

const emptyNode = (level: number): Node => [...Array<number>(SLOTS).fill(0), 0, 0, level, null];
/** From level BITS on. */
const EMPTY_NODES: readonly Node[] = [1, 2, 3, 4, 5, 6].map((height) => emptyNode(height * BITS));

/** The empty set. */
export const NO_IDS: IdSet = emptyNode(BITS);

/** The number of members. */
export const sizeOf = (ids: IdSet): number => ids[COUNT] as number;

export const hasIds = (ids: IdSet): boolean => ids[COUNT] !== 0;

/** The set with a number that is not in it yet. */
export const withId = (ids: IdSet, id: number, owner: Owner = null): IdSet => {
  let root: Node = ids;
  while (id >>> (root[LEVEL] as number) > LAST) root = raised(root);
  return flipped(root, id, 1, owner);
};

/** The set without a number that is in it. */
export const withoutId = (ids: IdSet, id: number, owner: Owner = null): IdSet =>
  ids[COUNT] === 1 ? NO_IDS : flipped(ids, id, -1, owner);

/** The same members, with one level more. */
const raised = (root: Node): Node => {
  const above = EMPTY_NODES[(root[LEVEL] as number) / BITS] ?? [];
  if (root[COUNT] === 0) return above;
  const next = above.with(0, root);
  next[TAKEN] = 1;
  next[COUNT] = root[COUNT] as number;
  return next;
};

/** The node with one member more or less: the node itself if it has this owner, else a copy. */
const flipped = (node: Node, id: number, more: 1 | -1, owner: Owner): Node => {
  // On this engine with() is faster than slice().
  const next = owner !== null && node[OWNER] === owner ? (node as (number | Node | Owner)[]) : node.with(OWNER, owner);
  const level = node[LEVEL] as number;
  const slot = (id >>> level) & LAST;
  const before = node[slot] as number | Node;
  let content: number | Node;
  // A shift uses only the lowest five bits of its right operand.
  if (level === BITS) content = (before as number) ^ (1 << id);
  else {
    const old = before === 0 ? (EMPTY_NODES[level / BITS - 2] as Node) : (before as Node);
    const below = flipped(old, id, more, owner);
    content = below[COUNT] === 0 ? 0 : below;
  }
  next[slot] = content;
  if (content === 0) next[TAKEN] = (next[TAKEN] as number) & ~(1 << slot);
  else if (before === 0) next[TAKEN] = (next[TAKEN] as number) | (1 << slot);
  next[COUNT] = (next[COUNT] as number) + more;
  return next;
};

/** The lowest member of a set that is not empty. */
export const firstId = (ids: IdSet): number => {
  let node = ids;
  let first = 0;
  for (;;) {
    const slot = lowest(node[TAKEN] as number);
    first = first * SLOTS + slot;
    const content = node[slot];
    if (node[LEVEL] === BITS) return first * SLOTS + lowest(content as number);
    node = content as Node;
  }
};

/** The lowest member that is not below `from`; null: there is none. */
export const nextId = (ids: IdSet, from: number): number | null => {
  const id = from >>> (ids[LEVEL] as number) > LAST ? -1 : nextIn(ids, from);
  return id < 0 ? null : id;
};

const nextIn = (node: Node, from: number): number => {
  const level = node[LEVEL] as number;
  const first = (from >>> level) & LAST;
  for (let remaining = (node[TAKEN] as number) & (-1 << first); remaining !== 0; remaining &= remaining - 1) {
    const slot = lowest(remaining);
    const content = node[slot] ?? 0;
    // In the slots after that of `from`, every number counts.
    const start = slot === first ? from : 0;
    const below = level === BITS ? lowestFrom(content as number, start & LAST) : nextIn(content as Node, start);
    if (below >= 0) return slot * 2 ** level + below;
  }
  return -1;
};

const lowestFrom = (word: number, from: number): number => {
  const remaining = word & (-1 << from);
  return remaining === 0 ? -1 : lowest(remaining);
};

const lowest = (word: number): number => 31 - Math.clz32(word & -word);
