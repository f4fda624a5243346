// Who may change a node of a map or set in place: the change that made it, until it ends. No one else can hold
// the node by then, so outside of the change maps and sets are immutable.

/** One change, which may have many parts; compared by identity. null: each part makes its own copies. */
export type Owner = object | null;

/** The value as its owner may change it. */
export type Own<T> = { -readonly [K in keyof T]: T[K] };
