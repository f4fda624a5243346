// `make bench`: measures everything, or what is named on the command line, and prints each figure with its target.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { adoption } from "./adoption.ts";
import { connections } from "./connections.ts";
import { controlCost } from "./control-cost.ts";
import { core } from "./core.ts";
import { counting } from "./counting.ts";
import { fleet } from "./fleet.ts";
import { frontEnds } from "./front-ends.ts";
import { growth } from "./growth.ts";
import { kills } from "./kills.ts";
import { latency } from "./latency.ts";
import { describeTarget, type Figure, isReached, type Measurement, summarize } from "./measure.ts";
import { output } from "./output.ts";
import { pace } from "./pace.ts";
import { rest } from "./rest.ts";
import { spread } from "./spread.ts";
import { startUp } from "./start-up.ts";
import { supervisorMemory } from "./supervisor-memory.ts";
import { upgrades } from "./upgrades.ts";

/** In this order; a new comparison is one more file and one more entry. */
const MEASUREMENTS: readonly Measurement[] = [
  startUp,
  controlCost,
  latency,
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

/** What the longest name needs. */
const NAME_WIDTH = 72;

const round = (value: number): string =>
  Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 1 ? value.toFixed(2) : value.toFixed(3);

const line = (figure: Figure): string => {
  const { min, median, max } = summarize(figure.samples);
  const reached = isReached(figure);
  const verdict = reached === null ? "" : reached ? "reached" : "MISSED";
  const cells = [
    figure.name.padEnd(NAME_WIDTH),
    figure.unit.padEnd(6),
    ...[min, median, max].map((value) => round(value).padStart(9)),
    String(figure.samples.length).padStart(5),
  ];
  return `${cells.join(" ")}  ${describeTarget(figure.target).padEnd(14)} ${verdict}`;
};

const withSummary = (figure: Figure) => ({ ...figure, ...summarize(figure.samples), reached: isReached(figure) });

const named = process.argv.slice(2);
const unknown = named.filter((name) => !MEASUREMENTS.some((measurement) => measurement.name === name));
if (unknown.length > 0) {
  console.error(
    `There is no measurement ${unknown.join(", ")}; there are ${MEASUREMENTS.map((measurement) => measurement.name).join(", ")}`,
  );
  process.exit(2);
}

console.log(`${machine()}\n`);
console.log(
  `${"figure".padEnd(NAME_WIDTH)} ${"unit".padEnd(6)} ${["min", "median", "max"].map((head) => head.padStart(9)).join(" ")} runs   target`,
);
const figures: Figure[] = [];
for (const measurement of MEASUREMENTS) {
  if (named.length > 0 && !named.includes(measurement.name)) continue;
  const before = pace();
  for (const figure of await measurement.measure()) {
    figures.push(figure);
    console.log(line(figure));
  }
  console.log(
    `  (${measurement.name}: a fixed loop took ${round(before)} ms before it, and ${round(pace())} ms after it)`,
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
