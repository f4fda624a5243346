// What crank opens when it starts: the sockets of -bind, taken from the service manager's store if they are there, and
// the control socket.
import { type Command, UNCHANGED } from "../../keeper/protocol.ts";
import { bindHandle, METRICS_HANDLE } from "../state/handles.ts";
import { discardStored, saveAdoption } from "../state/save.ts";
import type { Bind, Settings } from "../state/settings.ts";
import type { Store } from "../state/store.ts";
import { type Passed, type PassedSocket, passedSockets, storedSockets, storeName } from "../systemd/passed-sockets.ts";
import { controlOpening, isStillReachable, type Opening, openCommand } from "./sockets.ts";

/** The sockets that the service manager passed to this crank. */
export const socketsPassedTo = ({ platform, facts }: Store): Passed => passedSockets(platform.environment, facts.pid);

/** Handles for descriptors that are only taken to be closed. */
export const FIRST_STRAY_HANDLE = 1_000_000;

/** Closes a stored socket that is not used any more, and removes it from the service manager's store. */
export const discard = (store: Store, { fd, name }: PassedSocket): void => {
  const handle = FIRST_STRAY_HANDLE + fd;
  store.batch.command({ kind: "inheritSocket", handle, fd, backlog: 0 });
  store.batch.command({ kind: "closeHandle", handle });
  discardStored(store, name);
};

/** What is to be opened, ordered by handle. Opens nothing. */
export const openings = (store: Store, settings: Settings): Opening[] => {
  const stored = storedSockets(settings.binds, socketsPassedTo(store));
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
export const openingOf = (store: Store, handle: number): Opening | undefined =>
  store.settings ? openings(store, store.settings).find((opening) => opening.handle === handle) : undefined;

/** How to open one socket: the command, and a stored descriptor that cannot be used. */
export type Way = { readonly command: Command; readonly useless: PassedSocket | null };

/**
 * Decides how to open a socket: taken from the service manager's store, taken from a worker of a killed crank, or
 * created. Throws StartError. Opens nothing yet.
 */
export const wayToOpen = async (store: Store, opening: Opening): Promise<Way> => {
  const { platform } = store;
  const { handle, stored, options } = opening;
  if (stored !== null && (await isStillReachable(platform, opening)))
    return { command: { kind: "inheritSocket", handle, fd: stored, backlog: options.backlog }, useless: null };
  const useless = stored === null ? null : { fd: stored, name: storeName(opening) ?? "" };
  return { command: takeOrphanedSocket(store, handle) ?? (await openCommand(platform, opening)), useless };
};

/**
 * The command that takes the socket from its next holder among the workers of a killed crank; null if there is none.
 */
const takeOrphanedSocket = (store: Store, handle: number): Command | null => {
  const { adoption } = store;
  const socket = adoption?.sockets.find((other) => other.handle === handle);
  const [holder, ...holders] = socket?.holders ?? [];
  if (!adoption || !socket || !holder) return null;
  const next = { ...socket, holders, taken: holder };
  saveAdoption(store, { ...adoption, sockets: adoption.sockets.map((other) => (other === socket ? next : other)) });
  const { pid, startTime, fd } = holder;
  // A worker may have changed its user. The descriptor is only accepted if it is the right socket.
  return { kind: "takeDescriptor", handle, pid, startTime, fd, uid: UNCHANGED, gid: UNCHANGED };
};
