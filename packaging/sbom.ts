// The software bill of materials: what is inside the program, in CycloneDX 1.6.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Release } from "./release.ts";

/** The first line of a file in LICENSES/: `NAME VERSION (LICENSE): …` or `NAME VERSION (…)`. */
const FIRST = /^(\S+) (?:(\S+) )?\(([^)]*)\)/;

/** The document, as JSON text with one line per value. Two builds give the same bytes. */
export const billOfMaterials = (release: Release): string => {
  const components = readdirSync("LICENSES").sort().map(componentOf);
  const document = {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      timestamp: new Date(release.epoch * 1000).toISOString(),
      component: {
        type: "application",
        "bom-ref": `crank@${release.version}`,
        name: "crank",
        version: release.version,
        licenses: [{ license: { id: release.license } }],
        hashes: [{ alg: "SHA-256", content: createHash("sha256").update(readFileSync("bin/crank")).digest("hex") }],
      },
    },
    components,
    dependencies: [{ ref: `crank@${release.version}`, dependsOn: components.map((component) => component["bom-ref"]) }],
  };
  return `${JSON.stringify(document, null, 2)}\n`;
};

const componentOf = (file: string) => {
  const text = readFileSync(join("LICENSES", file), "utf8");
  const [, name = file.replace(/\.txt$/, ""), version = ""] = FIRST.exec(text) ?? [];
  const isNpm = (() => {
    try {
      readFileSync(join("node_modules", name, "package.json"));
      return true;
    } catch {
      return false;
    }
  })();
  return {
    type: "library",
    "bom-ref": `${name}@${version}`,
    name,
    ...(version === "" ? {} : { version }),
    ...(isNpm ? { purl: `pkg:npm/${name}@${version}` } : {}),
    licenses: [{ license: { name: `see LICENSES/${file}` } }],
  };
};
