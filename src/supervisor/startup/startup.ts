// Crank's own start: settings from the command line, the locks, the record, the sockets, and the first deploy. Each
// stage ends at a barrier in the keeper and is journalled: if the supervisor dies in it, the next one continues.
import { describeErrno } from "../../core/errno.ts";
import { mergeHistories } from "../../core/model/history.ts";
import type { GoodSpec } from "../../core/model/spec.ts";
import { initialState } from "../../core/model/state.ts";
import { COMMANDS, type KeeperEvent } from "../../keeper/protocol.ts";
import { isOrphanedSocket, takeElsewhere } from "../adoption/adoption.ts";
import { adoptOrphans, examineOrphanedJournal, type OrphanedJournal } from "../adoption/orphaned-journal.ts";
import { prepareRecord, readRecord } from "../adoption/record-file.ts";
import { log } from "../events/log.ts";
import { syslogRoute } from "../events/syslog.ts";
import { AddressError } from "../os/addresses.ts";
import { lockCommand, lockProblem, locksOf } from "../sockets/locks.ts";
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
import { makeDefaultDirectories, makeRunDirectory, runPath, withSafeRunDirectory } from "../sockets/run-directory.ts";
import {
  AddressInUse,
  isOpenAt,
  type Opening,
  openFailure,
  StartError,
  saveOpened,
  withoutIpv6,
} from "../sockets/sockets.ts";
import { bindOf } from "../state/handles.ts";
import { discardStored, forgetSocket, saveBoot, saveCore, saveSettings } from "../state/save.ts";
import { respawnOf, type Settings } from "../state/settings.ts";
import { settingsProblem, sizeProblem } from "../state/spec-size.ts";
import type { Boot, Store } from "../state/store.ts";
import { meetServiceManager } from "../systemd/link.ts";
import { type Passed, storeName, straySockets, withPassedSockets } from "../systemd/passed-sockets.ts";
import { describeHolders } from "./address-holders.ts";
import { brokenArgument } from "./arguments.ts";
import { leave } from "./exit.ts";
import { acceptClients, adopt, serve } from "./serving.ts";
import { giveUp, nextStage, noteFailure, stepBack } from "./stages.ts";

const STDOUT = 1;
const STDERR = 2;

type EventOf<K extends KeeperEvent["kind"]> = Extract<KeeperEvent, { kind: K }>;

/** The first action of the first supervisor: reads the command line, takes the locks. */
export const begin = async (store: Store): Promise<void> => {
  const { platform, frontEnd, facts } = store;
  const broken = facts.args.some((argument) => argument.includes("\ufffd"))
    ? brokenArgument(facts.args, facts.pid)
    : null;
  if (broken !== null) return giveUp(store, broken);
  const invocation = await frontEnd.parse(facts.args, platform.environment, facts.cwd, platform);
  if (invocation.kind === "say") {
    store.batch.command({
      kind: "log",
      sink: invocation.sink === "stdout" ? STDOUT : STDERR,
      bytes: invocation.text,
    });
    store.batch.command({ kind: "exit", status: invocation.status, keepJournal: 0 });
    return;
  }
  meetServiceManager(store);
  const passed = socketsPassedTo(store);
  const completed = withPassed({ ...invocation.settings, cwd: ownDirectory(store) }, passed);
  if (typeof completed === "string") return giveUp(store, completed);
  const { settings, problem: unsafe } = withSafeRunDirectory(store, completed);
  const tooLarge = (settings.first && sizeProblem(platform, settings.first)) ?? settingsProblem(settings);
  if (tooLarge !== null) return giveUp(store, tooLarge);
  const tooLong = notifyProblem(settings);
  if (tooLong !== null && settings.program === "crank")
    return giveUp(store, `${tooLong}; choose a shorter ${settings.name === "" ? "path for -ctl" : "-prefix or -name"}`);
  const obstacle =
    makeDefaultDirectories(store, invocation.directories ?? []) ??
    prepareRecord(store, settings) ??
    makeRunDirectory(store, settings);
  if (obstacle !== null) return giveUp(store, obstacle);
  saveSettings(store, settings);
  noteKilled(store, settings);
  if (passed.problem !== null) log(store, "warning", passed.problem);
  if (unsafe !== null) log(store, "warning", unsafe);
  if (tooLong !== null) log(store, "warning", `Workers get NOTIFY_FD but no NOTIFY_SOCKET: ${tooLong}`);
  for (const lock of locksOf(settings)) store.batch.command(lockCommand(lock));
  nextStage(store, "locking");
};

/** A crank that ends normally removes its lock, so a lock file means that the last one was killed. */
const noteKilled = (store: Store, settings: Settings): void => {
  const lock = locksOf(settings).find(({ kind }) => kind === "name");
  if (lock && store.platform.readText(lock.path).kind !== "missing")
    saveBoot(store, { ...store.boot, follows: "killed" });
};

/** Crank's directory by the name that the shell used for it (PWD), with links, if that is correct. */
const ownDirectory = ({ platform, facts }: Store): string => {
  const { PWD: given = "" } = platform.environment;
  return given.startsWith("/") && given !== facts.cwd && platform.isSameFile(given, facts.cwd) ? given : facts.cwd;
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

/** A stage of the start has ended. */
export const atBarrier = async (store: Store, event: EventOf<"reached">): Promise<void> => {
  const { boot, settings } = store;
  if (event.token !== boot.barrier || !settings) return;
  if (boot.failure !== null && boot.inUse === undefined) return giveUp(store, boot.failure);
  if (boot.failure !== null) return giveUpOrAdopt(store, settings, boot, store.core.history);
  if (boot.isUnwanted) return store.adoption ? stepBack(store) : leave(store, 0);
  if (boot.stage === "locking") return openAll(store, settings);
  if (boot.stage !== "opening") return;
  if (store.adoption) await adopt(store, settings, event.deliveredAt);
  else await serve(store, settings, event.deliveredAt);
};

/** An address is in use: by workers of this service that can be adopted, or by other processes, which are named. */
const giveUpOrAdopt = async (
  store: Store,
  settings: Settings,
  boot: Boot,
  recorded: readonly GoodSpec[],
): Promise<void> => {
  const opening = openingOf(store, boot.inUse ?? 0);
  const isStored = openings(store, settings).some(({ stored }) => stored !== null);
  const isLooking = settings.leftWorkers === "adopt" && boot.follows === undefined;
  try {
    if (isLooking && !isStored && !store.adoption && (await adoptOrphans(store, settings, recorded))) {
      makeRoom(store);
      const { inUse: _, ...others } = store.boot;
      saveBoot(store, { ...others, failure: null });
      return openAll(store, settings);
    }
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    return giveUp(store, error.message);
  }
  const holders = opening ? await describeHolders(store.platform.processes, opening.address) : null;
  giveUp(store, holders === null ? (boot.failure ?? "") : `${boot.failure}; it is ${holders}`);
};

/** Closes what was opened beside the sockets that are adopted. Everything else stays open. */
const makeRoom = (store: Store): void => {
  for (const { handle } of store.adoption?.sockets ?? []) {
    if (!store.sockets.has(handle)) continue;
    store.batch.command({ kind: "closeHandle", handle });
    forgetSocket(store, handle);
  }
};

/** A command of the start failed. */
export const atFailure = async (store: Store, event: EventOf<"failed">): Promise<void> => {
  const { settings, boot } = store;
  if (!settings || event.id >= FIRST_STRAY_HANDLE) return;
  if (event.command === COMMANDS.lock.code) return atLockFailure(store, settings, event);
  const opening = openingOf(store, event.id);
  if (opening && opening.stored !== null && event.command === COMMANDS.inheritSocket.code)
    return openInstead(store, opening);
  if (opening && store.adoption && TAKING.has(event.command))
    return takeAgain(store, opening, event.step === "process" ? "the process has exited" : describeErrno(event.errno));
  if (opening && (event.command === COMMANDS.openSocket.code || event.command === COMMANDS.inheritSocket.code)) {
    const retry = withoutIpv6(opening, event.errno);
    if (retry) {
      store.batch.command(retry);
      return nextStage(store, "opening");
    }
    if (event.errno === EADDRINUSE && boot.failure === null) saveBoot(store, { ...store.boot, inUse: opening.handle });
    return noteFailure(store, openFailure(opening.uri, event.step, event.errno) + passedAdvice(store, event.errno));
  }
  // A client that hung up before its answer does not prevent the start.
  if (event.command === COMMANDS.write.code || event.command === COMMANDS.statSocket.code) return;
  if (boot.failure === null) noteFailure(store, failureText(settings, event));
};

const failureText = (settings: Settings, { command, step, errno }: EventOf<"failed">): string =>
  command === COMMANDS.openJournal.code
    ? `the journal ${runPath(settings, "journal")} cannot be written: ${step}: ${describeErrno(errno)}`
    : `${step}: ${describeErrno(errno)}`;

/** Commands that take an existing socket. Opening another one beside it is the last resort. */
const TAKING: ReadonlySet<number> = new Set([COMMANDS.takeDescriptor.code, COMMANDS.inheritSocket.code]);

/** A socket of the crank before could not be taken where it was expected. */
const takeAgain = async (store: Store, opening: Opening, reason: string): Promise<void> => {
  try {
    const failure = await takeElsewhere(store, opening, reason);
    if (failure !== null) return noteFailure(store, failure);
    nextStage(store, "opening");
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    noteFailure(store, error.message);
  }
};

const EADDRINUSE = 98;

/** Often the service manager has the address, and has passed its socket to crank. */
const passedAdvice = (store: Store, errno: number): string => {
  const { sockets } = socketsPassedTo(store);
  if (errno !== EADDRINUSE || sockets.length === 0) return "";
  return `; sockets were passed to crank, -bind systemd takes them (${sockets.map(({ name }) => name).join(", ")})`;
};

const atLockFailure = async (store: Store, settings: Settings, event: EventOf<"failed">): Promise<void> => {
  const problem = await lockProblem(store, settings, event);
  if (problem.kind === "failure") noteFailure(store, problem.message);
  if (problem.kind !== "tryAgain") return;
  store.batch.command(lockCommand(problem.lock));
  nextStage(store, "locking");
};

/** Uses an earlier result if there is one. */
const orphanedJournal = async (
  store: Store,
  settings: Settings,
  recorded: readonly GoodSpec[],
): Promise<OrphanedJournal | null> => {
  if (store.adoption) return { isAdopting: true, history: [], nextGeneration: 1 };
  const journal = runPath(settings, "journal");
  return journal === null ? null : examineOrphanedJournal(store, settings, journal, recorded);
};

const openAll = async (store: Store, settings: Settings): Promise<void> => {
  let recorded: readonly GoodSpec[] = [];
  try {
    const journal = runPath(settings, "journal");
    recorded = settings.recordPath === null ? [] : await readRecord(store, settings, settings.recordPath);
    const orphaned = await orphanedJournal(store, settings, recorded);
    const isAdopting = orphaned?.isAdopting === true;
    // With an adoption, adoption.ts merges the two.
    const history = orphaned && !isAdopting ? mergeHistories(orphaned.history, recorded, false).history : recorded;
    // Resolve all of them before anything is opened, so that a failure leaves nothing behind.
    const ways: Way[] = [];
    for (const opening of openings(store, settings))
      if (!store.sockets.has(opening.handle)) ways.push(await wayToOpen(store, opening));
    saveCore(
      store,
      initialState({
        respawn: respawnOf(settings),
        history,
        nextGeneration: orphaned?.nextGeneration ?? 1,
        manner: settings.manner,
      }),
    );
    if (journal !== null && !isAdopting) store.batch.command({ kind: "openJournal", path: journal });
    for (const { command, useless } of ways) {
      if (useless) discard(store, useless);
      store.batch.command(command);
    }
    for (const stray of straySockets(settings.binds, socketsPassedTo(store))) discard(store, stray);
    if (!isAdopting) acceptClients(store, settings);
    routeOutput(store, settings);
    nextStage(store, "opening");
  } catch (error) {
    if (!(error instanceof StartError || error instanceof AddressError)) throw error;
    if (!(error instanceof AddressInUse)) return giveUp(store, error.message);
    const boot = { ...store.boot, failure: error.message, inUse: error.handle };
    return giveUpOrAdopt(store, settings, boot, recorded);
  }
};

/** Routes workers' lines, unless they go to standard output as text. */
const routeOutput = (store: Store, settings: Settings): void => {
  const { logFormat, outputSink } = settings;
  const syslog = syslogRoute(store, settings);
  if (syslog) return store.batch.command(syslog);
  if (logFormat === "raw" || (logFormat === "text" && outputSink === "stdout")) return;
  const [format, sink] = [logFormat === "json" ? 1 : 0, outputSink === "stderr" ? 2 : 0];
  store.batch.command({ kind: "routeOutput", format, sink, address: new Uint8Array(), header: "" });
};

/** A stored descriptor is not the right socket: opens the socket as if it had not been stored. */
const openInstead = async (store: Store, opening: Opening): Promise<void> => {
  discardStored(store, storeName(opening) ?? "");
  log(
    store,
    "warning",
    `${opening.uri}: the socket from the service manager's descriptor store is another one; a new socket is opened`,
  );
  try {
    store.batch.command({ kind: "closeHandle", handle: opening.handle });
    store.batch.command((await wayToOpen(store, { ...opening, stored: null })).command);
    nextStage(store, "opening");
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    noteFailure(store, error.message);
  }
};

/** A socket is open. */
export const atOpened = (store: Store, event: EventOf<"opened">): Promise<void> | undefined => {
  const { settings, boot } = store;
  const opening = openingOf(store, event.handle);
  if (!settings || !opening) return;
  if (boot.stage === "opening" && opening.stored !== null && !isOpenAt(opening.address, event))
    return openInstead(store, opening);
  if (boot.stage === "opening" && store.adoption) return atTaken(store, opening, event);
  note(store, opening, event);
};

const note = (store: Store, { address }: Opening, event: EventOf<"opened">): void => {
  saveOpened(store, event, bindOf(event.handle), address);
};

/** A descriptor is only used if the kernel confirms what it is. */
const atTaken = async (store: Store, opening: Opening, event: EventOf<"opened">): Promise<void> => {
  if (isOrphanedSocket(store, opening, event)) return note(store, opening, event);
  store.batch.command({ kind: "closeHandle", handle: opening.handle });
  return takeAgain(store, opening, "the descriptor is another socket");
};
