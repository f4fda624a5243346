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
const EMPTY_NODES: readonly Node[] = [0, 1, 2, 3, 4, 5, 6].map((height) => emptyNode(height * BITS));

/** The empty set. */
export const NO_IDS: IdSet = emptyNode(BITS);

/** The number of members. */
export const sizeOf = (ids: IdSet): number => ids[COUNT] as number;

/** The set with a number that is not in it yet. */
export const withId = (ids: IdSet, id: number, owner: Owner = null): IdSet => {
  let root: Node = ids;
  while (id >>> (root[LEVEL] as number) > LAST) {
    const above = EMPTY_NODES[(root[LEVEL] as number) / BITS + 1] ?? [];
    root = root[COUNT] === 0 ? above : changed(above, 0, root, root[COUNT] as number, owner);
  }
  return put(root, id, owner);
};

/** The set without a number that is in it. */
export const withoutId = (ids: IdSet, id: number, owner: Owner = null): IdSet =>
  ids[COUNT] === 1 ? NO_IDS : drop(ids, id, owner);

const put = (node: Node, id: number, owner: Owner): Node => {
  const level = node[LEVEL] as number;
  const slot = (id >>> level) & LAST;
  const content = node[slot] ?? 0;
  // A shift uses only the lowest five bits of its right operand.
  if (level === BITS) return changed(node, slot, (content as number) | (1 << id), 1, owner);
  const below = content === 0 ? (EMPTY_NODES[level / BITS - 1] as Node) : (content as Node);
  return changed(node, slot, put(below, id, owner), 1, owner);
};

const drop = (node: Node, id: number, owner: Owner): Node => {
  const level = node[LEVEL] as number;
  const slot = (id >>> level) & LAST;
  const content = node[slot] ?? 0;
  if (level === BITS) return changed(node, slot, (content as number) & ~(1 << id), -1, owner);
  const below = content as Node;
  return changed(node, slot, below[COUNT] === 1 ? 0 : drop(below, id, owner), -1, owner);
};

/** The node with a changed slot and `more` members: the node itself if it has this owner, else a copy. */
const changed = (node: Node, slot: number, content: number | Node, more: number, owner: Owner): Node => {
  let next = node as (number | Node | Owner)[];
  if (owner === null || next[OWNER] !== owner) {
    // On this engine faster than slice().
    next = next.with(OWNER, owner);
  }
  next[slot] = content;
  const taken = next[TAKEN] as number;
  next[TAKEN] = content === 0 ? taken & ~(1 << slot) : taken | (1 << slot);
  next[COUNT] = (next[COUNT] as number) + more;
  return next;
};

/** The lowest member that is not below `from`; null: there is none. */
export const nextId = (ids: IdSet, from: number): number | null => {
  const id = from >>> (ids[LEVEL] as number) > LAST ? -1 : nextIn(ids, from);
  return id < 0 ? null : id;
};

const nextIn = (node: Node, from: number): number => {
  const level = node[LEVEL] as number;
  const first = (from >>> level) & LAST;
  for (let left = (node[TAKEN] as number) & (-1 << first); left !== 0; left &= left - 1) {
    const slot = lowest(left);
    const content = node[slot] ?? 0;
    // In the slots after that of `from`, every number counts.
    const start = slot === first ? from : 0;
    const below = level === BITS ? lowestFrom(content as number, start & LAST) : nextIn(content as Node, start);
    if (below >= 0) return slot * 2 ** level + below;
  }
  return -1;
};

const lowestFrom = (word: number, from: number): number => {
  const left = word & (-1 << from);
  return left === 0 ? -1 : lowest(left);
};

const lowest = (word: number): number => 31 - Math.clz32(word & -word);
