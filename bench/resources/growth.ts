// What grows over 1,000 replacements: descriptors and memory of the keeper, memory of the supervisor.
import type { Measurement } from "../measure.ts";
import { deploy, memoryOf, openFiles, STOPWATCH, untilAwake, withBench } from "../subject.ts";

const WARM_UP = 50;
const REPLACEMENTS = 1_000;
/** Long enough for the supervisor to release the memory that it releases at rest. */
const QUIET_MS = 2_000;

export const growth: Measurement = {
  name: "growth",
  measure: () =>
    withBench(async (bench) => {
      const crank = await bench.crank("web", ["-bind", "127.0.0.1:0", "-linger", "60"]);
      const look = async () => {
        await Bun.sleep(QUIET_MS);
        return {
          files: openFiles(crank.pid),
          keeper: memoryOf(crank.pid).own,
          supervisor: memoryOf(await untilAwake(crank)).resident,
        };
      };
      for (let number = 0; number < WARM_UP; number++) await deploy(bench, [], [STOPWATCH]);
      const before = await look();
      for (let number = 0; number < REPLACEMENTS; number++) await deploy(bench, [], [STOPWATCH]);
      const after = await look();
      return [
        {
          name: "descriptors more after 1,000 replacements",
          unit: "count",
          samples: [after.files - before.files],
          target: { holds: "worst", atMost: 0 },
        },
        {
          name: "keeper's private memory more",
          unit: "MB",
          samples: [after.keeper - before.keeper],
          target: { holds: "worst", atMost: 0.02 },
        },
        {
          name: "supervisor's resident memory more",
          unit: "MB",
          samples: [after.supervisor - before.supervisor],
          target: { holds: "worst", atMost: 2 },
        },
      ];
    }),
};
