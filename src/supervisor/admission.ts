// Who else may connect to the control socket: the user of workers that acknowledge there, until others are started. What
// such a connection may say is for conversation.ts; how many of them there may be, for the keeper.
import type { Spec } from "../core/spec.ts";
import { UNCHANGED } from "../keeper/protocol.ts";
import type { Memory } from "./memory.ts";
import { CONTROL_HANDLE } from "./sockets.ts";

/**
 * Gives the control socket's file to whom a worker that is about to start needs it for: its own user if it acknowledges
 * there, else crank's, unless workers that are still starting need it as it is.
 */
export const admitFor = (memory: Memory, spec: Spec): void => {
  const address = memory.settings?.control?.address;
  if (address?.kind !== "unix" || address.path.startsWith("@")) return;
  const uid = acknowledgingUser(spec) ?? (isAwaited(memory) ? null : memory.platform.uid);
  if (uid !== null && memory.sockets.has(CONTROL_HANDLE))
    memory.outbox.command({ kind: "giveName", handle: CONTROL_HANDLE, uid, gid: UNCHANGED });
};

const acknowledgingUser = (spec: Spec | undefined): number | null =>
  spec?.readiness.kind === "ack" ? (spec.user?.uid ?? null) : null;

/** Whether a worker of another user has still to acknowledge. */
const isAwaited = ({ core: { workers, generations } }: Memory): boolean =>
  Object.values(workers).some(
    ({ kind, generation }) => kind === "starting" && acknowledgingUser(generations[generation]?.spec) !== null,
  );
