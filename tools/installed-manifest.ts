// Prints the package.json of an installed crank: what package.json says to those who import it, without what its build
// needs. So an application can name the installed directory as a dependency.
import { readFileSync } from "node:fs";

// The file is the project's own.
const manifest = JSON.parse(readFileSync("package.json", "utf8")) as Readonly<Record<string, unknown>>;
const SHOWN = ["name", "version", "description", "license", "type", "engines", "exports"];
console.log(JSON.stringify(Object.fromEntries(SHOWN.map((key) => [key, manifest[key]])), null, 2));
