// The parameters that the schemas of src/control/schemas.ts accept, as rows: name, whether it is required, and its
// bounds in words.
import * as v from "valibot";
import type { Method } from "../../src/control/messages.ts";
import { schemaOf } from "../../src/control/schemas.ts";

export type Parameter = { readonly path: string; readonly required: boolean; readonly accepts: string };

/** The parts of a valibot schema that are used here. */
type Schema = {
  readonly type: string;
  readonly message?: unknown;
  readonly wrapped?: Schema;
  readonly item?: Schema;
  readonly entries?: Readonly<Record<string, Schema>>;
  readonly options?: readonly unknown[];
  readonly literal?: unknown;
  readonly pipe?: readonly Schema[];
};

/** Every message of a schema says what the value must be. Those of a pipe are all needed. */
const messagesOf = (schema: Schema): readonly string[] => {
  const own = typeof schema.message === "string" ? [schema.message] : [];
  // The first item of a pipe is the schema itself.
  return [...new Set([...own, ...(schema.pipe ?? []).slice(1).flatMap(messagesOf), ...nested(schema)])];
};
const nested = (schema: Schema): readonly string[] => {
  const first = schema.pipe?.[0];
  return first?.pipe ? messagesOf(first) : [];
};

const accepts = (schema: Schema): string => {
  if (schema.type === "nullable" && schema.wrapped) return `${accepts(schema.wrapped)}, or null`;
  if (schema.wrapped) return accepts(schema.wrapped);
  if (schema.type === "literal") return `"${String(schema.literal)}"`;
  const messages = messagesOf(schema).map((message) =>
    message.replace(/^must (be|have) (an? )?/, "$2").replace(/^an? /, ""),
  );
  if (messages.length > 0) return messages.join("; ");
  return schema.type === "picklist"
    ? (schema.options ?? []).map((option) => `"${String(option)}"`).join(" or ")
    : schema.type;
};

const unwrapped = (schema: Schema): Schema => (schema.wrapped ? unwrapped(schema.wrapped) : schema);

/** The fields of nested objects, named after the parameter. */
const below = (path: string, schema: Schema): readonly Parameter[] => {
  const inner = unwrapped(schema);
  if (inner.type === "array" && inner.item?.entries) return fields(`${path}[].`, inner.item.entries);
  if (inner.type !== "variant") return [];
  const rows = (inner.options ?? []).flatMap((option) => fields(`${path}.`, (option as Schema).entries ?? {}));
  return rows.filter(
    (row, index) => !row.path.endsWith(".kind") && rows.findIndex((other) => other.path === row.path) === index,
  );
};

const fields = (prefix: string, entries: Readonly<Record<string, Schema>>): readonly Parameter[] =>
  Object.entries(entries).flatMap(([name, schema]) => [
    { path: prefix + name, required: schema.type !== "exact_optional", accepts: accepts(schema) },
    ...below(prefix + name, schema),
  ]);

/** The parameters of a method, in the order of its schema. */
export const parametersOf = (method: Method): readonly Parameter[] => {
  // Every object schema of valibot has `entries`; the messages are this project's own texts.
  const schema = schemaOf(method) as unknown as Schema;
  return fields("", schema.entries ?? schema.pipe?.[0]?.entries ?? {});
};

/** Whether a method can be called without parameters. */
export const needsParameters = (method: Method): boolean => !v.safeParse(schemaOf(method), {}).success;
