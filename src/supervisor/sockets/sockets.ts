// Opens what -bind and -ctl name: resolves addresses, removes stale files, tells the keeper what to open, and describes
// its failures.

import { describeErrno } from "../../core/errno.ts";
import { isIpv4, isIpv6 } from "../../host/names.ts";
import { type Command, UNCHANGED } from "../../keeper/protocol.ts";
import { type Address, DEFAULT_OPTIONS, formatAddress, type SocketOptions } from "../os/addresses.ts";
import type { Platform } from "../os/platform.ts";
import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  describeAddress,
  internetAddress,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_SEQPACKET,
  SOCK_STREAM,
  socketOptions,
  unixAddress,
} from "../os/sockaddr.ts";
import { CONTROL_HANDLE } from "../state/handles.ts";
import { saveSocket } from "../state/save.ts";
import type { Settings } from "../state/settings.ts";
import type { OpenSocket, Store } from "../state/store.ts";

const CONTROL_BACKLOG = 128;

/** A socket to open; `uri` is as the user wrote it. */
export type Opening = {
  readonly handle: number;
  readonly uri: string;
  readonly address: Address;
  readonly options: SocketOptions;
  /** Its descriptor if it was in the service manager's store; null: it was not. */
  readonly stored: number | null;
};

/** An error that prevents the start; the message is a sentence for the user. */
export class StartError extends Error {
  override name = "StartError";
}

/** Another process has the address of the socket with this handle. */
export class AddressInUse extends StartError {
  override name = "AddressInUse";
  readonly handle: number;
  constructor(message: string, handle: number) {
    super(message);
    this.handle = handle;
  }
}

const UNIX_TYPES = { stream: SOCK_STREAM, seqpacket: SOCK_SEQPACKET, datagram: SOCK_DGRAM } as const;

/** Whether the stored socket is to be used: if it has a path, the path must still lead to it. */
export const isStillReachable = async (platform: Platform, { address }: Opening): Promise<boolean> =>
  address.kind !== "unix" || address.path.startsWith("@") || (await platform.probeSocket(address.path)) === "live";

/** Whether an open socket is the one that the address means; port 0 means any. */
export const isOpenAt = (address: Address, event: { readonly type: number; readonly address: Uint8Array }): boolean => {
  const actual = describeAddress(event.address);
  if (address.kind === "unix")
    return "path" in actual && actual.path === address.path && event.type === UNIX_TYPES[address.type];
  if (address.kind !== "internet") return true;
  const type = address.transport === "tcp" ? SOCK_STREAM : SOCK_DGRAM;
  return "port" in actual && event.type === type && (address.port === 0 || actual.port === address.port);
};

/** The command that opens it. Removes a stale socket file first. Throws StartError if something else is in the way. */
export const openCommand = async (platform: Platform, opening: Opening): Promise<Command> => {
  const { address, handle, options } = opening;
  switch (address.kind) {
    case "inherited":
      return { kind: "inheritSocket", handle, fd: address.fd, backlog: options.backlog };
    case "passed":
      throw new StartError(`${opening.uri}: only -bind can take sockets that were passed to crank`);
    case "unix":
      await clearPath(platform, opening, address.path);
      return openUnix(platform, opening, address.path, UNIX_TYPES[address.type]);
    case "internet":
      return openInternet(
        opening,
        address.transport,
        address.family,
        await literalHost(platform, opening.uri, address),
        address.port,
      );
  }
};

/** Without IPv6, an address without a host is opened for IPv4 only; null if that is not the reason of the failure. */
export const withoutIpv6 = (opening: Opening, errno: number): Command | null => {
  const { address } = opening;
  const isMissing = errno === EAFNOSUPPORT || errno === EADDRNOTAVAIL;
  if (!isMissing || address.kind !== "internet" || address.host !== "" || address.family !== "any") return null;
  return openInternet(opening, address.transport, "4", "0.0.0.0", address.port);
};
const EAFNOSUPPORT = 97;
const EADDRNOTAVAIL = 99;

const clearPath = async (platform: Platform, { uri, handle }: Opening, path: string): Promise<void> => {
  switch (await platform.probeSocket(path)) {
    case "absent":
      return;
    case "stale":
      platform.removeFile(path, "socket");
      return;
    case "live":
      throw new AddressInUse(
        `${uri}: another process is listening on this socket; stop it first, or choose another path`,
        handle,
      );
    case "notSocket":
      throw new StartError(`${uri}: the file is not a socket; remove it, or choose another path`);
  }
};

const openUnix = (platform: Platform, opening: Opening, path: string, type: number): Command => {
  const { owner, group, mode, backlog } = opening.options;
  return {
    kind: "openSocket",
    handle: opening.handle,
    domain: AF_UNIX,
    type: opening.options.nonBlocking ? type | SOCK_NONBLOCK : type,
    protocol: 0,
    address: unixAddress(path),
    options: [],
    backlog: type === SOCK_DGRAM ? 0 : backlog,
    mode: mode ?? UNCHANGED,
    uid: owner === null ? UNCHANGED : uidOf(platform, opening.uri, owner),
    gid: group === null ? UNCHANGED : gidOf(platform, opening.uri, group),
  };
};

/** The uid of a user by name or number. Throws StartError. */
export const uidOf = (platform: Platform, uri: string, name: string): number => {
  const user = platform.findUser(name);
  if (user) return user.uid;
  if (/^\d{1,10}$/.test(name)) return Number(name);
  throw new StartError(`${uri}: no such user: ${name}`);
};

const gidOf = (platform: Platform, uri: string, name: string): number => {
  const gid = platform.findGroup(name);
  if (gid !== null) return gid;
  if (/^\d{1,10}$/.test(name)) return Number(name);
  throw new StartError(`${uri}: no such group: ${name}`);
};

const openInternet = (
  opening: Opening,
  transport: "tcp" | "udp",
  family: "any" | "4" | "6",
  host: string,
  port: number,
): Command => {
  const { domain, bytes } = internetAddress(host, port);
  const type = transport === "tcp" ? SOCK_STREAM : SOCK_DGRAM;
  const v6Only = opening.options.v6Only ?? family === "6";
  return {
    kind: "openSocket",
    handle: opening.handle,
    domain,
    type: opening.options.nonBlocking ? type | SOCK_NONBLOCK : type,
    protocol: 0,
    address: bytes,
    options: socketOptions(domain, type, opening.options, v6Only),
    backlog: type === SOCK_STREAM ? opening.options.backlog : 0,
    mode: UNCHANGED,
    uid: UNCHANGED,
    gid: UNCHANGED,
  };
};

const literalHost = async (
  platform: Platform,
  uri: string,
  address: Extract<Address, { kind: "internet" }>,
): Promise<string> => {
  const { host, family } = address;
  if (host === "") return family === "4" ? "0.0.0.0" : "::";
  if (host.includes(":") || isIpv4(host)) {
    const hasColon = host.includes(":");
    if ((family === "4" && hasColon) || (family === "6" && !hasColon)) {
      throw new StartError(`${uri}: ${host} is not an IPv${family} address`);
    }
    if (hasColon && !isIpv6(host.replace(/%\d+$/, ""))) throw new StartError(`${uri}: ${host} is not an IPv6 address`);
    return host;
  }
  try {
    const [first] = await platform.resolveHost(host, family);
    if (first !== undefined) return first;
  } catch (error) {
    throw new StartError(`${uri}: ${error instanceof Error ? error.message : String(error)}`);
  }
  throw new StartError(`${uri}: the host ${host} has no address`);
};

/** Why a socket could not be opened, for the user. */
export const openFailure = (uri: string, step: string, errno: number): string => {
  const reason = describeErrno(errno);
  const advice = ADVICE[errno];
  return advice === undefined ? `${uri}: cannot be opened: ${step}: ${reason}` : `${uri}: ${reason}; ${advice}`;
};

const ADVICE: Readonly<Record<number, string>> = {
  9: "start it with this descriptor open",
  13: "run crank as a user with permission, or choose another address",
  88: "give crank the descriptor of a socket",
  98: "stop the process that uses it, or choose another address",
  99: "use an address of this machine",
};

/** Stores an opened socket; `uri` and address family decide how it is shown. */
export const saveOpened = (
  store: Store,
  event: { handle: number; domain: number; type: number; limit: number; address: Uint8Array },
  bind: number | null,
  given: Address,
): OpenSocket => {
  const socket: OpenSocket = {
    handle: event.handle,
    bind,
    domain: event.domain,
    type: event.type,
    address: shownAddress(given, event),
    ...(event.limit > 0 ? { limit: event.limit } : {}),
  };
  saveSocket(store, socket);
  return socket;
};

const shownAddress = (given: Address, event: { domain: number; type: number; address: Uint8Array }): string => {
  const actual = describeAddress(event.address);
  if ("path" in actual) {
    const type = event.type === SOCK_STREAM ? "stream" : event.type === SOCK_SEQPACKET ? "seqpacket" : "datagram";
    return formatAddress({
      kind: "unix",
      type,
      path: actual.path === "" && given.kind === "unix" ? given.path : actual.path,
    });
  }
  const family =
    given.kind === "internet" ? given.family : event.domain === AF_INET ? "4" : event.domain === AF_INET6 ? "6" : "any";
  return formatAddress({
    kind: "internet",
    transport: event.type === SOCK_DGRAM ? "udp" : "tcp",
    family,
    host: actual.host,
    port: actual.port,
  });
};

/** The control socket has mode 0600 unless the user's URI says otherwise. */
export const controlOpening = ({
  uri,
  address,
  options = DEFAULT_OPTIONS,
}: NonNullable<Settings["control"]>): Opening => ({
  handle: CONTROL_HANDLE,
  uri,
  address,
  options: { ...options, backlog: Math.min(options.backlog, CONTROL_BACKLOG), mode: options.mode ?? 0o600 },
  stored: null,
});
