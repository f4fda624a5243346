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
export const readWhole = (label: string, text: string, { min = 0, max = Number.MAX_SAFE_INTEGER }: Bounds): number =>
  readNumber(label, text, /^[+-]?\d{1,15}$/, "a whole number", min, max);

/** Reads a number of seconds as ms. A duration above 0 is never rounded to 0. Throws ValueError. */
export const readSeconds = (label: string, text: string, { min = 0, max = MAX_SECONDS }: Bounds): number => {
  const value = readNumber(label, text, /^[+-]?(\d{1,15}(\.\d*)?|\.\d+)$/, "a number of seconds", min, max);
  return value > 0 ? Math.max(1, Math.round(value * 1000)) : Math.round(value * 1000);
};

const readNumber = (
  label: string,
  text: string,
  form: RegExp,
  what: string,
  min: number | null,
  max: number,
): number => {
  if (!form.test(text)) throw new ValueError(`${label} must be ${what}, not ${JSON.stringify(text)}`);
  const value = Number(text);
  if (min !== null && value < min) {
    throw new ValueError(
      min === 0 ? `${label} must not be negative, but is ${text}` : `${label} must be at least ${min}, but is ${text}`,
    );
  }
  if (value > max) throw new ValueError(`${label} must be at most ${max}, but is ${text}`);
  return value;
};

/** Reads one of these words. Throws ValueError. */
export const readChoice = (label: string, text: string, choices: readonly string[]): string => {
  if (choices.includes(text)) return text;
  throw new ValueError(`${label} must be ${orList(choices)}, not ${JSON.stringify(text)}`);
};

const orList = (words: readonly string[]): string =>
  words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
