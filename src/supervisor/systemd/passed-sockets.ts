// The sockets that the service manager passed to crank (sd_listen_fds(3)), by name, and which of them an earlier crank
// put into the manager's descriptor store. Opens nothing.
import { type Address, AddressError, formatAddress } from "../os/addresses.ts";
import type { Bind } from "../state/settings.ts";

export type PassedSocket = { readonly fd: number; readonly name: string };

/** `problem`: what is ignored and why, as a sentence for people; null: nothing. */
export type Passed = { readonly sockets: readonly PassedSocket[]; readonly problem: string | null };

type Environment = Readonly<Record<string, string | undefined>>;

const FIRST_FD = 3;
/** More than any manager passes: limits the effect of a broken variable. */
const MOST_PASSED = 4096;
/** The name that sd_listen_fds_with_names(3) uses for a descriptor without a name. */
const UNNAMED = "unknown";

/** The sockets passed to the process `pid`. Sockets that are for another process must not be used. */
export const passedSockets = (environment: Environment, pid: number): Passed => {
  const count = environment.LISTEN_FDS ?? "";
  if (count === "" || count === "0") return { sockets: [], problem: null };
  const obstacle = whyNotOurs(environment, count, pid);
  if (obstacle !== null) return { sockets: [], problem: `${obstacle}; the passed sockets are ignored` };
  const { names, problem } = namesOf(environment.LISTEN_FDNAMES, Number(count));
  return { sockets: names.map((name, index) => ({ fd: FIRST_FD + index, name })), problem };
};

const whyNotOurs = ({ LISTEN_PID: owner = "" }: Environment, count: string, pid: number): string | null => {
  if (!/^\d{1,5}$/.test(count) || Number(count) > MOST_PASSED)
    return `LISTEN_FDS is ${JSON.stringify(count)}, not a number from 1 to ${MOST_PASSED}`;
  if (owner === "") return "LISTEN_FDS is set without LISTEN_PID";
  if (owner !== String(pid)) return `LISTEN_PID is ${JSON.stringify(owner)}, and crank is process ${pid}`;
  return null;
};

/**
 * Names may repeat, because all sockets of one unit have the same. If their number is wrong, none of them can be
 * assigned.
 */
const namesOf = (text: string | undefined, count: number): { names: readonly string[]; problem: string | null } => {
  const unnamed = Array.from({ length: count }, () => UNNAMED);
  if (text === undefined) return { names: unnamed, problem: null };
  const names = text.split(":");
  if (names.length === count) return { names: names.map((name) => name || UNNAMED), problem: null };
  const problem = `LISTEN_FDNAMES has ${names.length} names for ${count} sockets; the names are ignored`;
  return { names: unnamed, problem };
};

const STORED = "crank-bound-";
/** The longest name that systemd takes (FDNAME_MAX). */
const MOST_NAME_BYTES = 255;

/**
 * The name in the manager's store of a socket that crank binds; null: the socket was passed to crank, or its address is
 * too long.
 */
export const storeName = ({ address }: { readonly address: Address }): string | null => {
  if (address.kind === "inherited" || address.kind === "passed") return null;
  const name = `${STORED}${Array.from(new TextEncoder().encode(formatAddress(address)), escaped).join("")}`;
  return name.length <= MOST_NAME_BYTES ? name : null;
};

/** A byte in a form that names in the store allow: printable ASCII without a colon. */
const escaped = (byte: number): string => {
  const character = String.fromCharCode(byte);
  return /[!-$&-9;-~]/.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
};

/** The stored descriptors for these binds, by the bind's index. Two binds of one address get one each, in order. */
export const storedSockets = (binds: readonly Bind[], { sockets }: Passed): ReadonlyMap<number, number> => {
  const remaining = sockets.filter(isStored);
  const found = new Map<number, number>();
  if (remaining.length === 0) return found;
  for (const [index, bind] of binds.entries()) {
    const name = storeName(bind);
    const at = remaining.findIndex((socket) => socket.name === name);
    const [taken] = at < 0 ? [] : remaining.splice(at, 1);
    if (taken) found.set(index, taken.fd);
  }
  return found;
};

/** Crank's own stored sockets that no bind uses any more. */
export const straySockets = (binds: readonly Bind[], passed: Passed): readonly PassedSocket[] => {
  const wanted = new Set(storedSockets(binds, passed).values());
  return passed.sockets.filter((socket) => isStored(socket) && !wanted.has(socket.fd));
};

const isStored = ({ name }: PassedSocket): boolean => name.startsWith(STORED);

/**
 * Replaces each `systemd:NAME` by the sockets of that name, and `systemd` by all that no other bind takes. Throws
 * AddressError if there is none, or if two binds name the same descriptor.
 */
export const withPassedSockets = (binds: readonly Bind[], passed: Passed): readonly Bind[] => {
  const named = new Set(
    binds.flatMap(({ address }) => (address.kind === "passed" && address.name !== null ? address.name : [])),
  );
  const numbered = new Set(binds.flatMap(({ address }) => (address.kind === "inherited" ? address.fd : [])));
  const activated = passed.sockets.filter((socket) => !isStored(socket));
  const isUnclaimed = (socket: PassedSocket): boolean => !named.has(socket.name) && !numbered.has(socket.fd);
  const expanded = binds.flatMap((bind): readonly Bind[] => {
    const { address } = bind;
    if (address.kind !== "passed") return [bind];
    const mine = activated.filter(address.name === null ? isUnclaimed : ({ name }) => name === address.name);
    if (mine.length === 0) throw new AddressError(nonePassed(bind.uri, passed, activated));
    return mine.map(({ fd, name }) => ({
      ...bind,
      name: bind.name === "" ? name : bind.name,
      address: { kind: "inherited", fd },
    }));
  });
  refuseDoubles(expanded);
  return expanded;
};

const nonePassed = (uri: string, { problem }: Passed, activated: readonly PassedSocket[]): string => {
  if (problem !== null && activated.length === 0) return `${uri}: no socket was passed to crank: ${problem}`;
  if (activated.length === 0)
    return `${uri}: no socket was passed to crank; start it by a .socket unit, or give an address`;
  const names = [...new Set(activated.map(({ name }) => name))].join(", ");
  return `${uri}: no such socket was passed to crank, only ${names}${problem === null ? "" : ` (${problem})`}; see FileDescriptorName= of the .socket unit`;
};

const refuseDoubles = (binds: readonly Bind[]): void => {
  const takenBy = new Map<number, string>();
  for (const { uri, address } of binds) {
    if (address.kind !== "inherited") continue;
    const other = takenBy.get(address.fd);
    if (other !== undefined)
      throw new AddressError(`${uri}: descriptor ${address.fd} is already used by ${other}; use it once`);
    takenBy.set(address.fd, uri);
  }
};
