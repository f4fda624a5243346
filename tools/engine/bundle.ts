// Bundles all commands for the engine: bundle.ts OUTPUT. What they import from Node comes from this folder, and the host is
// the engine's. `make build/crank-engine` calls it.
import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** By module; the others are in modules.ts. */
const FILES: Readonly<Record<string, string>> = { "node:fs": "fs.ts", "node:fs/promises": "fs.ts" };

const built = await Bun.build({
  entrypoints: [join(import.meta.dirname, "entry.ts")],
  target: "browser",
  format: "esm",
  conditions: ["engine"],
  minify: { syntax: true, whitespace: false, identifiers: false },
  plugins: [
    {
      name: "node",
      setup: (build) => {
        build.onResolve({ filter: /^node:/ }, ({ path }) => ({
          path: join(import.meta.dirname, FILES[path] ?? "modules.ts"),
        }));
      },
    },
  ],
});
const [output] = built.outputs;
const path = process.argv[2];
if (output === undefined || path === undefined) {
  for (const log of built.logs) console.error(log);
  process.exit(1);
}
writeFileSync(path, await output.text());
