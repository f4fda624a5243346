// The operating system of a simulated supervisor: a few files in a map, and a clock.
import type { Platform } from "../../../src/supervisor/os/platform.ts";
import { SOCK_STREAM } from "../../../src/supervisor/os/sockaddr.ts";

/** The inode of the service's first socket. */
export const SIMULATED_INODE = 80;

export const WALL_OFFSET = 1_700_000_000_000;

/** With a service manager, because it must be told the same however often the supervisor is killed. */
const ENVIRONMENT = { PATH: "/bin", NOTIFY_SOCKET: "/run/systemd/notify", WATCHDOG_USEC: "60000000" };

/** `mayWrite` false: the disk is full at the moment. */
export const simulatedPlatform = (
  files: Map<string, string>,
  now: () => number,
  mayWrite: () => boolean,
  isSameFile: () => boolean,
): Platform => ({
  pid: 2,
  uid: 0,
  runtime: "simulated 1",
  environment: ENVIRONMENT,
  wallNow: () => now() + WALL_OFFSET,
  monotonicNow: now,
  readText: (path) => {
    const text = files.get(path);
    return text === undefined ? { kind: "missing" } : { kind: "text", text };
  },
  readBytes: (path) => {
    const text = files.get(path);
    return text === undefined ? null : new TextEncoder().encode(text);
  },
  replaceFile: async (path, text) => {
    if (!mayWrite()) return "no space left on the device";
    files.set(path, text);
    return null;
  },
  ensureFile: (path, text) => {
    if (!files.has(path)) files.set(path, text);
    return null;
  },
  ensureDirectory: () => null,
  unsafeDirectory: () => null,
  quarantine: (path) => {
    const text = files.get(path);
    if (text === undefined) return null;
    files.delete(path);
    files.set(`${path}.aside`, text);
    return `${path}.aside`;
  },
  kernelText: () => null,
  removeFile: (path) => {
    files.delete(path);
  },
  removeTemporaries: () => {},
  closedDirectory: () => null,
  probeSocket: async () => "absent",
  resolveHost: async (host) => [host],
  findUser: () => null,
  findGroup: () => null,
  canAskForUsers: () => true,
  streamIdentity: () => null,
  lineage: () => null,
  // The simulated keeper numbers its sockets like this, and workers get them from descriptor 3 on.
  descriptorTarget: (_pid, fd) => `socket:[${SIMULATED_INODE + fd - 3}]`,
  watchesAll: () => true,
  isExecutable: () => true,
  isFile: () => true,
  beginning: () => null,
  realPath: (path) => path,
  isSameFile,
  processes: {
    list: () => [],
    facts: () => null,
    environment: async () => null,
    command: async () => "",
    descriptors: () => ({ kind: "hidden", reason: "it is gone" }),
    accessMode: () => null,
    sockets: () => new Map(),
  },
  processTree: {
    children: () => [],
    openSockets: () => ({ inodes: new Set(), looked: 1, isWhole: true }),
    boundSockets: () => new Map([[1, { type: SOCK_STREAM, at: { host: "0.0.0.0", port: 9292 } }]]),
    networkOf: () => "net:[1]",
    name: () => "server",
    waits: () => ({ watched: new Set(), isWhole: true }),
    queues: () => new Map(),
  },
  endsInHalfLine: () => false,
  kernelLimits: () => ({ somaxconn: 4096, openFiles: 1_000_000, stack: 8 * 1024 * 1024 }),
});
