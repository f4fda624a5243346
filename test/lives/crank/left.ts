// What a killed simulated keeper leaves, as the next crank sees it in /proc: its workers, and the socket and the pipe
// that each of them holds.
import type { ProcessTable } from "../../../src/supervisor/os/processes.ts";
import { SOCK_STREAM } from "../../../src/supervisor/os/sockaddr.ts";
import { SIMULATED_INODE } from "./platform.ts";

/** A living process. `environment`: the one that it was started with. */
export type LeftProcess = {
  readonly pid: number;
  readonly startTime: number;
  readonly environment: ReadonlyMap<string, string>;
  /** The worker's main process, which started this one; missing: it is the main process. */
  readonly first?: number;
};

const STDOUT = 1;
const SOCKET_FD = 3;
const O_RDWR = 2;

/** The processes of a service that listens on 127.0.0.1:80. */
export const leftProcesses = (living: () => readonly LeftProcess[]): ProcessTable => {
  const find = (pid: number): LeftProcess | undefined => living().find((process) => process.pid === pid);
  return {
    list: () => living().map(({ pid }) => pid),
    facts: (pid) => {
      const process = find(pid);
      return process ? { pid, startTime: process.startTime, parent: 1, group: pid, uids: [0, 0, 0] } : null;
    },
    command: async () => "",
    environment: async (pid) => {
      const process = find(pid);
      return process ? new Map([...process.environment, ["LISTEN_PID", String(process.first ?? pid)]]) : null;
    },
    descriptors: (pid) =>
      find(pid)
        ? {
            kind: "shown",
            descriptors: [
              { fd: STDOUT, target: `pipe:[${10_000 + pid}]` },
              { fd: SOCKET_FD, target: `socket:[${SIMULATED_INODE}]` },
            ],
          }
        : { kind: "hidden", reason: "it is gone" },
    accessMode: () => O_RDWR,
    sockets: () => new Map([[SIMULATED_INODE, { type: SOCK_STREAM, at: { host: "127.0.0.1", port: 80 } }]]),
  };
};
