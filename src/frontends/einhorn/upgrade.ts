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
import type { Store } from "../../supervisor/state/store.ts";
import { requestUpgrade } from "../../supervisor/upgrade/upgrade.ts";
import { einhornState, type Subscriber, saveDropped, saveSequels, saveSubscribers } from "./einhorn-state.ts";

/** Replaces the master. `by`: the signal that requested it. Returns the number of its upgrade, or a refusal. */
export const reload = (store: Store, now: number, by: string | null = null): number | string =>
  requestUpgrade(store, { exec: null, by, now });

/** Replaces the master, then all workers. Returns the number of the master's upgrade, or a refusal. */
export const upgrade = (store: Store, order: RolloutOrder, now: number, by: string | null = null): number | string => {
  const asked = reload(store, now, by);
  if (typeof asked === "number") saveSequels(store, [...einhornState(store).sequels, { upgrade: asked, order }]);
  return asked;
};

/** The same, for a signal. */
export const upgradeBy =
  (order: RolloutOrder) =>
  (store: Store, { name, now }: ReceivedSignal): void => {
    upgrade(store, order, now, name);
  };

/** The wrapper of the master, with --reexec-as. */
export const wrapper = (store: Store): Wrapper | null => {
  const { extras, first } = store.settings ?? {};
  if (!extras?.reexec) return null;
  const { command, patienceMs } = extras.reexec;
  const program = wantedGeneration(store.core)?.spec.command ?? first?.command ?? [];
  return {
    check: [...command, "--upgrade-check", "--", ...program],
    command: (fd) => [...command, "--with-state-fd", String(fd), "--", ...program],
    unset: extras.dropOnUpgrade,
    patienceMs,
  };
};

/** The master was replaced, or was kept: now the workers are replaced, or the upgrade ends. */
export const upgraded = (store: Store, outcome: UpgradeOutcome, now: number): void => {
  const { sequels, subscribers } = einhornState(store);
  const mine = sequels.filter((sequel) => sequel.upgrade === outcome.number);
  const waiting = subscribers.filter((subscriber) => subscriber.upgrade === outcome.number);
  saveSequels(
    store,
    sequels.filter((sequel) => !mine.includes(sequel)),
  );
  if (outcome.kind === "failed") {
    for (const subscriber of waiting) reply(store, subscriber, outcome.message, "last");
    saveSubscribers(
      store,
      subscribers.filter((subscriber) => !waiting.includes(subscriber)),
    );
    return;
  }
  renewBase(store);
  for (const subscriber of waiting) reply(store, subscriber, "The master has been replaced", "more");
  saveSubscribers(
    store,
    subscribers.map((subscriber) => (waiting.includes(subscriber) ? { ...subscriber, upgrade: null } : subscriber)),
  );
  if (mine.length > 0) replaceWorkers(store, mine.some(({ order }) => order === "fleet") ? "fleet" : "oneByOne", now);
};

/** A rollout in flight is superseded. */
const replaceWorkers = (store: Store, order: RolloutOrder, now: number): void => {
  const running = wantedGeneration(store.core);
  if (!running) return;
  const spec = { ...asGiven(running.spec), instances: running.instances };
  const wallNow = store.platform.wallNow();
  advance(store, { kind: "run", now, request: null, wallNow, spec, supersede: true, order, expectPid: null });
};

/** Later workers do not get the variables of --drop-env-var. With a wrapper, they get the wrapper's environment. */
const renewBase = (store: Store): void => {
  const { dropOnUpgrade = [], reexec = null } = store.settings?.extras ?? {};
  if (dropOnUpgrade.length === 0 || reexec !== null || einhornState(store).hasDropped) return;
  store.batch.command({ kind: "setBase", env: [], unset: dropOnUpgrade });
  saveDropped(store);
};

/** This request gets the progress of the upgrade until it is done. */
export const subscribe = (store: Store, subscriber: Subscriber): void =>
  saveSubscribers(store, [...einhornState(store).subscribers, subscriber]);

/** Reports the progress and the end of an upgrade to the requests that wait. */
export const notifySubscribers = (store: Store, event: ServiceEvent): void => {
  const { subscribers } = einhornState(store);
  if (subscribers.length === 0) return;
  const isDone = event.kind === "rolloutComplete" && store.core.service.rollout === null;
  const isOver = event.kind === "shutdownStarted";
  const hearing = isOver ? subscribers : subscribers.filter(({ upgrade }) => upgrade === null);
  for (const subscriber of hearing) {
    if (isOver) reply(store, subscriber, "Upgrade abandoned: einhorn is going down", "last");
    else if (isDone) reply(store, subscriber, "Upgrade done", "last");
    else reply(store, subscriber, describeServiceEvent(event), "more");
  }
  if (isDone || isOver)
    saveSubscribers(
      store,
      subscribers.filter((subscriber) => !hearing.includes(subscriber)),
    );
};

const reply = (store: Store, { connection, requestId }: Subscriber, message: string, rest: "more" | "last"): void => {
  const answer = rest === "more" ? { message, requestId, wait: true as const } : { message, requestId };
  sendLine(store, connection, encodeEinhornAnswer(answer));
};
