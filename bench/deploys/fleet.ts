// 500 workers: the first start, a whole rollout, and the duration of a request during it.
import { join } from "node:path";
import type { Bench } from "../../test/e2e/harness/bench.ts";
import type { Measurement } from "../measure.ts";
import { request } from "../resources/supervisor-memory.ts";
import { deploy, STOPWATCH, withBench } from "../subject.ts";

const WORKERS = 500;
const QUESTIONS = 20;

const ask = async (bench: Bench): Promise<number> => {
  const started = performance.now();
  await request(join(bench.directory, "web.ctl"), 1);
  return performance.now() - started;
};

const timed = async (action: Promise<void>): Promise<number> => {
  const started = performance.now();
  await action;
  return performance.now() - started;
};

export const fleet: Measurement = {
  name: "fleet",
  measure: () =>
    withBench(async (bench) => {
      await bench.crank("web", ["-bind", "127.0.0.1:0", "-linger", "60"]);
      const flags = ["-instances", String(WORKERS), "-surge", "10"];
      const start = await timed(deploy(bench, flags, [STOPWATCH]));
      const atRest: number[] = [];
      for (let number = 0; number < QUESTIONS; number++) atRest.push(await ask(bench));
      let isOver = false;
      const during: number[] = [];
      const rollout = timed(deploy(bench, [], [STOPWATCH])).finally(() => {
        isOver = true;
      });
      while (!isOver) {
        during.push(await ask(bench));
        await Bun.sleep(20);
      }
      const rest = [...atRest].sort((a, b) => a - b)[Math.floor(QUESTIONS / 2)] ?? 0;
      return [
        { name: "500 workers: fleet start", unit: "ms", samples: [start], target: null },
        { name: "500 workers: full rollout, surge 10", unit: "ms", samples: [await rollout], target: null },
        { name: "500 workers: ps at rest", unit: "ms", samples: atRest, target: null },
        {
          name: "500 workers: ps during the rollout, more than at rest",
          unit: "ms",
          samples: during.map((sample) => sample - rest),
          target: { holds: "median", atMost: 20 },
        },
      ];
    }),
};
