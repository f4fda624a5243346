// Throughput of worker output, compared with `cat` of the same pipe, and its memory. Measured with
// the keeper's own output code, without a supervisor, which takes no part in it.
import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compileHarness } from "../../test/keeper/output/driver.ts";
import type { Figure, Measurement } from "../measure.ts";

const RUNS = 7;
const GB = 1e9;
const TO_NULL_BYTES = 2 * GB;
// Small enough for the page cache, so that the disk does not slow the writers down.
const TO_FILE_BYTES = 0.3 * GB;
const TEXT = "0";
const JSON_LINES = "1";
const PREFIX = "%t id=1 pid=%p ";
const FRAGMENT = '"service":"web","id":1,"generation":1';

/** The harness, and a directory for files. */
type Place = { readonly program: string; readonly directory: string };

type Passed = { readonly seconds: number; readonly peakKiB: number };

/** Runs the harness with its standard output at `path`; it reports its result on descriptor 3. */
const run = ({ program, directory }: Place, path: string, words: readonly string[]): Passed => {
  const said = join(directory, "said");
  const stdout = openSync(path, "w");
  const replies = openSync(said, "w");
  try {
    const ended = spawnSync(program, [...words], { stdio: ["ignore", stdout, "inherit", replies] });
    if (ended.status !== 0) throw new Error(`the output harness ended with ${ended.status}`);
    const [seconds, peakKiB] = readFileSync(said, "utf8").split("\t").map(Number);
    return { seconds: seconds ?? Number.NaN, peakKiB: peakKiB ?? Number.NaN };
  } finally {
    closeSync(stdout);
    closeSync(replies);
  }
};

const pass = (place: Place, path: string, bytes: number, format: string): Passed =>
  run(place, path, ["pass", String(bytes), PREFIX, FRAGMENT, format]);

/** The same bytes through the keeper's code and through `cat`, each into a new file: the speed relative to cat. */
const shareOfCat = (place: Place, file: string): number => {
  rmSync(file, { force: true });
  const passed = pass(place, file, TO_FILE_BYTES, TEXT);
  rmSync(file, { force: true });
  const copied = run(place, file, ["cat", String(TO_FILE_BYTES)]);
  rmSync(file, { force: true });
  return copied.seconds / passed.seconds;
};

const repeat = <T>(times: number, once: () => T): readonly T[] => Array.from({ length: times }, once);

const speed = ({ seconds }: Passed): number => TO_NULL_BYTES / seconds / GB;

export const output: Measurement = {
  name: "output",
  measure: async (): Promise<readonly Figure[]> => {
    const directory = mkdtempSync(join(tmpdir(), "crank-bench-output-"));
    try {
      const place = { program: compileHarness("plain"), directory };
      const file = join(directory, "copy");
      const text = repeat(RUNS, () => pass(place, "/dev/null", TO_NULL_BYTES, TEXT));
      const json = repeat(RUNS, () => pass(place, "/dev/null", TO_NULL_BYTES, JSON_LINES));
      const shares = repeat(RUNS, () => shareOfCat(place, file));
      const little = pass(place, "/dev/null", TO_NULL_BYTES / 20, TEXT);
      return [
        {
          name: "output passed on to /dev/null, 100-byte lines, prefixed",
          unit: "GB/s",
          samples: text.map(speed),
          target: { holds: "median", atLeast: 1 },
        },
        { name: "the same as JSON", unit: "GB/s", samples: json.map(speed), target: null },
        {
          name: "output passed on to a file, against cat of the same pipe",
          unit: "×",
          samples: shares,
          target: { holds: "median", atLeast: 0.5 },
        },
        {
          name: "peak memory grows, 20 times as much output",
          unit: "KiB",
          samples: text.map(({ peakKiB }) => peakKiB - little.peakKiB),
          target: { holds: "median", atMost: 512 },
        },
      ];
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  },
};
