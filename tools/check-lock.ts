// Checks the lock file: every package pinned with its checksum, none with the address it was downloaded from, so that
// an install uses whichever registry npm is set up for. Also that no package runs a script of its own at install.
import { readFileSync } from "node:fs";

type Entry = {
  readonly version?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly hasInstallScript?: boolean;
};

// The lock file's format is npm's own (lockfileVersion 3); only the four members above are looked at.
const lock = JSON.parse(readFileSync("package-lock.json", "utf8")) as {
  readonly packages: Readonly<Record<string, Entry>>;
};

const complaints = Object.entries(lock.packages)
  .filter(([path]) => path !== "")
  .flatMap(([path, entry]) => [
    ...(entry.resolved === undefined
      ? []
      : [`${path} names the address it came from; npm's omit-lockfile-registry-resolved leaves it out`]),
    ...(entry.integrity === undefined ? [`${path} has no checksum`] : []),
    ...(entry.hasInstallScript === true ? [`${path} wants to run a script when it is installed`] : []),
  ]);

const manifest = readFileSync("package.json", "utf8");
if (/"(pre|post)?install"\s*:|"prepare"\s*:/.test(manifest)) complaints.push("package.json runs a script at install");

for (const complaint of complaints) console.error(`package-lock.json: ${complaint}`);
process.exitCode = complaints.length > 0 ? 1 : 0;
