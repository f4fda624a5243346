// Ownership of the nodes of maps and sets. A change may modify in place the nodes that it made, until it ends: no other
// code has them yet. Outside of a change, maps and sets are immutable.

/** One change, which may have many parts; compared by identity. null: each part makes its own copies. */
export type Owner = object | null;

/** A value that its owner may change. */
export type Own<T> = { -readonly [K in keyof T]: T[K] };
