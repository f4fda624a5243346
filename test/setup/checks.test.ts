// The checks that `make check` makes of the tree itself: that they find what they are there for.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { ROOT, run } from "./command.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "setup-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const write = (path: string, text: string): void => {
  mkdirSync(dirname(join(directory, path)), { recursive: true });
  writeFileSync(join(directory, path), text);
};
const check = (name: string) => run(process.execPath, [join(ROOT, "tools", name)], { cwd: directory });

test("an import that points the wrong way is named with its file and line", () => {
  write("src/core/a.ts", 'import { x } from "./b.ts";\nimport { y } from "../keeper/c.ts";\n');
  write("src/keeper/c.ts", 'import { host } from "#host";\n');
  const { status, stderr } = check("check-rooms.ts");
  expect(status).toBe(1);
  expect(stderr).toBe("src/core/a.ts:2: core must not import from keeper (../keeper/c.ts)\n");
});

test("imports of Node's modules are found, but for those of the library and of the host that tests use", () => {
  write("src/core/a.ts", 'import { join } from "node:path";\n');
  write("src/supervisor/b.ts", 'const late = () => import("node:net");\n');
  write("src/host/engine/c.ts", 'import { join } from "node:path";\n');
  write("src/host/node/d.ts", 'import { join } from "node:path";\n');
  write("src/worker/e.ts", 'import { join } from "node:path";\n');
  expect(check("check-rooms.ts").stderr.trimEnd().split("\n")).toEqual([
    "src/core/a.ts:1: core must not import from node: (node:path)",
    "src/host/engine/c.ts:1: only host/node may import from node: (node:path)",
    "src/supervisor/b.ts:1: supervisor must not import from node: (node:net)",
  ]);
});

test("Bun's own API is found", () => {
  write("src/supervisor/a.ts", "// Bun.connect is not for here\nexport const now = () => Bun.nanoseconds();\n");
  expect(check("check-rooms.ts").stderr).toBe("src/supervisor/a.ts: Bun's own API is not there on the engine\n");
});

test("a module that opens, replaces or gives away files beside the one that is for it is found, in both languages", () => {
  write("src/supervisor/a.ts", "const fd = host.files.open(path, options);\nfiles.status(path);\n");
  write("src/supervisor/files.ts", "const fd = files.open(path, options);\n");
  write("src/worker/b.ts", 'import { readFileSync, statSync } from "node:fs";\n');
  write("keeper/a.c", "/* open(path) in words */\nint a(void) { return chown(path, 1, 1); }\n");
  write("keeper/files.c", "int b(void) { return open(path, 0); }\n");
  const { status, stderr } = check("check-files.ts");
  expect(status).toBe(1);
  expect(stderr.trimEnd().split("\n")).toEqual([
    "src/supervisor/a.ts: open is for src/supervisor/files.ts alone",
    "src/worker/b.ts: readFileSync is for src/supervisor/files.ts alone",
    "keeper/a.c: chown(path … is for keeper/files.c alone",
  ]);
});

test("a lock file with a download address, without a checksum, or with an install script is refused", () => {
  copyFileSync(join(ROOT, "package.json"), join(directory, "package.json"));
  write(
    "package-lock.json",
    JSON.stringify({
      packages: {
        "": {},
        "node_modules/a": { integrity: "sha512-x", resolved: "https://registry.example/a.tgz" },
        "node_modules/b": {},
        "node_modules/c": { integrity: "sha512-x", hasInstallScript: true },
      },
    }),
  );
  const { status, stderr } = check("check-lock.ts");
  expect(status).toBe(1);
  expect(stderr).toContain("node_modules/a names the address it came from");
  expect(stderr).toContain("node_modules/b has no checksum");
  expect(stderr).toContain("node_modules/c wants to run a script");
});
