// Writes what follows from the keys of configuration files (--write), or checks that it is up to date (--check):
// docs/reference/crank.schema.json, a JSON Schema for editors, and the keys in man/crank.toml.5.
import { readFileSync, writeFileSync } from "node:fs";
import { CRANK_KEYS, RUN_KEYS } from "../src/commands/config/keys.ts";
import type { Flag } from "../src/commands/flags.ts";
import { SPEC_ROWS } from "../src/spec/fields.ts";
import type { Kind } from "../src/spec/kinds.ts";
import { written } from "../src/spec/written.ts";

const SCHEMA = "docs/reference/crank.schema.json";
const PAGE = "man/crank.toml.5";

type Schema = Readonly<Record<string, unknown>>;

const LIST: Schema = { anyOf: [{ type: "string" }, { type: "array", items: { type: "string" } }] };
const DURATION: Schema = {
  anyOf: [{ type: "number" }, { type: "string", pattern: "^[+-]?(\\d+(\\.\\d*)?|\\.\\d+)(ms|[smhd])?$" }],
};
const SIZE: Schema = {
  anyOf: [
    { type: "integer", minimum: 0 },
    { type: "string", pattern: "^\\d+(\\.\\d+(?=[KMGT]))?[KMGT]?$" },
  ],
};

const settingSchema = (setting: Kind): Schema => {
  switch (setting.kind) {
    case "switch":
      return { type: "boolean" };
    case "count":
      return { type: "integer", minimum: setting.none === undefined ? setting.least : 0, maximum: setting.most };
    case "duration":
      return DURATION;
    case "size":
      return SIZE;
    case "choice":
      return { enum: setting.choices };
    case "octal":
      return { type: "string", pattern: "^0?[0-7]{1,3}$" };
    case "environment":
      return { type: "object", additionalProperties: { type: "string" } };
    case "unset":
      return LIST;
    case "limits":
      return { type: "object", additionalProperties: { anyOf: [{ type: "integer", minimum: 0 }, { type: "string" }] } };
    default:
      return { type: "string" };
  }
};

const flagSchema = (flag: Flag): Schema => {
  switch (flag.kind) {
    case "switch":
      return { type: "boolean" };
    case "texts":
      return LIST;
    case "choice":
      return { enum: flag.choices };
    case "whole":
      return { type: "integer" };
    case "seconds":
      return DURATION;
    case "setting":
      return settingSchema(flag.setting);
    case "text":
      return { type: "string" };
  }
};

/** The default of a key as TOML; null: it has none, or it depends on others. */
const defaultOf = (key: string): string | null => {
  const field = SPEC_ROWS.find(([flag]) => flag === key)?.[1];
  if (field?.initial === undefined) return null;
  const text = written(field, field.initial);
  return text === "(none)" || text === '""' ? null : text;
};

/** What a key is, where the help of its flag is about the command line. */
const ABOUT: Readonly<Record<string, string>> = {
  cwd: "working directory of the workers, by default that of the file",
};

const aboutOf = (key: string, flag: Flag): string => {
  const field = SPEC_ROWS.find(([name]) => name === key)?.[1];
  const none = field !== undefined && "none" in field && field.none === "unlimited" ? "; 0 is no limit" : "";
  return `${ABOUT[key] ?? field?.help ?? flag.help}${none}`;
};

const OWN: Readonly<Record<string, Schema>> = {
  command: {
    type: "array",
    items: { type: "string" },
    minItems: 1,
    description: "the program and its arguments; no shell splits it",
  },
  "env-file": { ...LIST, description: "files of NAME=VALUE lines, as Docker's env files; env overrides them" },
  after: { ...LIST, description: "services that are deployed before this one" },
};

const entryOf = ([key, flag]: readonly [string, Flag]): readonly [string, Schema] => {
  const initial = defaultOf(key);
  // TOML writes these values as JSON does.
  return [
    key,
    {
      ...flagSchema(flag),
      description: aboutOf(key, flag),
      ...(initial === null ? {} : { default: JSON.parse(initial) }),
    },
  ];
};

const schema = (): string => {
  const flags = [...Object.entries(CRANK_KEYS), ...Object.entries(RUN_KEYS)];
  const service = {
    type: "object",
    properties: { ...OWN, ...Object.fromEntries(flags.map(entryOf)) },
    required: ["command"],
    additionalProperties: false,
  };
  return `${JSON.stringify(
    {
      $schema: "https://json-schema.org/draft/2020-12/schema",
      title: "crank.toml",
      type: "object",
      properties: {
        service: {
          type: "object",
          propertyNames: { pattern: "^[^/\\s.][^/\\s]*$" },
          additionalProperties: service,
          minProperties: 1,
        },
      },
      required: ["service"],
      additionalProperties: false,
    },
    null,
    2,
  )}\n`;
};

const escaped = (text: string): string =>
  text
    .replaceAll("\\", "\\e")
    .replaceAll("…", "...")
    .replaceAll("-", "\\-")
    .replace(/^([.'])/, "\\&$1");

const TYPES: Readonly<Record<string, string>> = {
  switch: "true or false",
  whole: "whole number",
  count: "whole number",
  seconds: "duration",
  duration: "duration",
  size: "size",
  octal: "string, octal",
  texts: "list of strings",
  unset: "list of strings",
  environment: "table of strings",
  limits: "table of whole numbers or strings",
};

const typeOf = (flag: Flag): string => TYPES[flag.kind === "setting" ? flag.setting.kind : flag.kind] ?? "string";

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

const keyEntry = ([key, flag]: readonly [string, Flag]): string => {
  const initial = defaultOf(key);
  return `.TP\n.BR ${escaped(key)} " (${typeOf(flag)})"\n${escaped(sentence(aboutOf(key, flag)))}\n${initial === null ? "" : `Default:\n.BR ${escaped(initial).replaceAll('"', "\\(dq")} .\n`}`;
};

const section = (flags: Readonly<Record<string, Flag>>): string => Object.entries(flags).map(keyEntry).join("");

const replaced = (page: string, heading: string, text: string): string =>
  page.replace(
    new RegExp(`(^\\.SH ${heading}\\n(?:(?!\\.TP|\\.SH).*\\n)*)(?:\\.TP\\n(?:(?!\\.SH).*\\n)*)?`, "m"),
    (_, start: string) => start + text,
  );

const page = (): string =>
  replaced(
    replaced(readFileSync(PAGE, "utf8"), "KEYS OF THE CRANK", section(CRANK_KEYS)),
    "KEYS OF THE DEPLOY",
    section(RUN_KEYS),
  );

for (const [path, text] of [
  [SCHEMA, schema()],
  [PAGE, page()],
] as const) {
  if (process.argv[2] === "--write") writeFileSync(path, text);
  else if (readFileSync(path, "utf8") !== text) {
    console.error(`${path} is out of date: run make docs`);
    process.exitCode = 1;
  }
}
