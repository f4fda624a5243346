// Checks that imports point one way, as docs/explanation/architecture.md shows: between the folders (rooms) of src/,
// between the folders in a room, and between modules, without cycles. Also checks that no folder of src/, test/, bench/ is
// too large, and that only src/host/ uses the system. Imports of types count like all others. `make check` runs it; it
// prints each violation and ends with status 1. (biome.json checks globals of the runtime.)
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, sep } from "node:path";

/** From which others each room or folder may import. */
type Allowed = Readonly<Record<string, readonly string[]>>;

/** From which rooms of src/ a room may import, besides itself. "node:" stands for the modules of the runtime. */
const ROOMS: Allowed = {
  core: [],
  host: [],
  "host/node": ["host", "node:"],
  worker: ["node:"],
  keeper: ["host"],
  spec: ["host", "core", "package"],
  control: ["host", "core", "spec", "keeper", "package"],
  supervisor: ["host", "control", "keeper", "spec", "core", "package"],
  commands: ["host", "supervisor", "control", "keeper", "spec", "core", "package"],
  frontends: ["host", "supervisor", "control", "keeper", "spec", "core", "commands", "package"],
};

const BELOW = ["os", "state", "events", "systemd", "sockets"];

/** The same for the folders in a room. "" stands for the modules beside them. */
const FOLDERS: Readonly<Record<string, Allowed>> = {
  core: {
    model: [],
    worker: ["model"],
    pool: ["model", "worker"],
    life: ["model", "worker", "pool"],
    "": ["model", "worker", "pool", "life"],
  },
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
  worker: { "": [], register: [""] },
  "supervisor/workers": { start: [], notify: ["start"], serving: ["start", "notify"] },
};

/** A folder with more files has more than one subject. */
const MOST_FILES = 20;

/** The clock and random numbers of the language, which only the host may use (`new Date(ms)` is allowed). */
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

/** The path below src/ of the module that is imported by `path`; null: not one of this project. */
const moduleOf = (path: string, from: string): string | null =>
  from.startsWith(".") ? normalize(join(dirname(path), from)) : null;

/** The target of an import: a room, "node:", "package", or "" for what any room but the core may use (version.ts). */
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

/** The folder of `parent` that a module is in: "" for one beside the folders, null for one outside of `parent`. */
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

/** The modules of this project that each module imports. The compiler reports missing ones. */
const importedBy = new Map(
  modules.map((path) => [
    path,
    linesOf(readFileSync(join("src", path), "utf8"))
      .flatMap(importsOf)
      .flatMap((from) => moduleOf(path, from) ?? [])
      .filter((imported) => modules.includes(imported)),
  ]),
);

/** The cycles of a graph, each reported once. Reaching a node that is still being visited closes a cycle. */
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

/** The two folders or modules in which the paths first differ. */
const siblings = (path: string, imported: string): readonly [string, string] => {
  const [a, b] = [path.split("/"), imported.split("/")];
  let shared = 0;
  while (shared < a.length - 1 && shared < b.length - 1 && a[shared] === b[shared]) shared += 1;
  return [a.slice(0, shared + 1).join("/"), b.slice(0, shared + 1).join("/")];
};

/** The imports between folders and modules that are beside each other, for all folders. */
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

const SOURCE = /\.(?:ts|mts|mjs|js|c|h|S|py|rb|sh)$/;

/** The folders below `root` with too many source files. */
const largeFolders = (root: string): readonly string[] => {
  const counts = new Map<string, number>();
  for (const path of readdirSync(root, { recursive: true, encoding: "utf8" }))
    if (SOURCE.test(path)) counts.set(dirname(path), (counts.get(dirname(path)) ?? 0) + 1);
  return [...counts].flatMap(([folder, count]) =>
    count > MOST_FILES ? [`${join(root, folder)}: ${count} files in one folder, more than ${MOST_FILES}`] : [],
  );
};

/** Cycles of modules, and of folders, which may form a cycle even if no modules do. */
const circles = (): readonly string[] => [...new Set([...circlesOf(importedBy), ...circlesOf(betweenSiblings())])];

const complaints = [
  ...circles().map((circle) => `${circle}: these import each other in a circle`),
  ...["src", "test", "bench"].filter((root) => existsSync(root)).flatMap(largeFolders),
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
