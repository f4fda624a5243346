// Writes docs/reference/control-protocol.md from the schemas and types of src/control/ (--write), or checks that it is
// up to date (--check).
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Method } from "../../src/control/messages.ts";
import { SPEC_ROWS } from "../../src/spec/fields.ts";
import {
  alternativesOf,
  type Declaration,
  declarationsIn,
  type Field,
  fieldsOf,
  partsOf,
  typeText,
} from "./declarations.ts";
import { defaultOf } from "./defaults.ts";
import { needsParameters, type Parameter, parametersOf } from "./parameters.ts";

const PAGE = "docs/reference/control-protocol.md";
const MESSAGES = "src/control/messages.ts";

/** The declarations of a module and of the project's modules that it imports. */
const declarationsFrom = (path: string, seen = new Set<string>()): ReadonlyMap<string, Declaration> => {
  if (seen.has(path)) return new Map();
  seen.add(path);
  const text = readFileSync(path, "utf8");
  const imported = [...text.matchAll(/from "(\.[^"]+)"/g)].map(([, from = ""]) => join(dirname(path), from));
  return new Map([...imported.flatMap((one) => [...declarationsFrom(one, seen)]), ...declarationsIn(text)]);
};
const declarations = declarationsFrom(MESSAGES);

const declared = (name: string): Declaration => {
  const found = declarations.get(name);
  if (found === undefined) throw new Error(`${MESSAGES} and its imports do not declare ${name}`);
  return found;
};

/** Whether a type gets a table of its own: an object, or a union of objects. */
const hasTable = (name: string): boolean => /[{&]/.test(declared(name).text);

/** A type on one line. Plain types, such as `WorkerId`, are replaced by their definitions. */
const shownType = (type: string): string =>
  typeText(type).replace(/\b[A-Z]\w+\b/g, (name) =>
    declarations.has(name) && !hasTable(name) ? typeText(declared(name).text) : name,
  );

/** The fields of a type, with those of its other parts. */
const allFields = (type: string): readonly Field[] =>
  partsOf(type).flatMap((part) => (/^\w+$/.test(part) ? allFields(declared(part).text) : fieldsOf(part)));

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ");
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => "---"), ...rows].map((row) => `| ${row.map(cell).join(" | ")} |`).join("\n");
const code = (text: string): string => `\`${text}\``;

/** The types that a result's type names, which get tables of their own. */
const namedIn = (type: string): readonly string[] =>
  [...type.replace(/\/\*\*[\s\S]*?\*\//g, "").matchAll(/\b[A-Z]\w+\b/g)]
    .map(([name]) => name)
    .filter((name) => declarations.has(name));

const described = (method: Method, fields: readonly Field[], { path }: Parameter): string => {
  const ofSpec = method === "run" ? SPEC_ROWS.find(([, { parameter }]) => parameter === path)?.[1].about : undefined;
  const doc = ofSpec ?? fields.find(({ name }) => name === path)?.doc ?? "";
  if (!/[.[]/.test(path) && doc === "")
    throw new Error(`${method}: the parameter ${path} has no doc comment in src/control/`);
  return doc;
};

const defaultText = (method: Method, { path, required, accepts }: Parameter, description: string): string => {
  if (required) return "required";
  if (method === "run") return defaultOf(path);
  return /Default: ([^.]*)\./.exec(description)?.[1] ?? (accepts === "true or false" ? "false" : "none");
};

/** Leaves out what applies to every string, which the top of the page says once. */
const inShort = (accepts: string): string => accepts.replaceAll(" without a zero byte or half a surrogate pair", "");

const methodSection = (method: Field): string => {
  const name = method.name as Method;
  const [params, result] = ["params", "result"].map((part) =>
    fieldsOf(method.text).find((field) => field.name === part),
  );
  const fields = allFields(params?.text ?? "{}");
  const rows = parametersOf(name).map((parameter) => {
    const description = described(name, fields, parameter);
    const short = description.replace(/ ?Default: [^.]*\./, "");
    return [code(parameter.path), inShort(parameter.accepts), defaultText(name, parameter, description), short];
  });
  const result_ = shownType(result?.text ?? "");
  return [
    `### ${name}`,
    method.doc,
    rows.length === 0 ? "No parameters." : table(["parameter", "accepts", "default", ""], rows),
    ...(rows.length > 0 && needsParameters(name) ? ["It cannot be called without parameters."] : []),
    `Answer: ${result_.startsWith("Record<string, never>") ? "`{}`" : code(result_)}.`,
  ].join("\n\n");
};

const typeSection = (name: string): string => {
  const { doc, text } = declared(name);
  if (isByKind(name)) return [`### ${name}`, ...(doc === "" ? [] : [doc]), kindsTable(name)].join("\n\n");
  const rows = allFields(text).map((field) => [
    code(field.name),
    code(shownType(field.text)),
    field.optional ? "no" : "yes",
    field.doc,
  ]);
  return [`### ${name}`, ...(doc === "" ? [] : [doc]), table(["field", "type", "always", ""], rows)].join("\n\n");
};

/** A union by `kind`, with one row for each alternative, also of nested unions. */
const kindsTable = (name: string): string => table(["kind", "fields", ""], kindRows(name));

const kindRows = (name: string): readonly (readonly string[])[] =>
  alternativesOf(declared(name).text).flatMap(({ doc, text }) => {
    const isName = /^\w+$/.test(text);
    if (isName && isByKind(text)) return kindRows(text);
    const own = isName ? declared(text) : { doc, text };
    const kind = allFields(own.text).find((field) => field.name === "kind")?.text ?? "";
    return [[code(typeText(kind).replaceAll('"', "")), fieldsText(own.text), own.doc]];
  });
const fieldsText = (text: string): string =>
  allFields(text)
    .filter(({ name }) => name !== "kind")
    .map(({ name, optional, text: type }) => code(`${name}${optional ? "?" : ""}: ${shownType(type)}`))
    .join(", ");

/** Whether the objects of a union are distinguished by `kind`. */
const isByKind = (name: string): boolean => {
  const { text } = declared(name);
  return alternativesOf(text).length > 1 && /\bkind: /.test(text);
};

/** The types that these types name, directly and indirectly. */
const typesBelow = (types: readonly string[]): readonly string[] => {
  const found: string[] = [];
  const visit = (type: string): void => {
    for (const name of namedIn(type)) {
      if (found.includes(name) || !hasTable(name)) continue;
      found.push(name);
      visit(declared(name).text);
    }
  };
  types.forEach(visit);
  return found;
};

const methods = fieldsOf(declared("Methods").text);
const notifications = fieldsOf(declared("Notifications").text);

/** The union of events in a notification, beside number and time. */
const eventsOf = (notification: string): string => {
  const entry = notifications.find(({ name }) => name === notification)?.text ?? "";
  const events = partsOf(declared(entry).text).find(isByKind);
  if (events === undefined) throw new Error(`${entry} has no union of events`);
  return events;
};

const resultTypes = typesBelow([
  ...methods.map((method) => fieldsOf(method.text).find(({ name }) => name === "result")?.text ?? ""),
]);
const eventTypes = (): readonly string[] =>
  typesBelow([declared(eventsOf("event")).text, declared(eventsOf("happening")).text, "FailureData"]).filter(
    (name) => !resultTypes.includes(name),
  );

const page = (): string =>
  `${[
    "# Control protocol",
    `<!-- Generated by \`make docs\` from ${MESSAGES}, src/control/schemas.ts and src/spec/fields.ts. Do not edit it by hand. -->`,
    "The protocol of the control socket: [JSON-RPC 2.0](https://www.jsonrpc.org/specification), one message a line, at most 1 MiB. How to use it from scripts is in [Scripts](../how-to/scripts.md).",
    "- Parameters are an object. An unknown parameter is refused by its name. Batches are refused.\n- Durations are in milliseconds.\n- Ignore fields, notifications and event kinds that you do not know: later versions may add some.\n- A string with a zero byte or half a surrogate pair is refused.\n- The defaults of `run` are those of a first deploy. Later deploys keep the values of the last good spec.",
    "## Requests",
    ...methods.map(methodSection),
    "## Notifications",
    "crank sends these to a client that asked for them.",
    table(
      ["method", "parameters", ""],
      fieldsOf(declared("Notifications").text).map(({ name, text, doc }) => [code(name), code(shownType(text)), doc]),
    ),
    "Each event has a number, `seq`, and a `time` (ISO 8601). `progress` and `event` carry [the events of workers and rollouts](#events-of-workers-and-rollouts), `happening` carries [the other events](#other-events).",
    "## Errors",
    table(
      ["code", "name", ""],
      fieldsOf(declared("ERROR_CODES").text, ",").map(({ name, text, doc }) => [code(text), name, doc]),
    ),
    "An error is `{ code, message, data? }`. `message` is one sentence to show to the user.",
    "## Answers",
    ...resultTypes.map(typeSection),
    "## Events of workers and rollouts",
    kindsTable(eventsOf("event")),
    "## Other events",
    kindsTable(eventsOf("happening")),
    "## Types in events and failures",
    ...eventTypes().map(typeSection),
  ].join("\n\n")}\n`;

const read = (path: string): string => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
};

const text = page();
if (process.argv[2] === "--write") writeFileSync(PAGE, text);
else if (read(PAGE) !== text) {
  console.error(`${PAGE} is out of date: run make docs`);
  process.exitCode = 1;
}
