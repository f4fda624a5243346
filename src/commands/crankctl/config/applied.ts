// Which services were applied from a configuration file, so that -prune knows those that were removed from it. A file
// for each configuration file, in the directory of records of the user who applies.
import { FileError } from "../../../supervisor/os/file-error.ts";
import { ensureOwnDirectory, readOwnFile, replaceOwnFile } from "../../../supervisor/os/files.ts";

/** The control addresses of services by their names, as -ctl takes them. */
export type Applied = Readonly<Record<string, string>>;

const MOST_BYTES = 1024 * 1024;

/** The path of the list for a configuration file with this absolute path. */
export const listPath = (directory: string, file: string): string => `${directory}/applied-${hash(file)}.json`;

/** FNV-1a, 32 bits. Different files that share a list do not prune each other's services: the list names its file. */
const hash = (text: string): string => {
  let value = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) value = Math.imul(value ^ byte, 0x01000193) >>> 0;
  return value.toString(16).padStart(8, "0");
};

/** The services of a list; none if there is no list of this file. */
export const readApplied = (path: string, file: string): Applied => {
  try {
    const parsed: unknown = JSON.parse(new TextDecoder().decode(readOwnFile(path, MOST_BYTES)));
    if (!isList(parsed) || parsed.file !== file) return {};
    const entries = Object.entries(parsed.services).filter(([, address]) => typeof address === "string");
    // The values are texts: the filter kept no others.
    return Object.fromEntries(entries) as Applied;
  } catch (error) {
    if (error instanceof FileError || error instanceof SyntaxError) return {};
    throw error;
  }
};

const isList = (value: unknown): value is { readonly file: string; readonly services: object } =>
  typeof value === "object" &&
  value !== null &&
  "file" in value &&
  "services" in value &&
  typeof value.services === "object" &&
  value.services !== null;

/** Replaces a list, and makes its directory if there is none. Throws FileError. */
export const writeApplied = async (path: string, file: string, services: Applied): Promise<void> => {
  ensureOwnDirectory(path.slice(0, path.lastIndexOf("/")), "readable");
  await replaceOwnFile(path, `${JSON.stringify({ file, services })}\n`, "owner");
};
