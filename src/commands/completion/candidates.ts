// What may follow on a command line of crank, crankctl or crankx, from the tables of commands and flags. Only the
// running cranks know the rest (live.ts).
import { CRANK_FLAGS } from "../crank/flags.ts";
import type { Command, Operands } from "../crankctl/command.ts";
import { COMMANDS, TOP_FLAGS } from "../crankctl/main.ts";
import { SHELLS } from "../crankctl/shells/command.ts";
import { CRANKX_FLAGS } from "../crankx/main.ts";
import type { Flag, FlagTable, Placement } from "../flags.ts";
import { SPEC_FLAGS } from "../spec-flags.ts";

/** A word for the shell to offer, and what it is. */
export type Candidate = { readonly value: string; readonly about: string };

/** What only the running cranks know. */
export type LiveKind = "services" | "generations" | "workers";

/** What the shell completes itself. */
export type ShellKind = "files" | "directories" | "command" | "users";

/** What may follow. Candidates are put behind `lead`, `-name=`, which has been typed already. */
export type Wanted = {
  readonly from:
    | { readonly kind: "words"; readonly candidates: readonly Candidate[] }
    | { readonly kind: LiveKind }
    | { readonly kind: ShellKind };
  readonly lead: string;
  /** What the word that is completed begins with, without `lead`. */
  readonly typed: string;
  /** The flags with values that were given before. */
  readonly given: Readonly<Record<string, string>>;
};

/** With those of its first command. */
const ALL_CRANK_FLAGS: FlagTable = { ...SPEC_FLAGS, ...CRANK_FLAGS };

type Grammar = { readonly flags: FlagTable; readonly placement: Placement };

/** Words before the one that is completed, the word itself, and the flags that were found so far. */
type Line = {
  readonly before: readonly string[];
  readonly typed: string;
  readonly given: Readonly<Record<string, string>>;
};

/** What may follow; null for a program that is not known. `words`: the last one is completed, the first is the program. */
export const wanted = (words: readonly string[]): Wanted | null => {
  const [program = "", ...rest] = words;
  const line: Line = { before: rest.slice(0, -1), typed: rest.at(-1) ?? "", given: {} };
  switch (program.slice(program.lastIndexOf("/") + 1)) {
    case "crank":
      return onLine({ flags: ALL_CRANK_FLAGS, placement: "first" }, line, ofCommandLine);
    case "crankctl":
      return afterCrankctl(line);
    case "crankx":
      return onLine({ flags: CRANKX_FLAGS, placement: "first" }, line, ({ operands, typed, given }) => {
        if (operands.length === 0) return { from: { kind: "services" }, lead: "", typed, given };
        return afterCrankctl({ before: operands.slice(1), typed, given });
      });
    default:
      return null;
  }
};

const afterCrankctl = (line: Line): Wanted =>
  onLine({ flags: TOP_FLAGS, placement: "first" }, line, ({ operands, typed, given }) => {
    const [name, ...rest] = operands;
    if (name === undefined) return ofWords(typed, given, commandNames());
    const found = COMMANDS.find((command) => command.name === name);
    return found === undefined ? ofWords(typed, given, []) : afterCommand(found, { before: rest, typed, given });
  });

const afterCommand = ({ flags, placement, operands: kind }: Command, line: Line): Wanted =>
  onLine({ flags, placement }, line, ({ operands, typed, given, atFlags }) => {
    if (kind === "command") return ofCommandLine({ operands, typed, given });
    if (kind === undefined || operands.length > 0) return atFlags();
    return ofOperands(kind, typed, given);
  });

/** The program, and then its arguments. */
const ofCommandLine = ({ operands, typed, given }: Omit<AtOperand, "atFlags">): Wanted => ({
  from: { kind: operands.length === 0 ? "command" : "files" },
  lead: "",
  typed,
  given,
});

const ofOperands = (kind: Exclude<Operands, "command">, typed: string, given: Line["given"]): Wanted => {
  switch (kind) {
    case "services":
      return { from: { kind: "services" }, lead: "", typed, given };
    case "commands":
      return ofWords(typed, given, commandNames());
    case "shells":
      return ofWords(
        typed,
        given,
        SHELLS.map((value) => ({ value, about: "" })),
      );
  }
};

const commandNames = (): readonly Candidate[] => COMMANDS.map(({ name, summary }) => ({ value: name, about: summary }));

type AtOperand = {
  readonly operands: readonly string[];
  readonly typed: string;
  readonly given: Line["given"];
  /** The flags, where no operand is expected. */
  readonly atFlags: () => Wanted;
};

/** Reads the words as parseFlags does, and goes on with `atOperand` if the last one is not a flag or its value. */
const onLine = ({ flags, placement }: Grammar, line: Line, atOperand: (at: AtOperand) => Wanted): Wanted => {
  const given: Record<string, string> = { ...line.given };
  const { before, typed } = line;
  const operands: string[] = [];
  const done = (): Wanted =>
    atOperand({ operands, typed, given, atFlags: () => ofWords(typed, given, flagNames(flags, typed)) });
  for (let at = 0; at < before.length; at++) {
    const word = before[at] ?? "";
    if (word === "--") {
      operands.push(...before.slice(at + 1));
      return atOperand({ operands, typed, given, atFlags: () => ofWords(typed, given, []) });
    }
    const [, name = "", value] = FLAG.exec(word) ?? [];
    if (name === "") {
      if (placement === "first") {
        operands.push(...before.slice(at));
        return done();
      }
      operands.push(word);
      continue;
    }
    const flag = Object.hasOwn(flags, name) ? flags[name] : undefined;
    if (flag === undefined || flag.kind === "switch") continue;
    if (value !== undefined) given[name] = value;
    else if (at + 1 < before.length) given[name] = before[++at] ?? "";
    else return ofValue(name, flag, { lead: "", typed, given });
  }
  const [, name = "", value] = FLAG.exec(typed) ?? [];
  const flag = Object.hasOwn(flags, name) ? flags[name] : undefined;
  if (flag !== undefined && value !== undefined)
    return ofValue(name, flag, { lead: typed.slice(0, typed.length - value.length), typed: value, given });
  return typed.startsWith("-") ? ofWords(typed, given, flagNames(flags, typed)) : done();
};

const FLAG = /^--?([A-Za-z][\w-]*)(?:=(.*))?$/s;

const flagNames = (flags: FlagTable, typed: string): readonly Candidate[] => {
  const dashes = typed.startsWith("--") ? "--" : "-";
  const own = Object.entries(flags).map(([name, flag]) => ({ value: `${dashes}${name}`, about: flag.help }));
  return [...own, { value: `${dashes}help`, about: "show the help text" }];
};

const ofWords = (typed: string, given: Line["given"], candidates: readonly Candidate[]): Wanted => ({
  from: { kind: "words", candidates },
  lead: "",
  typed,
  given,
});

/** What a text or a number stands for, by the name of its flag, which means the same everywhere. */
const SOURCES: Readonly<Record<string, Exclude<Wanted["from"]["kind"], "words">>> = {
  name: "services",
  prefix: "directories",
  to: "generations",
  pid: "workers",
  conf: "files",
  f: "files",
  ctl: "files",
  exec: "files",
  metrics: "files",
  bind: "files",
  "env-file": "files",
  user: "users",
};

const SIGNALS = [
  "TERM",
  "INT",
  "HUP",
  "QUIT",
  "USR1",
  "USR2",
  "KILL",
  "STOP",
  "CONT",
  "WINCH",
  "TTIN",
  "TTOU",
] as const;

const ofValue = (name: string, flag: Flag, place: Pick<Wanted, "lead" | "typed" | "given">): Wanted => {
  const source = Object.hasOwn(SOURCES, name) ? SOURCES[name] : undefined;
  if (source !== undefined) return { from: { kind: source }, ...place };
  if (flag.kind === "setting" && flag.setting.kind === "directory") return { from: { kind: "directories" }, ...place };
  const candidates = valuesOf(name, flag).map((value) => ({ value, about: "" }));
  return { from: { kind: "words", candidates }, ...place };
};

/** The values that a flag may have; none: too many. */
const valuesOf = (name: string, flag: Flag): readonly string[] => {
  if (flag.kind === "switch") return ["true", "false"];
  if (flag.kind === "choice") return flag.choices;
  if (name === "signal") return SIGNALS;
  if (flag.kind !== "setting") return [];
  const { setting } = flag;
  switch (setting.kind) {
    case "choice":
      return setting.choices;
    case "signal":
      return SIGNALS.map((signal) => `SIG${signal}`);
    case "readiness":
      return ["notify", "ack", "tcp", "delay:", "http:", "exec:"];
    case "liveness":
      return ["off", "tcp", "http:", "exec:", "watchdog:"];
    case "limits":
      return LIMITS.map((limit) => `${limit}=`);
    default:
      return [];
  }
};

/** Those of setrlimit(2) that services set. */
const LIMITS = ["as", "core", "cpu", "data", "fsize", "memlock", "nofile", "nproc", "stack"] as const;
