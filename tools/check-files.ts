// Checks that only one module on each side opens, creates, renames, removes and changes owners of files:
// src/supervisor/os/files.ts and keeper/app/files.c. `make check` runs it; it prints each misplaced call and ends with
// status 1.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Calls that are allowed elsewhere, and why they do not concern crank's own files. */
type Exceptions = Readonly<Record<string, { readonly names: readonly string[]; readonly why: string }>>;

const IN_TYPESCRIPT: Exceptions = {
  "supervisor/os/system-files.ts": { names: ["open"], why: "files of the system, which are only read" },
  "supervisor/os/linux.ts": { names: ["open"], why: "programs, which are looked at" },
  "worker/environment.ts": { names: ["readFileSync"], why: "/proc/PID/cmdline" },
  "worker/register/bound-addresses.ts": { names: ["openSync"], why: "tables of /proc/self/net" },
};

const IN_C: Exceptions = {
  "process/cgroup.c": {
    names: ["open", "fopen", "mkdir", "rmdir"],
    why: "/proc/PID, and the kernel's file system of control groups",
  },
  "reexec/reexec.c": { names: ["open"], why: "the program that is executed" },
  "app/descriptors.c": { names: ["open"], why: "/proc, by a function that takes the path" },
  "worker/notify.c": { names: ["bind"], why: "an abstract name" },
  "output/sink.c": { names: ["open"], why: "/proc/self/fd" },
  "helpers/probe_owner.c": { names: ["fopen"], why: "/proc/PID" },
  "process/processes.c": { names: ["open"], why: "/proc/PID" },
  "process/peek.c": { names: ["open"], why: "files of /proc of another process" },
  "process/peek_reader.c": { names: ["open"], why: "files of /proc of another process" },
  "supervisor/program.c": { names: ["open"], why: "programs, which are executed" },
  "sockets/sockets.c": { names: ["bind"], why: "internet sockets, which have no file" },
  "worker/adopt.c": { names: ["open"], why: "/proc/PID/fd" },
  "worker/start.c": { names: ["open"], why: "/proc/self/fd" },
};

/** Functions of node:fs that open a path, or change what is at it; with and without Sync. */
const OPENING =
  /^(open|opendir|openAsBlob|readFile|writeFile|appendFile|createReadStream|createWriteStream|rename|unlink|rm|rmdir|mkdir|mkdtemp|symlink|link|chmod|chown|lchmod|lchown|truncate|copyFile|cp|utimes|lutimes|promises)(Sync)?$/;

/**
 * The same for the host. Its other functions only read status, or take an open descriptor (`readBeside` is for /proc).
 */
const HOST_CALLS = /\bfiles\s*\.(open|changeMode|makeDirectory|removeFile|rename|replace)\(/g;

/** The same for C, without functions that only read status (stat, access). */
const CALLS =
  /\b(open|openat|openat2|creat|fopen|freopen|rename|renameat|renameat2|unlink|unlinkat|remove|rmdir|mkdir|mkdirat|mkfifo|mkfifoat|mknod|mknodat|symlink|symlinkat|link|linkat|chmod|fchmodat|chown|lchown|fchownat|truncate|bind|mkstemp|mkdtemp|tmpfile)\(([^,)]*)/g;
const KERNELS_OWN = /^"\/(proc\/|dev\/null")/;

const complaints: string[] = [];

const namesImported = (text: string): readonly string[] => {
  const named = [...text.matchAll(/import\s+(type\s+)?\{([^}]*)\}\s+from\s+"node:fs(?:\/promises)?"/g)]
    .filter((match) => match[1] === undefined)
    .flatMap((match) => (match[2] ?? "").split(","))
    .map((name) => name.trim())
    .filter((name) => name !== "" && !name.startsWith("type "))
    .map((name) => name.split(/\s+as\s+/)[0] ?? "");
  const late = [...text.matchAll(/\(await import\("node:fs(?:\/promises)?"\)\)\.(\w+)/g)].map(
    (match) => match[1] ?? "",
  );
  const whole =
    /import\s+(\*\s+as\s+)?\w+\s+from\s+"node:fs|getBuiltinModule\("node:fs|[^(]await import\("node:fs/.test(text);
  return [...named, ...late, ...(whole ? ["promises"] : [])];
};

for (const path of readdirSync("src", { recursive: true, encoding: "utf8" }).sort()) {
  if (!path.endsWith(".ts") || path === "supervisor/os/files.ts" || path.startsWith("host/")) continue;
  const allowed = IN_TYPESCRIPT[path]?.names ?? [];
  const text = readFileSync(join("src", path), "utf8");
  const opening = namesImported(text).filter((name) => OPENING.test(name));
  const called = [...text.matchAll(HOST_CALLS)].map(([, name = ""]) => name);
  for (const name of [...opening, ...called])
    if (!allowed.includes(name)) complaints.push(`src/${path}: ${name} is for src/supervisor/os/files.ts alone`);
}

for (const path of readdirSync("keeper", { recursive: true, encoding: "utf8" }).sort()) {
  if (!path.endsWith(".c") || path === "app/files.c") continue;
  const allowed = IN_C[path]?.names ?? [];
  const text = readFileSync(join("keeper", path), "utf8").replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
  for (const [, name = "", argument = ""] of text.matchAll(CALLS)) {
    if (!allowed.includes(name) && !KERNELS_OWN.test(argument.trim()))
      complaints.push(`keeper/${path}: ${name}(${argument.trim()} … is for keeper/app/files.c alone`);
  }
}

for (const complaint of complaints) console.error(complaint);
process.exitCode = complaints.length > 0 ? 1 : 0;
