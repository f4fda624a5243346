// The size of `make install` on disk, without manual pages, licences and the library for workers.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BUILD } from "../../test/e2e/harness/bench.ts";
import type { Measurement } from "../measure.ts";

const MB = 1e6;
const NO_PROGRAMS = [
  "share",
  "lib/crank/LICENSE",
  "lib/crank/LICENSES",
  "lib/crank/package.json",
  "lib/crank/dist/worker",
];

export const installed: Measurement = {
  name: "installed",
  measure: async () => {
    const directory = mkdtempSync(join(tmpdir(), "crank-bench-installed-"));
    try {
      const made = spawnSync("make", ["install", `DESTDIR=${directory}`, "PREFIX=/"], { cwd: BUILD, encoding: "utf8" });
      if (made.status !== 0) throw new Error(`make install failed: ${made.stderr}`);
      for (const path of NO_PROGRAMS) rmSync(join(directory, path), { recursive: true, force: true });
      const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
      // By inode: a second name takes no space.
      const sizes = new Map(
        files.map(({ parentPath, name }) => statSync(join(parentPath, name))).map(({ ino, size }) => [ino, size / MB]),
      );
      const size = [...sizes.values()].reduce((sum, one) => sum + one, 0);
      return [
        { name: "installed programs", unit: "MB", samples: [size], target: { holds: "worst", atMost: 5 } },
        { name: "… files", unit: "count", samples: [sizes.size], target: { holds: "worst", atMost: 1 } },
      ];
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  },
};
