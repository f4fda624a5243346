// Where the sockets that crank passed on are bound, by /proc: no runtime can ask a descriptor.
import { closeSync, openSync, readlinkSync, readSync } from "node:fs";
import type { PassedSocket } from "../environment.ts";

/** A passed socket that listens. `port` and `path` are null where it has none, or where /proc does not tell. */
export type BoundSocket = PassedSocket & { readonly port: number | null; readonly path: string | null };

/** TCP_LISTEN, and the flag __SO_ACCEPTCON, as proc_net_tcp.txt and the kernel's net/unix write them. */
const LISTENING = "0A";
const ACCEPTS = 0x10000;
const CHUNK = 65_536;

/** The passed sockets that accept connections; without /proc, all of them. */
export const boundSockets = (passed: readonly PassedSocket[]): readonly BoundSocket[] => {
  try {
    const inodes = new Map(passed.map((socket) => [inodeOf(socket.fd), socket]));
    const bound = new Map<PassedSocket, BoundSocket>();
    for (const table of ["tcp", "tcp6"])
      forEachLine(table, (fields) => {
        const [, local = "", , state, , , , , , inode = ""] = fields;
        const socket = inodes.get(inode);
        const port = Number.parseInt(local.slice(local.lastIndexOf(":") + 1), 16);
        if (socket && state === LISTENING) bound.set(socket, { ...socket, port, path: null });
        // Listening sockets are at the beginning: a busy machine has very many others behind them.
        return state === LISTENING || state === "st" || state === undefined;
      });
    forEachLine("unix", ([, , , flags = "", , , inode = "", ...path]) => {
      const socket = inodes.get(inode);
      const accepts = (Number.parseInt(flags, 16) & ACCEPTS) !== 0;
      if (socket && accepts) bound.set(socket, { ...socket, port: null, path: path.join(" ") });
      return true;
    });
    return passed.flatMap((socket) => bound.get(socket) ?? []);
  } catch {
    return passed.map((socket) => ({ ...socket, port: null, path: null }));
  }
};

const inodeOf = (fd: number): string => /\d+/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[0] ?? "";

/** Calls `hear` with the fields of each line, until it returns false. */
const forEachLine = (table: string, hear: (fields: readonly string[]) => boolean): void => {
  const fd = openSync(`/proc/self/net/${table}`, "r");
  try {
    const bytes = Buffer.alloc(CHUNK);
    let rest = "";
    for (let length = readSync(fd, bytes); length > 0; length = readSync(fd, bytes)) {
      const lines = `${rest}${bytes.toString("utf8", 0, length)}`.split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (!hear(line.trim().split(/\s+/))) return;
    }
  } finally {
    closeSync(fd);
  }
};
