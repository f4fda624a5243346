// Checks the lock files: every package is pinned with its checksum, and none with a download address, so that an
// install uses the registry that npm is set up for. Also checks that no package runs a script when it is installed.
import { existsSync, readFileSync } from "node:fs";

type Entry = {
  readonly version?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly hasInstallScript?: boolean;
};

/** The project's own, and that of packages that only some tests need. */
const LOCKS = ["package-lock.json", "test/deno/package-lock.json", "test/node-apps/package-lock.json"];

const complaintsAbout = (file: string): readonly string[] => {
  // The format is npm's (lockfileVersion 3). Only the four members above are used.
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
