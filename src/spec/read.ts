// Reads the text of a setting as its value in the control protocol. Only the form is looked at, and the bounds of
// numbers: whether a signal, a user or a limit exists is the supervisor's to say.
import type { Kind, LiveParams, ReadyParams, StepParams } from "./kinds.ts";
import { MAX_SECONDS, readChoice, readDuration, readSeconds, readSize, readWhole, ValueError } from "./numbers.ts";

/**
 * The value of `text`; undefined: the one of before is kept. `label` is the name of the setting, as in `-umask`. Of
 * a kind that `repeats`, the text has one entry of the map. A switch is not read here, because it needs no text. Throws
 * ValueError.
 */
export const readValue = (setting: Kind, label: string, text: string): unknown => {
  switch (setting.kind) {
    case "switch":
      throw new TypeError(`${label} is a switch`);
    case "count":
      return unlessNone(setting, readWhole(label, text, { min: setting.none ? 0 : setting.least, max: setting.most }));
    case "duration":
      return duration(setting, label, text);
    case "size":
      return unlessNone(setting, readSize(label, text, setting.most));
    case "choice":
      return readChoice(label, text, setting.choices);
    case "octal":
      return octal(label, text);
    case "directory":
      if (text === "") throw new ValueError(`${label} "": must not be empty`);
      return text;
    case "text":
    case "word":
    case "signal":
      return text;
    case "stopSteps":
      return stopSteps(label, text);
    case "readiness":
      return readiness(label, text);
    case "liveness":
      return liveness(label, text);
    case "environment":
      return environmentEntry(label, text);
    case "unset":
      return { [text]: null };
    case "limits":
      return limitsEntry(label, text);
  }
};

/** Whether a flag of this kind may repeat: each time it has one entry of a map. */
export const repeats = ({ kind }: Kind): boolean => kind === "environment" || kind === "unset" || kind === "limits";

const unlessNone = ({ none }: { readonly none?: "unlimited" }, value: number): number | null =>
  value === 0 && none === "unlimited" ? null : value;

const duration = (setting: Extract<Kind, { kind: "duration" }>, label: string, text: string) => {
  const { least = 0, none, because } = setting;
  const max = (setting.most ?? MAX_SECONDS * 1000) / 1000;
  // The reason is given instead of the bound.
  const min = none === "kept" ? null : none === "unlimited" || because !== undefined ? 0 : least / 1000;
  const ms = readSeconds(label, text, { min, max });
  if (ms <= 0 && none !== undefined) return none === "kept" ? undefined : null;
  if (ms < least && because !== undefined)
    throw new ValueError(`${label} ${text}: must be at least ${seconds(least)}, because ${because}`);
  return ms;
};

const seconds = (ms: number): string => `${ms / 1000} second${ms === 1000 ? "" : "s"}`;

const octal = (label: string, text: string): number => {
  if (!/^0?[0-7]{1,3}$/.test(text))
    throw new ValueError(`${label} ${JSON.stringify(text)}: must be octal, from 0 to 777`);
  return Number.parseInt(text, 8);
};

/** Reads `SIGNAL[@SECONDS],…`: only the first may leave its time out, and it is sent at once. */
const stopSteps = (label: string, text: string): StepParams[] =>
  text.split(",").map((step, index) => {
    const [, signal, time] = /^([A-Za-z0-9+-]+)(?:@(.+))?$/.exec(step.trim()) ?? [];
    const after = time === undefined && index === 0 ? 0 : readDuration(time ?? "");
    if (signal === undefined || after === null)
      throw new ValueError(`${label} ${JSON.stringify(step)}: not a step. Write SIGNAL@SECONDS, as in SIGTERM@3.`);
    if (after > MAX_SECONDS * 1000) throw new ValueError(`${label} ${step}: must be at most ${MAX_SECONDS} seconds`);
    return { signal, after };
  });

/** Reads `notify`, `ack`, `delay:SEC`, `tcp`, `http:PATH`, `exec:COMMAND`. */
const readiness = (label: string, text: string): ReadyParams => {
  if (text === "notify" || text === "ack") return { kind: text };
  const after = durationAfter("delay:", text);
  if (after !== null) return { kind: "delay", after };
  const asked = check(text);
  if (asked !== null) return asked;
  throw new ValueError(
    `${label} ${JSON.stringify(text)}: must be notify, ack, delay:SEC, tcp, http:PATH (as in http:/healthz) or exec:COMMAND`,
  );
};

/** Reads `off`, `watchdog:SEC`, `tcp`, `http:PATH`, `exec:COMMAND`. */
const liveness = (label: string, text: string): LiveParams => {
  if (text === "off") return { kind: "off" };
  const period = durationAfter("watchdog:", text);
  if (period !== null && period > 0) return { kind: "watchdog", period };
  const asked = check(text);
  if (asked !== null) return asked;
  throw new ValueError(
    `${label} ${JSON.stringify(text)}: must be http:PATH (as in http:/healthz), exec:COMMAND, tcp, watchdog:SEC or off`,
  );
};

/** What is asked of a worker from outside; null for anything else. A command is split at white space; there is no shell. */
const check = (text: string): Extract<ReadyParams, { kind: "tcp" | "http" | "exec" }> | null => {
  if (text === "tcp") return { kind: "tcp" };
  if (/^http:\/[!-~]*$/.test(text)) return { kind: "http", path: text.slice("http:".length) };
  const command = text.startsWith("exec:") ? text.slice("exec:".length).trim().split(/\s+/) : [""];
  return command[0] === "" ? null : { kind: "exec", command };
};

/** The ms of what begins so and goes on with a duration; null for anything else. */
const durationAfter = (beginning: string, text: string): number | null => {
  const ms = text.startsWith(beginning) ? readDuration(text.slice(beginning.length)) : null;
  return ms === null || ms > MAX_SECONDS * 1000 ? null : ms;
};

const environmentEntry = (label: string, text: string): Record<string, string> => {
  const equals = text.indexOf("=");
  if (equals < 1) throw new ValueError(`${label} ${JSON.stringify(text)}: must be NAME=VALUE`);
  return { [text.slice(0, equals)]: text.slice(equals + 1) };
};

const limitsEntry = (label: string, text: string): Record<string, number | null> => {
  const match = /^(?:RLIMIT_)?([a-z]+)=(\d{1,15}|unlimited|infinity)$/i.exec(text);
  const [, name, value] = match ?? [];
  if (name === undefined || value === undefined)
    throw new ValueError(`${label} ${JSON.stringify(text)}: must be NAME=N, as in nofile=65536 or core=unlimited`);
  return { [name.toLowerCase()]: /^\d/.test(value) ? Number(value) : null };
};
