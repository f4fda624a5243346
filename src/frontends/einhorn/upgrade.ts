// Upgrades: the same command once more as a generation of its own, and those who wait for it told how it goes.
import { encodeEinhornAnswer } from "../../control/dialects/einhorn.ts";
import { describeNote, describeRefusal } from "../../core/describe.ts";
import type { Note } from "../../core/effects.ts";
import { wantedGeneration } from "../../core/pool.ts";
import type { RolloutOrder } from "../../core/state.ts";
import { advance } from "../../supervisor/carry-out.ts";
import type { ReceivedSignal } from "../../supervisor/front-end.ts";
import { log } from "../../supervisor/log.ts";
import type { Memory } from "../../supervisor/memory.ts";
import { sendLine } from "../../supervisor/replies.ts";
import { einhornMemory, rememberDropped, rememberSubscribers, type Subscriber } from "./own.ts";

/** Replaces all workers; one that is under way already gives way to this one. */
export const upgradeBy =
  (order: RolloutOrder) =>
  (memory: Memory, { name, now }: ReceivedSignal): void => {
    const running = wantedGeneration(memory.core);
    if (!running) return log(memory, "warning", `${name}: ${describeRefusal({ kind: "shuttingDown" })}`);
    renewBase(memory);
    const spec = { ...running.spec, instances: running.instances };
    const wallNow = memory.platform.wallNow();
    advance(memory, { kind: "run", now, request: null, wallNow, spec, supersede: true, order, expectPid: null });
  };

/** The workers to come do not see what --drop-env-var names. */
export const renewBase = (memory: Memory): void => {
  const unset = memory.settings?.extras?.dropOnUpgrade ?? [];
  if (unset.length === 0 || einhornMemory(memory).hasDropped) return;
  memory.outbox.command({ kind: "setBase", env: [], unset });
  rememberDropped(memory);
};

/** This request hears of the upgrade until it is done. */
export const subscribe = (memory: Memory, subscriber: Subscriber): void =>
  rememberSubscribers(memory, [...einhornMemory(memory).subscribers, subscriber]);

/** Tells those who wait for an upgrade what has happened, and the last of it. */
export const tellSubscribers = (memory: Memory, note: Note): void => {
  const { subscribers } = einhornMemory(memory);
  if (subscribers.length === 0) return;
  const end = endOf(memory, note);
  for (const { connection, requestId } of subscribers) {
    const message = end ?? describeNote(note);
    const answer = end === null ? { message, requestId, wait: true as const } : { message, requestId };
    sendLine(memory, connection, encodeEinhornAnswer(answer));
  }
  if (end !== null) rememberSubscribers(memory, []);
};

const endOf = ({ core }: Memory, note: Note): string | null => {
  if (note.kind === "shutdownStarted") return "Upgrade abandoned: einhorn is going down";
  const isLast = note.kind === "rolloutComplete" && core.service.rollout === null;
  return isLast ? "Upgrade done" : null;
};
