// `make bench`: runs all measurements, or those named on the command line, and prints each figure with its target. With
// `--beside DIRECTORY`, another build, in a checkout of crank, is measured alternately with this one.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { type Beside, measureBeside } from "./beside.ts";
import { connections } from "./clients/connections.ts";
import { controlCost } from "./clients/control-cost.ts";
import { counting } from "./clients/counting.ts";
import { output } from "./clients/output.ts";
import { core } from "./core/core.ts";
import { adoption } from "./deploys/adoption.ts";
import { deployCost } from "./deploys/deploy-cost.ts";
import { fleet } from "./deploys/fleet.ts";
import { frontEnds } from "./deploys/front-ends.ts";
import { kills } from "./deploys/kills.ts";
import { latency } from "./deploys/latency.ts";
import { pace } from "./deploys/pace.ts";
import { spread } from "./deploys/spread.ts";
import { upgrades } from "./deploys/upgrades.ts";
import { describeTarget, type Figure, isReached, type Measurement, summarize } from "./measure.ts";
import { growth } from "./resources/growth.ts";
import { installed } from "./resources/installed.ts";
import { rest } from "./resources/rest.ts";
import { startUp } from "./resources/start-up.ts";
import { supervisorMemory } from "./resources/supervisor-memory.ts";
import { scale } from "./resources/whole-process.ts";

/** In this order; a new comparison is one more file and one more entry. */
const MEASUREMENTS: readonly Measurement[] = [
  scale,
  startUp,
  controlCost,
  deployCost,
  latency,
  installed,
  supervisorMemory,
  rest,
  output,
  core,
  fleet,
  growth,
  connections,
  counting,
  kills,
  adoption,
  upgrades,
  frontEnds,
  spread,
];

const firstLine = (command: string): string =>
  spawnSync(command, ["--version"], { encoding: "utf8" }).stdout?.split("\n")[0] ?? `no ${command}`;

const machine = (): string => {
  const [cpu] = cpus();
  const system = /PRETTY_NAME="(.*)"/.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? "Linux";
  return `${cpus().length} × ${cpu?.model.trim() ?? "unknown processor"}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${system}, Linux ${release()}; Bun ${Bun.version}, Node ${firstLine("node")}, ${firstLine("cc")}`;
};

/** The width of the longest name. */
const NAME_WIDTH = 72;

const round = (value: number): string =>
  Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 1 ? value.toFixed(2) : value.toFixed(3);

/** The columns before and after every figure. */
const line = (figure: Figure, numbers: readonly string[], runs: number): string => {
  const reached = isReached(figure);
  const verdict = reached === null ? "" : reached ? "reached" : "MISSED";
  const cells = [figure.name.padEnd(NAME_WIDTH), figure.unit.padEnd(6), ...numbers.map((cell) => cell.padStart(9))];
  return `${cells.join(" ")} ${String(runs).padStart(5)}  ${describeTarget(figure.target).padEnd(14)} ${verdict}`;
};

const alone = (figure: Figure): string => {
  const { min, median, max } = summarize(figure.samples);
  return line(figure, [min, median, max].map(round), figure.samples.length);
};

const beside = ({ figure, other, ratios }: Beside): string => {
  const { min, median, max } = summarize(ratios);
  const ratio = ratios.length === 0 ? ["", "", ""] : [median, min, max].map(round);
  const medians = [figure.samples, other].map((samples) =>
    samples.length === 0 ? "" : round(summarize(samples).median),
  );
  return line(figure, [...medians, ...ratio], figure.samples.length);
};

const withSummary = (figure: Figure) => ({ ...figure, ...summarize(figure.samples), reached: isReached(figure) });

const { values: options, positionals: named } = parseArgs({
  allowPositionals: true,
  options: { beside: { type: "string" }, rounds: { type: "string", default: "3" }, json: { type: "boolean" } },
});
const unknown = named.filter((name) => !MEASUREMENTS.some((measurement) => measurement.name === name));
if (unknown.length > 0) {
  console.error(
    `There is no measurement ${unknown.join(", ")}; there are ${MEASUREMENTS.map((measurement) => measurement.name).join(", ")}`,
  );
  process.exit(2);
}
const chosen = MEASUREMENTS.filter(({ name }) => named.length === 0 || named.includes(name));

// For `--beside`, which runs this program for each build.
if (options.json) {
  const figures: Figure[] = [];
  for (const measurement of chosen) figures.push(...(await measurement.measure()));
  console.log(JSON.stringify(figures));
  process.exit(0);
}

const COLUMNS = options.beside === undefined ? ["min", "median", "max"] : ["this", "other", "ratio", "min", "max"];

console.log(`${machine()}\n`);
console.log(
  `${"figure".padEnd(NAME_WIDTH)} ${"unit".padEnd(6)} ${COLUMNS.map((head) => head.padStart(9)).join(" ")}  runs  target`,
);
const figures: Figure[] = [];
for (const measurement of chosen) {
  const before = pace();
  if (options.beside === undefined) {
    for (const figure of await measurement.measure()) {
      figures.push(figure);
      console.log(alone(figure));
    }
  } else {
    for (const pair of measureBeside(measurement.name, resolve(options.beside), Number(options.rounds))) {
      figures.push(pair.figure);
      console.log(beside(pair));
    }
  }
  const [load = Number.NaN] = loadavg();
  console.log(
    `  (${measurement.name}: a fixed loop took ${round(before)} ms before it, and ${round(pace())} ms after it; load ${round(load)})`,
  );
}
mkdirSync("build", { recursive: true });
writeFileSync(
  "build/bench.json",
  `${JSON.stringify({ machine: machine(), figures: figures.map(withSummary) }, null, 1)}\n`,
);
const missed = figures.filter((figure) => isReached(figure) === false);
console.log(
  missed.length === 0 ? "\nEvery target is reached." : `\nMissed: ${missed.map((figure) => figure.name).join("; ")}`,
);
process.exit(missed.length === 0 ? 0 : 1);
