// The names (files) of crank's unix sockets. The keeper watches them and restores them (keeper/sockets/names.c). This
// module decides when they are checked and what is reported. If only a new socket helps, the workers get it by a
// rollout of the current spec, and the old socket stays open until no worker has it.

import { describeErrno } from "../../core/errno.ts";
import { allWorkers } from "../../core/model/workers.ts";
import { retryDelay } from "../../core/worker/backoff.ts";
import { COMMANDS, type KeeperEvent, NAME_STATES } from "../../keeper/protocol.ts";
import { recordEvent } from "../events/supervisor-event.ts";
import { AF_UNIX } from "../os/sockaddr.ts";
import { bindOf } from "../state/handles.ts";
import { limitRate } from "../state/parts/rate-limit.ts";
import { count, forgetName, saveName } from "../state/save.ts";
import type { OpenSocket, SocketName, Store } from "../state/store.ts";
import { secondNames } from "./run-directory.ts";

type EventOf<K extends KeeperEvent["kind"]> = Extract<KeeperEvent, { kind: K }>;

/** Limit of reports per socket, because other processes can cause them. */
const REPORT_LIMIT = { most: 10, perMs: 60_000 };
/** The keeper's handles for old sockets whose names are gone. */
const FIRST_KEPT = 500_000;

/** Lets the keeper check all names that are crank's own, and watch them from then on. */
export const lookAtNames = (store: Store): void => {
  const directory = store.settings && secondNames(store.settings);
  for (const socket of store.sockets.values()) {
    if (!hasOwnName(store, socket)) continue;
    const { handle } = socket;
    store.batch.command({ kind: "watchName", handle, spare: directory ? `${directory}/${handle}` : "" });
  }
};

/** The name of a passed socket belongs to the program that made it. */
const hasOwnName = ({ settings }: Store, { domain, bind }: OpenSocket): boolean =>
  domain === AF_UNIX && (bind === null || settings?.binds[bind]?.address.kind === "unix");

/** The keeper found that a name was missing, or still is. */
export const atNameChanged = (store: Store, event: EventOf<"nameChanged">): void => {
  const { handle, pid, errno, deliveredAt } = event;
  const before = store.names.get(handle);
  const state = STATES[event.state] ?? "blocked";
  const same = before?.state === state && state !== "restored";
  reportName(
    store,
    handle,
    { state, pid, reason: errno === 0 ? null : describeErrno(errno) },
    same ? null : deliveredAt,
  );
  if (state === "lost") bindAgain(store, handle);
};

const STATES: Readonly<Record<number, SocketName["state"]>> = {
  [NAME_STATES.restored]: "restored",
  [NAME_STATES.taken]: "taken",
  [NAME_STATES.blocked]: "blocked",
  [NAME_STATES.lost]: "lost",
};

type News = Pick<SocketName, "state" | "pid" | "reason">;

/** Remembers the news; `now` null: it is known already and is not reported again. */
const reportName = (store: Store, handle: number, news: News, now: number | null): void => {
  const before = store.names.get(handle);
  const socket = store.sockets.get(handle);
  if (now === null || !socket) return;
  if (news.state !== "bound") count(store, "namesLost");
  const { suppressed, next } = limitRate(before?.told, now, REPORT_LIMIT);
  saveName(store, handle, { oldWorkers: null, ...before, ...news, told: next });
  if (suppressed === null) return;
  const command = news.pid === 0 ? null : (store.platform.kernelText(`/proc/${news.pid}/comm`)?.trim() ?? null);
  recordEvent(store, { kind: "socketName", address: socket.address, ...news, command, more: suppressed }, now);
};

const bindAgain = (store: Store, handle: number): void => {
  const before = store.names.get(handle) ?? NOTHING_KNOWN;
  if (before.isBinding) return;
  saveName(store, handle, { ...before, isBinding: true });
  const kept = bindOf(handle) === null ? 0 : FIRST_KEPT + handle;
  if (before.oldWorkers !== null && kept > 0) store.batch.command({ kind: "closeHandle", handle: kept });
  store.batch.command({ kind: "bindAgain", handle, kept });
  if (kept === 0) store.batch.command({ kind: "acceptOn", handle });
};

/** One of crank's own sockets was shut down and cannot listen again. */
export const atShutDown = (store: Store, handle: number): void => {
  const socket = store.sockets.get(handle);
  if (socket && hasOwnName(store, socket)) bindAgain(store, handle);
};

/** A new socket has the name now. */
export const atBoundAgain = (store: Store, handle: number, now: number): void => {
  reportName(store, handle, { state: "bound", pid: 0, reason: null }, now);
  const { isBinding: _, tries: __, tryAt: ___, ...name } = store.names.get(handle) ?? NOTHING_KNOWN;
  const isServed = bindOf(handle) !== null;
  const oldWorkers = isServed ? Math.max(0, ...allWorkers(store.core.workers).map(({ id }) => id)) : null;
  saveName(store, handle, { ...name, oldWorkers });
  lookAtNames(store);
};

/**
 * Carries out what names need while nothing else is in progress. `redeploy` rolls out the current spec; if that fails,
 * it is repeated after a growing pause.
 */
export const reconcileNames = (store: Store, now: number, redeploy: () => void): void => {
  let isWanted = false;
  for (const [handle, name] of store.names) {
    if (name.oldWorkers === null) continue;
    const olds = oldWorkersOf(store, name);
    if (olds.length === 0) {
      store.batch.command({ kind: "closeHandle", handle: FIRST_KEPT + handle });
      saveName(store, handle, { ...name, oldWorkers: null });
    } else if (now >= rolloutDueAt(store, name)) {
      const tries = (name.tries ?? 0) + 1;
      saveName(store, handle, { ...name, tries, tryAt: now + retryDelay(tries) });
      isWanted = true;
    }
  }
  if (isWanted) redeploy();
};

/** When the next rollout is due that gives workers a new socket, CLOCK_MONOTONIC ms; null: none. */
export const namesDueAt = (store: Store): number | null => {
  let dueAt = Number.POSITIVE_INFINITY;
  for (const name of store.names.values()) dueAt = Math.min(dueAt, rolloutDueAt(store, name));
  return dueAt === Number.POSITIVE_INFINITY ? null : dueAt;
};

const rolloutDueAt = (store: Store, name: SocketName): number => {
  const isWanted = oldWorkersOf(store, name).some(({ kind }) => kind !== "stopping") && mayDeploy(store);
  return isWanted ? (name.tryAt ?? 0) : Number.POSITIVE_INFINITY;
};

/** The living workers that have the old socket. */
const oldWorkersOf = ({ core }: Store, { oldWorkers }: SocketName) =>
  oldWorkers === null ? [] : allWorkers(core.workers).filter(({ id }) => id <= oldWorkers);

const mayDeploy = ({ core: { service } }: Store): boolean =>
  service.rollout === null && service.phase.kind === "running" && service.current !== null;

/** The keeper failed at something about a name. False: the failure is about something else. */
export const atNameFailure = (store: Store, { command, id, step, errno, deliveredAt }: EventOf<"failed">): boolean => {
  if (!OF_NAMES.has(command)) return false;
  const address = store.sockets.get(id)?.address;
  const cause = errno === ESTALE ? "its path leads to another file" : describeErrno(errno);
  const reason = step === "chown" || step === "bind" ? cause : `${step}: ${cause}`;
  const what = FAILED[command];
  if (address === undefined || what === undefined) return true;
  const before = store.names.get(id);
  const { suppressed, next } = limitRate(before?.failed, deliveredAt, REPORT_LIMIT);
  const { isBinding, ...name } = before ?? NOTHING_KNOWN;
  const goesOn = isBinding && command !== COMMANDS.bindAgain.code;
  saveName(store, id, { ...name, ...(goesOn ? { isBinding } : {}), failed: next });
  if (suppressed !== null)
    recordEvent(store, { kind: "socketNameFailed", address, what, reason, more: suppressed }, deliveredAt);
  return true;
};

const ESTALE = 116;
const NOTHING_KNOWN: SocketName = { state: "restored", pid: 0, reason: null, oldWorkers: null };

const FAILED: Readonly<Record<number, string>> = {
  [COMMANDS.watchName.code]: "its file cannot be watched, and is checked only at each deploy",
  [COMMANDS.giveName.code]:
    "the owner of its file cannot be changed to the workers' user, which then cannot acknowledge there",
  [COMMANDS.bindAgain.code]: "its file was removed, and no new socket can be bound there; crank retries",
};
const OF_NAMES: ReadonlySet<number> = new Set(Object.keys(FAILED).map(Number));

/** Why a socket cannot be reached by its name; null: it can. */
export const nameProblem = (store: Store, handle: number): string | null => {
  const name = store.names.get(handle);
  return name === undefined ? null : (PROBLEMS[name.state]?.(name) ?? null);
};

const PROBLEMS: { readonly [S in SocketName["state"]]?: (name: SocketName) => string | null } = {
  taken: ({ pid }) => (pid === 0 ? "another process listens there" : `process ${pid} listens there`),
  blocked: ({ reason }) => `another file has its path (${reason ?? "not a socket"})`,
  lost: ({ reason }) => `its file was removed (${reason ?? "unknown"})`,
  bound: ({ oldWorkers }) =>
    oldWorkers === null ? null : "a new socket has its path, which older workers do not have",
};

/** The socket is closed. */
export const closeName = (store: Store, handle: number): void => {
  const name = store.names.get(handle);
  if (name === undefined) return;
  if (name.oldWorkers !== null) store.batch.command({ kind: "closeHandle", handle: FIRST_KEPT + handle });
  forgetName(store, handle);
};
