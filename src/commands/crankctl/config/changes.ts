// What differs between the settings in effect and those of a configuration file, by its keys.
import type { ServiceSettings } from "../../../control/messages.ts";
import { SPEC_ROWS } from "../../../spec/fields.ts";
import { written } from "../../../spec/written.ts";

/** A key whose value differs; null: there is none. Values of variables are not shown. */
export type Change = { readonly key: string; readonly from: string | null; readonly to: string | null };

/** The differences, in the order of the keys; nothing in effect is different in everything that is set. */
export const changesBetween = (running: ServiceSettings | null, asked: ServiceSettings): readonly Change[] => {
  const before = running === null ? new Map<string, string>() : entriesOf(running);
  const after = entriesOf(asked);
  const keys = [...new Set([...before.keys(), ...after.keys()])];
  const changes = keys.flatMap((key): Change[] => {
    const [from, to] = [before.get(key) ?? null, after.get(key) ?? null];
    return from === to ? [] : [{ key, from, to }];
  });
  return [...changes.map(hidden), ...(running === null ? [] : moved(running, asked))];
};

/** Every key with a value, as a configuration file would have it. Variables have a key each. */
export const entriesOf = ({ command, values }: ServiceSettings): ReadonlyMap<string, string> => {
  const entries = new Map([["command", JSON.stringify(command)]]);
  for (const [key, field] of SPEC_ROWS) {
    const value = values[field.parameter] ?? null;
    if (field.kind === "unset") continue;
    if (field.kind === "environment") {
      for (const [name, text] of variablesOf(value)) entries.set(`${VARIABLE}${name}`, text);
      continue;
    }
    const text = written(field, value);
    if (text !== "(none)" && text !== "{}") entries.set(key, text);
  }
  return entries;
};

const VARIABLE = "env.";

const variablesOf = (value: unknown): readonly (readonly [string, string])[] =>
  Object.entries(value ?? {}).map(([name, text]) => [name, text === null ? UNSET : `=${text}`]);

const UNSET = "(unset)";

/** A variable may be a secret. */
const hidden = ({ key, from, to }: Change): Change => {
  if (!key.startsWith(VARIABLE)) return { key, from, to };
  const isOther = from !== null && to !== null && from !== UNSET && to !== UNSET;
  return { key, from: shownVariable(from), to: isOther ? "(another value)" : shownVariable(to) };
};

const shownVariable = (text: string | null): string | null => (text === null || text === UNSET ? text : "(set)");

/** The value of a key as it is shown. */
export const shownEntry = (key: string, text: string): string =>
  key.startsWith(VARIABLE) ? (shownVariable(text) ?? "") : text;

/** Links that lead elsewhere than when the settings took effect. */
const moved = (running: ServiceSettings, asked: ServiceSettings): readonly Change[] => {
  const [before, now] = [running.resolved, asked.resolved];
  if (before === undefined || now === undefined) return [];
  return (["cwd", "file"] as const).flatMap((what) =>
    before[what] === now[what]
      ? []
      : [{ key: `(${what === "cwd" ? "directory" : "program"})`, from: before[what], to: now[what] }],
  );
};

/** Whether both deploy the same. */
export const isSame = (one: ServiceSettings, other: ServiceSettings): boolean =>
  changesBetween(one, other).length === 0;
