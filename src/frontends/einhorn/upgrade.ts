// Upgrades: first the master replaces itself in place, then the workers, with the same command as a new
// generation. Clients that wait get its progress.
import { encodeEinhornAnswer } from "../../control/dialects/einhorn.ts";
import { describeServiceEvent } from "../../core/describe.ts";
import type { ServiceEvent } from "../../core/model/effects.ts";
import { asGiven } from "../../core/model/spec.ts";
import type { RolloutOrder } from "../../core/model/state.ts";
import { wantedGeneration } from "../../core/pool/pool.ts";
import { sendLine } from "../../supervisor/control/replies.ts";
import { advance } from "../../supervisor/loop/apply-effects.ts";
import type { ReceivedSignal, UpgradeOutcome, Wrapper } from "../../supervisor/state/front-end.ts";
import type { Memory } from "../../supervisor/state/store.ts";
import { requestUpgrade } from "../../supervisor/upgrade/upgrade.ts";
import { einhornMemory, rememberDropped, rememberSequels, rememberSubscribers, type Subscriber } from "./own.ts";

/** Replaces the master. `by`: the signal that asks for it. Returns the number of its upgrade, or a sentence that says why not. */
export const reload = (memory: Memory, now: number, by: string | null = null): number | string =>
  requestUpgrade(memory, { exec: null, by, now });

/** Replaces the master, then all workers. The number of the master's upgrade, or a sentence that says why not. */
export const upgrade = (
  memory: Memory,
  order: RolloutOrder,
  now: number,
  by: string | null = null,
): number | string => {
  const asked = reload(memory, now, by);
  if (typeof asked === "number") rememberSequels(memory, [...einhornMemory(memory).sequels, { upgrade: asked, order }]);
  return asked;
};

/** The same, for a signal. */
export const upgradeBy =
  (order: RolloutOrder) =>
  (memory: Memory, { name, now }: ReceivedSignal): void => {
    upgrade(memory, order, now, name);
  };

/** What the master is started through, with --reexec-as. */
export const wrapper = (memory: Memory): Wrapper | null => {
  const { extras, first } = memory.settings ?? {};
  if (!extras?.reexec) return null;
  const { command, patienceMs } = extras.reexec;
  const program = wantedGeneration(memory.core)?.spec.command ?? first?.command ?? [];
  return {
    check: [...command, "--upgrade-check", "--", ...program],
    command: (fd) => [...command, "--with-state-fd", String(fd), "--", ...program],
    unset: extras.dropOnUpgrade,
    patienceMs,
  };
};

/** The master is another one, or has stayed: now, or never, it is the workers' turn. */
export const upgraded = (memory: Memory, outcome: UpgradeOutcome, now: number): void => {
  const { sequels, subscribers } = einhornMemory(memory);
  const mine = sequels.filter((sequel) => sequel.upgrade === outcome.number);
  const waiting = subscribers.filter((subscriber) => subscriber.upgrade === outcome.number);
  rememberSequels(
    memory,
    sequels.filter((sequel) => !mine.includes(sequel)),
  );
  if (outcome.kind === "failed") {
    for (const subscriber of waiting) tell(memory, subscriber, outcome.message, "last");
    rememberSubscribers(
      memory,
      subscribers.filter((subscriber) => !waiting.includes(subscriber)),
    );
    return;
  }
  renewBase(memory);
  for (const subscriber of waiting) tell(memory, subscriber, "The master has been replaced", "more");
  rememberSubscribers(
    memory,
    subscribers.map((subscriber) => (waiting.includes(subscriber) ? { ...subscriber, upgrade: null } : subscriber)),
  );
  if (mine.length > 0) replaceWorkers(memory, mine.some(({ order }) => order === "fleet") ? "fleet" : "oneByOne", now);
};

/** One that is under way already gives way to this one. */
const replaceWorkers = (memory: Memory, order: RolloutOrder, now: number): void => {
  const running = wantedGeneration(memory.core);
  if (!running) return;
  const spec = { ...asGiven(running.spec), instances: running.instances };
  const wallNow = memory.platform.wallNow();
  advance(memory, { kind: "run", now, request: null, wallNow, spec, supersede: true, order, expectPid: null });
};

/** The workers to come do not see what --drop-env-var names. Through a wrapper, what it leaves is what they see. */
const renewBase = (memory: Memory): void => {
  const { dropOnUpgrade = [], reexec = null } = memory.settings?.extras ?? {};
  if (dropOnUpgrade.length === 0 || reexec !== null || einhornMemory(memory).hasDropped) return;
  memory.batch.command({ kind: "setBase", env: [], unset: dropOnUpgrade });
  rememberDropped(memory);
};

/** This request hears of the upgrade until it is done. */
export const subscribe = (memory: Memory, subscriber: Subscriber): void =>
  rememberSubscribers(memory, [...einhornMemory(memory).subscribers, subscriber]);

/** Tells those who wait for an upgrade what has happened, and the last of it. */
export const tellSubscribers = (memory: Memory, event: ServiceEvent): void => {
  const { subscribers } = einhornMemory(memory);
  if (subscribers.length === 0) return;
  const isDone = event.kind === "rolloutComplete" && memory.core.service.rollout === null;
  const isOver = event.kind === "shutdownStarted";
  const hearing = isOver ? subscribers : subscribers.filter(({ upgrade }) => upgrade === null);
  for (const subscriber of hearing) {
    if (isOver) tell(memory, subscriber, "Upgrade abandoned: einhorn is going down", "last");
    else if (isDone) tell(memory, subscriber, "Upgrade done", "last");
    else tell(memory, subscriber, describeServiceEvent(event), "more");
  }
  if (isDone || isOver)
    rememberSubscribers(
      memory,
      subscribers.filter((subscriber) => !hearing.includes(subscriber)),
    );
};

const tell = (memory: Memory, { connection, requestId }: Subscriber, message: string, rest: "more" | "last"): void => {
  const answer = rest === "more" ? { message, requestId, wait: true as const } : { message, requestId };
  sendLine(memory, connection, encodeEinhornAnswer(answer));
};
