// Makes text from other sources (a worker, a path, an answer) safe and readable: escapes, quotes, tables, spans.
import { host } from "#host";
import { UNSAFE } from "../control/printable.ts";

const SHORT: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** The text with everything that a terminal could take as a command written as an escape: `\x1b`, `\u202e`. */
export const escapeControls = (text: string): string => text.replace(UNSAFE, escapeOne);

/** The same for a line of output, whose tabs may stay. */
export const escapeLine = (text: string): string =>
  text.replace(UNSAFE, (character) => (character === "\t" ? character : escapeOne(character)));

/** The same for lines: each stays one. */
export const escapeLines = (text: string): string =>
  text.replace(UNSAFE, (character) => (character === "\n" || character === "\t" ? character : escapeOne(character)));

/** In double quotes, as Go's %q has it. */
export const quoted = (text: string): string => `"${escapeControls(text.replace(/["\\]/g, "\\$&"))}"`;

/** JSON on one line, valid for every reader of JSON and harmless on a terminal. */
export const safeJson = (value: unknown): string =>
  JSON.stringify(value).replace(UNSAFE, (character) => `\\u${hex(character, 4)}`);

const escapeOne = (character: string): string =>
  SHORT[character] ?? (character < "\u0100" ? `\\x${hex(character, 2)}` : `\\u${hex(character, 4)}`);

const hex = (character: string, digits: number): string => character.charCodeAt(0).toString(16).padStart(digits, "0");

/** Rows under a header, columns two spaces apart; columns whose header begins with ">" are aligned to the right. */
export const table = (header: readonly string[], rows: readonly (readonly string[])[]): string => {
  const titles = header.map((title) => title.replace(/^>/, ""));
  const lines = [titles, ...rows];
  const widths = titles.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const cell = (text: string, column: number): string => {
    const width = widths[column] ?? 0;
    return header[column]?.startsWith(">") ? text.padStart(width) : text.padEnd(width);
  };
  return lines.map((line) => `${line.map(cell).join("  ").trimEnd()}\n`).join("");
};

/** A span of time in its two largest units: `0.4 s`, `12 s`, `3 min 5 s`, `2 d 4 h`. */
export const span = (ms: number): string => {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 10) return `${Math.round(seconds * 10) / 10} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${whole % 60} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 24 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
};

/** An amount of memory: `0.7 MiB`, `112 MiB`, `3.1 GiB`. */
export const size = (bytes: number): string => {
  const mebibytes = bytes / 2 ** 20;
  const [amount, unit] = mebibytes < 1000 ? [mebibytes, "MiB"] : [mebibytes / 1024, "GiB"];
  return `${amount < 10 ? amount.toFixed(1) : Math.round(amount)} ${unit}`;
};

/** How long ago an ISO 8601 time was. */
export const since = (time: string): string => span(host.clock.wallNow() - Date.parse(time));
