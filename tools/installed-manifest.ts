// Prints the package.json of an installed crank: without what only the build needs. With it, an application can use the
// installed directory as a dependency.
import { readFileSync } from "node:fs";

// The type is certain, because the file belongs to the project.
const manifest = JSON.parse(readFileSync("package.json", "utf8")) as Readonly<Record<string, unknown>>;
const SHOWN = ["name", "version", "description", "license", "type", "engines", "exports"];
console.log(JSON.stringify(Object.fromEntries(SHOWN.map((key) => [key, manifest[key]])), null, 2));
