// The paths of workers' notify sockets: their length does not grow with the number of starts, so a path that fits when
// crank starts always fits. And whether a worker's user can reach them.

import type { Spec } from "../../core/model/spec.ts";
import { byteLength } from "../../host/bytes.ts";
import { MAX_UNIX_PATH_BYTES } from "../os/addresses.ts";
import type { Platform } from "../os/platform.ts";
import type { Settings } from "../state/settings.ts";

/** Enough for 2 000 million starts with different names. */
const DIGITS = 6;

/** The path of a worker's NOTIFY_SOCKET; "" (NOTIFY_FD only) if it would be too long for a socket. */
export const notifySocketPath = (settings: Settings, worker: number): string => {
  const path = wantedPath(settings, worker);
  return path !== null && byteLength(path) <= MAX_UNIX_PATH_BYTES ? path : "";
};

const wantedPath = ({ runDirectory, notifyNames }: Settings, worker: number): string | null => {
  if (runDirectory === null) return null;
  return `${runDirectory}/notify/${notifyNames === "fixed" ? worker.toString(36).padStart(DIGITS, "0") : worker}`;
};

/** Why these paths cannot be used, as a sentence without a full stop; null: they fit. */
export const notifyProblem = (settings: Settings): string | null => {
  const path = wantedPath(settings, 1);
  const bytes = path === null ? 0 : byteLength(path);
  return bytes <= MAX_UNIX_PATH_BYTES
    ? null
    : `the path of a notify socket, ${path}, has ${bytes} bytes; the limit for a unix socket is ${MAX_UNIX_PATH_BYTES}`;
};

/** The directory on the way to NOTIFY_SOCKET that this worker's user may not pass, as a sentence; null: none. */
export const closedTo = (platform: Platform, settings: Settings, spec: Spec): string | null => {
  const closed = closedDirectory(platform, settings, spec);
  if (closed === null || spec.user === null) return null;
  const { path, mode } = closed;
  return `The user ${spec.user.name} cannot reach NOTIFY_SOCKET: it may not search the directory ${path} (mode ${mode.toString(8).padStart(4, "0")}); permit it (chmod o+x ${path}), or choose another -prefix`;
};

/**
 * Why no worker of a spec can report readiness, as a sentence; null: it can, or it is not certain. The reason is a
 * closed path while NOTIFY_FD is removed from its environment. `current`: the running spec; if it has the same user,
 * there is a way.
 */
export const whyNeverReady = (
  platform: Platform,
  settings: Settings,
  { spec, current }: { readonly spec: Spec; readonly current: Spec | null },
): string | null => {
  const isByPath = (spec.env.NOTIFY_FD ?? null) === null && Object.hasOwn(spec.env, "NOTIFY_FD");
  const isOwnPath = Object.hasOwn(spec.env, "NOTIFY_SOCKET");
  if (spec.readiness.kind !== "notify" || !isByPath || isOwnPath || current?.user?.uid === spec.user?.uid) return null;
  const closed = closedDirectory(platform, settings, spec);
  // With an access control list (acl(5)) the group's bits are the most that any entry may grant.
  if (closed === null || (closed.mode & GROUP_PASSES) !== 0) return null;
  const sentence = closedTo(platform, settings, spec);
  return sentence === null ? null : `${sentence}; or keep NOTIFY_FD in its environment`;
};
const GROUP_PASSES = 0o010;

const closedDirectory = (platform: Platform, { runDirectory }: Settings, { user }: Spec) =>
  user === null || runDirectory === null ? null : platform.closedDirectory(`${runDirectory}/notify`, user);
