// Sets of whole numbers that never change: a change makes another set, which shares with the one before everything but the
// path to what has changed. 32 numbers are the bits of one word.

/** Bits of a number for each level, and so many slots in a node. */
const BITS = 5;
const SLOTS = 2 ** BITS;

/** `taken`: a bit for each slot that is not empty. On the lowest level the slots are words. */
type Node = { readonly taken: number; readonly slots: readonly (Node | number)[] };

/** `level`: how many bits of a number stand below those that choose among the root's slots. */
export type IdSet = { readonly size: number; readonly level: number; readonly root: Node };

const NOTHING: Node = { taken: 0, slots: Array(SLOTS).fill(0) };

/** Nothing in it. */
export const NO_IDS: IdSet = { size: 0, level: BITS, root: NOTHING };

/** The set with a number that it does not have. */
export const withId = ({ size, level, root }: IdSet, id: number): IdSet => {
  let [node, above] = [root, level];
  for (; id >>> above >= SLOTS; above += BITS) node = node.taken === 0 ? NOTHING : withSlot(NOTHING, 0, node);
  return { size: size + 1, level: above, root: put(node, above, id) };
};

/** The set without a number that it has. */
export const withoutId = ({ size, level, root }: IdSet, id: number): IdSet =>
  size === 1 ? NO_IDS : { size: size - 1, level, root: drop(root, level, id) };

const put = (node: Node, level: number, id: number): Node => {
  const slot = (id >>> level) & (SLOTS - 1);
  const content = node.slots[slot] ?? 0;
  if (typeof content === "number" && level === BITS) return withSlot(node, slot, content | bit(id));
  return withSlot(node, slot, put(typeof content === "number" ? NOTHING : content, level - BITS, id));
};

const drop = (node: Node, level: number, id: number): Node => {
  const slot = (id >>> level) & (SLOTS - 1);
  const content = node.slots[slot] ?? 0;
  if (typeof content === "number") return withSlot(node, slot, content & ~bit(id));
  const left = drop(content, level - BITS, id);
  return withSlot(node, slot, left.taken === 0 ? 0 : left);
};

const withSlot = ({ taken, slots }: Node, slot: number, content: Node | number): Node => ({
  taken: content === 0 ? taken & ~bit(slot) : taken | bit(slot),
  slots: slots.with(slot, content),
});

/** Of the word's 32 bits: a shift takes the lowest five bits of what it shifts by. */
const bit = (id: number): number => 1 << id;
const lowest = (word: number): number => 31 - Math.clz32(word & -word);

/** The lowest number from `from` on; null: there is none. */
export const nextId = ({ level, root }: IdSet, from: number): number | null => {
  const id = from >>> level >= SLOTS ? -1 : nextIn(root, level, from);
  return id < 0 ? null : id;
};

const nextIn = (content: Node | number, level: number, from: number): number => {
  const first = (from >>> level) & (SLOTS - 1);
  if (typeof content === "number") {
    const word = content & (-1 << first);
    return word === 0 ? -1 : lowest(word);
  }
  for (let left = content.taken & (-1 << first); left !== 0; left &= left - 1) {
    const slot = lowest(left);
    // Behind the slot of `from` every number counts.
    const below = nextIn(content.slots[slot] ?? 0, level - BITS, slot === first ? from : 0);
    if (below >= 0) return slot * 2 ** level + below;
  }
  return -1;
};
