// The commands that an upgrade sends beside those of the life without it.

import type { Command } from "../../../src/keeper/protocol.ts";
import { kindOf } from "../../../src/supervisor/state/process-ids.ts";

/** Commands of an upgrade that have no lasting effect. */
export const isOfUpgrade = (command: Command): boolean =>
  UPGRADE_COMMANDS.has(command.kind) ||
  (command.kind === "spawn" && kindOf(command.worker) === "upgradeCheck") ||
  (command.kind === "closeHandle" && command.handle >= 2 ** 33);
const UPGRADE_COMMANDS: ReadonlySet<Command["kind"]> = new Set([
  "copyJournal",
  "rehearse",
  "replaceSupervisor",
  "setProgram",
  // Only checks.
  "watchName",
  "execute",
]);
