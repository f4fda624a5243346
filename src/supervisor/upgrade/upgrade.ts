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
import { beginUpgrade, countUpgrade, rememberUpgrade } from "../state/remember.ts";
import type { Memory } from "../state/store.ts";
import { copyHandle, parseUpgradeAnswer, startUpgradeCheck } from "./check.ts";

/** Time limit of the check and of the start of the supervisor, each, unless a wrapper has its own. */
const PATIENCE_MS = 10_000;
/** The descriptor of the new supervisor's channel, as passed to a wrapper. */
const CHANNEL_FD = 3;
const SIGKILL = 9;

type EventOf<K extends KeeperEvent["kind"]> = Extract<KeeperEvent, { kind: K }>;

/** Begins an upgrade, or queues it behind the one in progress. Returns its number, or a sentence that says why not. */
export const requestUpgrade = (memory: Memory, wish: UpgradeWish): number | string => {
  const asked = request(memory, wish);
  if (typeof asked === "string") recordEvent(memory, { kind: "upgradeRefused", by: wish.by, message: asked }, wish.now);
  return asked;
};

/**
 * `exec`: the path of the new program; null: the path by which crank was started. `by`: the signal that requests it;
 * null: a client.
 */
type UpgradeWish = { readonly exec: string | null; readonly by: string | null; readonly now: number };

const request = (memory: Memory, { exec, now }: UpgradeWish): number | string => {
  const { upgrade, core, counters } = memory;
  if (core.service.phase.kind === "stopping") return SHUTTING_DOWN;
  if (!upgrade) return begin(memory, counters.upgradesBegun + 1, exec, now);
  const { again } = upgrade;
  if (again && again.exec !== exec)
    return `Another upgrade waits for the end of this one already, to ${again.exec ?? "what crank was started by"}`;
  rememberUpgrade(memory, { ...upgrade, again: { exec } });
  return upgrade.number + 1;
};

const SHUTTING_DOWN = "Crank is shutting down; it is not upgraded";

const begin = (memory: Memory, number: number, exec: string | null, now: number): number | string => {
  const { platform, facts } = memory;
  const path = exec ?? memory.program ?? facts.path;
  const file = platform.realPath(path);
  if (file === null) return cannot(path, "there is no such file");
  if (!platform.isExecutable(file)) return cannot(path, "it is no program that may be executed");
  const home = file.split("/").slice(0, -2).join("/");
  const patienceMs = patience(wrapperOf(memory));
  const upgrade: Upgrade = {
    number,
    stage: "checking",
    path,
    exec,
    program: installedAt(memory, home, file, `${home}/bin/runtime`),
    from: VERSION,
    answer: null,
    checkedBy: patienceMs === 0 ? null : now + patienceMs,
    isLate: false,
    executions: facts.executions,
    again: null,
  };
  beginUpgrade(memory, upgrade);
  lookAtNames(memory);
  recordEvent(memory, { kind: "upgradeStarted", upgrade: number, from: VERSION, path }, now);
  startUpgradeCheck(memory, upgrade);
  return number;
};

const installedAt = ({ facts, platform }: Memory, home: string, file: string, runtime: string): InstalledProgram => ({
  file,
  runtime,
  bundle: "",
  isNewKeeper: home !== facts.home || !platform.isSameFile(`/proc/${facts.pid}/exe`, file),
});

const wrapperOf = (memory: Memory): Wrapper | null => memory.frontEnd.wrapper?.(memory) ?? null;
const patience = (wrapper: Wrapper | null): number => wrapper?.patienceMs ?? PATIENCE_MS;

const cannot = (path: string, reason: string): string => `Crank is not upgraded to ${path}: ${reason}`;

/** Handles an event of the upgrade in progress. */
export const takeUpgradeEvent = (memory: Memory, event: KeeperEvent): void => {
  const { upgrade } = memory;
  if (!upgrade) return;
  switch (event.kind) {
    case "datagram":
      if (event.worker !== processId("upgradeCheck", upgrade.number)) return;
      return rememberUpgrade(memory, { ...upgrade, answer: parseUpgradeAnswer(event.bytes) });
    case "tick":
      // The event of its end follows.
      memory.batch.command({
        kind: "signal",
        worker: processId("upgradeCheck", upgrade.number),
        signal: SIGKILL,
        group: 1,
      });
      return rememberUpgrade(memory, { ...upgrade, checkedBy: null, isLate: true });
    case "spawnFailed":
      if (event.worker !== processId("upgradeCheck", upgrade.number)) return;
      return fail(memory, upgrade, `it cannot be executed: ${describeErrno(event.errno)}`, event.deliveredAt);
    case "exited":
      if (event.worker === processId("upgradeCheck", upgrade.number)) atCheckEnd(memory, upgrade, event);
      return;
    case "rehearsed":
      return atRehearsed(memory, upgrade, event);
    case "supervisorReplaced":
      return atReplaced(memory, upgrade, event);
    case "supervisorKept":
      return fail(memory, upgrade, whyKept(event, patience(wrapperOf(memory))), event.deliveredAt);
    case "failed":
      return fail(memory, upgrade, whyFailed(upgrade, event), event.deliveredAt);
  }
};

const atCheckEnd = (memory: Memory, before: Upgrade, event: EventOf<"exited">): void => {
  const { deliveredAt: now } = event;
  const obstacle = whyNotAfterCheck(memory, before, event);
  if (obstacle !== null) return fail(memory, before, obstacle, now);
  const { answer } = before;
  const program = answer
    ? installedAt(memory, answer.home, `${answer.home}/bin/crank`, answer.runtime)
    : before.program;
  const upgrade = { ...before, program, checkedBy: null };
  if (!program.isNewKeeper) return replaceSupervisor(memory, upgrade);
  memory.batch.command({ kind: "rehearse", path: program.file });
  rememberUpgrade(memory, { ...upgrade, stage: "rehearsing" });
};

const whyNotAfterCheck = (memory: Memory, upgrade: Upgrade, event: EventOf<"exited">): string | null => {
  const wrapper = wrapperOf(memory);
  if (memory.core.service.phase.kind === "stopping") return "crank is shutting down";
  if (upgrade.isLate) return `its check took longer than ${patience(wrapper) / 1000} s`;
  if (event.ending !== 0 || event.status !== 0) return `its check ${howItEnded(event)}${lastWords(event.tail)}`;
  return upgrade.answer || wrapper ? null : "it ended without an answer to the check";
};

const atRehearsed = (memory: Memory, upgrade: Upgrade, event: EventOf<"rehearsed">): void => {
  const { step, errno, ending, status, deliveredAt: now } = event;
  if (step !== "") return fail(memory, upgrade, `its keeper cannot be tried: ${step}: ${describeErrno(errno)}`, now);
  if (ending === 0 && status === LATER_VERSION)
    return fail(memory, upgrade, "its keeper is an earlier one, which does not know what this one would leave it", now);
  if (ending !== 0 || status !== 0)
    return fail(memory, upgrade, `its keeper could not take over when it tried; it ${howItEnded(event)}`, now);
  if (memory.core.service.phase.kind === "stopping") return fail(memory, upgrade, "crank is shutting down", now);
  if (upgrade.answer === null || upgrade.answer.protocol === PROTOCOL_VERSION)
    return replaceSupervisor(memory, upgrade);
  // It has another protocol version than this keeper: both are replaced at once.
  const { runtime, bundle } = upgrade.program;
  memory.batch.command({ kind: "setProgram", runtime, bundle });
  execute(memory, upgrade);
};

/** The answer of a keeper's rehearsal (keeper/reexec/reexec.h). */
const LATER_VERSION = 2;

const replaceSupervisor = (memory: Memory, upgrade: Upgrade): void => {
  const { runtime, bundle } = upgrade.program;
  const wrapper = wrapperOf(memory);
  const args = wrapper?.command(CHANNEL_FD) ?? [];
  memory.batch.command({
    kind: "replaceSupervisor",
    runtime,
    bundle,
    file: args[0] !== undefined ? programPath(memory, args[0], "") : "",
    args,
    unset: wrapper?.unset ?? [],
    fd: CHANNEL_FD,
    patienceMs: patience(wrapper),
  });
  rememberUpgrade(memory, { ...upgrade, stage: "replacing" });
};

/** This is the new supervisor. */
const atReplaced = (memory: Memory, upgrade: Upgrade, event: EventOf<"supervisorReplaced">): void => {
  if (event.forked === 1)
    log(memory, "warning", `What the supervisor is started through has forked; the supervisor is process ${event.pid}`);
  if (upgrade.program.isNewKeeper) execute(memory, upgrade);
  else succeed(memory, upgrade, event.deliveredAt);
};

const execute = (memory: Memory, upgrade: Upgrade): void => {
  memory.batch.command({ kind: "execute", path: upgrade.program.file });
  rememberUpgrade(memory, { ...upgrade, stage: "executing", executions: memory.facts.executions });
};

/** After a hello: the keeper may be the new one. */
export const resumeUpgrade = (memory: Memory): void => {
  const { upgrade, facts, platform } = memory;
  if (upgrade?.stage === "executing" && facts.executions > upgrade.executions)
    succeed(memory, upgrade, platform.monotonicNow());
};

const succeed = (memory: Memory, upgrade: Upgrade, now: number): void => {
  const { number, from, exec, program } = upgrade;
  const done: UpgradeDone = { from, to: VERSION, keeper: program.isNewKeeper };
  countUpgrade(memory, exec ?? memory.program);
  // An earlier crank had every line of a request delivered.
  if (memory.sockets.has(METRICS_HANDLE)) memory.batch.command({ kind: "acceptHeads", handle: METRICS_HANDLE });
  recordEvent(memory, { kind: "upgradeDone", upgrade: number, ...done }, now);
  answerUpgrade(memory, number, { result: { done } });
  goOn(memory, upgrade, { number, kind: "done", done }, now);
};

const fail = (memory: Memory, upgrade: Upgrade, reason: string, now: number): void => {
  const { number } = upgrade;
  const message = cannot(upgrade.path, reason);
  tellFailure(memory, number, message, now);
  goOn(memory, upgrade, { number, kind: "failed", message }, now);
};

const tellFailure = (memory: Memory, number: number, message: string, now: number): void => {
  recordEvent(memory, { kind: "upgradeFailed", upgrade: number, message }, now);
  answerUpgrade(memory, number, { error: { code: ERROR_CODES.refused, message } });
};

/** Ends this upgrade and begins the next one, if one was requested. */
const goOn = (memory: Memory, { number, again }: Upgrade, outcome: UpgradeOutcome, now: number): void => {
  memory.batch.command({ kind: "closeHandle", handle: copyHandle(number) });
  rememberUpgrade(memory, null);
  memory.frontEnd.upgraded?.(memory, outcome, now);
  if (!again) return;
  const stopping = memory.core.service.phase.kind === "stopping";
  const begun = stopping ? SHUTTING_DOWN : begin(memory, number + 1, again.exec, now);
  if (typeof begun === "number") return;
  tellFailure(memory, number + 1, begun, now);
  memory.frontEnd.upgraded?.(memory, { number: number + 1, kind: "failed", message: begun }, now);
};

const howItEnded = ({ ending, status }: { readonly ending: number; readonly status: number }): string =>
  ending === 0 ? `ended with status ${status}` : `was ended by ${signalName(status)}`;

const decoder = new TextDecoder();
const LONGEST_WORDS = 500;

const lastWords = (tail: Uint8Array): string => {
  const line = decoder.decode(tail).trimEnd().split("\n").at(-1)?.trim() ?? "";
  return line === "" ? "" : `: ${printable(line).slice(0, LONGEST_WORDS)}`;
};

const whyKept = (event: EventOf<"supervisorKept">, patienceMs: number): string => {
  if (event.phase === 1) return `its supervisor was not there within ${patienceMs / 1000} s`;
  const when = event.phase === 0 ? "before it was there" : "before it had taken over";
  return `its check went well, but its supervisor ${howItEnded(event)} ${when}; the one before goes on`;
};

const whyFailed = ({ program }: Upgrade, { command, step, errno }: EventOf<"failed">): string => {
  const reason = describeErrno(errno);
  if (command === COMMANDS.copyJournal.code) return `the journal cannot be copied for the check: ${reason}`;
  if (command === COMMANDS.execute.code)
    return `its supervisor has taken over, but the keeper cannot execute its program: ${step}: ${reason}`;
  if (step === "runtime") return `its program ${program.runtime} cannot be used: ${reason}`;
  return `its supervisor cannot be started: ${step}: ${reason}`;
};
