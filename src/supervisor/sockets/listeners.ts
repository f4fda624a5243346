// The service's sockets as workers inherit them.

import type { OpenSocket, Store } from "../state/store.ts";

/** A socket of the service: its inode, and the descriptor as which workers inherit it. */
export type Listener = { readonly inode: number; readonly fd: number; readonly address: string };

/** sd_listen_fds(3). */
const FIRST_FD = 3;

/** The open sockets of the service. */
export const listenersOf = (store: Store): readonly Listener[] => {
  const listeners: Listener[] = [];
  for (const { handle, bind, address } of serviceSockets(store)) {
    const inode = store.inodes.get(handle) ?? 0;
    if (inode !== 0 && bind !== null) listeners.push({ inode, fd: FIRST_FD + bind, address });
  }
  return listeners;
};

/** The sockets that workers inherit, in -bind order. */
export const serviceSockets = (store: Store): OpenSocket[] => {
  const sockets: OpenSocket[] = [];
  store.sockets.forEach((socket) => {
    if (socket.bind !== null) sockets.push(socket);
  });
  return sockets.length > 1 ? sockets.sort((a, b) => a.handle - b.handle) : sockets;
};
