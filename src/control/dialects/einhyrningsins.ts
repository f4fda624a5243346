// einhyrningsins' line protocol: a request is a JSON object on a line, an answer a JSON string on a line. This module has the form of requests and
// answers look; the front end carries them out.

import { parseFlatJson } from "../json.ts";

/** The version of the original whose protocol this is, as in the answer to `version`. */
export const EINHYRNINGSINS_VERSION = "0.2.0";

type CommandName = "ehlo" | "help" | "version" | "status" | "inc" | "dec" | "upgrade" | "die" | "nothing";

/** A parsed line. `mistaken`: an invalid request, with its answer. `nothing`: an empty line, which gets no answer. */
export type Request =
  | { [K in CommandName]: { readonly kind: K } }[CommandName]
  | { readonly kind: "signal"; readonly signal: string }
  | { readonly kind: "acknowledge"; readonly pid: number }
  | { readonly kind: "mistaken"; readonly answer: string };

/** Every command of the shell and what it does, in the order of `help`; the shell completes these names. */
export const COMMANDS = {
  inc: "start one more worker",
  dec: "shut one worker down, and run one fewer",
  upgrade: "give every worker a successor; each is shut down when its successor is healthy",
  die: "shut all workers down, then exit",
  shutdown: "the same as die",
  signal: "NAME: send a signal to all workers, as in 'signal HUP'",
  status: "show the workers and their states",
  help: "show this list",
  version: "show the version",
} as const;

/** The signals that `signal` takes, with or without SIG, in capitals or not. */
export const SIGNALS = [
  "SIGHUP",
  "SIGINT",
  "SIGTERM",
  "SIGTTIN",
  "SIGTTOU",
  "SIGKILL",
  "SIGUSR1",
  "SIGUSR2",
  "SIGSTOP",
  "SIGCONT",
] as const;

/** The answer to `ehlo`, byte for byte: its line ends with `\n\r`. */
export const EHLO_ANSWER = '"Hi there!"\n\r';

/** A sentence as an answer, newline included. */
export const encodeAnswer = (sentence: string): string => `${JSON.stringify(sentence)}\n`;

/** A command as a request, newline included. */
export const encodeRequest = (command: string, args: readonly string[]): string =>
  `${JSON.stringify({ command, args })}\n`;

/** The content of an answer: the line as a JSON string, or the line itself if it is not one. */
export const decodeAnswer = (line: string): string => {
  const value = parseFlatJson(line);
  return typeof value === "string" ? value : line;
};

/** The answer to `help`. */
export const helpText = (): string => {
  const rows = Object.entries(COMMANDS).map(([name, meaning]) => `    ${name.padEnd(12)}${meaning}\n`);
  return `Commands:\n\n${rows.join("")}`;
};

/** Reads a line, without its newline; null: it is not UTF-8. Never throws. */
export const parseRequest = (text: string | null): Request => {
  if (text?.replace(/\r$/, "") === "") return { kind: "nothing" };
  const message = text === null ? undefined : parseFlatJson(text);
  if (message === undefined) return mistaken("Expected valid JSON!");
  const command = memberOf(message, "command");
  switch (command) {
    case "ehlo":
    case "help":
    case "version":
    case "status":
    case "inc":
    case "dec":
    case "upgrade":
    case "die":
      return { kind: command };
    case "shutdown":
      return { kind: "die" };
    case "signal":
      return signalRequest(memberOf(message, "args"));
    case "worker:ack":
      return acknowledgement(memberOf(message, "pid"));
    default:
      return mistaken("Missing or unhandled 'command'");
  }
};

const mistaken = (answer: string): Request => ({ kind: "mistaken", answer });

const signalRequest = (args: unknown): Request => {
  const given: unknown = Array.isArray(args) ? args[0] : undefined;
  const bare = typeof given === "string" ? given.replace(/^SIG/, "") : "";
  const isOneCase = bare === bare.toUpperCase() || bare === given?.toString().toLowerCase();
  const signal = SIGNALS.find((name) => name === `SIG${bare.toUpperCase()}`);
  return isOneCase && signal !== undefined ? { kind: "signal", signal } : mistaken("Missing or unhandled 'signal'");
};

const acknowledgement = (pid: unknown): Request =>
  typeof pid === "number" && Number.isSafeInteger(pid) && pid > 0
    ? { kind: "acknowledge", pid }
    : mistaken("Missing or unhandled 'pid'");

const memberOf = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? // It is present; the caller checks its type.
      (value as Readonly<Record<string, unknown>>)[name]
    : undefined;

/** undefined if it is not JSON. */
