// Checks the includes of keeper/ against docs/explanation/architecture.md: which folder (room) may include which, that
// there are no cycles (a .c file and its header count as one), and how many files a room has. `make check` runs it; it
// prints each violation and ends with status 1.
import { readdirSync, readFileSync } from "node:fs";

/** From which rooms a room may include, besides itself, `app` and `protocol`. These two may include each other. */
const ROOMS: Readonly<Record<string, readonly string[] | "all">> = {
  app: [],
  protocol: [],
  loop: [],
  process: [],
  output: [],
  journal: ["loop"],
  sockets: ["loop", "process"],
  worker: ["loop", "process", "output", "sockets"],
  connections: ["loop", "output", "sockets", "worker"],
  supervisor: ["loop", "process", "journal", "sockets", "connections", "worker"],
  reexec: ["process", "output"],
  einhorn: ["process", "supervisor"],
  helpers: ["process", "sockets"],
  main: "all",
};
const GROUND = ["app", "protocol"];

/** Programs of their own, started by the main function. No module of the keeper calls them. */
const STARTED_BY: Readonly<Record<string, string>> = { helpers: "main/main" };

/** Everything that watches includes the poller. The poller includes only the clock and the C library. */
const ALONE: Readonly<Record<string, readonly string[]>> = { loop: ["app/basics", "app/clock"] };

const MOST_FILES = 20;

type Include = { readonly file: string; readonly line: number; readonly from: string; readonly to: string };

const subjectOf = (path: string): string => path.replace(/\.[ch]$/, "");
const roomOf = (path: string): string => path.split("/")[0] ?? "";

const files = readdirSync("keeper", { recursive: true, encoding: "utf8" })
  .filter((path) => /\.[ch]$/.test(path))
  .sort();

const includes: readonly Include[] = files.flatMap((file) =>
  readFileSync(`keeper/${file}`, "utf8")
    .split("\n")
    .flatMap((text, index) => {
      const to = /^#include "([^"]+)"/.exec(text)?.[1];
      return to === undefined ? [] : [{ file, line: index + 1, from: subjectOf(file), to: subjectOf(to) }];
    }),
);

const complaintAbout = ({ file, from, to }: Include): string | null => {
  const room = roomOf(from);
  const target = roomOf(to);
  const allowed = ROOMS[room];
  if (!file.includes("/")) return "a file stands in a room";
  if (allowed === undefined) return `the room ${room} is not in tools/check-keeper-rooms.ts`;
  if (target === room) return null;
  const starter = STARTED_BY[target];
  if (starter !== undefined && from !== starter) return `${target} is for ${starter}.c alone (${to}.h)`;
  if (allowed === "all") return null;
  const alone = ALONE[room];
  if (alone !== undefined) return alone.includes(to) ? null : `${room} must not include ${to}.h`;
  if (!(target in ROOMS)) return `${to}.h is no file of a room`;
  return GROUND.includes(target) || allowed.includes(target)
    ? null
    : `${room} must not include from ${target} (${to}.h)`;
};

/** Cycles, each reported once. */
const circles = (): readonly string[] => {
  const needed = new Map<string, Set<string>>();
  for (const { from, to } of includes) if (from !== to) needed.set(from, (needed.get(from) ?? new Set()).add(to));
  const found: string[] = [];
  const way: string[] = [];
  const done = new Set<string>();
  const visit = (subject: string): void => {
    if (done.has(subject)) return;
    const start = way.indexOf(subject);
    if (start >= 0) return void found.push([...way.slice(start), subject].join(" → "));
    way.push(subject);
    for (const next of [...(needed.get(subject) ?? [])].sort()) visit(next);
    way.pop();
    done.add(subject);
  };
  for (const subject of [...needed.keys()].sort()) visit(subject);
  return found;
};

const crowded = Object.keys(ROOMS).flatMap((room) => {
  const count = files.filter((file) => roomOf(file) === room).length;
  return count > MOST_FILES ? [`keeper/${room}: ${count} files are too many for one room`] : [];
});

const complaints = [
  ...includes.flatMap((include) => {
    const complaint = complaintAbout(include);
    return complaint === null ? [] : [`keeper/${include.file}:${include.line}: ${complaint}`];
  }),
  ...circles().map((circle) => `keeper/: ${circle}: these include each other in a circle`),
  ...crowded,
];

for (const complaint of complaints) console.error(complaint);
process.exitCode = complaints.length > 0 ? 1 : 0;
