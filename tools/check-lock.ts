// Checks the lock files: every package pinned with its checksum, none with the address it was downloaded from, so that
// an install uses whichever registry npm is set up for. Also that no package runs a script of its own at install.
import { existsSync, readFileSync } from "node:fs";

type Entry = {
  readonly version?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly hasInstallScript?: boolean;
};

/** The project's own, and that of what only some tests want. */
const LOCKS = ["package-lock.json", "test/deno/package-lock.json"];

const complaintsAbout = (file: string): readonly string[] => {
  // The lock file's format is npm's own (lockfileVersion 3); only the four members above are looked at.
  const lock = JSON.parse(readFileSync(file, "utf8")) as { readonly packages: Readonly<Record<string, Entry>> };
  return Object.entries(lock.packages)
    .filter(([path]) => path !== "")
    .flatMap(([path, entry]) => [
      ...(entry.resolved === undefined
        ? []
        : [`${path} names the address it came from; npm's omit-lockfile-registry-resolved leaves it out`]),
      ...(entry.integrity === undefined ? [`${path} has no checksum`] : []),
      ...(entry.hasInstallScript === true ? [`${path} wants to run a script when it is installed`] : []),
    ])
    .map((complaint) => `${file}: ${complaint}`);
};

const complaints = LOCKS.filter((file) => existsSync(file)).flatMap(complaintsAbout);

const manifest = readFileSync("package.json", "utf8");
if (/"(pre|post)?install"\s*:|"prepare"\s*:/.test(manifest))
  complaints.push("package.json: it runs a script at install");

for (const complaint of complaints) console.error(complaint);
process.exitCode = complaints.length > 0 ? 1 : 0;
