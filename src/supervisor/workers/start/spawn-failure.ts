// Why a worker could not be started, as a sentence that names what the kernel refused: the command, its interpreter,
// the directory, the user.
import { printable } from "../../../control/printable.ts";
import { describeErrno } from "../../../core/errno.ts";
import type { Spec } from "../../../core/model/spec.ts";
import type { Worker } from "../../../core/model/worker.ts";
import { programPath, searchPath } from "../../os/program-path.ts";
import { notifySocketPath } from "../../sockets/notify-path.ts";
import type { Settings } from "../../state/settings.ts";
import type { Store } from "../../state/store.ts";

const ENOENT = 2;
const ENOEXEC = 8;
const EACCES = 13;

type Step = { readonly step: string; readonly errno: number };

/** What failed, as part of a sentence; undefined if only the name of the step is known. */
export const describeSpawnFailure = (store: Store, worker: Worker, failed: Step): string | undefined => {
  const spec = store.core.generations[worker.generation]?.spec;
  const { settings } = store;
  if (!spec || !settings) return undefined;
  const sentence = STEPS[failed.step]?.({ store, settings, spec, worker, ...failed });
  return sentence === undefined ? undefined : printable(sentence.slice(0, MOST_CHARACTERS));
};
/** The longest command or PATH in a message. */
const MOST_CHARACTERS = 2000;

type Failed = Step & {
  readonly store: Store;
  readonly settings: Settings;
  readonly spec: Spec;
  readonly worker: Worker;
};

const STEPS: Readonly<Record<string, (failed: Failed) => string>> = {
  exec: (failed) => exec(failed),
  chdir: ({ store, spec, errno }) =>
    `cannot change to the directory ${directoryOf(store, spec)}${asUser(spec)}: ${describeErrno(errno)}`,
  setgroups: (failed) => identity(failed),
  setgid: (failed) => identity(failed),
  setuid: (failed) => identity(failed),
  notify: ({ settings, worker, errno }) => {
    const path = notifySocketPath(settings, worker.id);
    return `its notify socket${path === "" ? "" : ` ${path}`} cannot be created: ${describeErrno(errno)}`;
  },
  pipe: ({ errno }) => `no pipe for its start: ${describeErrno(errno)}`,
  output: ({ errno }) => `no pipe for its output: ${describeErrno(errno)}`,
  stdin: ({ errno }) => `/dev/null cannot be opened: ${describeErrno(errno)}`,
  fork: ({ errno }) =>
    `no process can be created: ${describeErrno(errno)} (pid_max, pids.max of the cgroup, RLIMIT_NPROC)`,
  descriptor: ({ errno }) => `its descriptors cannot be set up: ${describeErrno(errno)} (RLIMIT_NOFILE)`,
  keyring: ({ errno }) => `its session keyring cannot be created: ${describeErrno(errno)}`,
  "no-new-privs": ({ errno }) => `the kernel does not support -no-new-privs: ${describeErrno(errno)}`,
  limit: ({ errno }) => `its limits cannot be set: ${describeErrno(errno)}`,
  nice: ({ errno }) => `its nice value cannot be set: ${describeErrno(errno)}`,
  "oom-score": ({ errno }) => `/proc/self/oom_score_adj cannot be written: ${describeErrno(errno)}`,
};

const asUser = ({ user }: Spec): string => (user ? ` as user ${user.name}` : "");

const directoryOf = ({ facts }: Store, { cwd, resolved }: Spec): string => (resolved?.cwd ?? cwd) || facts.cwd;

const identity = ({ spec: { user }, errno }: Failed): string =>
  `cannot become user ${user ? `${user.name} (uid ${user.uid}, gid ${user.gid})` : "of this run"}: ${describeErrno(errno)}`;

const exec = (failed: Failed): string => {
  const { store, spec, errno } = failed;
  const [command = ""] = spec.command;
  const file = fileOf(store, spec);
  if (errno === ENOENT && !store.platform.isFile(file)) {
    if (command.includes("/")) return `command not found: ${file}`;
    return `command not found: ${command} (PATH ${searchPath(store)})`;
  }
  const interpreter = interpreterOf(store, file);
  if (errno === ENOENT && interpreter !== null)
    return `${file}: its interpreter ${interpreter} does not exist (see the first line of the file)`;
  if (errno === ENOENT)
    return `${file}: its loader or one of its libraries does not exist: a program for another system`;
  if (errno === EACCES && interpreter !== null && store.platform.isExecutable(file))
    return `${file}: not executable, or its interpreter ${interpreter} is not${asUser(spec)}: ${describeErrno(errno)}`;
  if (errno === EACCES) return `${file}: not executable${asUser(spec)}: ${describeErrno(errno)}`;
  if (errno === ENOEXEC)
    return `${file}: not a program for this machine, and without a first line #!: ${describeErrno(errno)}`;
  return `${file}: ${describeErrno(errno)}`;
};

/** The absolute path of what was executed. */
const fileOf = (store: Store, { command, cwd, resolved }: Spec): string => {
  const file = resolved?.file ?? programPath(store, command[0] ?? "", cwd);
  return file.startsWith("/") ? file : `${store.facts.cwd === "/" ? "" : store.facts.cwd}/${file}`;
};

/** The interpreter in a script's first line (execve(2)); null: it is not a script, or cannot be read. */
const interpreterOf = ({ platform }: Store, file: string): string | null =>
  /^#![ \t]*([^\n]*?)[ \t]*(?:\n|$)/.exec(platform.beginning(file) ?? "")?.[1] || null;
