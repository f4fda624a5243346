// Arguments that are not UTF-8. The runtime would replace their bytes, and crank would run something else than given.
import { orNull, readWhole } from "../os/system-files.ts";

const REPLACED = "\ufffd";

/**
 * A sentence about the first argument that is not UTF-8; null if all are. `pid`: the process whose last arguments they
 * are.
 */
export const brokenArgument = (args: readonly string[], pid: number | "self" = "self"): string | null => {
  if (!args.some((argument) => argument.includes(REPLACED))) return null;
  const raw = rawArguments(args.length, pid);
  const index = args.findIndex((argument, at) => argument.includes(REPLACED) && !isText(raw?.[at]));
  if (index < 0) return null;
  return `argument ${index + 1} is not UTF-8: ${shown(args[index] ?? "")}; arguments of workers must be UTF-8; let them read other bytes from a file`;
};

/** The last arguments of a process as bytes; null: they cannot be read. */
const rawArguments = (count: number, pid: number | "self"): readonly Uint8Array[] | null => {
  const bytes = orNull(() => readWhole(`/proc/${pid}/cmdline`));
  if (bytes === null) return null;
  const all: Uint8Array[] = [];
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(0, start);
    all.push(bytes.subarray(start, end < 0 ? bytes.length : end));
    start = end < 0 ? bytes.length : end + 1;
  }
  return all.slice(-count);
};

/** Unreadable bytes may be a real replacement character. */
const isText = (bytes: Uint8Array | undefined): boolean => {
  if (bytes === undefined) return false;
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
};

const LONGEST_SHOWN = 60;
/** Lost bytes are shown as question marks. */
const shown = (text: string): string => {
  const short = text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}…` : text;
  return JSON.stringify(short.replaceAll(REPLACED, "?"));
};
