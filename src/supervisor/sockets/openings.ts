// What crank has to open at its start: the sockets of -bind, out of the service manager's store where they are in it, and
// the control socket.
import { type Command, UNCHANGED } from "../../keeper/protocol.ts";
import { bindHandle, METRICS_HANDLE } from "../state/handles.ts";
import { discardStored, rememberAdoption } from "../state/remember.ts";
import type { Bind, Settings } from "../state/settings.ts";
import type { Memory } from "../state/store.ts";
import { type Passed, type PassedSocket, passedSockets, storedSockets, storeName } from "../systemd/passed-sockets.ts";
import { controlOpening, isStillReachable, type Opening, openCommand } from "./sockets.ts";

/** What the service manager passed to this crank. */
export const socketsPassedTo = ({ platform, facts }: Memory): Passed => passedSockets(platform.environment, facts.pid);

/** Handles for what is only taken to be closed. */
export const FIRST_STRAY_HANDLE = 1_000_000;

/** Closes what the service manager had stored and is of no use any more, there too. */
export const discard = (memory: Memory, { fd, name }: PassedSocket): void => {
  const handle = FIRST_STRAY_HANDLE + fd;
  memory.batch.command({ kind: "inheritSocket", handle, fd, backlog: 0 });
  memory.batch.command({ kind: "closeHandle", handle });
  discardStored(memory, name);
};

/** What is to be opened, in the order of the handles; nothing is opened here. */
export const openings = (memory: Memory, settings: Settings): Opening[] => {
  const stored = storedSockets(settings.binds, socketsPassedTo(memory));
  return [
    ...settings.binds.map((bind, index) => bindOpening(bind, index, stored.get(index) ?? null)),
    ...(settings.control ? [controlOpening(settings.control)] : []),
    ...(settings.metrics ? [{ ...settings.metrics, handle: METRICS_HANDLE, stored: null }] : []),
  ];
};

const bindOpening = (bind: Bind, index: number, stored: number | null): Opening => ({
  handle: bindHandle(index),
  uri: bind.uri,
  address: bind.address,
  options: bind.options,
  stored,
});

/** The opening that has this handle. */
export const openingOf = (memory: Memory, handle: number): Opening | undefined =>
  memory.settings ? openings(memory, memory.settings).find((opening) => opening.handle === handle) : undefined;

/** How one opening is to be made: the command, and whether what the store kept for it is of no use. */
export type Way = { readonly command: Command; readonly useless: PassedSocket | null };

/** Finds out how to open a socket: taken back out of the service manager's store, or out of a worker that a killed crank left, or made. Throws StartError; nothing is opened yet. */
export const wayToOpen = async (memory: Memory, opening: Opening): Promise<Way> => {
  const { platform } = memory;
  const { handle, stored, options } = opening;
  if (stored !== null && (await isStillReachable(platform, opening)))
    return { command: { kind: "inheritSocket", handle, fd: stored, backlog: options.backlog }, useless: null };
  const useless = stored === null ? null : { fd: stored, name: storeName(opening) ?? "" };
  return { command: takeLeftSocket(memory, handle) ?? (await openCommand(platform, opening)), useless };
};

/** The command that takes the socket from the next worker of a killed crank that holds it; null if there is none. */
const takeLeftSocket = (memory: Memory, handle: number): Command | null => {
  const { adoption } = memory;
  const socket = adoption?.sockets.find((left) => left.handle === handle);
  const [holder, ...holders] = socket?.holders ?? [];
  if (!adoption || !socket || !holder) return null;
  const next = { ...socket, holders, taken: holder };
  rememberAdoption(memory, { ...adoption, sockets: adoption.sockets.map((left) => (left === socket ? next : left)) });
  const { pid, startTime, fd } = holder;
  // A worker may have changed its user; what was taken counts only if it is that socket.
  return { kind: "takeDescriptor", handle, pid, startTime, fd, uid: UNCHANGED, gid: UNCHANGED };
};
