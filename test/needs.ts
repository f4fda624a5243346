// Tests that need what not every machine has: a Debian package that tools/test-packages.sh names, root, Deno, or something
// of the kernel. Where it is missing they are left out, and their names say why; the runner counts them apart.
import { describe, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { isReachable } from "./runner/reachable.ts";

/** The missing packages, as the runner found them; without the runner, nothing counts as missing. */
const MISSING: ReadonlySet<string> = new Set((process.env.CRANK_TEST_MISSING ?? "").split(" "));

/** A need that the machine meets or not, for what is not a package. */
export type Fact = { readonly name: string; readonly isMet: boolean };

/** Packages by name, and facts. */
export type Needs = readonly (string | Fact)[];

const isRoot = process.getuid?.() === 0;
const checkout = resolve(import.meta.dirname, "..");

/** Root, which can run programs of this checkout as other users. */
export const ROOT_USER: Fact =
  isRoot && !isReachable(checkout)
    ? { name: "a checkout that other users can reach", isMet: false }
    : { name: "root", isMet: isRoot };

/** For mounts that no other process sees; a container mostly may not make them. */
export const mountNamespaces = (): Fact => {
  const { status } = spawnSync("unshare", ["--mount", "true"]);
  return { name: "root with mount namespaces", isMet: status === 0 };
};

/** `test` and `describe` for what needs all of these; with one missing, they leave out what they are given. */
export const needing = (...needs: Needs) => {
  const isMet = (need: string | Fact): boolean => (typeof need === "string" ? !MISSING.has(need) : need.isMet);
  const missing = needs.filter((need) => !isMet(need)).map((need) => (typeof need === "string" ? need : need.name));
  const suffix = missing.length === 0 ? "" : ` (needs ${missing.join(", ")})`;
  const isLeftOut = missing.length > 0;
  type Run = () => void | Promise<void>;
  return {
    test: (name: string, run: Run, timeoutMs?: number): void => {
      test.skipIf(isLeftOut)(`${name}${suffix}`, run, timeoutMs);
    },
    concurrentTest: (name: string, run: Run, timeoutMs?: number): void => {
      test.concurrent.skipIf(isLeftOut)(`${name}${suffix}`, run, timeoutMs);
    },
    describe: (name: string, group: () => void): void => {
      describe.skipIf(isLeftOut)(`${name}${suffix}`, group);
    },
  };
};
