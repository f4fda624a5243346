// einhorn's line protocol: a message is a YAML document on one line, with `%` written as %25 and a newline as %0A. JSON is
// YAML, so a plain JSON line is a message too. This module has the form of requests and answers; the front end
// carries them out.
import { LIMITS } from "../../keeper/protocol.ts";
import { parseFlatJson } from "../json.ts";
import { readPlainDocument, yamlDocument } from "./einhorn-yaml.ts";
import { readYaml } from "./yaml-reader.ts";

/** The version of the original whose protocol this is. */
export const EINHORN_VERSION = "1.1.1";

/** A request. `args` null: it had none. `id`: returned with every answer; undefined: the answer has no id. */
export type EinhornRequest = {
  readonly command: string;
  readonly args: readonly string[] | null;
  readonly id: string | number | undefined;
  readonly pid: number | null;
  readonly requestId: string | number | null;
  readonly user: string;
};

export type EinhornAnswer = { readonly message: string; readonly requestId?: string | number; readonly wait?: true };

/** Every command of the shell and what it does, in the order of `help`. */
export const EINHORN_COMMANDS = {
  dec: "run one worker fewer",
  die: "[SIGNAL]: send all workers a signal (USR2), and exit when they have exited",
  ehlo: "say hello",
  config: "YAML: change verbosity or number, as in 'config {verbosity: 0}'",
  help: "show this list",
  inc: "run one more worker",
  louder: "log more",
  quieter: "log less",
  reload: "replace the master in place, but no worker",
  set_workers: "N: run N workers, 1 to 1000",
  signal: "SIGNAL...: send all workers a signal, as in 'signal HUP'",
  state: "show the master's state",
  upgrade: "replace the master, then the workers one by one",
  upgrade_fleet: "replace the master, then start all new workers, and stop the old ones when all new ones are ready",
  "worker:ack": "a worker reports that it is ready",
  "worker:ping": "a worker reports that it is alive",
} as const;

/** In UTF-16 units. No client needs more; parsing more would delay crank's other clients. */
const LONGEST_REQUEST = 64 * 1024;
/** The maximum length of a server's line. */
const LONGEST_ANSWER = LIMITS.connectionOutputBytes;

/** Reads a line; null if it is not a mapping. */
export const parseEinhornLine = (line: string): EinhornRequest | null => {
  const text = unescapeLine(line);
  const value = parseFlatJson(text) ?? parseYaml(text, LONGEST_REQUEST);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  return requestFrom(value);
};

/** Any YAML value; undefined if it is not YAML, of a kind that no client of einhorn writes, or longer than `most`. */
export const parseYaml = (text: string, most = LONGEST_REQUEST): unknown => {
  if (text.length > most || text.trim() === "") return undefined;
  return readPlainDocument(text) ?? readYaml(text);
};

const requestFrom = (value: object): EinhornRequest => {
  const fields = new Map(Object.entries(value));
  const args = fields.get("args");
  const pid = Number(fields.get("pid") ?? Number.NaN);
  return {
    command: textOf(fields.get("command")),
    args: Array.isArray(args) ? args.map(textOf) : null,
    id: tokenOf(fields.get("id")) ?? undefined,
    pid: Number.isSafeInteger(pid) ? pid : null,
    requestId: tokenOf(fields.get("request_id")),
    user: textOf(fields.get("user")),
  };
};

const textOf = (value: unknown): string =>
  typeof value === "string" ? value : typeof value === "number" || typeof value === "boolean" ? String(value) : "";

/** An id that is stored and sent back; an id that is too long is ignored. */
const tokenOf = (value: unknown): string | number | null =>
  typeof value === "number" || (typeof value === "string" && value.length <= LONGEST_ID) ? value : null;
const LONGEST_ID = 128;

/** A message as a line, newline included. */
export const encodeEinhornAnswer = ({ message, requestId, wait }: EinhornAnswer): string =>
  encodeMessage({
    message,
    ...(requestId === undefined ? {} : { request_id: requestId }),
    ...(wait ? { wait } : {}),
  });

/** A mapping as a line, newline included. */
export const encodeMessage = (message: Parameters<typeof yamlDocument>[0]): string =>
  `${escapeDocument(yamlDocument(message))}\n`;

const escapeDocument = (text: string): string => text.replaceAll("%", "%25").replaceAll("\n", "%0A");

const unescapeLine = (line: string): string => line.replaceAll("%0A", "\n").replaceAll("%25", "%");

/** The content of an answer: its message, and whether more answers follow. */
export type EinhornReply = {
  readonly message: string;
  readonly requestId: string | number | null;
  readonly wait: boolean;
};

/** Reads an answer; null if it is not an answer. */
export const parseEinhornAnswer = (line: string): EinhornReply | null => {
  const text = unescapeLine(line);
  const value = parseFlatJson(text) ?? parseYaml(text, LONGEST_ANSWER);
  if (typeof value !== "object" || value === null || !("message" in value)) return null;
  const fields = new Map<string, unknown>(Object.entries(value));
  return {
    message: textOf(fields.get("message")),
    requestId: tokenOf(fields.get("request_id")),
    wait: fields.get("wait") === true,
  };
};
