// READY=1 sent by a new worker → SIGTERM there at the old one, told by the two workers themselves.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { waitFor } from "../test/e2e/harness/service.ts";
import { type Figure, type Measurement, percentile } from "./measure.ts";
import { buildStopwatch, deploy, STOPWATCH, withBench } from "./subject.ts";

const NS_PER_MS = 1e6;
/** A server takes a moment to get ready; without it, what is measured is the end of its own start. */
const WARM_UP = ["STOPWATCH_DELAY_MS=1"];

type Setting = {
  readonly linger: string;
  readonly deploys: number;
  readonly instances: number;
  readonly env: readonly string[];
};

/** Reloads again and again over one connection, so that no client's own start is in the way. */
const reload = (path: string, times: number): Promise<void> =>
  new Promise((resolve, reject) => {
    let left = times;
    let heard = "";
    const ask = (socket: Bun.Socket): void => {
      socket.write('{"jsonrpc":"2.0","id":1,"method":"reload","params":{"wait":true}}\n');
    };
    const hear = (socket: Bun.Socket, line: string): void => {
      if (line.includes('"error"')) reject(new Error(line));
      if (!line.includes('"result"')) return;
      left -= 1;
      if (left > 0) return ask(socket);
      resolve();
      socket.end();
    };
    const data = (socket: Bun.Socket, bytes: Buffer): void => {
      const lines = (heard + bytes.toString()).split("\n");
      heard = lines.pop() ?? "";
      for (const line of lines) hear(socket, line);
    };
    Bun.connect({ unix: path, socket: { open: ask, data, close: () => reject(new Error("crank hung up")) } }).catch(
      reject,
    );
  });

/** Deploys again and again; of each deploy the n-th READY belongs to the n-th SIGTERM. */
const measureDeploys = ({ linger, deploys, instances, env }: Setting): Promise<number[]> =>
  withBench(async (bench) => {
    await bench.crank("web", ["-bind", "127.0.0.1:0", "-linger", linger]);
    const file = join(bench.directory, "moments");
    const flags = [...env, `STOPWATCH_FILE=${file}`].flatMap((pair) => ["-env", pair]);
    await deploy(bench, ["-instances", String(instances), ...flags], [STOPWATCH]);
    await reload(join(bench.directory, "web.ctl"), deploys);
    await bench.ctl("web", "shutdown", "-wait");
    const lines = await waitFor("all moments", () => {
      const seen = readFileSync(file, "utf8").trim().split("\n");
      return seen.length >= (deploys + 1) * instances * 2 && seen;
    });
    const moments = (what: string): number[] =>
      lines
        .flatMap((line) => (line.startsWith(`${what} `) ? [Number(line.slice(what.length + 1))] : []))
        .sort((a, b) => a - b);
    const ready = moments("ready").slice(instances);
    const term = moments("term");
    return ready.map((moment, index) => ((term[index] ?? Number.NaN) - moment) / NS_PER_MS);
  });

const figures = (name: string, samples: readonly number[]): Figure[] => {
  const p99 = percentile(
    [...samples].sort((a, b) => a - b),
    0.99,
  );
  return [
    { name, unit: "ms", samples, target: { holds: "median", atMost: 0.5 } },
    { name: `${name}, p99`, unit: "ms", samples: [p99], target: { holds: "median", atMost: 5 } },
  ];
};

export const latency: Measurement = {
  name: "latency",
  measure: async () => {
    buildStopwatch();
    const awake = await measureDeploys({ linger: "60", deploys: 120, instances: 1, env: WARM_UP });
    const flooded = await measureDeploys({
      linger: "60",
      deploys: 40,
      instances: 2,
      env: [...WARM_UP, "STOPWATCH_FLOOD=1"],
    });
    const asleep = await measureDeploys({ linger: "0.1", deploys: 20, instances: 1, env: ["STOPWATCH_DELAY_MS=600"] });
    return [
      ...figures("READY sent → SIGTERM at the old worker", awake),
      ...figures("… while another worker floods its output", flooded),
      {
        name: "the same while the supervisor sleeps",
        unit: "ms",
        samples: asleep,
        target: { holds: "median", atMost: 25 },
      },
    ];
  },
};
