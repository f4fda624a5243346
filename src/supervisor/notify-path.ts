// Where workers' notify sockets are bound: a path whose length does not grow with the number of starts, so that one that fits at
// crank's start fits for ever, and whether a worker's user gets there.

import type { Spec } from "../core/spec.ts";
import { byteLength } from "../host/bytes.ts";
import { MAX_UNIX_PATH_BYTES } from "./addresses.ts";
import type { Platform } from "./platform.ts";
import type { Settings } from "./settings.ts";

/** Enough for two thousand million starts, each with a name of its own. */
const DIGITS = 6;

/** Where a worker's NOTIFY_SOCKET is bound. "" (NOTIFY_FD alone) where the path would be too long for a socket. */
export const notifySocketPath = (settings: Settings, worker: number): string => {
  const path = wantedPath(settings, worker);
  return path !== null && byteLength(path) <= MAX_UNIX_PATH_BYTES ? path : "";
};

const wantedPath = ({ runDirectory, notifyNames }: Settings, worker: number): string | null => {
  if (runDirectory === null) return null;
  return `${runDirectory}/notify/${notifyNames === "fixed" ? worker.toString(36).padStart(DIGITS, "0") : worker}`;
};

/** Why these paths are of no use, as a sentence without its end; null: they fit. */
export const notifyProblem = (settings: Settings): string | null => {
  const path = wantedPath(settings, 1);
  const bytes = path === null ? 0 : byteLength(path);
  return bytes <= MAX_UNIX_PATH_BYTES
    ? null
    : `the path of a notify socket, ${path}, has ${bytes} bytes, and a unix socket's may have ${MAX_UNIX_PATH_BYTES}`;
};

/** Which directory on the way to its NOTIFY_SOCKET is closed to the user of such a worker, as a sentence; null: none. */
export const closedTo = (platform: Platform, { runDirectory }: Settings, { user }: Spec): string | null => {
  if (user === null || runDirectory === null) return null;
  const closed = platform.closedDirectory(`${runDirectory}/notify`, user);
  if (closed === null) return null;
  const { path, mode } = closed;
  return `The user ${user.name} cannot reach NOTIFY_SOCKET: the directory ${path} is closed to it (mode ${mode.toString(8).padStart(4, "0")}); make it passable (chmod o+x ${path}), or choose another -prefix`;
};
