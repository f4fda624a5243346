// The values of keys: which TOML types a setting takes, and how they become what its flag would have been read as.
import type { Kind } from "../../spec/kinds.ts";
import { type Flag, readFlag, UsageError } from "../flags.ts";
import { isTable, shown } from "./document.ts";

/** A setting's value, as the flag of this name would give it. Throws UsageError, whose message begins with the key. */
export const keyValue = (key: string, flag: Flag, value: unknown): unknown => {
  if (flag.kind === "switch") return booleanOf(key, value);
  if (flag.kind === "texts") return stringsOf(key, value);
  if (flag.kind === "setting") return settingOf(key, flag, value);
  const text = NUMERIC[flag.kind] === undefined ? stringOf(key, value) : numberText(key, value, NUMERIC[flag.kind]);
  return readFlag(key, flag, text);
};

type Numbers = { readonly whole: boolean; readonly texts: string | null };
/** Which kinds take numbers: only whole ones, and which texts beside them. */
const NUMERIC: Readonly<Record<string, Numbers | undefined>> = {
  whole: { whole: true, texts: null },
  count: { whole: true, texts: null },
  size: { whole: true, texts: 'a size such as "512M"' },
  seconds: { whole: false, texts: 'a duration such as "5m"' },
  duration: { whole: false, texts: 'a duration such as "5m"' },
};

type SettingFlag = Extract<Flag, { kind: "setting" }>;

const settingOf = (key: string, flag: SettingFlag, value: unknown): unknown => {
  const { setting } = flag;
  switch (setting.kind) {
    case "environment":
      return entriesOf(key, value, "a string", (entry) => (typeof entry === "string" ? entry : null)).map(
        ([name, text]) => readFlag(key, flag, `${name}=${text}`),
      );
    case "limits":
      return entriesOf(key, value, 'a whole number or "unlimited"', limitText).map(([name, text]) =>
        readFlag(key, flag, `${name}=${text}`),
      );
    case "unset":
      return stringsOf(key, value).map((name) => readFlag(key, flag, name));
    default:
      return readFlag(key, flag, textOf(key, setting, value));
  }
};

const textOf = (key: string, setting: Kind, value: unknown): string => {
  const numbers = NUMERIC[setting.kind];
  if (numbers !== undefined) return numberText(key, value, numbers);
  if (setting.kind === "octal" && typeof value === "number")
    throw new UsageError(`${key} must be a string with an octal number, as in "027", not ${value}`);
  return stringOf(key, value);
};

const booleanOf = (key: string, value: unknown): boolean => {
  if (typeof value === "boolean") return value;
  throw new UsageError(`${key} must be true or false, not ${shown(value)}`);
};

const stringOf = (key: string, value: unknown): string => {
  if (typeof value === "string") return value;
  throw new UsageError(`${key} must be a string, not ${shown(value)}`);
};

const numberText = (key: string, value: unknown, numbers: Numbers | undefined): string => {
  const texts = numbers?.texts ?? null;
  if (texts !== null && typeof value === "string") return value;
  const isNumber = typeof value === "number" && Number.isFinite(value);
  if (isNumber && (numbers?.whole !== true || Number.isInteger(value))) return plainNumber(value);
  const what = numbers?.whole === true ? "a whole number" : "a number of seconds";
  throw new UsageError(`${key} must be ${what}${texts === null ? "" : ` or ${texts}`}, not ${shown(value)}`);
};

/** Without an exponent, which flags do not take. */
const plainNumber = (value: number): string =>
  Number.isInteger(value) ? String(BigInt(value)) : value.toFixed(9).replace(/0+$/, "");

/** A list of strings; one string is a list of one. */
export const stringsOf = (key: string, value: unknown): readonly string[] => {
  if (typeof value === "string") return [value];
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  const wrong = Array.isArray(value) ? value.find((item) => typeof item !== "string") : value;
  throw new UsageError(`${key} must be a list of strings, not ${Array.isArray(value) ? "with " : ""}${shown(wrong)}`);
};

/** The words of a command. Unlike other lists it is never one string, because no shell splits it. */
export const commandOf = (value: unknown): readonly string[] => {
  if (typeof value === "string")
    throw new UsageError(
      `command must be a list of words, as in ["node", "server.js"], not ${shown(value)}: there is no shell that splits it`,
    );
  const words = stringsOf("command", value);
  if ((words[0] ?? "") === "") throw new UsageError("command must begin with a program");
  return words;
};

const limitText = (value: unknown): string | null =>
  typeof value === "string" || (typeof value === "number" && Number.isInteger(value)) ? String(value) : null;

const entriesOf = (
  key: string,
  value: unknown,
  what: string,
  textFor: (value: unknown) => string | null,
): readonly (readonly [string, string])[] => {
  if (!isTable(value)) throw new UsageError(`${key} must be a table, as in { NAME = … }, not ${shown(value)}`);
  return Object.entries(value).map(([name, entry]) => {
    const text = textFor(entry);
    if (text === null) throw new UsageError(`${key}.${name} must be ${what}, not ${shown(entry)}`);
    return [name, text];
  });
};
