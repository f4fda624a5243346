// Checks that imports point one way, as docs/explanation/architecture.md draws it: between the rooms of src/, between the folders inside a
// room, and between modules, which never import each other in a circle; that no folder is larger than one can keep in mind; and
// that the system is asked through src/host/ alone. Imports of types count as all others do.
// `make check` runs it; it prints each place that is wrong and ends with status 1. (Globals of the runtime are for biome.json.)
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, sep } from "node:path";

/** Which others each room or folder may import from. */
type Allowed = Readonly<Record<string, readonly string[]>>;

/** Which rooms of src/ a room may import from, besides itself. "node:" stands for the modules of the runtime. */
const ROOMS: Allowed = {
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

const BELOW = ["os", "state", "events", "systemd", "sockets"];

/** The same for the folders inside a room. "" stands for the modules beside them. */
const FOLDERS: Readonly<Record<string, Allowed>> = {
  core: { model: [], worker: ["model"], pool: ["model", "worker"], "": ["model", "worker", "pool"] },
  supervisor: {
    os: [],
    state: ["os"],
    events: ["os", "state"],
    systemd: ["os", "state", "events"],
    sockets: ["os", "state", "events", "systemd"],
    workers: BELOW,
    metrics: BELOW,
    control: [...BELOW, "workers", "metrics"],
    adoption: [...BELOW, "workers", "control"],
    startup: [...BELOW, "adoption", "control"],
    upgrade: [...BELOW, "workers", "control"],
    loop: [...BELOW, "workers", "metrics", "control", "adoption", "startup", "upgrade"],
  },
  "supervisor/workers": { start: [], notify: ["start"], serving: ["start", "notify"] },
};

/** More files in one folder than this are more than one subject. */
const MOST_FILES = 20;

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

const modules = readdirSync("src", { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts"))
  .sort();

const roomOf = (path: string): string =>
  path.startsWith("host/node/") ? "host/node" : path.includes(sep) ? (path.split(sep)[0] ?? "") : "";

/** The path below src/ of a module of ours that is imported by `path`; null: it is none. */
const moduleOf = (path: string, from: string): string | null =>
  from.startsWith(".") ? normalize(join(dirname(path), from)) : null;

/** What an import is of: a room, "node:", "package", or "" for what any room but the core may use (version.ts). */
const targetOf = (path: string, from: string): string => {
  if (/^(node|bun):/.test(from)) return "node:";
  if (from === "#host") return "host";
  const imported = moduleOf(path, from);
  return imported === null ? "package" : roomOf(imported);
};

const roomComplaint = (path: string, from: string): string | null => {
  const room = roomOf(path);
  const allowed = ROOMS[room];
  const target = targetOf(path, from);
  if (room === "") return target === "node:" ? `src/ must not import from node: (${from})` : null;
  if (allowed === undefined) return `the room ${room} is not in tools/check-rooms.ts`;
  if (target === "") return room === "core" ? "the core imports nothing" : null;
  if (target === room || allowed.includes(target)) return null;
  return `${room} must not import from ${target} (${from})`;
};

/** The folder of `parent` that a module is in: "" for one beside the folders, null for one that is not below it. */
const folderIn = (parent: string, path: string): string | null => {
  if (!path.startsWith(`${parent}/`)) return null;
  const rest = path.slice(parent.length + 1);
  return rest.includes("/") ? rest.slice(0, rest.indexOf("/")) : "";
};

const folderComplaints = (path: string, from: string): readonly string[] => {
  const imported = moduleOf(path, from);
  if (imported === null) return [];
  return Object.entries(FOLDERS).flatMap(([parent, rules]) => {
    const folder = folderIn(parent, path);
    const target = folderIn(parent, imported);
    if (folder === null || target === null || folder === target) return [];
    const allowed = rules[folder];
    if (allowed === undefined) return [`src/${join(parent, folder)} is not in tools/check-rooms.ts`];
    return allowed.includes(target)
      ? []
      : [`${join(parent, folder)} must not import from ${join(parent, target)} (${from})`];
  });
};

/** The modules of ours that one imports. One that is missing is the compiler's to name. */
const importedBy = new Map(
  modules.map((path) => [
    path,
    linesOf(readFileSync(join("src", path), "utf8"))
      .flatMap(importsOf)
      .flatMap((from) => moduleOf(path, from) ?? [])
      .filter((imported) => modules.includes(imported)),
  ]),
);

/** Circles in a graph, each told once. A node that is not done yet when it is met again closes one. */
const circlesOf = (graph: ReadonlyMap<string, Iterable<string>>): readonly string[] => {
  const found: string[] = [];
  const way: string[] = [];
  const done = new Set<string>();
  const visit = (node: string): void => {
    if (done.has(node)) return;
    const from = way.indexOf(node);
    if (from >= 0) return void found.push([...way.slice(from), node].map((one) => `src/${one}`).join(" → "));
    way.push(node);
    for (const next of graph.get(node) ?? []) visit(next);
    way.pop();
    done.add(node);
  };
  for (const node of graph.keys()) visit(node);
  return found;
};

/** Where two modules' ways part: the folders or modules below the last folder that both are in. */
const siblings = (path: string, imported: string): readonly [string, string] => {
  const [a, b] = [path.split("/"), imported.split("/")];
  let shared = 0;
  while (shared < a.length - 1 && shared < b.length - 1 && a[shared] === b[shared]) shared += 1;
  return [a.slice(0, shared + 1).join("/"), b.slice(0, shared + 1).join("/")];
};

/** What the folders and modules beside each other import of each other, in all folders. */
const betweenSiblings = (): ReadonlyMap<string, ReadonlySet<string>> => {
  const graph = new Map<string, Set<string>>();
  for (const [path, imports] of importedBy) {
    for (const imported of imports) {
      const [from, to] = siblings(path, imported);
      if (from !== to) graph.set(from, (graph.get(from) ?? new Set()).add(to));
    }
  }
  return graph;
};

/** The folders with more files than one can keep in mind. */
const largeFolders = (): readonly string[] =>
  [...new Set(modules.map((path) => dirname(path)))].flatMap((folder) => {
    const { length } = modules.filter((path) => dirname(path) === folder);
    return length > MOST_FILES ? [`src/${folder}: ${length} files in one folder, more than ${MOST_FILES}`] : [];
  });

/** Of modules, and of folders: these may have circles where no two modules have one. */
const circles = (): readonly string[] => [...new Set([...circlesOf(importedBy), ...circlesOf(betweenSiblings())])];

const complaints = [
  ...circles().map((circle) => `${circle}: these import each other in a circle`),
  ...largeFolders(),
  ...modules.flatMap((path) => {
    const room = roomOf(path);
    return linesOf(readFileSync(join("src", path), "utf8")).flatMap((line) => {
      const found = importsOf(line).flatMap((from) => [
        ...[roomComplaint(path, from)].filter((complaint) => complaint !== null),
        ...folderComplaints(path, from),
      ]);
      if (!MAY_ASK.includes(room) && ASKED_ELSEWHERE.test(line.text)) found.push("the clock and chance are #host's");
      if (!MAY_ASK.includes(room) && IMPORTED_LATE.test(line.text))
        found.push("the image holds all modules: import() saves nothing");
      return found.map((complaint) => `src/${path}:${line.number}: ${complaint}`);
    });
  }),
];

for (const complaint of complaints) console.error(complaint);
process.exitCode = complaints.length > 0 ? 1 : 0;
