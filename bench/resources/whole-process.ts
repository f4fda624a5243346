// Whole processes, from start to exit, alternately with `node -e 0` and with an empty static C program: on a shared machine
// only their ratios are meaningful.
import { spawnSync } from "node:child_process";
import { compiled, compiledStatically } from "../../test/e2e/harness/apps.ts";
import type { Figure, Measurement, Target } from "../measure.ts";

const NS_PER_MS = 1e6;
const SCALE_RUNS = 25;

export const NODE: readonly string[] = ["node", "-e", "0"];

/** Runs the commands one after the other, and returns their durations, ms. Throws if one fails. */
export const timeEach = (commands: readonly (readonly string[])[]): readonly number[] => {
  const words = commands.flatMap((command, index) => (index === 0 ? command : [";", ...command]));
  const ended = spawnSync(compiledStatically("timer"), words, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (ended.status !== 0) throw new Error(`${words.join(" ")} failed`);
  return ended.stdout
    .trim()
    .split("\n")
    .map((line) => Number(line) / NS_PER_MS);
};

/** Durations of a command, and of `node -e 0` beside it, ms. */
export type Pair = readonly [ours: number, node: number];

export const timeBesideNode = (command: readonly string[]): Pair => {
  const [ours = Number.NaN, node = Number.NaN] = timeEach([command, NODE]);
  return [ours, node];
};

/** How long until the unix socket of this command accepts, beside `node -e 0`. */
export const timeToAccept = (socket: string, command: readonly string[]): Pair => {
  const started = spawnSync(compiled("starter"), [socket, ...command], { encoding: "utf8" });
  if (started.status !== 0) throw new Error(`${command[0]} does not accept: ${started.stderr}`);
  const [node = Number.NaN] = timeEach([NODE]);
  return [Number(started.stdout) / NS_PER_MS, node];
};

/** The ratio with its target, and its parts. */
export const besideNode = (name: string, pairs: readonly Pair[], atMost: number): readonly Figure[] => {
  const target: Target = { holds: "median", atMost };
  return [
    { name: `${name} ÷ node -e 0`, unit: "ratio", samples: pairs.map(([ours, node]) => ours / node), target },
    { name: `… ${name}`, unit: "ms", samples: pairs.map(([ours]) => ours), target: null },
  ];
};

export const scale: Measurement = {
  name: "scale",
  measure: async () => {
    const pairs = Array.from({ length: SCALE_RUNS }, () => timeEach([[compiledStatically("empty")], NODE]));
    const figure = (name: string, unit: string, samples: readonly number[]): Figure => ({
      ...{ name, unit, samples },
      target: null,
    });
    return [
      figure(
        "node -e 0",
        "ms",
        pairs.map(([, node]) => node ?? Number.NaN),
      ),
      figure(
        "an empty static C program",
        "ms",
        pairs.map(([empty]) => empty ?? Number.NaN),
      ),
      figure(
        "an empty static C program ÷ node -e 0",
        "ratio",
        pairs.map(([empty = Number.NaN, node = 1]) => empty / node),
      ),
    ];
  },
};
