// The numbers by which the keeper knows the sockets of crank.

export const CONTROL_HANDLE = 1;

export const METRICS_HANDLE = 2;

const FIRST_BIND_HANDLE = 10;

/** Which of `settings.binds` has the socket of this handle; null: it is one of crank's own. */
export const bindOf = (handle: number): number | null =>
  handle < FIRST_BIND_HANDLE ? null : handle - FIRST_BIND_HANDLE;

/** The keeper's number for the socket of `settings.binds[index]`. */
export const bindHandle = (index: number): number => FIRST_BIND_HANDLE + index;
