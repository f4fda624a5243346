// Checks that imports point one way, as docs/explanation/architecture.md draws it, that no modules import each other in a circle, and that
// the system is asked through src/host/ alone.
// `make check` runs it; it prints each place that is wrong and ends with status 1. (Globals of the runtime are for biome.json.)
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, sep } from "node:path";

/** Which rooms of src/ a room may import from, besides itself. "node:" stands for the modules of the runtime. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  core: [],
  host: [],
  "host/node": ["host", "node:"],
  worker: ["node:"],
  keeper: ["host"],
  control: ["host", "core", "keeper", "package"],
  supervisor: ["host", "control", "keeper", "core", "package"],
  commands: ["host", "supervisor", "control", "keeper", "core", "package"],
  frontends: ["host", "supervisor", "control", "keeper", "core", "commands", "package"],
};

/** The clock and chance, as the language has them: they are the host's (`new Date(ms)` is none of it). */
const ASKED_ELSEWHERE = /\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b/;
const IMPORTED_LATE = /\bimport\(/;
const MAY_ASK = ["host/node", "worker"];

type Line = { readonly number: number; readonly text: string };

const linesOf = (text: string): readonly Line[] =>
  text
    .split("\n")
    .map((content, index) => ({ number: index + 1, text: content }))
    .filter((line) => !/^\s*(\/\/|\*|\/\*)/.test(line.text));

const importsOf = ({ text }: Line): readonly string[] =>
  [...text.matchAll(/(?:\bfrom\s+|^\s*import\s+|\bimport\()"([^"]+)"/g)].map(([, from = ""]) => from);

const roomOf = (path: string): string =>
  path.startsWith("host/node/") ? "host/node" : path.includes(sep) ? (path.split(sep)[0] ?? "") : "";

/** What an import is of: a room, "node:", "package", or "" for what any room but the core may use (version.ts). */
const targetOf = (path: string, from: string): string => {
  if (/^(node|bun):/.test(from)) return "node:";
  if (from === "#host") return "host";
  if (!from.startsWith(".")) return "package";
  return roomOf(normalize(join(dirname(path), from)));
};

const complaintAbout = (room: string, path: string, from: string): string | null => {
  const allowed = ROOMS[room];
  const target = targetOf(path, from);
  if (room === "") return target === "node:" ? `src/ must not import from node: (${from})` : null;
  if (allowed === undefined) return `the room ${room} is not in tools/check-rooms.ts`;
  if (target === "") return room === "core" ? "the core imports nothing" : null;
  if (target === room || allowed.includes(target)) return null;
  return `${room} must not import from ${target} (${from})`;
};

const modules = readdirSync("src", { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts"))
  .sort();

/** The modules of ours whose values one needs when it is evaluated. Types leave nothing behind. One that is missing is the compiler's to name. */
const neededBy = (path: string): readonly string[] =>
  [...readFileSync(join("src", path), "utf8").matchAll(/^(?:import|export) (?!type )[^;"]*?from "(\.[^"]+)"/gm)]
    .map(([, from = ""]) => normalize(join(dirname(path), from)))
    .filter((needed) => modules.includes(needed));

/** Circles of modules, each told once. A module that is not done yet when it is met again closes one. */
const circles = (): readonly string[] => {
  const found: string[] = [];
  const way: string[] = [];
  const done = new Set<string>();
  const visit = (path: string): void => {
    if (done.has(path)) return;
    const from = way.indexOf(path);
    if (from >= 0) return void found.push([...way.slice(from), path].map((one) => `src/${one}`).join(" → "));
    way.push(path);
    neededBy(path).forEach(visit);
    way.pop();
    done.add(path);
  };
  modules.forEach(visit);
  return found;
};

const complaints = [
  ...circles().map((circle) => `${circle}: these import each other in a circle`),
  ...modules.flatMap((path) => {
    const room = roomOf(path);
    return linesOf(readFileSync(join("src", path), "utf8")).flatMap((line) => {
      const found = importsOf(line).map((from) => complaintAbout(room, path, from));
      if (!MAY_ASK.includes(room) && ASKED_ELSEWHERE.test(line.text)) found.push("the clock and chance are #host's");
      if (!MAY_ASK.includes(room) && IMPORTED_LATE.test(line.text))
        found.push("the image holds all modules: import() saves nothing");
      return found.flatMap((complaint) => (complaint === null ? [] : [`src/${path}:${line.number}: ${complaint}`]));
    });
  }),
];

for (const complaint of complaints) console.error(complaint);
process.exitCode = complaints.length > 0 ? 1 : 0;
