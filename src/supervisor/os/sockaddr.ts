// Addresses and socket options as numbers and bytes for the kernel (Linux, little-endian hosts).
import type { SocketOptions } from "./addresses.ts";

export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_SEQPACKET = 5;
/** Flag in a socket's type: O_NONBLOCK (socket(2)). */
export const SOCK_NONBLOCK = 0o4000;

/** A struct sockaddr_in or sockaddr_in6 for a literal address, with an optional numeric %scope. */
export const internetAddress = (host: string, port: number): { domain: number; bytes: Uint8Array } => {
  if (!host.includes(":")) return { domain: AF_INET, bytes: ipv4Address(host, port) };
  const bytes = new Uint8Array(28);
  const view = new DataView(bytes.buffer);
  const [literal = "", scope = "0"] = host.split("%");
  view.setUint16(0, AF_INET6, true);
  view.setUint16(2, port);
  bytes.set(ipv6Bytes(literal), 8);
  view.setUint32(24, Number(scope) || 0, true);
  return { domain: AF_INET6, bytes };
};

const ipv4Address = (host: string, port: number): Uint8Array => {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, AF_INET, true);
  view.setUint16(2, port);
  bytes.set(host.split(".").map(Number), 4);
  return bytes;
};

const ipv6Bytes = (literal: string): Uint8Array => {
  const bytes = new Uint8Array(16);
  const [head = "", tail] = literal.split("::");
  const front = ipv6Groups(head);
  const back = tail === undefined ? [] : ipv6Groups(tail);
  bytes.set(front, 0);
  bytes.set(back, 16 - back.length);
  return bytes;
};

const ipv6Groups = (text: string): number[] =>
  text === ""
    ? []
    : text.split(":").flatMap((group) => {
        if (group.includes(".")) return group.split(".").map(Number);
        const value = Number.parseInt(group, 16);
        return [value >> 8, value & 0xff];
      });

/** A struct sockaddr_un; a leading @ means an abstract address. */
export const unixAddress = (path: string): Uint8Array => {
  const text = new TextEncoder().encode(path);
  const abstract = path.startsWith("@");
  const bytes = new Uint8Array(2 + text.length + (abstract ? 0 : 1));
  new DataView(bytes.buffer).setUint16(0, AF_UNIX, true);
  bytes.set(text, 2);
  if (abstract) bytes[2] = 0;
  return bytes;
};

/** The address from getsockname(2), for people: `127.0.0.1:8080`, `[::]:8080`, a path. */
export const describeAddress = (
  bytes: Uint8Array,
): { readonly host: string; readonly port: number } | { readonly path: string } => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const family = bytes.length >= 2 ? view.getUint16(0, true) : 0;
  if (family === AF_INET && bytes.length >= 8) return { host: bytes.subarray(4, 8).join("."), port: view.getUint16(2) };
  if (family === AF_INET6 && bytes.length >= 24) return { host: formatIpv6(view), port: view.getUint16(2) };
  const text = new TextDecoder().decode(bytes.subarray(2));
  const end = text.indexOf("\0", 1);
  return { path: (end < 0 ? text : text.slice(0, end)).replace(/^\0/, "@") };
};

const formatIpv6 = (view: DataView): string => {
  const groups = Array.from({ length: 8 }, (_, index) => view.getUint16(8 + index * 2).toString(16));
  const zeros = longestZeroRun(groups);
  if (zeros.length < 2) return groups.join(":");
  return `${groups.slice(0, zeros.start).join(":")}::${groups.slice(zeros.start + zeros.length).join(":")}`;
};

const longestZeroRun = (groups: readonly string[]): { start: number; length: number } => {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (let index = 0; index <= groups.length; index++) {
    if (groups[index] === "0") continue;
    if (index - start > best.length) best = { start, length: index - start };
    start = index + 1;
  }
  return best;
};

// Numbers of <sys/socket.h>, <netinet/tcp.h> and <netinet/in.h>, the same on x86-64 and aarch64.
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_KEEPALIVE = 9;
const SO_REUSEPORT = 15;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const TCP_DEFER_ACCEPT = 9;
const TCP_FASTOPEN = 23;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;

/**
 * (level, name, value) triples for `openSocket`. `v6Only` is always set for IPv6, because the default differs by
 * system.
 */
export const socketOptions = (domain: number, type: number, options: SocketOptions, v6Only: boolean): number[] => {
  const triples: number[] = [];
  if (domain === AF_UNIX) return triples;
  if (type === SOCK_STREAM) triples.push(SOL_SOCKET, SO_REUSEADDR, 1);
  if (domain === AF_INET6) triples.push(IPPROTO_IPV6, IPV6_V6ONLY, v6Only ? 1 : 0);
  if (options.reusePort) triples.push(SOL_SOCKET, SO_REUSEPORT, 1);
  if (options.keepAlive) triples.push(SOL_SOCKET, SO_KEEPALIVE, 1);
  if (options.noDelay) triples.push(IPPROTO_TCP, TCP_NODELAY, 1);
  if (options.deferAccept > 0) triples.push(IPPROTO_TCP, TCP_DEFER_ACCEPT, options.deferAccept);
  if (options.fastOpen > 0) triples.push(IPPROTO_TCP, TCP_FASTOPEN, options.fastOpen);
  return triples;
};
