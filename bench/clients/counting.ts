// Counting the connections that workers hold: whether the count is exact, how long it takes, and how much it delays other
// requests.
import { join } from "node:path";
import { type Client, connect } from "../../src/control/client.ts";
import { type Bench, portOf, ROOT } from "../../test/e2e/harness/bench.ts";
import { waitFor } from "../../test/e2e/harness/wait.ts";
import { type Figure, type Measurement, summarize } from "../measure.ts";
import { deploy, withBench } from "../subject.ts";

const HOLDER = join(ROOT, "test/apps/holder.py");
const CROWD = join(ROOT, "test/apps/crowd.py");

/** How many connections, and how many processes of each of two workers hold them: a process may hold about 20,000. */
const CASES = [
  { count: 1, children: 0 },
  { count: 1000, children: 0 },
  { count: 50_000, children: 2 },
] as const;
const MOST_EACH = 15_000;
const TIMES = 5;
const ROUND_TRIPS = 400;

const connected = async (bench: Bench, port: number, count: number): Promise<void> => {
  const processes = String(Math.ceil(count / 13_000));
  const crowd = bench.start(["python3", CROWD, String(port), String(count), processes], { stdin: "pipe" });
  await waitFor("the crowd", () => crowd.stdout().includes("held"));
};

/** The connections of all workers in one new measurement, and its duration, ms. */
const countOnce = async (client: Client): Promise<{ readonly count: number; readonly ms: number }> => {
  const before = (await client.call("ps", {}))[0]?.usage?.at;
  for (;;) {
    const begun = performance.now();
    const workers = await client.call("ps", { measure: true });
    const ms = performance.now() - begun;
    const count = workers.reduce((sum, { usage }) => sum + (usage?.connections ?? Number.NaN), 0);
    if (workers[0]?.usage?.at !== before) return { count, ms };
    await Bun.sleep(50);
  }
};

/** The duration of small requests, ms: one after the other, on their own connection. */
const roundTrips = async (client: Client): Promise<readonly number[]> => {
  const samples: number[] = [];
  for (let trip = 0; trip < ROUND_TRIPS; trip++) {
    const begun = performance.now();
    await client.call("info", {});
    samples.push(performance.now() - begun);
    await Bun.sleep(5);
  }
  return samples;
};

/** The same while measurements are started as often as permitted. */
const roundTripsMeanwhile = async (asks: Client, counts: Client): Promise<readonly number[]> => {
  let isOver = false;
  const counting = (async () => {
    while (!isOver) await counts.call("ps", { measure: true });
  })();
  const samples = await roundTrips(asks);
  isOver = true;
  await counting;
  return samples;
};

const measureCase = ({ count, children }: (typeof CASES)[number]): Promise<Figure[]> =>
  withBench(async (bench) => {
    const crank = await bench.crank("web", ["-bind", "127.0.0.1:0", "-linger", "60"]);
    const flags = ["-instances", "2", "-stop", "1", "-env", `HOLDER_DIR=${bench.directory}`];
    await deploy(bench, flags, ["python3", HOLDER, String(children), String(MOST_EACH)]);
    await connected(bench, portOf(crank), count);
    const path = join(bench.directory, "web.ctl");
    const client = await connect({ kind: "unix", path }, () => {});
    const other = await connect({ kind: "unix", path }, () => {});
    // Wait until all connections are accepted.
    await waitFor("all to be accepted", async () => (await countOnce(client)).count === count);
    const counts = [];
    for (let time = 0; time < TIMES; time++) counts.push(await countOnce(client));
    const alone = await roundTrips(client);
    const meanwhile = await roundTripsMeanwhile(client, other);
    client.close();
    other.close();
    const name = `${count} connections`;
    return [
      {
        name: `${name}: counted too many or too few`,
        unit: "count",
        samples: counts.map((one) => Math.abs(one.count - count)),
        target: { holds: "worst", atMost: 0 },
      },
      { name: `${name}: asked → counted`, unit: "ms", samples: counts.map(({ ms }) => ms), target: null },
      { name: `${name}: another request, without counting`, unit: "ms", samples: alone, target: null },
      {
        name: `${name}: another request during counting, additional time`,
        unit: "ms",
        samples: meanwhile.map((sample) => sample - summarize(alone).median),
        target: { holds: "median", atMost: 0.5 },
      },
    ];
  });

export const counting: Measurement = {
  name: "counting",
  measure: async () => {
    const figures: Figure[] = [];
    for (const one of CASES) figures.push(...(await measureCase(one)));
    return figures;
  },
};
