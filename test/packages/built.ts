// The packages under test: those of this checkout, and those of a later version built from a copy of it.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Bench, ROOT } from "../e2e/harness/bench.ts";

/** Where `make packages` puts them. */
export const PACKAGES = join(ROOT, "build/packages");

// The type is certain, because the file belongs to the project.
export const VERSION = (JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { readonly version: string })
  .version;

/** The path of the only package whose name matches. */
export const packageLike = (pattern: RegExp, directory = PACKAGES): string => {
  const found = readdirSync(directory).filter((name) => pattern.test(name));
  if (found.length !== 1) throw new Error(`${directory}: ${found.length} files match ${pattern}`);
  return join(directory, found[0] ?? "");
};

/** Builds the packages of another version in a copy of the checkout. Returns their directory. */
export const packagesOf = async (bench: Bench, version: string): Promise<string> => {
  const copy = join(bench.directory, "checkout");
  mkdirSync(copy);
  const script = `cd '${ROOT}' && git ls-files -z --cached --others --exclude-standard | xargs -0 cp -a --parents -t '${copy}' &&
    cp -al node_modules '${copy}' && mkdir '${copy}/build' && cp -a build/keeper build/engine '${copy}/build'`;
  const copied = await bench.run(["bash", "-c", script]);
  if (copied.status !== 0) throw new Error(copied.stderr);
  const manifest = join(copy, "package.json");
  writeFileSync(manifest, readFileSync(manifest, "utf8").replace(`"version": "${VERSION}"`, `"version": "${version}"`));
  const built = await bench.run(["make", "-C", copy, "-j2", "packages"]);
  if (built.status !== 0) throw new Error(`${built.stdout.slice(-500)}${built.stderr.slice(-2000)}`);
  return join(copy, "build/packages");
};
