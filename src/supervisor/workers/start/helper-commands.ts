// Commands that a front end runs, as processes of the keeper: no supervisor has to be running when they end.

import { describeErrno } from "../../../core/errno.ts";
import type { KeeperEvent } from "../../../keeper/protocol.ts";
import { helperProcess } from "../../os/helper-process.ts";
import { signalName } from "../../os/signals.ts";
import { processId } from "../../state/process-ids.ts";
import { nextRequest } from "../../state/save.ts";
import type { Store } from "../../state/store.ts";

/** Runs a command line in a shell. The front end is notified only of a failure. */
export const runHelperCommand = (store: Store, commandLine: string): void =>
  store.batch.command(
    helperProcess({
      worker: processId("helperCommand", nextRequest(store)),
      file: "/bin/sh",
      args: ["sh", "-c", commandLine],
      cwd: "",
    }),
  );

/** A helper command has ended, or could not be started. */
export const helperCommandIsGone = (
  store: Store,
  event: Extract<KeeperEvent, { kind: "exited" | "spawnFailed" }>,
): void => {
  const how = howItFailed(event);
  if (how !== null) store.frontEnd.helperCommandFailed?.(store, how);
};

const howItFailed = (event: Extract<KeeperEvent, { kind: "exited" | "spawnFailed" }>): string | null => {
  if (event.kind === "spawnFailed") return `cannot be started: ${event.step}: ${describeErrno(event.errno)}`;
  if (event.ending !== 0) return `was killed by ${signalName(event.status)}`;
  return event.status === 0 ? null : `exited with status ${event.status}`;
};
