// Bundles all commands for the engine, as one module: bundle.ts OUTPUT. `make` calls it. Names and line breaks are kept
// for stack traces; other whitespace is not in the image anyway.
import { writeFileSync } from "node:fs";

const built = await Bun.build({
  entrypoints: ["src/main.ts"],
  target: "browser",
  format: "esm",
  conditions: ["engine"],
  minify: { syntax: true, whitespace: false, identifiers: false },
});
const [output] = built.outputs;
const path = process.argv[2];
if (output === undefined || path === undefined) {
  for (const log of built.logs) console.error(log);
  process.exit(1);
}
writeFileSync(path, await output.text());
