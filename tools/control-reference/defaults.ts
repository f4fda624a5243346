// The defaults of `run`: what a first deploy that gives only a command has.
import { SPEC_ROWS } from "../../src/spec/fields.ts";

/** Of the parameters that are not fields of the spec. */
const IN_WORDS: Readonly<Record<string, string>> = {
  command: "none: the first deploy must name one",
  callerCwd: "the directory of crank",
  wait: "false",
  fresh: "false",
  supersede: "false",
  clientId: "none",
  pid: "none",
};

/**
 * The default of a parameter of `run`, as Markdown. Throws if there is none, so that new parameters are not forgotten.
 */
export const defaultOf = (name: string): string => {
  const field = SPEC_ROWS.find(([, { parameter }]) => parameter === name)?.[1];
  const words = field?.initially ?? IN_WORDS[name];
  if (words !== undefined) return words;
  if (field?.kind === "switch") return String(field.initial);
  if (field?.initial === undefined)
    throw new Error(`the default of run's ${name} is not known: give its row in src/spec/fields.ts an initial value`);
  return `\`${JSON.stringify(field.initial)}\``;
};
