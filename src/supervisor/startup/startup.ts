// Crank's own start: settings from the command line, the locks, the record, the sockets, and the first deploy. Each
// stage ends at a barrier in the keeper and is journalled: if the supervisor dies in it, the next one continues.

import { describeErrno } from "../../core/errno.ts";
import { mergeHistories } from "../../core/model/history.ts";
import type { GoodSpec } from "../../core/model/spec.ts";
import { initialState } from "../../core/model/state.ts";
import { COMMANDS, type KeeperEvent } from "../../keeper/protocol.ts";
import { isTheLeftOne, takeElsewhere, takeOver } from "../adoption/adoption.ts";
import { adoptOrphans, type LeftJournal, lookForLeft } from "../adoption/orphaned-journal.ts";
import { prepareRecord, readRecord } from "../adoption/record-file.ts";
import { deployForNobody, redeploy } from "../control/requests.ts";
import { complain, log } from "../events/log.ts";
import { syslogRoute } from "../events/syslog.ts";
import { AddressError } from "../os/addresses.ts";
import { serviceSockets } from "../sockets/listeners.ts";
import { lockCommand, lockProblem, locksOf } from "../sockets/locks.ts";
import { lookAtNames } from "../sockets/names.ts";
import { notifyProblem } from "../sockets/notify-path.ts";
import {
  discard,
  FIRST_STRAY_HANDLE,
  openingOf,
  openings,
  socketsPassedTo,
  type Way,
  wayToOpen,
} from "../sockets/openings.ts";
import { makeRunDirectory, runPath, withSafeRunDirectory } from "../sockets/run-directory.ts";
import {
  AddressInUse,
  isOpenAt,
  type Opening,
  openFailure,
  rememberOpened,
  StartError,
  withoutIpv6,
} from "../sockets/sockets.ts";
import { bindOf, CONTROL_HANDLE, METRICS_HANDLE } from "../state/handles.ts";
import { discardStored, forgetSocket, rememberBoot, rememberCore, rememberSettings } from "../state/remember.ts";
import { type Extras, respawnOf, type Settings } from "../state/settings.ts";
import { settingsProblem, sizeProblem } from "../state/spec-size.ts";
import type { Boot, Memory } from "../state/store.ts";
import { meetServiceManager, tellManagerWhy } from "../systemd/link.ts";
import { type Passed, storeName, straySockets, withPassedSockets } from "../systemd/passed-sockets.ts";
import { describeHolders } from "./address-holders.ts";
import { brokenArgument } from "./arguments.ts";
import { leave } from "./exit.ts";
import { warnOfKernelLimits } from "./kernel-limits.ts";

const STDOUT = 1;
const STDERR = 2;

type EventOf<K extends KeeperEvent["kind"]> = Extract<KeeperEvent, { kind: K }>;

/** The first action of the first supervisor: reads the command line, takes the locks. */
export const begin = async (memory: Memory): Promise<void> => {
  const { platform, frontEnd, facts } = memory;
  const broken = facts.args.some((argument) => argument.includes("\ufffd"))
    ? brokenArgument(facts.args, facts.pid)
    : null;
  if (broken !== null) return giveUp(memory, broken);
  const invocation = await frontEnd.parse(facts.args, platform.environment, facts.cwd, platform);
  if (invocation.kind === "say") {
    memory.batch.command({
      kind: "log",
      sink: invocation.sink === "stdout" ? STDOUT : STDERR,
      bytes: invocation.text,
    });
    memory.batch.command({ kind: "exit", status: invocation.status, keepJournal: 0 });
    return;
  }
  meetServiceManager(memory);
  const passed = socketsPassedTo(memory);
  const completed = withPassed({ ...invocation.settings, cwd: ownDirectory(memory) }, passed);
  if (typeof completed === "string") return giveUp(memory, completed);
  const { settings, problem: unsafe } = withSafeRunDirectory(memory, completed);
  const tooLarge = (settings.first && sizeProblem(platform, settings.first)) ?? settingsProblem(settings);
  if (tooLarge !== null) return giveUp(memory, tooLarge);
  const tooLong = notifyProblem(settings);
  if (tooLong !== null && settings.program === "crank")
    return giveUp(
      memory,
      `${tooLong}; choose a shorter ${settings.name === "" ? "path for -ctl" : "-prefix or -name"}`,
    );
  const obstacle = prepareRecord(memory, settings) ?? makeRunDirectory(memory, settings);
  if (obstacle !== null) return giveUp(memory, obstacle);
  rememberSettings(memory, settings);
  noteKilled(memory, settings);
  if (passed.problem !== null) log(memory, "warning", passed.problem);
  if (unsafe !== null) log(memory, "warning", unsafe);
  if (tooLong !== null) log(memory, "warning", `Workers are given no NOTIFY_SOCKET, but NOTIFY_FD: ${tooLong}`);
  for (const lock of locksOf(settings)) memory.batch.command(lockCommand(lock));
  nextStage(memory, "locking");
};

/** A crank that ends normally removes its lock, so a lock file means that the last one was killed. */
const noteKilled = (memory: Memory, settings: Settings): void => {
  const lock = locksOf(settings).find(({ kind }) => kind === "name");
  if (lock && memory.platform.readText(lock.path).kind !== "missing")
    rememberBoot(memory, { ...memory.boot, follows: "killed" });
};

/** Crank's directory by the name that the shell used for it (PWD), with links, if that is correct. */
const ownDirectory = ({ platform, facts }: Memory): string => {
  const { PWD: said = "" } = platform.environment;
  return said.startsWith("/") && said !== facts.cwd && platform.isSameFile(said, facts.cwd) ? said : facts.cwd;
};

/** The settings with the passed sockets in place of `systemd`; a sentence if they are missing. */
const withPassed = (settings: Settings, passed: Passed): Settings | string => {
  try {
    return { ...settings, notifyNames: "fixed", binds: withPassedSockets(settings.binds, passed) };
  } catch (error) {
    if (error instanceof AddressError) return error.message;
    throw error;
  }
};

const nextStage = (memory: Memory, stage: "locking" | "opening" | "serving"): void => {
  const barrier = memory.boot.barrier + 1;
  rememberBoot(memory, { ...memory.boot, stage, barrier });
  if (stage !== "serving") memory.batch.command({ kind: "barrier", token: barrier });
};

const giveUp = (memory: Memory, message: string): void => {
  complain(memory, `${memory.facts.program}: ${message}`);
  tellManagerWhy(memory, message);
  for (const socket of [...memory.sockets.values()]) removeSocketFile(memory, socket.handle);
  memory.batch.command({ kind: "exit", status: memory.frontEnd.setUpFailure?.status ?? 1, keepJournal: 0 });
};

const removeSocketFile = (memory: Memory, handle: number): void => {
  const opening = openingOf(memory, handle);
  const address = opening?.address;
  // A socket that stays open in the store is still reached by its file.
  const isLeft = memory.adoption?.sockets.some((left) => left.handle === handle) === true;
  const isOurs = address?.kind === "unix" && !address.path.startsWith("@") && opening?.stored === null && !isLeft;
  if (isOurs) memory.batch.command({ kind: "removeName", handle });
  forgetSocket(memory, handle);
};

/** Ends the start as soon as everything that it has opened is known. */
export const cancelStart = (memory: Memory): void => rememberBoot(memory, { ...memory.boot, isUnwanted: true });

/** A stage of the start has ended. */
export const atBarrier = async (memory: Memory, event: EventOf<"reached">): Promise<void> => {
  const { boot, settings } = memory;
  if (event.token !== boot.barrier || !settings) return;
  if (boot.failure !== null && boot.inUse === undefined) return giveUp(memory, boot.failure);
  if (boot.failure !== null) return giveUpOrAdopt(memory, settings, boot, memory.core.history);
  if (boot.isUnwanted) return memory.adoption ? stepBack(memory) : leave(memory, 0);
  if (boot.stage === "locking") return openAll(memory, settings);
  if (boot.stage !== "opening") return;
  if (memory.adoption) await adopt(memory, settings, event.deliveredAt);
  else await serve(memory, settings, event.deliveredAt);
};

/** An address is in use: by workers of this service that can be adopted, or by other processes, which are named. */
const giveUpOrAdopt = async (
  memory: Memory,
  settings: Settings,
  boot: Boot,
  recorded: readonly GoodSpec[],
): Promise<void> => {
  const opening = openingOf(memory, boot.inUse ?? 0);
  const isStored = openings(memory, settings).some(({ stored }) => stored !== null);
  const isLooking = settings.leftWorkers === "adopt" && boot.follows === undefined;
  try {
    if (isLooking && !isStored && !memory.adoption && (await adoptOrphans(memory, settings, recorded))) {
      makeRoom(memory);
      const { inUse: _, ...others } = memory.boot;
      rememberBoot(memory, { ...others, failure: null });
      return openAll(memory, settings);
    }
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    return giveUp(memory, error.message);
  }
  const holders = opening ? await describeHolders(memory.platform.processes, opening.address) : null;
  giveUp(memory, holders === null ? (boot.failure ?? "") : `${boot.failure}: it is ${holders}`);
};

/** Closes what was opened beside the sockets that are adopted. Everything else stays open. */
const makeRoom = (memory: Memory): void => {
  for (const { handle } of memory.adoption?.sockets ?? []) {
    if (!memory.sockets.has(handle)) continue;
    memory.batch.command({ kind: "closeHandle", handle });
    forgetSocket(memory, handle);
  }
};

/** Ends without adopting: everything stays as it is for the next crank. */
const stepBack = (memory: Memory): void => {
  for (const handle of [...memory.sockets.keys()]) removeSocketFile(memory, handle);
  memory.batch.command({ kind: "exit", status: 0, keepJournal: 1 });
};

/** A command of the start failed. */
export const atFailure = async (memory: Memory, event: EventOf<"failed">): Promise<void> => {
  const { settings, boot } = memory;
  if (!settings || event.id >= FIRST_STRAY_HANDLE) return;
  if (event.command === COMMANDS.lock.code) return atLockFailure(memory, settings, event);
  const opening = openingOf(memory, event.id);
  if (opening && opening.stored !== null && event.command === COMMANDS.inheritSocket.code)
    return openAnew(memory, opening);
  if (opening && memory.adoption && TAKING.has(event.command))
    return takeAgain(memory, opening, event.step === "process" ? "it is gone" : describeErrno(event.errno));
  if (opening && (event.command === COMMANDS.openSocket.code || event.command === COMMANDS.inheritSocket.code)) {
    const retry = withoutIpv6(opening, event.errno);
    if (retry) {
      memory.batch.command(retry);
      return nextStage(memory, "opening");
    }
    if (event.errno === EADDRINUSE && boot.failure === null)
      rememberBoot(memory, { ...memory.boot, inUse: opening.handle });
    return noteFailure(memory, openFailure(opening.uri, event.step, event.errno) + passedAdvice(memory, event.errno));
  }
  // A client that hung up before its answer does not prevent the start.
  if (event.command === COMMANDS.write.code || event.command === COMMANDS.statSocket.code) return;
  if (boot.failure === null) noteFailure(memory, failureText(settings, event));
};

const failureText = (settings: Settings, { command, step, errno }: EventOf<"failed">): string =>
  command === COMMANDS.openJournal.code
    ? `the journal ${runPath(settings, "journal")} cannot be written: ${step}: ${describeErrno(errno)}`
    : `${step}: ${describeErrno(errno)}`;

/** Commands that take an existing socket. Opening another one beside it is the last resort. */
const TAKING: ReadonlySet<number> = new Set([COMMANDS.takeDescriptor.code, COMMANDS.inheritSocket.code]);

/** A socket of the crank before could not be taken where it was expected. */
const takeAgain = async (memory: Memory, opening: Opening, reason: string): Promise<void> => {
  try {
    const failure = await takeElsewhere(memory, opening, reason);
    if (failure !== null) return noteFailure(memory, failure);
    nextStage(memory, "opening");
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    noteFailure(memory, error.message);
  }
};

const EADDRINUSE = 98;

/** Often the service manager has the address, and has passed its socket to crank. */
const passedAdvice = (memory: Memory, errno: number): string => {
  const { sockets } = socketsPassedTo(memory);
  if (errno !== EADDRINUSE || sockets.length === 0) return "";
  return `; sockets were passed to crank, -bind systemd takes them (${sockets.map(({ name }) => name).join(", ")})`;
};

const noteFailure = (memory: Memory, failure: string): void => {
  if (memory.boot.failure === null) rememberBoot(memory, { ...memory.boot, failure });
};

const atLockFailure = async (memory: Memory, settings: Settings, event: EventOf<"failed">): Promise<void> => {
  const problem = await lockProblem(memory, settings, event);
  if (problem.kind === "failure") noteFailure(memory, problem.message);
  if (problem.kind !== "tryAgain") return;
  memory.batch.command(lockCommand(problem.lock));
  nextStage(memory, "locking");
};

/** Uses an earlier result if there is one. */
const whatIsLeft = async (
  memory: Memory,
  settings: Settings,
  recorded: readonly GoodSpec[],
): Promise<LeftJournal | null> => {
  if (memory.adoption) return { isAdopting: true, history: [], nextGeneration: 1 };
  const journal = runPath(settings, "journal");
  return journal === null ? null : lookForLeft(memory, settings, journal, recorded);
};

const openAll = async (memory: Memory, settings: Settings): Promise<void> => {
  let recorded: readonly GoodSpec[] = [];
  try {
    const journal = runPath(settings, "journal");
    recorded = settings.recordPath === null ? [] : await readRecord(memory, settings, settings.recordPath);
    const left = await whatIsLeft(memory, settings, recorded);
    const isAdopting = left?.isAdopting === true;
    // With an adoption, adoption.ts merges the two.
    const history = left && !isAdopting ? mergeHistories(left.history, recorded, false).history : recorded;
    // Resolve all of them before anything is opened, so that a failure leaves nothing behind.
    const ways: Way[] = [];
    for (const opening of openings(memory, settings))
      if (!memory.sockets.has(opening.handle)) ways.push(await wayToOpen(memory, opening));
    rememberCore(
      memory,
      initialState({
        respawn: respawnOf(settings),
        history,
        nextGeneration: left?.nextGeneration ?? 1,
        manner: settings.manner,
      }),
    );
    if (journal !== null && !isAdopting) memory.batch.command({ kind: "openJournal", path: journal });
    for (const { command, useless } of ways) {
      if (useless) discard(memory, useless);
      memory.batch.command(command);
    }
    for (const stray of straySockets(settings.binds, socketsPassedTo(memory))) discard(memory, stray);
    if (!isAdopting) acceptClients(memory, settings);
    routeOutput(memory, settings);
    nextStage(memory, "opening");
  } catch (error) {
    if (!(error instanceof StartError || error instanceof AddressError)) throw error;
    if (!(error instanceof AddressInUse)) return giveUp(memory, error.message);
    const boot = { ...memory.boot, failure: error.message, inUse: error.handle };
    return giveUpOrAdopt(memory, settings, boot, recorded);
  }
};

const acceptClients = ({ batch }: Memory, { control, metrics }: Settings): void => {
  if (control) batch.command({ kind: "acceptOn", handle: CONTROL_HANDLE });
  if (metrics) batch.command({ kind: "acceptHeads", handle: METRICS_HANDLE });
};

/** Routes workers' lines, unless they go to standard output as text. */
const routeOutput = (memory: Memory, settings: Settings): void => {
  const { logFormat, outputSink } = settings;
  const syslog = syslogRoute(memory, settings);
  if (syslog) return memory.batch.command(syslog);
  if (logFormat === "raw" || (logFormat === "text" && outputSink === "stdout")) return;
  const [format, sink] = [logFormat === "json" ? 1 : 0, outputSink === "stderr" ? 2 : 0];
  memory.batch.command({ kind: "routeOutput", format, sink, address: new Uint8Array(), header: "" });
};

/** A stored descriptor is not the right socket: opens the socket as if it had not been stored. */
const openAnew = async (memory: Memory, opening: Opening): Promise<void> => {
  discardStored(memory, storeName(opening) ?? "");
  log(memory, "warning", `${opening.uri}: what the service manager had stored is not this socket; it is opened anew`);
  try {
    memory.batch.command({ kind: "closeHandle", handle: opening.handle });
    memory.batch.command((await wayToOpen(memory, { ...opening, stored: null })).command);
    nextStage(memory, "opening");
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    noteFailure(memory, error.message);
  }
};

/** A socket is open. */
export const atOpened = (memory: Memory, event: EventOf<"opened">): Promise<void> | undefined => {
  const { settings, boot } = memory;
  const opening = openingOf(memory, event.handle);
  if (!settings || !opening) return;
  if (boot.stage === "opening" && opening.stored !== null && !isOpenAt(opening.address, event))
    return openAnew(memory, opening);
  if (boot.stage === "opening" && memory.adoption) return atTaken(memory, opening, event);
  note(memory, opening, event);
};

const note = (memory: Memory, { address }: Opening, event: EventOf<"opened">): void => {
  rememberOpened(memory, event, bindOf(event.handle), address);
};

/** A descriptor is only used if the kernel confirms what it is. */
const atTaken = async (memory: Memory, opening: Opening, event: EventOf<"opened">): Promise<void> => {
  if (isTheLeftOne(memory, opening, event)) return note(memory, opening, event);
  memory.batch.command({ kind: "closeHandle", handle: opening.handle });
  return takeAgain(memory, opening, "the descriptor is another socket");
};

/** The sockets are back: adopts the rest. The journal comes first: from then on it is this crank's. */
const adopt = async (memory: Memory, settings: Settings, now: number): Promise<void> => {
  const path = runPath(settings, "journal");
  const bytes = path === null ? null : memory.platform.readBytes(path);
  if (path === null || (bytes === null && !memory.adoption?.orphans))
    return giveUp(memory, `the journal ${path} has gone while it was being read`);
  memory.batch.command({ kind: "takeJournal", path });
  nextStage(memory, "serving");
  sayWhere(memory);
  await present(memory, settings);
  await takeOver(memory, settings, bytes, now);
  lookAtNames(memory);
  acceptClients(memory, settings);
};

/** Writes the pid file and the lock file, if the program has them. */
const writeFiles = async ({ platform, facts }: Memory, { pidPath, lockPath }: Extras): Promise<string | null> => {
  const lock = platform.ensureFile(lockPath, "");
  if (lock !== null) return `the lock file ${lockPath} cannot be made: ${lock}`;
  platform.removeTemporaries(pidPath);
  const pid = await platform.replaceFile(pidPath, String(facts.pid), "asBefore");
  return pid === null ? null : `the pid file ${pidPath} cannot be written: ${pid}`;
};

/** Writes the pid file and sets the process title, if the program has them. */
const present = async (memory: Memory, { extras }: Settings): Promise<void> => {
  const failure = extras ? await writeFiles(memory, extras) : null;
  if (failure !== null) log(memory, "error", failure);
  if (extras) memory.batch.command({ kind: "setTitle", title: extras.title });
  await memory.frontEnd.begun?.(memory);
};

const sayWhere = (memory: Memory): void => {
  for (const socket of serviceSockets(memory)) log(memory, "info", `Listening on ${socket.address}`);
  const metrics = memory.sockets.get(METRICS_HANDLE);
  if (metrics) log(memory, "info", `Metrics are served on ${metrics.address}`);
};

const serve = async (memory: Memory, settings: Settings, now: number): Promise<void> => {
  nextStage(memory, "serving");
  sayWhere(memory);
  lookAtNames(memory);
  warnOfKernelLimits(memory, settings);
  await present(memory, settings);
  if (settings.first) deployForNobody(memory, settings.first, now);
  else if (memory.core.history.length > 0) {
    log(memory, "info", `Starting what ${settings.recordPath} holds`);
    redeploy(memory, now);
  }
};
