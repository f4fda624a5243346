// crank at rest with four workers: its memory, and how often anything of it wakes up.
import type { Measurement } from "../measure.ts";
import { deploy, memoryOf, STOPWATCH, switchesOf, untilAsleep, withBench } from "../subject.ts";

const SETTLE_MS = 30_000;
const WATCH_MS = 60_000;

export const rest: Measurement = {
  name: "rest",
  measure: () =>
    withBench(async (bench) => {
      const crank = await bench.crank("web", ["-bind", "127.0.0.1:0", "-linger", "1"]);
      await deploy(bench, ["-instances", "4"], [STOPWATCH]);
      await untilAsleep(crank);
      await Bun.sleep(SETTLE_MS);
      // Only the keeper runs: the supervisor has exited.
      const { resident, own, unshared } = memoryOf(crank.pid);
      const before = switchesOf(crank.pid);
      await Bun.sleep(WATCH_MS);
      const wakeUps = switchesOf(crank.pid) - before;
      return [
        {
          name: "resident at rest, all of crank, four workers",
          unit: "MB",
          samples: [resident],
          target: { holds: "worst", atMost: 1.5 },
        },
        { name: "… of it private, written", unit: "MB", samples: [own], target: { holds: "worst", atMost: 0.2 } },
        { name: "… and the program's pages, if no other crank runs", unit: "MB", samples: [unshared], target: null },
        { name: "wake-ups at rest in 60 s", unit: "count", samples: [wakeUps], target: { holds: "worst", atMost: 0 } },
      ];
    }),
};
