// The URIs of -bind and -ctl: from text to an Address and its options. Nothing is resolved or opened here.
import { byteLength } from "../../host/bytes.ts";

export type Address =
  | {
      readonly kind: "internet";
      readonly transport: "tcp" | "udp";
      readonly family: "any" | "4" | "6";
      readonly host: string;
      readonly port: number;
    }
  | { readonly kind: "unix"; readonly type: "stream" | "seqpacket" | "datagram"; readonly path: string }
  | { readonly kind: "inherited"; readonly fd: number }
  /** Sockets that the service manager passes, by name; null: all of them. */
  | { readonly kind: "passed"; readonly name: string | null };

/** An unusable URI; the message is a sentence for the user. */
export class AddressError extends Error {
  override name = "AddressError";
}

const DEFAULT_BACKLOG = 4096;
/** sun_path has 108 bytes, the last one for the terminating zero. */
export const MAX_UNIX_PATH_BYTES = 107;

/** The options of a socket whose URI has none. */
export const DEFAULT_OPTIONS: SocketOptions = {
  backlog: DEFAULT_BACKLOG,
  reusePort: false,
  noDelay: false,
  keepAlive: false,
  deferAccept: 0,
  fastOpen: 0,
  v6Only: null,
  nonBlocking: false,
  mode: null,
  owner: null,
  group: null,
};

export type ParsedUri = { readonly address: Address; readonly options: SocketOptions; readonly name: string | null };

/**
 * Parses `PATH`, `[HOST]:PORT`, `fd://N`, `systemd[:NAME]` or `SCHEME://…`, each with optional `?option=value&…`.
 * Throws AddressError. The grammar is the original crank's; the options are new.
 */
export const parseUri = (uri: string): ParsedUri => {
  const [location, query] = splitQuery(uri);
  const address = parseLocation(uri, location);
  const { options, name } = parseOptions(uri, address, query);
  return { address, options, name };
};

/** The address as a URI that `parseUri` reads again. */
export const formatAddress = (address: Address): string => {
  switch (address.kind) {
    case "inherited":
      return `fd://${address.fd}`;
    case "passed":
      return address.name === null ? PASSED : `${PASSED}:${address.name}`;
    case "unix":
      return `${UNIX_SCHEME[address.type]}://${address.path}`;
    case "internet": {
      const host = address.host.includes(":") ? `[${address.host}]` : address.host;
      return `${address.transport}${address.family === "any" ? "" : address.family}://${host}:${address.port}`;
    }
  }
};

const PASSED = "systemd";
const UNIX_SCHEME = { stream: "unix", seqpacket: "unixpacket", datagram: "unixgram" } as const;
const UNIX_TYPES = { unix: "stream", unixpacket: "seqpacket", unixgram: "datagram" } as const;

const splitQuery = (uri: string): [string, string] => {
  const mark = uri.indexOf("?");
  return mark < 0 ? [uri, ""] : [uri.slice(0, mark), uri.slice(mark + 1)];
};

const parseLocation = (uri: string, location: string): Address => {
  if (location === "")
    throw new AddressError(`${JSON.stringify(uri)} is not an address: give PATH, [HOST]:PORT or SCHEME://…`);
  if (location === PASSED || (location.startsWith(`${PASSED}:`) && !location.startsWith(`${PASSED}://`)))
    return passed(uri, location.slice(PASSED.length + 1));
  const scheme = /^([a-z0-9+.-]+):\/\/(.*)$/is.exec(location);
  if (!scheme) {
    if (location.includes(":")) return internet(uri, "tcp", "any", location);
    refuseLikelyAddress(location);
    return unix(uri, "stream", location);
  }
  const [, name = "", rest = ""] = scheme;
  if (name === "fd") return inherited(uri, rest);
  if (name === "unix" || name === "unixpacket" || name === "unixgram") return unix(uri, UNIX_TYPES[name], rest);
  const match = /^(tcp|udp)([46]?)$/.exec(name);
  if (match)
    return internet(
      uri,
      match[1] === "udp" ? "udp" : "tcp",
      match[2] === "4" || match[2] === "6" ? match[2] : "any",
      rest,
    );
  throw new AddressError(
    `${uri}: unknown scheme ${name}; use tcp, tcp4, tcp6, udp, udp4, udp6, unix, unixpacket, unixgram or fd`,
  );
};

/** A port or host alone would be read as a file name, so it is refused. Such a file is written with its directory. */
const refuseLikelyAddress = (text: string): void => {
  const meant = /^\d{1,5}$/.test(text)
    ? `:${text}`
    : LIKE_A_HOST.test(text)
      ? `${text === "*" ? "" : text}:PORT`
      : null;
  if (meant === null) return;
  throw new AddressError(
    `${text}: an address or a file? Write ${meant} for a tcp address, ./${text} for a unix socket's file`,
  );
};
const LIKE_A_HOST =
  /^(?:\*|localhost|ip6-localhost|[\d.]*\d[\d.]*|(?:[\w-]+\.)+(?:com|net|org|io|dev|app|local|lan|internal|localdomain))$/i;

const inherited = (uri: string, rest: string): Address => {
  if (!/^\d{1,9}$/.test(rest)) throw new AddressError(`${uri}: fd:// requires a descriptor number, as in fd://3`);
  return { kind: "inherited", fd: Number(rest) };
};

const passed = (uri: string, name: string): Address => {
  if (name === "" && uri.startsWith(`${PASSED}:`))
    throw new AddressError(`${uri}: the name is missing, as in systemd:http`);
  return { kind: "passed", name: name === "" ? null : name };
};

const unix = (uri: string, type: "stream" | "seqpacket" | "datagram", path: string): Address => {
  if (path === "" || path.includes("\0"))
    throw new AddressError(`${JSON.stringify(uri)}: a unix socket requires a path`);
  const bytes = byteLength(path);
  if (bytes > MAX_UNIX_PATH_BYTES) {
    throw new AddressError(
      `${uri}: the path has ${bytes} bytes; the limit for a unix socket is ${MAX_UNIX_PATH_BYTES}; choose a shorter one`,
    );
  }
  return { kind: "unix", type, path };
};

/** The address with its path made absolute below `cwd`. Throws AddressError if the path is too long for a socket. */
export const locate = (uri: string, address: Address, cwd: string): Address => {
  if (address.kind !== "unix" || /^[/@]/.test(address.path)) return address;
  return unix(uri, address.type, `${cwd === "/" ? "" : cwd}/${address.path}`);
};

/** The options of a control socket. Throws AddressError if one is for sockets of -bind only. */
export const controlOptions = (uri: string, { options, name }: ParsedUri): SocketOptions => {
  if (name !== null) throw new AddressError(`-ctl ${uri}: name is allowed only for sockets of -bind`);
  return options;
};

const internet = (uri: string, transport: "tcp" | "udp", family: "any" | "4" | "6", rest: string): Address => {
  const match = /^(?:\[([^\]]*)\]|([^:]*)):([^:]*)$/.exec(rest);
  if (!match) throw new AddressError(`${uri}: must be HOST:PORT, with an IPv6 address in brackets`);
  const host = match[1] ?? match[2] ?? "";
  const digits = match[3] ?? "";
  const port = Number(digits);
  if (!/^\d+$/.test(digits) || port > 65_535) {
    throw new AddressError(`${uri}: the port ${JSON.stringify(digits)} is not a number from 0 to 65535`);
  }
  return { kind: "internet", transport, family, host, port };
};

type OptionParser = (value: string, uri: string) => Partial<SocketOptions>;

const count = (option: string, value: string, uri: string, least: number, most: number): number => {
  const number = Number(value);
  if (!/^\d+$/.test(value) || number < least || number > most) {
    throw new AddressError(
      `${uri}: ${option} must be a whole number from ${least} to ${most}, not ${JSON.stringify(value)}`,
    );
  }
  return number;
};

const flag = (option: string, value: string, uri: string): boolean => {
  if (value === "" || value === "1" || value === "true") return true;
  if (value === "0" || value === "false") return false;
  throw new AddressError(`${uri}: ${option} must be 1 (on) or 0 (off), not ${JSON.stringify(value)}`);
};

const OPTION_PARSERS: Readonly<Record<string, OptionParser>> = {
  backlog: (value, uri) => ({ backlog: count("backlog", value, uri, 1, 2 ** 31 - 1) }),
  reuseport: (value, uri) => ({ reusePort: flag("reuseport", value, uri) }),
  nodelay: (value, uri) => ({ noDelay: flag("nodelay", value, uri) }),
  keepalive: (value, uri) => ({ keepAlive: flag("keepalive", value, uri) }),
  "defer-accept": (value, uri) => ({ deferAccept: value === "" ? 1 : count("defer-accept", value, uri, 0, 32_767) }),
  fastopen: (value, uri) => ({ fastOpen: value === "" ? 256 : count("fastopen", value, uri, 0, 65_535) }),
  v6only: (value, uri) => ({ v6Only: flag("v6only", value, uri) }),
  nonblock: (value, uri) => ({ nonBlocking: flag("nonblock", value, uri) }),
  mode: (value, uri) => {
    if (!/^[0-7]{1,4}$/.test(value)) throw new AddressError(`${uri}: mode must be an octal number such as 0660`);
    return { mode: Number.parseInt(value, 8) };
  },
  owner: (value, uri) => ({ owner: named("owner", value, uri) }),
  group: (value, uri) => ({ group: named("group", value, uri) }),
};

const named = (option: string, value: string, uri: string): string => {
  if (value === "") throw new AddressError(`${uri}: ${option} must be a name or a number`);
  return value;
};

const FILE_OPTIONS = new Set(["mode", "owner", "group"]);
const TCP_OPTIONS = new Set(["nodelay", "keepalive", "defer-accept", "fastopen"]);
const INTERNET_OPTIONS = new Set(["reuseport", "v6only"]);

const parseOptions = (
  uri: string,
  address: Address,
  query: string,
): { options: SocketOptions; name: string | null } => {
  let options = DEFAULT_OPTIONS;
  let name: string | null = null;
  for (const part of query === "" ? [] : query.split("&")) {
    const equals = part.indexOf("=");
    const key = equals < 0 ? part : part.slice(0, equals);
    const value = decode(uri, equals < 0 ? "" : part.slice(equals + 1));
    if (key === "name") {
      if (!/^[!-9;-~]{1,255}$/.test(value)) {
        throw new AddressError(`${uri}: name must have 1 to 255 printable characters without spaces and colons`);
      }
      name = value;
      continue;
    }
    const parse = Object.hasOwn(OPTION_PARSERS, key) ? OPTION_PARSERS[key] : undefined;
    if (!parse) {
      throw new AddressError(
        `${uri}: unknown option ${JSON.stringify(key)}; use ${Object.keys(OPTION_PARSERS).join(", ")} and name`,
      );
    }
    refuseMisplaced(uri, key, address);
    options = { ...options, ...parse(value, uri) };
  }
  return { options, name };
};

const decode = (uri: string, value: string): string => {
  try {
    return decodeURIComponent(value);
  } catch {
    throw new AddressError(`${uri}: ${JSON.stringify(value)} has a broken % escape`);
  }
};

const refuseMisplaced = (uri: string, key: string, address: Address): void => {
  if (key === "nonblock" && (address.kind === "inherited" || address.kind === "passed")) {
    throw new AddressError(
      `${uri}: nonblock is for sockets that crank opens; set it where the socket is opened (NonBlocking=yes in a systemd service)`,
    );
  }
  if (FILE_OPTIONS.has(key) && address.kind !== "unix")
    throw new AddressError(`${uri}: ${key} is for unix sockets only`);
  if (INTERNET_OPTIONS.has(key) && address.kind !== "internet")
    throw new AddressError(`${uri}: ${key} is for tcp and udp sockets only`);
  if (TCP_OPTIONS.has(key) && !(address.kind === "internet" && address.transport === "tcp")) {
    throw new AddressError(`${uri}: ${key} is for tcp sockets only`);
  }
};

export type SocketOptions = {
  readonly backlog: number;
  readonly reusePort: boolean;
  readonly noDelay: boolean;
  readonly keepAlive: boolean;
  /** Seconds, 0 for off. */
  readonly deferAccept: number;
  /** Queue length, 0 for off. */
  readonly fastOpen: number;
  /** null: the scheme decides. */
  readonly v6Only: boolean | null;
  /** O_NONBLOCK, which belongs to the socket and so is the same for all workers. */
  readonly nonBlocking: boolean;
  /** Mode of a unix socket's file; null: as the umask gives it. */
  readonly mode: number | null;
  /** Names or numbers, resolved when the socket is opened. */
  readonly owner: string | null;
  readonly group: string | null;
};
