// Who else may connect to the control socket: the user of workers that acknowledge there, until others are started. What
// such a connection may say is for conversation.ts; how many of them there may be, for the keeper.
import type { Spec } from "../core/spec.ts";
import { log } from "./log.ts";
import type { Memory } from "./memory.ts";

/**
 * Gives the control socket's file to whom a worker that is about to start needs it for: its own user if it acknowledges
 * there, else crank's, unless workers that are still starting need it as it is.
 */
export const admitFor = (memory: Memory, spec: Spec): void => {
  const address = memory.settings?.control?.address;
  if (address?.kind !== "unix" || address.path.startsWith("@")) return;
  const uid = acknowledgingUser(spec) ?? (isAwaited(memory) ? null : memory.platform.uid);
  const failure = uid === null ? null : memory.platform.giveFile(address.path, uid);
  if (failure !== null) log(memory, "warning", `${address.path} cannot be given to the user ${uid}: ${failure}`);
};

const acknowledgingUser = (spec: Spec | undefined): number | null =>
  spec?.readiness.kind === "ack" ? (spec.user?.uid ?? null) : null;

/** Whether a worker of another user has still to acknowledge. */
const isAwaited = ({ core: { workers, generations } }: Memory): boolean =>
  Object.values(workers).some(
    ({ kind, generation }) => kind === "starting" && acknowledgingUser(generations[generation]?.spec) !== null,
  );
