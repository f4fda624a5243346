// A configuration file as a TOML document: bytes in, tables with the positions of their keys out.
import { parse, TomlError } from "smol-toml";
import { type KeyOffsets, keyOffsets, type Position, pathText, positionAt } from "./positions.ts";

/** A configuration file cannot be used. `message` is `FILE:LINE:COLUMN: sentence`, or without a position. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly code = "config";
  readonly position: Position | null;
  constructor(file: string, position: Position | null, sentence: string, options?: ErrorOptions) {
    super(`${file}${position === null ? "" : `:${position.line}:${position.column}`}: ${sentence}`, options);
    this.position = position;
  }
}

/** A table of a document. */
export type Table = Readonly<Record<string, unknown>>;

/** The largest file, in bytes. */
export const MOST_BYTES = 1024 * 1024;
/** The time that the parser needs grows with the square of a table's keys: 1.4 s for as many as this. */
const MOST_LINES = 20_000;
/** Nested tables and lists. Nothing in a configuration file is nested deeper than 4. */
const MOST_DEPTH = 32;

/** A document with the name of its file, as errors show it. */
export class Document {
  readonly file: string;
  readonly root: Table;
  readonly #text: string;
  readonly #offsets: KeyOffsets;

  constructor(file: string, text: string, root: Table) {
    this.file = file;
    this.root = root;
    this.#text = text;
    this.#offsets = keyOffsets(text);
  }

  /** The position of a key: its own, or that of the nearest table around it. */
  positionOf(path: readonly string[]): Position {
    for (let length = path.length; length > 0; length--) {
      const offset = this.#offsets.get(pathText(path.slice(0, length)));
      if (offset !== undefined) return positionAt(this.#text, offset);
    }
    return { line: 1, column: 1 };
  }

  /** The keys of the table at `path`, in the order of the file: an object sorts keys that are numbers. */
  keysIn(path: readonly string[], table: Table): readonly string[] {
    const keys = Object.keys(table).map((key) => ({ key, at: this.#offsets.get(pathText([...path, key])) ?? 0 }));
    return keys.sort((one, other) => one.at - other.at).map(({ key }) => key);
  }

  /** The error that a key of this document causes. */
  error(path: readonly string[], sentence: string, options?: ErrorOptions): ConfigError {
    return new ConfigError(this.file, this.positionOf(path), sentence, options);
  }
}

/** Reads a document. `file` is its name in errors. Throws ConfigError. */
export const readDocument = (file: string, bytes: Uint8Array): Document => {
  const text = decoded(file, bytes);
  if (text.split("\n", MOST_LINES + 2).length > MOST_LINES + 1)
    throw new ConfigError(file, { line: MOST_LINES + 1, column: 1 }, `more than ${MOST_LINES} lines`);
  try {
    return new Document(file, text, parse(text, { maxDepth: MOST_DEPTH }));
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [sentence = ""] = error.message.split("\n");
    const { line, column } = error;
    throw new ConfigError(file, { line, column }, sentence.replace(/^Invalid TOML document: /, ""), { cause: error });
  }
};

/** The text of a file that has to be UTF-8. */
const decoded = (file: string, bytes: Uint8Array): string => {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new ConfigError(file, firstInvalid(bytes), "the bytes here are not UTF-8; save the file as UTF-8", {
      cause: error,
    });
  }
};

/** The position of the first byte that is not UTF-8. */
const firstInvalid = (bytes: Uint8Array): Position => {
  const text = new TextDecoder().decode(bytes);
  // A file that has the replacement character itself, in front of the invalid byte, gets the position of that.
  return positionAt(text, Math.max(0, text.indexOf("\ufffd")));
};

export const isTable = (value: unknown): value is Table =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);

/** A value as errors show it. */
export const shown = (value: unknown): string => {
  if (Array.isArray(value)) return "a list";
  if (value instanceof Date) return "a date";
  if (isTable(value)) return "a table";
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
};
