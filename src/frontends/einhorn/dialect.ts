// Carries out and answers the requests of einhorn's line protocol.
import {
  EINHORN_COMMANDS,
  type EinhornRequest,
  encodeEinhornAnswer,
  parseEinhornLine,
  parseYaml,
} from "../../control/dialects/einhorn.ts";
import { describeRefusal } from "../../core/describe.ts";
import { allWorkers } from "../../core/model/workers.ts";
import { wantedGeneration } from "../../core/pool/pool.ts";
import { sendLine } from "../../supervisor/control/replies.ts";
import { forward } from "../../supervisor/loop/actions.ts";
import { advance } from "../../supervisor/loop/apply-effects.ts";
import { parseSignal } from "../../supervisor/os/signals.ts";
import type { ForeignLine } from "../../supervisor/state/front-end.ts";
import { saveSettings } from "../../supervisor/state/save.ts";
import type { Dialect, Store } from "../../supervisor/state/store.ts";
import { acknowledge } from "../../supervisor/workers/serving/acknowledgement.ts";
import { savePing, saveSignal } from "./einhorn-state.ts";
import { VERBOSITIES } from "./invocation.ts";
import { shutDownWith } from "./shutdown.ts";
import { stateText } from "./state.ts";
import { reload, subscribe, upgrade } from "./upgrade.ts";

const MOST_WORKERS = 1000;

/** Takes every line that is not JSON-RPC, and answers invalid ones itself. */
export const einhornDialect: Dialect = {
  take: (store, line) => {
    const request = line.text === null ? null : parseEinhornLine(line.text);
    if (request === null) {
      const close = line.mayControl ? 0 : 1;
      write(store, line, encodeEinhornAnswer({ message: "Could not parse command" }), close);
      return true;
    }
    const handled = takeWorkerMessage(store, line, request);
    if (handled !== null) return handled;
    if (!line.mayControl) {
      write(store, line, encodeEinhornAnswer({ message: "This master belongs to another user" }), 1);
      return true;
    }
    fulfil(store, line, request);
    return true;
  },
};

const write = (store: Store, { event }: ForeignLine, bytes: string, close: 0 | 1): void =>
  store.batch.command({ kind: "write", connection: event.connection, bytes, close });

/** Workers get no answer; their connection is closed. null: not a command of a worker. */
const takeWorkerMessage = (
  store: Store,
  line: ForeignLine,
  { command, pid, requestId }: EinhornRequest,
): Promise<true> | true | null => {
  if (command !== "worker:ack" && command !== "worker:ping") return null;
  const waiting = command === "worker:ack" && pid !== null ? acknowledge(store, line, pid) : null;
  if (command === "worker:ping") {
    const worker = allWorkers(store.core.workers).find((known) => known.pid === pid);
    if (worker) savePing(store, worker.id, { at: store.platform.wallNow(), requestId });
  }
  write(store, line, "", 1);
  return waiting ? waiting.then(() => true) : true;
};

const fulfil = (store: Store, line: ForeignLine, request: EinhornRequest): void => {
  const command = Object.hasOwn(COMMANDS, request.command) ? COMMANDS[request.command] : undefined;
  if (!command) return answer(store, line, request, unrecognized(request.command));
  if (WANT_ARGS.has(request.command) && request.args === null) return answer(store, line, request, "No args provided");
  command(store, line, request);
};

const WANT_ARGS: ReadonlySet<string> = new Set(["signal", "die", "set_workers", "config"]);

const unrecognized = (command: string): string => `Unrecognized command: ${JSON.stringify(command)}\n\n${helpText()}`;

const helpText = (): string => {
  const width = Math.max(...Object.keys(EINHORN_COMMANDS).map((name) => name.length));
  const lines = Object.entries(EINHORN_COMMANDS).map(([name, help]) => `${name.padEnd(width)}  ${help}`);
  return `These are the commands:\n\n${lines.join("\n")}\n`;
};

/** `more` 1: other answers to this request follow. */
const answer = (
  store: Store,
  { event }: ForeignLine,
  { id }: EinhornRequest,
  message: string,
  more: 0 | 1 = 0,
): void => {
  const numbered = id === undefined ? {} : { requestId: id };
  sendLine(store, event.connection, encodeEinhornAnswer({ message, ...numbered, ...(more ? { wait: true } : {}) }));
};

type Command = (store: Store, line: ForeignLine, request: EinhornRequest) => void;

/** A command that is complete when it is answered. */
const saying =
  (sentence: (store: Store, request: EinhornRequest, now: number) => string): Command =>
  (store, line, request) =>
    answer(store, line, request, sentence(store, request, line.event.deliveredAt));

const upgrading =
  (order: "oneByOne" | "fleet", sentence: string): Command =>
  (store, line, request) => {
    const { connection, deliveredAt } = line.event;
    const asked = upgrade(store, order, deliveredAt);
    if (typeof asked === "string") return answer(store, line, request, asked);
    answer(store, line, request, sentence, request.id === undefined ? 0 : 1);
    if (request.id !== undefined) subscribe(store, { connection, requestId: request.id, upgrade: asked });
  };

const reloading = (store: Store, _request: EinhornRequest, now: number): string => {
  const asked = reload(store, now);
  return typeof asked === "string" ? asked : "Reloading, as commanded";
};

const isShuttingDown = ({ core }: Store): boolean => core.service.phase.kind === "stopping";

const wantedNumber = ({ core }: Store): number => wantedGeneration(core)?.instances ?? 0;

const setNumber = (store: Store, to: number, now: number): string => {
  const from = wantedNumber(store);
  if (isShuttingDown(store)) return describeRefusal({ kind: "shuttingDown" });
  if (to > MOST_WORKERS) return `${to} workers are too many: the maximum is ${MOST_WORKERS}`;
  if (to < 1) return "At least 1 worker must run; use die to stop all of them";
  advance(store, { kind: "scale", now, request: null, change: { to }, inRollout: "apply" });
  return `${to < from ? "Decrementing" : "Incrementing"} number of workers from ${from} -> ${to}`;
};

const setWorkers = (store: Store, { args }: EinhornRequest, now: number): string => {
  const text = args?.[0] ?? "";
  const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(number >= 1 && number <= MOST_WORKERS))
    return `Invalid number of workers: ${JSON.stringify(text)}; give a whole number from 1 to ${MOST_WORKERS}`;
  return setNumber(store, number, now);
};

/** The names of the signals, or an error about an unknown one. */
const signalsFrom = (args: readonly string[]): readonly string[] | string => {
  const signals: string[] = [];
  for (const arg of args) {
    const signal = parseSignal(arg);
    if (signal === null) return `Invalid signal: ${JSON.stringify(arg)}`;
    signals.push(signal);
  }
  return signals;
};

const signalWorkers = (store: Store, { args }: EinhornRequest): string => {
  const signals = signalsFrom(args ?? []);
  if (typeof signals === "string") return signals;
  for (const name of signals) {
    forward(store, { name });
    for (const worker of allWorkers(store.core.workers)) saveSignal(store, worker.id, name);
  }
  return "";
};

const die = (store: Store, { args }: EinhornRequest, now: number): string => {
  const signals = signalsFrom(args ?? []);
  if (typeof signals === "string") return signals;
  shutDownWith(signals[0] ?? "SIGUSR2")(store, { name: "die", now });
  return "Einhorn is going down! ";
};

const setVerbosity = (store: Store, level: number): string => {
  const verbosity = VERBOSITIES[level];
  if (store.settings && verbosity) saveSettings(store, { ...store.settings, verbosity });
  return `Verbosity set to ${level}`;
};

const verbosityOf = ({ settings }: Store): number => VERBOSITIES.indexOf(settings?.verbosity ?? "normal");

/** Applies a mapping of settings that can be changed at run time; nothing is applied if it has an unknown key. */
const configure = (store: Store, { args }: EinhornRequest, now: number): string => {
  const value = parseYaml((args ?? []).join(" "));
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return "Invalid config: give a YAML mapping, as in {verbosity: 0}";
  const changes = Object.entries(value).map(([key, change]) => [key.replace(/^:/, ""), change] as const);
  for (const [key, change] of changes) {
    const most = key === "verbosity" ? 2 : MOST_WORKERS;
    if (key !== "verbosity" && key !== "number")
      return `Invalid config: ${JSON.stringify(key)} cannot be changed; only verbosity and number can`;
    if (!Number.isInteger(change) || change < (key === "number" ? 1 : 0) || change > most)
      return `Invalid config: ${key} cannot be ${JSON.stringify(change)}`;
  }
  return changes
    .map(([key, change]) => (key === "verbosity" ? setVerbosity(store, change) : setNumber(store, change, now)))
    .join("; ");
};

const greeting = ({ facts, settings }: Store, { user }: EinhornRequest): string => {
  const name = settings?.name ? ` (${settings.name})` : "";
  return `Welcome${user === "" ? "" : ` ${user}`}! You are speaking to the einhorn master process ${facts.pid}${name}`;
};

const COMMANDS: Readonly<Record<string, Command>> = {
  ehlo: saying(greeting),
  help: saying(helpText),
  state: saying(stateText),
  inc: saying((store, _request, now) => setNumber(store, wantedNumber(store) + 1, now)),
  dec: saying((store, _request, now) => setNumber(store, wantedNumber(store) - 1, now)),
  set_workers: saying(setWorkers),
  quieter: saying((store) => setVerbosity(store, Math.min(2, verbosityOf(store) + 1))),
  louder: saying((store) => setVerbosity(store, Math.max(0, verbosityOf(store) - 1))),
  upgrade: upgrading("oneByOne", "Upgrading smoothly, as commanded"),
  upgrade_fleet: upgrading("fleet", "Upgrading fleet, as commanded"),
  reload: saying(reloading),
  signal: saying(signalWorkers),
  die: saying(die),
  config: saying(configure),
};
