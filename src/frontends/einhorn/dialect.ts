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
import { rememberSettings } from "../../supervisor/state/remember.ts";
import type { Dialect, Memory } from "../../supervisor/state/store.ts";
import { acknowledge } from "../../supervisor/workers/serving/acknowledgement.ts";
import { VERBOSITIES } from "./invocation.ts";
import { rememberPing, rememberSignal } from "./own.ts";
import { shutDownWith } from "./shutdown.ts";
import { stateText } from "./state.ts";
import { reload, subscribe, upgrade } from "./upgrade.ts";

const MOST_WORKERS = 1000;

/** Every line that is no JSON-RPC is meant for it: what it cannot read it says so itself. */
export const einhornDialect: Dialect = {
  take: (memory, line) => {
    const request = line.text === null ? null : parseEinhornLine(line.text);
    if (request === null) {
      const close = line.mayControl ? 0 : 1;
      write(memory, line, encodeEinhornAnswer({ message: "Could not parse command" }), close);
      return true;
    }
    const word = takeWorkersWord(memory, line, request);
    if (word !== null) return word;
    if (!line.mayControl) {
      write(memory, line, encodeEinhornAnswer({ message: "This master belongs to another user" }), 1);
      return true;
    }
    fulfil(memory, line, request);
    return true;
  },
};

const write = (memory: Memory, { event }: ForeignLine, bytes: string, close: 0 | 1): void =>
  memory.batch.command({ kind: "write", connection: event.connection, bytes, close });

/** Workers get no answer; their connection ends. null: not a command of a worker. */
const takeWorkersWord = (
  memory: Memory,
  line: ForeignLine,
  { command, pid, requestId }: EinhornRequest,
): Promise<true> | true | null => {
  if (command !== "worker:ack" && command !== "worker:ping") return null;
  const waiting = command === "worker:ack" && pid !== null ? acknowledge(memory, line, pid) : null;
  if (command === "worker:ping") {
    const worker = allWorkers(memory.core.workers).find((known) => known.pid === pid);
    if (worker) rememberPing(memory, worker.id, { at: memory.platform.wallNow(), requestId });
  }
  write(memory, line, "", 1);
  return waiting ? waiting.then(() => true) : true;
};

const fulfil = (memory: Memory, line: ForeignLine, request: EinhornRequest): void => {
  const command = Object.hasOwn(COMMANDS, request.command) ? COMMANDS[request.command] : undefined;
  if (!command) return answer(memory, line, request, unrecognized(request.command));
  if (WANT_ARGS.has(request.command) && request.args === null) return answer(memory, line, request, "No args provided");
  command(memory, line, request);
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
  memory: Memory,
  { event }: ForeignLine,
  { id }: EinhornRequest,
  message: string,
  more: 0 | 1 = 0,
): void => {
  const numbered = id === undefined ? {} : { requestId: id };
  sendLine(memory, event.connection, encodeEinhornAnswer({ message, ...numbered, ...(more ? { wait: true } : {}) }));
};

type Command = (memory: Memory, line: ForeignLine, request: EinhornRequest) => void;

/** A command that is done with the sentence that it is answered by. */
const saying =
  (sentence: (memory: Memory, request: EinhornRequest, now: number) => string): Command =>
  (memory, line, request) =>
    answer(memory, line, request, sentence(memory, request, line.event.deliveredAt));

const upgrading =
  (order: "oneByOne" | "fleet", sentence: string): Command =>
  (memory, line, request) => {
    const { connection, deliveredAt } = line.event;
    const asked = upgrade(memory, order, deliveredAt);
    if (typeof asked === "string") return answer(memory, line, request, asked);
    answer(memory, line, request, sentence, request.id === undefined ? 0 : 1);
    if (request.id !== undefined) subscribe(memory, { connection, requestId: request.id, upgrade: asked });
  };

const reloading = (memory: Memory, _request: EinhornRequest, now: number): string => {
  const asked = reload(memory, now);
  return typeof asked === "string" ? asked : "Reloading, as commanded";
};

const isShuttingDown = ({ core }: Memory): boolean => core.service.phase.kind === "stopping";

const wantedNumber = ({ core }: Memory): number => wantedGeneration(core)?.instances ?? 0;

const setNumber = (memory: Memory, to: number, now: number): string => {
  const from = wantedNumber(memory);
  if (isShuttingDown(memory)) return describeRefusal({ kind: "shuttingDown" });
  if (to > MOST_WORKERS) return `${to} workers are too many: at most ${MOST_WORKERS} are possible`;
  if (to < 1) return "There has to be at least 1 worker; use die to end all of them";
  advance(memory, { kind: "scale", now, request: null, change: { to }, inRollout: "apply" });
  return `${to < from ? "Decrementing" : "Incrementing"} number of workers from ${from} -> ${to}`;
};

const setWorkers = (memory: Memory, { args }: EinhornRequest, now: number): string => {
  const text = args?.[0] ?? "";
  const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(number >= 1 && number <= MOST_WORKERS))
    return `Invalid number of workers: ${JSON.stringify(text)}; give a whole number from 1 to ${MOST_WORKERS}`;
  return setNumber(memory, number, now);
};

/** The names of the signals, or the complaint about one that does not exist. */
const signalsFrom = (args: readonly string[]): readonly string[] | string => {
  const signals: string[] = [];
  for (const arg of args) {
    const signal = parseSignal(arg);
    if (signal === null) return `Invalid signal: ${JSON.stringify(arg)}`;
    signals.push(signal);
  }
  return signals;
};

const signalWorkers = (memory: Memory, { args }: EinhornRequest): string => {
  const signals = signalsFrom(args ?? []);
  if (typeof signals === "string") return signals;
  for (const name of signals) {
    forward(memory, { name });
    for (const worker of allWorkers(memory.core.workers)) rememberSignal(memory, worker.id, name);
  }
  return "";
};

const die = (memory: Memory, { args }: EinhornRequest, now: number): string => {
  const signals = signalsFrom(args ?? []);
  if (typeof signals === "string") return signals;
  shutDownWith(signals[0] ?? "SIGUSR2")(memory, { name: "die", now });
  return "Einhorn is going down! ";
};

const setVerbosity = (memory: Memory, level: number): string => {
  const verbosity = VERBOSITIES[level];
  if (memory.settings && verbosity) rememberSettings(memory, { ...memory.settings, verbosity });
  return `Verbosity set to ${level}`;
};

const verbosityOf = ({ settings }: Memory): number => VERBOSITIES.indexOf(settings?.verbosity ?? "normal");

/** Takes a mapping of what can be changed while the master runs; nothing of it if there is anything else in it. */
const configure = (memory: Memory, { args }: EinhornRequest, now: number): string => {
  const value = parseYaml((args ?? []).join(" "));
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return "Invalid config: give a YAML mapping, as in {verbosity: 0}";
  const changes = Object.entries(value).map(([key, change]) => [key.replace(/^:/, ""), change] as const);
  for (const [key, change] of changes) {
    const most = key === "verbosity" ? 2 : MOST_WORKERS;
    if (key !== "verbosity" && key !== "number")
      return `Invalid config: ${JSON.stringify(key)} cannot be changed; verbosity and number can`;
    if (!Number.isInteger(change) || change < (key === "number" ? 1 : 0) || change > most)
      return `Invalid config: ${key} cannot be ${JSON.stringify(change)}`;
  }
  return changes
    .map(([key, change]) => (key === "verbosity" ? setVerbosity(memory, change) : setNumber(memory, change, now)))
    .join("; ");
};

const greeting = ({ facts, settings }: Memory, { user }: EinhornRequest): string => {
  const name = settings?.name ? ` (${settings.name})` : "";
  return `Welcome${user === "" ? "" : ` ${user}`}! You are speaking to the einhorn master process ${facts.pid}${name}`;
};

const COMMANDS: Readonly<Record<string, Command>> = {
  ehlo: saying(greeting),
  help: saying(helpText),
  state: saying(stateText),
  inc: saying((memory, _request, now) => setNumber(memory, wantedNumber(memory) + 1, now)),
  dec: saying((memory, _request, now) => setNumber(memory, wantedNumber(memory) - 1, now)),
  set_workers: saying(setWorkers),
  quieter: saying((memory) => setVerbosity(memory, Math.min(2, verbosityOf(memory) + 1))),
  louder: saying((memory) => setVerbosity(memory, Math.max(0, verbosityOf(memory) - 1))),
  upgrade: upgrading("oneByOne", "Upgrading smoothly, as commanded"),
  upgrade_fleet: upgrading("fleet", "Upgrading fleet, as commanded"),
  reload: saying(reloading),
  signal: saying(signalWorkers),
  die: saying(die),
  config: saying(configure),
};
