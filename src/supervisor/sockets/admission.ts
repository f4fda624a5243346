// Which other users may connect to the control socket: the user of workers that acknowledge there, until others are
// started. connection.ts decides what such a connection may do, and the keeper how many there may be.
import type { Spec } from "../../core/model/spec.ts";
import { STANDING } from "../../core/model/standing.ts";
import { countIn, findPool } from "../../core/model/workers.ts";
import { UNCHANGED } from "../../keeper/protocol.ts";
import { DEFAULT_OPTIONS } from "../os/addresses.ts";
import { CONTROL_HANDLE } from "../state/handles.ts";
import type { Store } from "../state/store.ts";
import { uidOf } from "./sockets.ts";

/**
 * Changes the owner of the control socket's file for a worker that is about to start: its user if it acknowledges
 * there, else crank's, unless workers that are still starting need the present owner.
 */
export const admitFor = (store: Store, spec: Spec): void => {
  const address = store.settings?.control?.address;
  if (address?.kind !== "unix" || address.path.startsWith("@")) return;
  const uid = acknowledgingUser(spec) ?? (isAwaited(store) ? null : ownerOf(store));
  if (uid !== null && store.sockets.has(CONTROL_HANDLE))
    store.batch.command({ kind: "giveName", handle: CONTROL_HANDLE, uid, gid: UNCHANGED });
};

/** The owner of the file when no worker needs it: the user that -ctl names, else crank's. */
const ownerOf = ({ settings, platform }: Store): number => {
  const { uri, options } = settings?.control ?? { uri: "" };
  return options?.owner ? uidOf(platform, uri, options.owner) : platform.uid;
};

/**
 * Whether -ctl admits this user beside root and crank's own: the owner that it names, and the members of the group.
 * Whether it can connect depends on the file's mode.
 */
export const isAdmitted = (
  { settings, platform }: Store,
  { uid, gid }: { readonly uid: number; readonly gid: number },
): boolean => {
  const { owner, group } = settings?.control?.options ?? DEFAULT_OPTIONS;
  if ((owner === null && group === null) || uid === UNCHANGED) return false;
  const user = platform.findUser(String(uid));
  if (owner !== null && (owner === String(uid) || owner === user?.name)) return true;
  const wanted = group === null ? null : (platform.findGroup(group) ?? Number(group));
  return wanted !== null && (gid === wanted || user?.groups.includes(wanted) === true);
};

const acknowledgingUser = (spec: Spec | undefined): number | null =>
  spec?.readiness.kind === "ack" ? (spec.user?.uid ?? null) : null;

/** Whether a worker of another user has not acknowledged yet. */
const isAwaited = ({ core: { workers, generations } }: Store): boolean =>
  Object.values(generations).some(
    ({ number, spec }) => countIn(findPool(workers, number), STANDING.starting) > 0 && acknowledgingUser(spec) !== null,
  );
