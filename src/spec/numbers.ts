// Numbers and durations as they are written on a command line.

/** A text is not what its setting takes. `message` is a sentence that begins with the setting's name. */
export class ValueError extends Error {
  override readonly name = "ValueError";
  readonly code = "value";
}

/** Bounds of a number as it is written; `min` is 0 if it is missing, and null lets the number be negative. */
export type Bounds = { readonly min?: number | null; readonly max?: number };

/** The longest duration that can be written: about 31 years, in seconds. */
export const MAX_SECONDS = 1_000_000_000;

/** Reads a whole number. `label`: the name of the setting, `-instances`. Throws ValueError. */
export const readWhole = (label: string, text: string, { min = 0, max = Number.MAX_SAFE_INTEGER }: Bounds): number => {
  if (!/^[+-]?\d{1,15}$/.test(text)) throw mustBe(label, "a whole number", text);
  return within(label, text, Number(text), min, max);
};

const MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const DURATION = /^([+-]?(?:\d{1,15}(?:\.\d*)?|\.\d+))(ms|[smhd])?$/;

/**
 * Reads a number of seconds, or a number with one of the units ms, s, m, h and d, as ms. The bounds are seconds. A
 * duration above 0 is never rounded to 0. Throws ValueError.
 */
export const readSeconds = (label: string, text: string, { min = 0, max = MAX_SECONDS }: Bounds): number => {
  const ms = durationMs(text);
  if (ms === null) throw mustBe(label, "a number of seconds, or a duration such as 300ms, 5m or 4h", text);
  within(label, text, ms / 1000, min, max, /[a-z]$/.test(text) ? " s" : "");
  return wholeMs(ms);
};

/** The ms of a duration without a sign, written as for readSeconds; null for anything else. */
export const readDuration = (text: string): number | null => {
  const ms = /^[+-]/.test(text) ? null : durationMs(text);
  return ms === null ? null : wholeMs(ms);
};

const durationMs = (text: string): number | null => {
  const [, number, unit = "s"] = DURATION.exec(text) ?? [];
  return number === undefined ? null : Number(number) * (MS[unit] ?? 0);
};

const wholeMs = (ms: number): number => (ms > 0 ? Math.max(1, Math.round(ms)) : Math.round(ms));

const MB = 1024 ** 2;
const BYTES: Readonly<Record<string, number>> = { K: 1024, M: MB, G: 1024 ** 3, T: 1024 ** 4 };
/** A fraction needs a unit. */
const SIZE = /^([+-]?\d{1,15}(?:\.\d{1,9}(?=[KMGT]))?)([KMGT])?$/;

/**
 * Reads a whole number of MB, or a number with one of the units K, M, G and T, as bytes. 1 MB is 1024 × 1024 bytes, as in
 * top(1). The bound is bytes. Throws ValueError.
 */
export const readSize = (label: string, text: string, maxBytes: number): number => {
  const [, number, unit] = SIZE.exec(text) ?? [];
  if (number === undefined) throw mustBe(label, "a whole number of MB, or a size such as 512M or 2G", text);
  const bytes = Number(number) * (BYTES[unit ?? "M"] ?? 0);
  within(label, text, bytes / MB, 0, maxBytes / MB, unit === undefined ? "" : " MB");
  return Math.round(bytes);
};

const mustBe = (label: string, what: string, text: string): ValueError =>
  new ValueError(`${label} ${JSON.stringify(text)}: must be ${what}`);

/** `unit` is that of the bounds; "" if the text is in the same. */
const within = (label: string, text: string, value: number, min: number | null, max: number, unit = ""): number => {
  if (min !== null && value < min) {
    const bound = min === 0 ? "not be negative" : `be at least ${min}${unit}`;
    throw new ValueError(`${label} ${text}: must ${bound}`);
  }
  if (value > max) throw new ValueError(`${label} ${text}: must be at most ${max}${unit}`);
  return value;
};

/** Reads one of these words. Throws ValueError. */
export const readChoice = (label: string, text: string, choices: readonly string[]): string => {
  if (choices.includes(text)) return text;
  throw new ValueError(`${label} ${JSON.stringify(text)}: must be ${orList(choices)}`);
};

const orList = (words: readonly string[]): string =>
  words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
