// The start of a worker: makes one `spawn` command from its generation's spec and crank's settings.
import type { Spec } from "../../../core/model/spec.ts";
import type { Generation } from "../../../core/model/state.ts";
import type { Worker } from "../../../core/model/worker.ts";
import { type Command, INHERITED_OOM_SCORE, NO_LIMIT, SPAWN_FLAGS, UNCHANGED } from "../../../keeper/protocol.ts";
import { FOREIGN_VARIABLES } from "../../os/helper-process.ts";
import { limitNumber } from "../../os/limits.ts";
import { signalNumber } from "../../os/signals.ts";
import { notifySocketPath } from "../../sockets/notify-path.ts";
import { bindHandle } from "../../state/handles.ts";
import type { OrphanedWorker } from "../../state/parts/adoption.ts";
import type { StoredDescriptor } from "../../state/parts/stored-descriptors.ts";
import type { Settings } from "../../state/settings.ts";
import type { Store } from "../../state/store.ts";
import { startingPoint } from "./pins.ts";
import { storeLimit } from "./stored-descriptors.ts";

/** The first descriptor that a worker is given (sd_listen_fds(3)). */
const FIRST_FD = 3;
const ROUTED = 0;
const INHERITED = 1;

/** A worker to start, and the stored descriptors that it gets. */
export type Start = {
  readonly worker: Worker;
  readonly generation: Generation;
  readonly stored: readonly StoredDescriptor[];
};

/** The command that starts a worker. */
export const spawnCommand = (store: Store, settings: Settings, start: Start): Command => {
  const { worker, generation, stored } = start;
  const { spec } = generation;
  const resolved = startingPoint(store, generation, worker.id, store.platform.monotonicNow());
  const handles = [...settings.binds.map((_, index) => bindHandle(index)), ...stored.map(({ handle }) => handle)];
  const notifyFd = FIRST_FD + handles.length;
  const notifyPath = notifySocketPath(settings, worker.id);
  const isInput = isNotifyInput(settings);
  const env = workerEnvironment(store, settings, start, { notifyFd: isInput ? STDIN : notifyFd, notifyPath });
  const connection = commandSocket(settings, notifyFd + 1);
  if (connection.connectFd > 0) env.set("EINHORN_SOCK_FD", String(connection.connectFd));
  const level = niceLevel(settings);
  // The time that it has from its stop signal on, to plan its drain.
  if (spec.stopTimeoutMs !== null) env.set("STOP_TIMEOUT_USEC", String(spec.stopTimeoutMs * 1000));
  if (spec.liveness?.kind === "watchdog") env.set("WATCHDOG_USEC", String(spec.liveness.periodMs * 1000));
  for (const [name, value] of userVariables(spec, workingDirectory(store, spec, resolved.cwd))) env.set(name, value);
  const unset = FOREIGN_VARIABLES.filter((name) => !env.has(name));
  for (const [name, value] of Object.entries(spec.env)) {
    if (value !== null) env.set(name, value);
    else if (!env.delete(name)) unset.push(name);
  }
  return {
    kind: "spawn",
    worker: worker.id,
    file: resolved.file,
    args: resolved.name === undefined ? spec.command : [resolved.name, ...spec.command.slice(1)],
    cwd: resolved.cwd,
    env: [...env],
    unset,
    ownPid: spec.liveness?.kind === "watchdog" ? ["LISTEN_PID", "WATCHDOG_PID"] : ["LISTEN_PID"],
    descriptors: handles.flatMap((handle, index) => [handle, FIRST_FD + index]),
    stdin: settings.workerInput === "inherit" ? 1 : isInput ? STDIN_IS_NOTIFY : 0,
    output: settings.logFormat === "raw" ? INHERITED : ROUTED,
    notifyFd,
    notifyPath,
    identity: spec.user ? [spec.user.uid, spec.user.gid, ...spec.user.groups] : [],
    umask: spec.umask ?? UNCHANGED,
    limits: spec.limits.flatMap((limit) => [
      limitNumber(limit.name) ?? 0,
      limit.soft ?? NO_LIMIT,
      limit.hard ?? NO_LIMIT,
    ]),
    nice: level ?? 0,
    oomScore: INHERITED_OOM_SCORE,
    deathSignal: deathSignal(settings),
    flags:
      (spec.noNewPrivs === true ? SPAWN_FLAGS.noNewPrivs : 0) |
      sessionFlag(settings) |
      (level === null ? 0 : SPAWN_FLAGS.niceLevel),
    ...lineMarks(store, settings, worker),
    ...connection,
  };
};

/** The path as given, with links, as long as it leads there. */
const workingDirectory = ({ platform }: Store, { cwd }: Spec, real: string): string =>
  cwd === real || platform.realPath(cwd) === real ? cwd : real;

/** Variables about the user and the directory (systemd.exec(5), "Environment variables in spawned processes"). */
export const userVariables = ({ user }: Spec, cwd: string): readonly (readonly [string, string])[] => [
  ...(cwd === "" ? [] : [["PWD", cwd] as const]),
  ...(user?.home === undefined
    ? []
    : ([
        ["HOME", user.home],
        ["USER", user.name],
        ["LOGNAME", user.name],
        ["SHELL", user.shell ?? "/bin/sh"],
      ] as const)),
];

/**
 * POSIX shells name descriptors by one digit (dash accepts no other), but with more than seven sockets the notify
 * descriptor has two. Then it is standard input as well, and NOTIFY_FD is 0: no other number below ten is free.
 */
const isNotifyInput = ({ binds, workerInput }: Settings): boolean =>
  workerInput !== "inherit" && FIRST_FD + binds.length > HIGHEST_DIGIT;
const HIGHEST_DIGIT = 9;
const STDIN = 0;
const STDIN_IS_NOTIFY = 2;

/** A descriptor that is connected to the control socket, if workers get one. */
const commandSocket = ({ extras, control }: Settings, fd: number) =>
  extras?.commandSocket === "descriptor" && control?.address.kind === "unix"
    ? { connectFd: fd, connectPath: control.address.path }
    : { connectFd: 0, connectPath: "" };

/** The nice level of a worker; null: unchanged, or a command sets it. Without its own it has the master's. */
const niceLevel = ({ extras }: Settings): number | null =>
  !extras || extras.nice.command !== null ? null : (extras.nice.worker ?? extras.nice.master);

/** How the worker's lines are marked. */
const lineMarks = (
  { facts }: Store,
  settings: Settings,
  { id, generation }: Worker,
): { readonly prefix: string; readonly json: string } => ({
  prefix: settings.linePrefix.replace("%w", String(id)).replace("%m", String(facts.pid)),
  json: `"service":${JSON.stringify(settings.name)},"id":${id},"generation":${generation}`,
});

/** The command that adopts a worker of a killed crank, whose settings are `before`. */
export const adoptCommand = (
  store: Store,
  { settings, before, keeper }: { readonly settings: Settings; readonly before: Settings; readonly keeper: number },
  worker: Worker,
  { pid, startTime, output }: OrphanedWorker,
): Command => {
  const spec = store.core.generations[worker.generation]?.spec;
  return {
    kind: "adopt",
    worker: worker.id,
    pid,
    startTime,
    keeper,
    generation: worker.generation,
    flags: sessionFlag(before),
    output: output ?? UNCHANGED,
    notifyFd: FIRST_FD + before.binds.length + (store.descriptorStore.startedWith[worker.id] ?? 0),
    notifyPath: notifySocketPath(before, worker.id),
    identity: spec?.user ? [spec.user.uid, spec.user.gid] : [],
    ...lineMarks(store, settings, worker),
  };
};

const deathSignal = ({ extras }: Settings): number => (extras?.deathSignal ? signalNumber(extras.deathSignal) : 0);

/**
 * A worker gets its own session, so that no terminal signals reach it. If it reads from crank's terminal, it must stay
 * in the foreground process group.
 */
const sessionFlag = ({ workerInput }: Settings): number => (workerInput === "inherit" ? 0 : SPAWN_FLAGS.group);

const workerEnvironment = (
  store: Store,
  settings: Settings,
  { worker, generation: { spec }, stored }: Start,
  notify: { notifyFd: number; notifyPath: string },
): Map<string, string> => {
  const count = settings.binds.length;
  const env = new Map([
    ["LISTEN_FDS", String(count + stored.length)],
    ["LISTEN_FDNAMES", [...settings.binds, ...stored].map(({ name }) => name).join(":")],
    ["EINHORN_FDS", String(FIRST_FD)],
    ["EINHORN_FD_COUNT", String(count)],
    ["EINHORN_MASTER_PID", String(store.facts.pid)],
    ["EINHORN_CHILD_INDEX", String(worker.index)],
    ["NOTIFY_FD", String(notify.notifyFd)],
    ["CRANK_GENERATION", String(worker.generation)],
    ["CRANK_WORKER", String(worker.id)],
  ]);
  for (let index = 0; index < count; index++) env.set(`EINHORN_FD_${index}`, String(FIRST_FD + index));
  const limit = storeLimit(store, spec);
  if (limit > 0) env.set("FDSTORE", String(limit));
  if (notify.notifyPath !== "") env.set("NOTIFY_SOCKET", notify.notifyPath);
  if (settings.control?.address.kind === "unix") env.set("EINHORN_SOCK_PATH", settings.control.address.path);
  if (settings.name !== "") env.set("CRANK_NAME", settings.name);
  return env;
};
