// The keeper's handles of crank's sockets.

export const CONTROL_HANDLE = 1;

export const METRICS_HANDLE = 2;

const FIRST_BIND_HANDLE = 10;

/** The index in `settings.binds` of this handle's socket; null: it is one of crank's own. */
export const bindOf = (handle: number): number | null =>
  handle < FIRST_BIND_HANDLE ? null : handle - FIRST_BIND_HANDLE;

/** The handle of the socket of `settings.binds[index]`. */
export const bindHandle = (index: number): number => FIRST_BIND_HANDLE + index;
