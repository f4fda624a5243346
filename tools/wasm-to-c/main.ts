// Translates a WebAssembly module to C: main.ts MODULE SHA256 OUTPUT_PREFIX NUMBER_OF_FILES. The module's checksum is
// checked first, so a replaced package is an error. `make engine` calls it.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { moduleToC } from "./module-to-c.ts";
import { readModule } from "./read-module.ts";

const fail = (message: string): never => {
  process.stderr.write(`crank: ${message}\n`);
  process.exit(1);
};

/** An unchanged file keeps its time, so that make does not compile it again. */
const writeIfChanged = (path: string, text: string): void => {
  if (!existsSync(path) || readFileSync(path, "utf8") !== text) writeFileSync(path, text);
};

const [input = "", checksum = "", prefix = "", count = ""] = process.argv.slice(2);
const fileCount = Number(count);
if (!(Number.isInteger(fileCount) && fileCount > 0)) fail("usage: main.ts MODULE SHA256 OUTPUT_PREFIX NUMBER_OF_FILES");

const bytes = readFileSync(input);
const actual = createHash("sha256").update(bytes).digest("hex");
if (actual !== checksum)
  fail(`${input} has the checksum ${actual} and not ${checksum}: it is another version, or it was changed`);

try {
  const directory = dirname(prefix);
  mkdirSync(directory, { recursive: true });
  for (const [name, text] of moduleToC(readModule(bytes), basename(prefix), fileCount))
    writeIfChanged(join(directory, name), text);
} catch (error) {
  fail(`${input} cannot be translated: ${error instanceof Error ? error.message : String(error)}`);
}
