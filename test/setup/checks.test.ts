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

test("the runtime's modules, the clock and chance outside of the host are found, wherever they are loaded", () => {
  write("src/core/a.ts", 'import { join } from "node:path";\n');
  write("src/host/node/files.ts", 'import { readFileSync } from "node:fs";\nconst now = Date.now();\n');
  write("src/host/engine/files.ts", 'const late = () => import("node:net");\n');
  write("src/supervisor/b.ts", "// Date.now() is not for here\nconst now = Date.now();\nconst then = new Date(0);\n");
  write("src/worker/c.ts", 'import { connect } from "node:net";\nconst chance = Math.random();\n');
  write("src/main.ts", 'import { test } from "bun:test";\n');
  expect(check("check-rooms.ts").stderr.trimEnd().split("\n")).toEqual([
    "src/core/a.ts:1: core must not import from node: (node:path)",
    "src/host/engine/files.ts:1: host must not import from node: (node:net)",
    "src/host/engine/files.ts:1: the image holds all modules: import() saves nothing",
    "src/main.ts:1: src/ must not import from node: (bun:test)",
    "src/supervisor/b.ts:2: the clock and chance are #host's",
  ]);
});

test("a global of the runtime is refused wherever it would not be there", () => {
  copyFileSync(join(ROOT, "biome.json"), join(directory, "biome.json"));
  const paths = ["src/supervisor", "src/host/engine", "src/host/node", "src/worker", "tools"].map(
    (room) => `${room}/a.ts`,
  );
  for (const path of paths) write(path, "export const pid = process.pid;\n");
  const { status, stderr } = run(join(ROOT, "node_modules/.bin/biome"), ["lint"], { cwd: directory });
  expect(status).toBe(1);
  expect(stderr).toContain("It is not on the engine");
  expect(paths.filter((path) => stderr.includes(path))).toEqual(["src/supervisor/a.ts", "src/host/engine/a.ts"]);
});

test("a module that opens, replaces or gives away files beside the one that is for it is found, in both languages", () => {
  write("src/supervisor/a.ts", "const fd = host.files.open(path, options);\nfiles.status(path);\n");
  write("src/supervisor/os/files.ts", "const fd = files.open(path, options);\n");
  write("src/worker/b.ts", 'import { readFileSync, statSync } from "node:fs";\n');
  write("keeper/worker/a.c", "/* open(path) in words */\nint a(void) { return chown(path, 1, 1); }\n");
  write("keeper/app/files.c", "int b(void) { return open(path, 0); }\n");
  const { status, stderr } = check("check-files.ts");
  expect(status).toBe(1);
  expect(stderr.trimEnd().split("\n")).toEqual([
    "src/supervisor/a.ts: open is for src/supervisor/os/files.ts alone",
    "src/worker/b.ts: readFileSync is for src/supervisor/os/files.ts alone",
    "keeper/worker/a.c: chown(path … is for keeper/app/files.c alone",
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
