// The figures of this build and of another one, measured alternately, so that other load affects both equally.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { ROOT } from "../test/e2e/harness/bench.ts";
import { type Figure, summarize } from "./measure.ts";

/** One figure of both: all samples of this build, and of the other; `ratios`: this ÷ other, of the medians of each round. */
export type Beside = { readonly figure: Figure; readonly other: readonly number[]; readonly ratios: readonly number[] };

/** The figures of one build. None, and a note, if it does not support the measurement. */
const measureBuild = (name: string, build: string): readonly Figure[] => {
  const command = [join(ROOT, "bench/run.ts"), "--json", name];
  const env = { ...process.env, CRANK_BENCH_BUILD: build };
  const ended = spawnSync(process.execPath, command, { env, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  if (ended.status === 0) return JSON.parse(ended.stdout);
  console.error(`  (${name} cannot be measured with ${build})`);
  return [];
};

const medianOf = (figure: Figure | undefined): number => summarize(figure?.samples ?? []).median;

/** Measures `rounds` times with each build, in alternating order. */
export const measureBeside = (name: string, build: string, rounds: number): readonly Beside[] => {
  const ours: (readonly Figure[])[] = [];
  const theirs: (readonly Figure[])[] = [];
  const sides = [() => ours.push(measureBuild(name, ROOT)), () => theirs.push(measureBuild(name, build))];
  for (let round = 0; round < rounds; round++) {
    for (const measure of round % 2 === 0 ? sides : sides.toReversed()) measure();
  }
  // By their places: names are not unique.
  return (ours[0] ?? []).map((figure, at) => ({
    figure: { ...figure, samples: ours.flatMap((figures) => figures[at]?.samples ?? []) },
    other: theirs.flatMap((figures) => figures[at]?.samples ?? []),
    ratios: ours.map((figures, round) => medianOf(figures[at]) / medianOf(theirs[round]?.[at])).filter(Number.isFinite),
  }));
};
