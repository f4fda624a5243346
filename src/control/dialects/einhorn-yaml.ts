// YAML as Ruby's Psych reads it, for einhorn's answers and its `state`: mappings, lists and scalars, and Ruby's symbols, sets
// and times, each as Psych writes it. yaml-reader.ts reads other documents than those that this module writes.

/** A Ruby symbol, without its colon. */
export class RubySymbol {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** A Ruby Time; milliseconds since 1970. */
export class RubyTime {
  readonly wallMs: number;
  constructor(wallMs: number) {
    this.wallMs = wallMs;
  }
}

/** A Ruby Set of texts. */
export class RubySet {
  readonly members: readonly string[];
  constructor(members: readonly string[]) {
    this.members = members;
  }
}

export type YamlValue =
  | string
  | number
  | boolean
  | null
  | RubySymbol
  | RubyTime
  | RubySet
  | readonly YamlValue[]
  | YamlMapping;
export type YamlMapping = { readonly [key: string]: YamlValue };

/** A whole document, beginning with `---`. Keys are written unchanged: that of a symbol begins with a colon. */
export const yamlDocument = (value: YamlMapping): string => `---\n${mapping(value, 0)}`;

const mapping = (value: YamlMapping, depth: number): string =>
  Object.entries(value)
    .map(([key, item]) => `${indent(depth)}${/^\d+$/.test(key) ? key : keyText(key)}:${node(item, depth)}`)
    .join("");

/** The text after a key or a dash, including its newline. */
const node = (value: YamlValue, depth: number): string => {
  if (value instanceof RubySet) return setNode(value, depth);
  if (Array.isArray(value)) return listNode(value, depth);
  if (isMapping(value)) {
    const isEmpty = Object.keys(value).length === 0;
    return isEmpty ? " {}\n" : `\n${mapping(value, depth + 1)}`;
  }
  return value === null ? "\n" : ` ${scalar(value)}\n`;
};

const listNode = (items: readonly YamlValue[], depth: number): string =>
  items.length === 0 ? " []\n" : `\n${items.map((item) => `${indent(depth)}- ${inline(item)}\n`).join("")}`;

/** Within a list, on one line. */
const inline = (value: YamlValue): string => {
  if (Array.isArray(value)) return `[${value.map(inline).join(", ")}]`;
  if (value instanceof RubySet || isMapping(value)) return JSON.stringify(value);
  return scalar(value);
};

const setNode = ({ members }: RubySet, depth: number): string => {
  const inner = indent(depth + 1);
  if (members.length === 0) return ` !ruby/object:Set\n${inner}hash: {}\n`;
  const lines = members.map((member) => `${inner}  ${keyText(member)}: true\n`);
  return ` !ruby/object:Set\n${inner}hash:\n${lines.join("")}`;
};

const indent = (depth: number): string => "  ".repeat(depth);

const isMapping = (value: YamlValue): value is YamlMapping =>
  typeof value === "object" &&
  value !== null &&
  !Array.isArray(value) &&
  !(value instanceof RubySymbol || value instanceof RubyTime || value instanceof RubySet);

const scalar = (value: YamlValue): string => {
  if (value instanceof RubySymbol) return `:${value.name}`;
  if (value instanceof RubyTime) return new Date(value.wallMs).toISOString().replace("T", " ").replace("Z", "000000 Z");
  if (typeof value === "string") return text(value);
  return value === null ? "" : String(value);
};

const keyText = (key: string): string => (/^:[a-z_]+$/.test(key) ? key : text(key));

/** Words that have another meaning without quotes in YAML 1.1. */
const WORDS = /^(y|n|yes|no|on|off|true|false|null|nan|inf)$/i;
const PLAIN = /^[A-Za-z](?:[\w .,!()/@+=-]*[\w.!()/])?$/;
// Not printable in YAML, though JSON writes them as they are.
const UNPRINTABLE = /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g;

const isPlain = (value: string): boolean => PLAIN.test(value) && !WORDS.test(value);

const text = (value: string): string => {
  if (isPlain(value)) return value;
  return JSON.stringify(value).replace(
    UNPRINTABLE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
};

/**
 * Reads a document of the simplest kind: a mapping of texts, numbers, booleans and lists of texts, each on separate lines, as
 * `yamlDocument` writes it. Undefined for any other, which needs a full YAML reader.
 */
export const readPlainDocument = (document: string): Readonly<Record<string, unknown>> | undefined => {
  const fields = new Map<string, unknown>();
  let list: unknown[] | null = null;
  for (const line of document
    .replace(/^---\n/, "")
    .replace(/\n$/, "")
    .split("\n")) {
    const item = line.startsWith("- ") ? readScalar(line.slice(2)) : undefined;
    if (list && typeof item === "string") {
      list.push(item);
      continue;
    }
    const [, key, rest] = /^([a-z_]+):(?: (.+))?$/.exec(line) ?? [];
    if (key === undefined || fields.has(key) || WORDS.test(key) || list?.length === 0) return undefined;
    list = rest === undefined ? [] : null;
    const value = list ?? (rest === "[]" ? [] : readScalar(rest ?? ""));
    if (value === undefined) return undefined;
    fields.set(key, value);
  }
  return list?.length === 0 ? undefined : Object.fromEntries(fields);
};

/** A text, a number or a boolean as `scalar` writes it; undefined for any other value. */
const readScalar = (written: string): string | number | boolean | undefined => {
  if (isPlain(written)) return written;
  if (written === "true" || written === "false") return written === "true";
  if (/^(0|[1-9]\d{0,14})$/.test(written)) return Number(written);
  if (!/^"(?:[^"\\]|\\.)*"$/.test(written)) return undefined;
  try {
    return JSON.parse(written);
  } catch {
    return undefined;
  }
};
