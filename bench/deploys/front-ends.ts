// The front ends, by crank's own measures: their start, their control programs, and their memory
// at rest. One row of the table for each.
import { join } from "node:path";
import { BUILD } from "../../test/e2e/harness/bench.ts";
import { waitFor } from "../../test/e2e/harness/wait.ts";
import type { Figure, Measurement } from "../measure.ts";
import { besideNode, type Pair, timeBesideNode, timeToAccept } from "../resources/whole-process.ts";
import { memoryOf, untilAsleep, withBench } from "../subject.ts";

const STARTS = 20;
const PAIRS = 25;
const SETTLE_MS = 30_000;

/** `start`: the command line that opens the socket, with a program of `bin/`. `control`: a control command, null: there is none. */
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

const program = ([name = "", ...args]: readonly string[]): string[] => [join(BUILD, "bin", name), ...args];

const startUp = ({ start }: FrontEnd): Promise<Pair> =>
  withBench(async ({ directory }) => {
    const socket = join(directory, "socket");
    return timeToAccept(socket, program(start(socket)));
  });

const alive = ({ start, control }: FrontEnd): Promise<readonly Figure[]> =>
  withBench(async (bench) => {
    const socket = join(bench.directory, "socket");
    const name = start(socket)[0] ?? "";
    const master = bench.start(program(start(socket)));
    await waitFor("its start", () => master.stderr().includes("Listening on"));
    const figures: Figure[] = [];
    if (control) {
      const pairs: Pair[] = [];
      // The first pair only warms up.
      for (let run = 0; run <= PAIRS; run++) pairs.push(timeBesideNode(program(control(socket))));
      const [client] = control(socket);
      figures.push(...besideNode(`${client} ${control(socket).at(-1)}, supervisor awake`, pairs.slice(1), 0.07));
    }
    await untilAsleep(master);
    await Bun.sleep(SETTLE_MS);
    const { resident, own } = memoryOf(master.pid);
    figures.push(
      { name: `${name} at rest, resident`, unit: "MB", samples: [resident], target: { holds: "worst", atMost: 1.5 } },
      { name: "… of it private, written", unit: "MB", samples: [own], target: { holds: "worst", atMost: 0.2 } },
    );
    return figures;
  });

export const frontEnds: Measurement = {
  name: "front-ends",
  measure: async () => {
    const figures: Figure[] = [];
    for (const frontEnd of FRONT_ENDS) {
      const pairs: Pair[] = [];
      for (let run = 0; run < STARTS; run++) pairs.push(await startUp(frontEnd));
      figures.push(...besideNode(`${frontEnd.start("")[0]} started → the socket accepts`, pairs, 0.12));
      figures.push(...(await alive(frontEnd)));
    }
    return figures;
  },
};
