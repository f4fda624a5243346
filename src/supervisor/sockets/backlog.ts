// The backlog of the service's sockets. It belongs to the socket, not to a worker: any process that shares the socket
// changes it for all by listen(2). A shortened backlog is restored.
import { wantedGeneration } from "../../core/pool/pool.ts";
import type { KeeperEvent } from "../../keeper/protocol.ts";
import { isFirst } from "../events/once-per-generation.ts";
import { recordEvent } from "../events/supervisor-event.ts";
import { SOCK_DGRAM } from "../os/sockaddr.ts";
import type { OpenSocket, Store } from "../state/store.ts";
import { serviceSockets } from "./listeners.ts";

/** Lets the keeper check all backlogs, and restore those that are too short. */
export const keepBacklogs = (store: Store): void => {
  for (const socket of serviceSockets(store)) {
    const backlog = socket.type === SOCK_DGRAM ? 0 : backlogOf(store, socket);
    if (backlog > 0) store.batch.command({ kind: "keepBacklog", handle: socket.handle, backlog });
  }
};

/** The backlog of `-bind`; for a socket that was passed to crank, the one that it had. 0: not known. */
const backlogOf = ({ settings }: Store, { bind, limit }: OpenSocket): number => {
  const given = bind === null ? undefined : settings?.binds[bind];
  if (!given) return 0;
  const isOwn = given.address.kind === "internet" || given.address.kind === "unix";
  return isOwn ? given.options.backlog : (limit ?? 0);
};

/** A backlog was restored. Reported once per socket and generation, however often workers shorten it. */
export const atRestored = (store: Store, event: Extract<KeeperEvent, { kind: "backlogRestored" }>): void => {
  const { handle, before, after, deliveredAt } = event;
  const address = store.sockets.get(handle)?.address;
  const generation = wantedGeneration(store.core)?.number ?? 0;
  if (address === undefined || !isFirst(store, `backlog/${handle}`, generation)) return;
  recordEvent(store, { kind: "backlogRestored", address, generation, before, after }, deliveredAt);
};
