// Checks that imports point one way, as docs/architecture.md draws it, and that only the host reaches the system.
// `make check` runs it; it prints each import that is out of place and ends with status 1.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, sep } from "node:path";

/** Which rooms of src/ a room may import from, besides itself. "node:" stands for modules of Node and Bun. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  core: [],
  host: ["node:"],
  worker: ["node:"],
  keeper: ["host"],
  control: ["host", "core", "keeper", "package"],
  supervisor: ["host", "control", "keeper", "core", "package"],
  commands: ["host", "supervisor", "control", "keeper", "core", "package"],
  frontends: ["host", "supervisor", "control", "keeper", "core", "commands", "package"],
};

type Import = { readonly line: number; readonly from: string };

const importsOf = (text: string): readonly Import[] => {
  const found: Import[] = [];
  text.split("\n").forEach((content, index) => {
    if (/^\s*(\/\/|\*|\/\*)/.test(content)) return;
    for (const match of content.matchAll(/(?:\bfrom\s+|^\s*import\s+|\bimport\()"([^"]+)"/g))
      found.push({ line: index + 1, from: match[1] ?? "" });
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
  if (room === "host" && target === "node:" && !path.startsWith(join("host", "node")))
    return `only host/node may import from node: (${entry.from})`;
  return null;
};

const complaints = readdirSync("src", { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts"))
  .sort()
  .flatMap((path) => {
    const text = readFileSync(join("src", path), "utf8");
    const usesBun = /^(?!\s*(\/\/|\*|\/\*)).*\bBun\.\w/m.test(text);
    return [
      ...(usesBun ? [`src/${path}: Bun's own API is not there on the engine`] : []),
      ...importsOf(text).flatMap((entry) => {
        const complaint = complaintAbout(path, entry);
        return complaint === null ? [] : [`src/${path}:${entry.line}: ${complaint}`];
      }),
    ];
  });

for (const complaint of complaints) console.error(complaint);
process.exitCode = complaints.length > 0 ? 1 : 0;
