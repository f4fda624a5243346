// The checks of the source tree in `make check`: each finds what it looks for.
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

test("a wrong-way import between the folders of a room is named, type imports included", () => {
  write("src/supervisor/os/a.ts", 'import type { B } from "../state/b.ts";\n');
  write("src/supervisor/state/b.ts", "export type B = 1;\n");
  write("src/supervisor/metrics/c.ts", 'import {\n  d,\n} from "../control/d.ts";\n');
  write("src/supervisor/control/d.ts", 'import { e } from "../metrics/e.ts";\n');
  write("src/supervisor/other/f.ts", 'import { b } from "../state/b.ts";\n');
  write("src/core/model/g.ts", 'import { step } from "../step.ts";\n');
  const { status, stderr } = check("check-rooms.ts");
  expect(status).toBe(1);
  expect(stderr.trimEnd().split("\n")).toEqual([
    "src/core/model/g.ts:1: core/model must not import from core (../step.ts)",
    "src/supervisor/metrics/c.ts:3: supervisor/metrics must not import from supervisor/control (../control/d.ts)",
    "src/supervisor/os/a.ts:1: supervisor/os must not import from supervisor/state (../state/b.ts)",
    "src/supervisor/other/f.ts:1: src/supervisor/other is not in tools/check-rooms.ts",
  ]);
});

test("import cycles of modules and of folders are named, cycles of type imports included", () => {
  write("src/keeper/a.ts", 'import type { B } from "./b.ts";\nexport type A = B;\n');
  write("src/keeper/b.ts", 'import type { A } from "./a.ts";\nexport type B = A;\n');
  write("src/control/one/a.ts", 'import { b } from "../two/b.ts";\n');
  write("src/control/two/b.ts", "export const b = 1;\n");
  write("src/control/two/c.ts", 'import { d } from "../one/d.ts";\n');
  write("src/control/one/d.ts", "export const d = 1;\n");
  const { status, stderr } = check("check-rooms.ts");
  expect(status).toBe(1);
  expect(stderr.trimEnd().split("\n")).toEqual([
    "src/keeper/a.ts → src/keeper/b.ts → src/keeper/a.ts: these import each other in a circle",
    "src/control/one → src/control/two → src/control/one: these import each other in a circle",
  ]);
});

test("a folder of src/ or test/ with more than 20 source files is named", () => {
  for (let index = 0; index < 21; index++) write(`src/keeper/a${index}.ts`, "export const a = 1;\n");
  for (let index = 0; index < 21; index++) write(`test/apps/a${index}.py`, "");
  for (let index = 0; index < 20; index++) write(`test/keeper/a${index}.test.ts`, "");
  expect(check("check-rooms.ts").stderr).toBe(
    "src/keeper: 21 files in one folder, more than 20\ntest/apps: 21 files in one folder, more than 20\n",
  );
});

test("the runtime's modules, the clock and random numbers are found outside the host, wherever they are loaded", () => {
  write("src/core/a.ts", 'import { join } from "node:path";\n');
  write("src/host/node/files.ts", 'import { readFileSync } from "node:fs";\nconst now = Date.now();\n');
  write("src/host/engine/files.ts", 'const late = () => import("node:net");\n');
  write(
    "src/supervisor/loop/b.ts",
    "// Date.now() is not for here\nconst now = Date.now();\nconst then = new Date(0);\n",
  );
  write("src/worker/c.ts", 'import { connect } from "node:net";\nconst chance = Math.random();\n');
  write("src/main.ts", 'import { test } from "bun:test";\n');
  expect(check("check-rooms.ts").stderr.trimEnd().split("\n")).toEqual([
    "src/core/a.ts:1: core must not import from node: (node:path)",
    "src/host/engine/files.ts:1: host must not import from node: (node:net)",
    "src/host/engine/files.ts:1: the image holds all modules: import() saves nothing",
    "src/main.ts:1: src/ must not import from node: (bun:test)",
    "src/supervisor/loop/b.ts:2: the clock and chance are #host's",
  ]);
});

test("an include of the keeper that points the wrong way or completes a cycle is named", () => {
  write("keeper/app/memory.h", "");
  write("keeper/loop/poller.c", '#include "loop/poller.h"\n#include "app/memory.h"\n');
  write("keeper/loop/poller.h", "");
  write("keeper/worker/table.c", '#include "app/memory.h"\n#include "supervisor/hello.h"\n#include "worker/tree.h"\n');
  write("keeper/worker/tree.c", '#include "worker/tree.h"\n#include "worker/kin.h"\n');
  write("keeper/worker/tree.h", "");
  write("keeper/worker/kin.h", '#include "worker/table.h"\n');
  write("keeper/worker/table.h", "");
  write("keeper/supervisor/hello.h", '#include "worker/table.h"\n');
  write("keeper/main/keeper.c", '#include "supervisor/hello.h"\n#include "worker/tree.h"\n');
  write("keeper/main/signals.c", '#include "helpers/probe.h"\n');
  write("keeper/main/main.c", '#include "helpers/probe.h"\n');
  write("keeper/helpers/probe.h", "");
  write("keeper/new/a.c", '#include "app/memory.h"\n');
  for (let file = 0; file < 21; file++) write(`keeper/output/a${file}.c`, "");
  const { status, stderr } = check("check-keeper-rooms.ts");
  expect(status).toBe(1);
  expect(stderr.trimEnd().split("\n")).toEqual([
    "keeper/loop/poller.c:2: loop must not include app/memory.h",
    "keeper/main/signals.c:1: helpers is for main/main.c alone (helpers/probe.h)",
    "keeper/new/a.c:1: the room new is not in tools/check-keeper-rooms.ts",
    "keeper/worker/table.c:2: worker must not include from supervisor (supervisor/hello.h)",
    "keeper/: supervisor/hello → worker/table → supervisor/hello: these include each other in a circle",
    "keeper/: worker/table → worker/tree → worker/kin → worker/table: these include each other in a circle",
    "keeper/output: 21 files are too many for one room",
  ]);
});

test("a global of the runtime is refused where it does not exist", () => {
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

test("only one module may open, replace or chown files: any other that does is found, in both languages", () => {
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
