// The programs that crank stands in for, by crank's own measures: their start, their control programs, and what is left of
// them at rest. One row of the table for each.
import { join } from "node:path";
import { compiled } from "../test/e2e/harness/apps.ts";
import { ROOT, waitFor } from "../test/e2e/harness/service.ts";
import type { Figure, Measurement } from "./measure.ts";
import { memoryOf, untilAsleep, withBench } from "./subject.ts";

const STARTS = 20;
const PAIRS = 25;
const SETTLE_MS = 30_000;
const NS_PER_MS = 1e6;

/** `start`: the command line that makes the socket, a first word of `bin/`. `control`: a question to it, null: there is none of its own. */
type FrontEnd = {
  readonly start: (socket: string) => readonly string[];
  readonly control: ((socket: string) => readonly string[]) | null;
};

const FRONT_ENDS: readonly FrontEnd[] = [
  {
    start: (socket) => ["einhyrningsins", "-d", socket, "-b", "127.0.0.1:0", "sleep", "600"],
    control: (socket) => ["einhyrningsinsctl", "-d", socket, "-e", "status"],
  },
  {
    start: (socket) => ["einhorn", "-d", socket, "-b", "127.0.0.1:0", "sleep", "600"],
    control: (socket) => ["einhornsh", "-d", socket, "-e", "state"],
  },
  {
    start: (socket) => ["socketmaster", "-listen", `unix://${socket}`, "-command", "sleep", "--", "600"],
    control: null,
  },
];

const program = ([name = "", ...args]: readonly string[]): string[] => [join(ROOT, "bin", name), ...args];

const startUp = ({ start }: FrontEnd): Promise<number> =>
  withBench(async (bench) => {
    const socket = join(bench.directory, "socket");
    const ended = await bench.run([compiled("starter"), socket, ...program(start(socket))]);
    if (ended.status !== 0) throw new Error(`${start(socket)[0]} does not accept: ${ended.stderr}`);
    return Number(ended.stdout) / NS_PER_MS;
  });

const timed = (command: readonly string[]): number => {
  const started = performance.now();
  const ended = Bun.spawnSync([...command], { stdin: "ignore", stdout: "ignore", stderr: "inherit" });
  if (ended.exitCode !== 0) throw new Error(`${command.join(" ")} ended with ${ended.exitCode}`);
  return performance.now() - started;
};

const alive = ({ start, control }: FrontEnd): Promise<readonly Figure[]> =>
  withBench(async (bench) => {
    const socket = join(bench.directory, "socket");
    const name = start(socket)[0] ?? "";
    const master = bench.start(program(start(socket)));
    await waitFor("its start", () => master.stderr().includes("Listening on"));
    const figures: Figure[] = [];
    if (control) {
      const pairs: number[] = [];
      // The first pair only warms up.
      for (let run = 0; run <= PAIRS; run++) pairs.push(timed(program(control(socket))) / timed(["node", "-e", "0"]));
      figures.push({
        name: `${control(socket)[0]} ${control(socket).at(-1)} ÷ node -e 0, supervisor awake`,
        unit: "ratio",
        samples: pairs.slice(1),
        target: { holds: "median", atMost: 0.25 },
      });
    }
    await untilAsleep(master);
    await Bun.sleep(SETTLE_MS);
    const { resident, own } = memoryOf(master.pid);
    figures.push(
      { name: `${name} at rest, resident`, unit: "MB", samples: [resident], target: { holds: "worst", atMost: 1.5 } },
      { name: "… of it private, written", unit: "MB", samples: [own], target: { holds: "worst", atMost: 0.5 } },
    );
    return figures;
  });

export const frontEnds: Measurement = {
  name: "front-ends",
  measure: async () => {
    const figures: Figure[] = [];
    for (const frontEnd of FRONT_ENDS) {
      const samples: number[] = [];
      for (let run = 0; run < STARTS; run++) samples.push(await startUp(frontEnd));
      const name = `${frontEnd.start("")[0]} started → the socket accepts`;
      figures.push({ name, unit: "ms", samples, target: { holds: "median", atMost: 25 } });
      figures.push(...(await alive(frontEnd)));
    }
    return figures;
  },
};
