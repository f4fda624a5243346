// Checks that imports point one way, as docs/architecture.md draws it, and that what is dear at start is loaded late.
// `make check` runs it; it prints each import that is out of place and ends with status 1.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, sep } from "node:path";

/** Which rooms of src/ a room may import from, besides itself. "node:" stands for the cheap modules of the runtime. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  core: [],
  host: ["node:"],
  worker: ["node:"],
  keeper: ["host", "node:"],
  control: ["host", "core", "keeper", "node:", "package"],
  supervisor: ["host", "control", "keeper", "core", "node:", "package"],
  commands: ["host", "supervisor", "control", "keeper", "core", "node:", "package"],
  frontends: ["host", "supervisor", "control", "keeper", "core", "commands", "node:", "package"],
};

/** Costs Bun 6 to 10 ms at start when imported statically: `await import()` where it is needed. (Not so in the library
 * for workers, which no command of crank's imports.) */
const DEAR_MODULES = new Set([
  "node:net",
  "node:child_process",
  "node:stream",
  "node:http",
  "node:tls",
  "node:readline",
]);

/** The files that may say `Bun.`, with another way for Node behind the same functions: printing. */
const BUN_FILES = ["commands/output.ts"];

/** `isFree`: it costs nothing at start, because only types are meant or because it is loaded when it is needed. */
type Import = { readonly line: number; readonly from: string; readonly isFree: boolean };

const importsOf = (text: string): readonly Import[] => {
  const found: Import[] = [];
  text.split("\n").forEach((content, index) => {
    if (/^\s*(\/\/|\*|\/\*)/.test(content)) return;
    for (const match of content.matchAll(/(?:\bfrom\s+|^\s*import\s+|\b(import\())"([^"]+)"/g)) {
      found.push({
        line: index + 1,
        from: match[2] ?? "",
        isFree: match[1] !== undefined || /^\s*import type\b/.test(content),
      });
    }
  });
  return found;
};

const roomOf = (path: string): string => (path.includes(sep) ? (path.split(sep)[0] ?? "") : "");

/** What an import is of: a room, "node:", "package", or "" for what any room but the core may use (version.ts). */
const targetOf = (path: string, from: string): string => {
  if (from.startsWith("node:")) return "node:";
  if (from === "#host") return "host";
  if (!from.startsWith(".")) return "package";
  return roomOf(normalize(join(dirname(path), from)));
};

const complaintAbout = (path: string, entry: Import): string | null => {
  const room = roomOf(path);
  const allowed = ROOMS[room];
  const target = targetOf(path, entry.from);
  if (room === "") return null;
  if (allowed === undefined) return `the room ${room} is not in tools/check-rooms.ts`;
  if (target === "") return room === "core" ? "the core imports nothing" : null;
  if (target !== room && !allowed.includes(target)) return `${room} must not import from ${target} (${entry.from})`;
  if (room !== "worker" && DEAR_MODULES.has(entry.from) && !entry.isFree)
    return `${entry.from} is slow to load: import it lazily`;
  return null;
};

const complaints = readdirSync("src", { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts"))
  .sort()
  .flatMap((path) => {
    const text = readFileSync(join("src", path), "utf8");
    const usesBun = !BUN_FILES.includes(path) && /^(?!\s*(\/\/|\*|\/\*)).*\bBun\.\w/m.test(text);
    return [
      ...(usesBun ? [`src/${path}: only ${BUN_FILES.join(" and ")} may use Bun's own API`] : []),
      ...importsOf(text).flatMap((entry) => {
        const complaint = complaintAbout(path, entry);
        return complaint === null ? [] : [`src/${path}:${entry.line}: ${complaint}`];
      }),
    ];
  });

for (const complaint of complaints) console.error(complaint);
process.exitCode = complaints.length > 0 ? 1 : 0;
