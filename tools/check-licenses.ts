// Checks that LICENSES/ has the license of each npm package in the program: the text of the installed package, below a
// line with its version. check-licenses.ts BUNDLE.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The package that the engine is translated from, and its parts; the packages of the bundle are added. */
const ENGINE = "quickjs-wasi";
const IN_ENGINE = ["quickjs-ng", "wasi-libc"];
/** Libraries of the system that are linked in. */
const LINKED = ["glibc"];

/** The bundler writes the file name of each module into the bundle. */
const packagesIn = (bundle: string): readonly string[] => {
  const paths = bundle.matchAll(/^\/\/ .*\bnode_modules\/((?:@[^/\s]+\/)?[^/\s]+)\//gm);
  return [...new Set([...paths].map(([, name = ""]) => name))];
};

const fileOf = (name: string): string => `${name.replace("@", "").replace("/", "-")}.txt`;

const complaintsAbout = (name: string): readonly string[] => {
  const directory = join("node_modules", name);
  const notice = join("LICENSES", fileOf(name));
  const license = readdirSync(directory).find((file) => /^licen[cs]e(\.|$)/i.test(file));
  if (license === undefined) return [`${directory} has no license`];
  if (!existsSync(notice)) return [`${notice} is missing: ${name} is part of the program`];
  const [first = "", , ...rest] = readFileSync(notice, "utf8").split("\n");
  // A manifest always has its version (package.json of npm).
  const { version } = JSON.parse(readFileSync(join(directory, "package.json"), "utf8")) as { readonly version: string };
  return [
    ...(first.startsWith(`${name} ${version} (`)
      ? []
      : [`${notice}: its first line does not begin ${name} ${version}`]),
    ...(rest.join("\n").trim() === readFileSync(join(directory, license), "utf8").trim()
      ? []
      : [`${notice} is not what ${join(directory, license)} says`]),
  ];
};

const bundled = packagesIn(readFileSync(process.argv[2] ?? "", "utf8"));
const expected = new Set([...bundled, ENGINE, ...IN_ENGINE, ...LINKED].map(fileOf));
const complaints = [
  ...(bundled.length === 0 ? ["the bundle names none of its packages"] : []),
  ...[...bundled, ENGINE].flatMap(complaintsAbout),
  ...readdirSync("LICENSES")
    .filter((file) => !expected.has(file))
    .map((file) => `LICENSES/${file} is of nothing that is part of the program`),
];
for (const complaint of complaints) console.error(complaint);
process.exitCode = complaints.length > 0 ? 1 : 0;
