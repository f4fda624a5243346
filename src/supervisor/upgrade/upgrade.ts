// Upgrades. The new program is checked beside the running one, its supervisor replaces this one, and the keeper
// re-executes itself if its program differs too. Until then nothing changes, and a problem with the new program leaves
// everything as it is. Each stage is journalled and ends with an event.
import { ERROR_CODES, type UpgradeDone } from "../../control/messages.ts";
import { printable } from "../../control/printable.ts";
import { describeErrno } from "../../core/errno.ts";
import { COMMANDS, type KeeperEvent, PROTOCOL_VERSION } from "../../keeper/protocol.ts";
import { VERSION } from "../../version.ts";
import { answerUpgrade } from "../control/replies.ts";
import { log } from "../events/log.ts";
import { recordEvent } from "../events/supervisor-event.ts";
import { programPath } from "../os/program-path.ts";
import { signalName } from "../os/signals.ts";
import { lookAtNames } from "../sockets/names.ts";
import type { UpgradeOutcome, Wrapper } from "../state/front-end.ts";
import { METRICS_HANDLE } from "../state/handles.ts";
import type { InstalledProgram, Upgrade } from "../state/parts/upgrade.ts";
import { processId } from "../state/process-ids.ts";
import { beginUpgrade, countUpgrade, saveUpgrade } from "../state/save.ts";
import type { Store } from "../state/store.ts";
import { copyHandle, parseUpgradeAnswer, startUpgradeCheck } from "./check.ts";

/** Time limit of the check and of the start of the supervisor, each, unless a wrapper has its own. */
const PATIENCE_MS = 10_000;
/** The descriptor of the new supervisor's channel, as passed to a wrapper. */
const CHANNEL_FD = 3;
const SIGKILL = 9;

type EventOf<K extends KeeperEvent["kind"]> = Extract<KeeperEvent, { kind: K }>;

/** Begins an upgrade, or queues it behind the one in progress. Returns its number, or a sentence that says why not. */
export const requestUpgrade = (store: Store, wish: UpgradeWish): number | string => {
  const asked = request(store, wish);
  if (typeof asked === "string") recordEvent(store, { kind: "upgradeRefused", by: wish.by, message: asked }, wish.now);
  return asked;
};

/**
 * `exec`: the path of the new program; null: the path by which crank was started. `by`: the signal that requests it;
 * null: a client.
 */
type UpgradeWish = { readonly exec: string | null; readonly by: string | null; readonly now: number };

const request = (store: Store, { exec, now }: UpgradeWish): number | string => {
  const { upgrade, core, counters } = store;
  if (core.service.phase.kind === "stopping") return SHUTTING_DOWN;
  if (!upgrade) return begin(store, counters.upgradesBegun + 1, exec, now);
  const { again } = upgrade;
  if (again && again.exec !== exec)
    return `Another upgrade is already queued, to ${again.exec ?? "the program by which crank was started"}`;
  saveUpgrade(store, { ...upgrade, again: { exec } });
  return upgrade.number + 1;
};

const SHUTTING_DOWN = "Crank is shutting down; it is not upgraded";

const begin = (store: Store, number: number, exec: string | null, now: number): number | string => {
  const { platform, facts } = store;
  const path = exec ?? store.program ?? facts.path;
  const file = platform.realPath(path);
  if (file === null) return cannot(path, "no such file");
  if (!platform.isExecutable(file)) return cannot(path, "not executable");
  const home = file.split("/").slice(0, -2).join("/");
  const patienceMs = patience(wrapperOf(store));
  const upgrade: Upgrade = {
    number,
    stage: "checking",
    path,
    exec,
    program: installedAt(store, home, file, `${home}/bin/runtime`),
    from: VERSION,
    answer: null,
    checkedBy: patienceMs === 0 ? null : now + patienceMs,
    isLate: false,
    executions: facts.executions,
    again: null,
  };
  beginUpgrade(store, upgrade);
  lookAtNames(store);
  recordEvent(store, { kind: "upgradeStarted", upgrade: number, from: VERSION, path }, now);
  startUpgradeCheck(store, upgrade);
  return number;
};

const installedAt = ({ facts, platform }: Store, home: string, file: string, runtime: string): InstalledProgram => ({
  file,
  runtime,
  bundle: "",
  isNewKeeper: home !== facts.home || !platform.isSameFile(`/proc/${facts.pid}/exe`, file),
});

const wrapperOf = (store: Store): Wrapper | null => store.frontEnd.wrapper?.(store) ?? null;
const patience = (wrapper: Wrapper | null): number => wrapper?.patienceMs ?? PATIENCE_MS;

const cannot = (path: string, reason: string): string => `Crank is not upgraded to ${path}: ${reason}`;

/** Handles an event of the upgrade in progress. */
export const takeUpgradeEvent = (store: Store, event: KeeperEvent): void => {
  const { upgrade } = store;
  if (!upgrade) return;
  switch (event.kind) {
    case "datagram":
      if (event.worker !== processId("upgradeCheck", upgrade.number)) return;
      return saveUpgrade(store, { ...upgrade, answer: parseUpgradeAnswer(event.bytes) });
    case "tick":
      // The event of its end follows.
      store.batch.command({
        kind: "signal",
        worker: processId("upgradeCheck", upgrade.number),
        signal: SIGKILL,
        group: 1,
      });
      return saveUpgrade(store, { ...upgrade, checkedBy: null, isLate: true });
    case "spawnFailed":
      if (event.worker !== processId("upgradeCheck", upgrade.number)) return;
      return fail(store, upgrade, `it cannot be executed: ${describeErrno(event.errno)}`, event.deliveredAt);
    case "exited":
      if (event.worker === processId("upgradeCheck", upgrade.number)) atCheckEnd(store, upgrade, event);
      return;
    case "rehearsed":
      return atRehearsed(store, upgrade, event);
    case "supervisorReplaced":
      return atReplaced(store, upgrade, event);
    case "supervisorKept":
      return fail(store, upgrade, whyKept(event, patience(wrapperOf(store))), event.deliveredAt);
    case "failed":
      return fail(store, upgrade, whyFailed(upgrade, event), event.deliveredAt);
  }
};

const atCheckEnd = (store: Store, before: Upgrade, event: EventOf<"exited">): void => {
  const { deliveredAt: now } = event;
  const obstacle = whyNotAfterCheck(store, before, event);
  if (obstacle !== null) return fail(store, before, obstacle, now);
  const { answer } = before;
  const program = answer ? installedAt(store, answer.home, `${answer.home}/bin/crank`, answer.runtime) : before.program;
  const upgrade = { ...before, program, checkedBy: null };
  if (!program.isNewKeeper) return replaceSupervisor(store, upgrade);
  store.batch.command({ kind: "rehearse", path: program.file });
  saveUpgrade(store, { ...upgrade, stage: "rehearsing" });
};

const whyNotAfterCheck = (store: Store, upgrade: Upgrade, event: EventOf<"exited">): string | null => {
  const wrapper = wrapperOf(store);
  if (store.core.service.phase.kind === "stopping") return "crank is shutting down";
  if (upgrade.isLate) return `its check took longer than ${patience(wrapper) / 1000} s`;
  if (event.ending !== 0 || event.status !== 0) return `its check ${howItEnded(event)}${lastOutput(event.tail)}`;
  return upgrade.answer || wrapper ? null : "it exited without an answer to the check";
};

const atRehearsed = (store: Store, upgrade: Upgrade, event: EventOf<"rehearsed">): void => {
  const { step, errno, ending, status, deliveredAt: now } = event;
  if (step !== "")
    return fail(store, upgrade, `the dry run of its keeper cannot be started: ${step}: ${describeErrno(errno)}`, now);
  if (ending === 0 && status === LATER_VERSION)
    return fail(store, upgrade, "its keeper is an earlier version, which cannot read this keeper's state", now);
  if (ending !== 0 || status !== 0)
    return fail(store, upgrade, `its keeper could not take over in a dry run; it ${howItEnded(event)}`, now);
  if (store.core.service.phase.kind === "stopping") return fail(store, upgrade, "crank is shutting down", now);
  if (upgrade.answer === null || upgrade.answer.protocol === PROTOCOL_VERSION) return replaceSupervisor(store, upgrade);
  // It has another protocol version than this keeper: both are replaced at once.
  const { runtime, bundle } = upgrade.program;
  store.batch.command({ kind: "setProgram", runtime, bundle });
  execute(store, upgrade);
};

/** The answer of a keeper's rehearsal (keeper/reexec/reexec.h). */
const LATER_VERSION = 2;

const replaceSupervisor = (store: Store, upgrade: Upgrade): void => {
  const { runtime, bundle } = upgrade.program;
  const wrapper = wrapperOf(store);
  const args = wrapper?.command(CHANNEL_FD) ?? [];
  store.batch.command({
    kind: "replaceSupervisor",
    runtime,
    bundle,
    file: args[0] !== undefined ? programPath(store, args[0], "") : "",
    args,
    unset: wrapper?.unset ?? [],
    fd: CHANNEL_FD,
    patienceMs: patience(wrapper),
  });
  saveUpgrade(store, { ...upgrade, stage: "replacing" });
};

/** This is the new supervisor. */
const atReplaced = (store: Store, upgrade: Upgrade, event: EventOf<"supervisorReplaced">): void => {
  if (event.forked === 1)
    log(store, "warning", `The wrapper of the supervisor has forked; the supervisor is process ${event.pid}`);
  if (upgrade.program.isNewKeeper) execute(store, upgrade);
  else succeed(store, upgrade, event.deliveredAt);
};

const execute = (store: Store, upgrade: Upgrade): void => {
  store.batch.command({ kind: "execute", path: upgrade.program.file });
  saveUpgrade(store, { ...upgrade, stage: "executing", executions: store.facts.executions });
};

/** After a hello: the keeper may be the new one. */
export const resumeUpgrade = (store: Store): void => {
  const { upgrade, facts, platform } = store;
  if (upgrade?.stage === "executing" && facts.executions > upgrade.executions)
    succeed(store, upgrade, platform.monotonicNow());
};

const succeed = (store: Store, upgrade: Upgrade, now: number): void => {
  const { number, from, exec, program } = upgrade;
  const done: UpgradeDone = { from, to: VERSION, keeper: program.isNewKeeper };
  countUpgrade(store, exec ?? store.program);
  // An earlier crank had every line of a request delivered.
  if (store.sockets.has(METRICS_HANDLE)) store.batch.command({ kind: "acceptHeads", handle: METRICS_HANDLE });
  recordEvent(store, { kind: "upgradeDone", upgrade: number, ...done }, now);
  answerUpgrade(store, number, { result: { done } });
  goOn(store, upgrade, { number, kind: "done", done }, now);
};

const fail = (store: Store, upgrade: Upgrade, reason: string, now: number): void => {
  const { number } = upgrade;
  const message = cannot(upgrade.path, reason);
  reportFailure(store, number, message, now);
  goOn(store, upgrade, { number, kind: "failed", message }, now);
};

const reportFailure = (store: Store, number: number, message: string, now: number): void => {
  recordEvent(store, { kind: "upgradeFailed", upgrade: number, message }, now);
  answerUpgrade(store, number, { error: { code: ERROR_CODES.refused, message } });
};

/** Ends this upgrade and begins the next one, if one was requested. */
const goOn = (store: Store, { number, again }: Upgrade, outcome: UpgradeOutcome, now: number): void => {
  store.batch.command({ kind: "closeHandle", handle: copyHandle(number) });
  saveUpgrade(store, null);
  store.frontEnd.upgraded?.(store, outcome, now);
  if (!again) return;
  const stopping = store.core.service.phase.kind === "stopping";
  const begun = stopping ? SHUTTING_DOWN : begin(store, number + 1, again.exec, now);
  if (typeof begun === "number") return;
  reportFailure(store, number + 1, begun, now);
  store.frontEnd.upgraded?.(store, { number: number + 1, kind: "failed", message: begun }, now);
};

const howItEnded = ({ ending, status }: { readonly ending: number; readonly status: number }): string =>
  ending === 0 ? `exited with status ${status}` : `was killed by ${signalName(status)}`;

const decoder = new TextDecoder();
const MAX_OUTPUT_UNITS = 500;

const lastOutput = (tail: Uint8Array): string => {
  const line = decoder.decode(tail).trimEnd().split("\n").at(-1)?.trim() ?? "";
  return line === "" ? "" : `: ${printable(line).slice(0, MAX_OUTPUT_UNITS)}`;
};

const whyKept = (event: EventOf<"supervisorKept">, patienceMs: number): string => {
  if (event.phase === 1) return `its supervisor did not report within ${patienceMs / 1000} s`;
  const when = event.phase === 0 ? "before it reported" : "before it had taken over";
  return `its check succeeded, but its supervisor ${howItEnded(event)} ${when}; the old supervisor continues`;
};

const whyFailed = ({ program }: Upgrade, { command, step, errno }: EventOf<"failed">): string => {
  const reason = describeErrno(errno);
  if (command === COMMANDS.copyJournal.code) return `the journal cannot be copied for the check: ${reason}`;
  if (command === COMMANDS.execute.code)
    return `its supervisor has taken over, but the keeper cannot execute its program: ${step}: ${reason}`;
  if (step === "runtime") return `its program ${program.runtime} cannot be used: ${reason}`;
  return `its supervisor cannot be started: ${step}: ${reason}`;
};
