// What the arguments of net.Server's listen() ask for, by the rules of its documentation.

export type Wish =
  | { readonly kind: "port"; readonly port: number }
  | { readonly kind: "path"; readonly path: string }
  | { readonly kind: "fd"; readonly fd: number }
  /** A handle, or something that listen() will refuse. */
  | { readonly kind: "other" };

type Options = {
  readonly port?: unknown;
  readonly path?: unknown;
  readonly fd?: unknown;
  readonly handle?: unknown;
  readonly _handle?: unknown;
};

export const wishOf = ([first]: readonly unknown[]): Wish => {
  if (first === undefined || first === null || typeof first === "function") return { kind: "port", port: 0 };
  if (typeof first === "object") return wishOfOptions(first);
  return wishOfAddress(first);
};

const wishOfOptions = (options: Options): Wish => {
  if (options.handle || options._handle) return { kind: "other" };
  if (typeof options.fd === "number" && options.fd >= 0) return { kind: "fd", fd: options.fd };
  if ("port" in options && (options.port === undefined || options.port === null)) return { kind: "port", port: 0 };
  if (options.port !== undefined) return wishOfPort(options.port);
  return typeof options.path === "string" ? { kind: "path", path: options.path } : { kind: "other" };
};

/** A string that is no number is a path. */
const wishOfAddress = (address: unknown): Wish =>
  typeof address === "string" && !(Number(address) >= 0) ? { kind: "path", path: address } : wishOfPort(address);

const wishOfPort = (port: unknown): Wish => {
  const number = typeof port === "number" || typeof port === "string" ? Number(port) : Number.NaN;
  return Number.isInteger(number) && number >= 0 && number <= 65_535
    ? { kind: "port", port: number }
    : { kind: "other" };
};

/** The callback, wherever it stands. */
export const callbackOf = (args: readonly unknown[]): (() => void) | undefined => {
  const last = args.at(-1);
  // listen() calls it without arguments.
  return typeof last === "function" ? (last as () => void) : undefined;
};

/** The options that still count beside a descriptor. */
export const signalOf = ([first]: readonly unknown[]): { readonly signal?: AbortSignal } =>
  typeof first === "object" && first !== null && "signal" in first && first.signal instanceof AbortSignal
    ? { signal: first.signal }
    : {};
