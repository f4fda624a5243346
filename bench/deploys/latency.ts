// From READY=1 of a new worker, by its own clock, to SIGTERM of the old one, by the kernel's trace; without the trace, by
// the old worker when it receives it.
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { CRANK } from "../../test/e2e/harness/bench.ts";
import { waitFor } from "../../test/e2e/harness/wait.ts";
import { type Figure, type Measurement, percentile } from "../measure.ts";
import { deploy, STOPWATCH, withBench } from "../subject.ts";
import { traceSignals } from "./sent-signals.ts";

const NS_PER_MS = 1e6;
/** How long a worker takes until it is ready: longer than its own start. */
const WARM_MS = 2;
const FRESH_DAEMONS = 20;
const FIRST_DEPLOYS = 3;

type Setting = {
  readonly linger: string;
  readonly deploys: number;
  readonly delayMs: number;
  /** Whether a worker that was replaced at the beginning still runs, ignores its stop signal and floods its output. */
  readonly flood: "yes" | "no";
};

/** Reloads repeatedly on one connection, so that the start of a client is not measured. */
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

/** Deploys repeatedly; the n-th SIGTERM follows the READY of worker n + 1. */
const measureDeploys = ({ linger, deploys, delayMs, flood }: Setting): Promise<number[]> =>
  withBench(async (bench) => {
    // Its standard output goes to /dev/null, so that the measuring process does not read the flood.
    const command = `exec ${CRANK} -prefix ${bench.directory} -name web -bind 127.0.0.1:0 -linger ${linger} >/dev/null`;
    const crank = bench.start(["sh", "-c", command]);
    await waitFor("crank's start", () => crank.stderr().includes("Listening on"));
    if (flood === "yes") await deploy(bench, ["-stop", "600", "-env", "STOPWATCH_FLOOD=1"], [STOPWATCH]);
    const file = join(bench.directory, "moments");
    const env = [
      "-env",
      `STOPWATCH_FILE=${file}`,
      "-env",
      `STOPWATCH_DELAY_MS=${delayMs}`,
      "-unset-env",
      "STOPWATCH_FLOOD",
    ];
    await deploy(bench, env, [STOPWATCH]);
    const sent = traceSignals("stopwatch", constants.signals.SIGTERM);
    await reload(join(bench.directory, "web.ctl"), deploys);
    const moments = (what: string): number[] =>
      readFileSync(file, "utf8")
        .split("\n")
        .flatMap((line) => (line.startsWith(`${what} `) ? [Number(line.slice(what.length + 1))] : []))
        .sort((a, b) => a - b);
    const received = await waitFor("all moments", () => moments("term").length >= deploys && moments("term"));
    const term = sent?.moments() ?? received;
    sent?.end();
    // A worker reports both times when it exits, so the READY of the last one is missing.
    const ready = moments("ready").slice(1);
    return ready.map((moment, index) => ((term[index] ?? Number.NaN) - moment) / NS_PER_MS);
  });

/** The case of users, who do not deploy a hundred times in a row. The last READY of each daemon is missing. */
const measureFresh = async (): Promise<number[]> => {
  const samples: number[] = [];
  for (let daemon = 0; daemon < FRESH_DAEMONS; daemon++) {
    samples.push(
      ...(await measureDeploys({ linger: "60", deploys: FIRST_DEPLOYS + 1, delayMs: WARM_MS, flood: "no" })),
    );
  }
  return samples;
};

const figures = (name: string, samples: readonly number[]): Figure[] => {
  const p99 = percentile(
    [...samples].sort((a, b) => a - b),
    0.99,
  );
  return [
    { name, unit: "ms", samples, target: { holds: "median", atMost: 0.4 } },
    { name: `${name}, p99`, unit: "ms", samples: [p99], target: { holds: "median", atMost: 5 } },
  ];
};

export const latency: Measurement = {
  name: "latency",
  measure: async () => {
    const fresh = await measureFresh();
    const awake = await measureDeploys({ linger: "60", deploys: 120, delayMs: WARM_MS, flood: "no" });
    const flooded = await measureDeploys({ linger: "60", deploys: 120, delayMs: WARM_MS, flood: "yes" });
    const asleep = await measureDeploys({ linger: "0.1", deploys: 20, delayMs: 600, flood: "no" });
    return [
      {
        name: "READY sent → SIGTERM at the old worker, first deploys of a fresh daemon",
        unit: "ms",
        samples: fresh,
        target: { holds: "median", atMost: 0.8 },
      },
      ...figures("… when it has deployed before", awake),
      ...figures("… while another worker floods its output", flooded),
      {
        name: "… while the supervisor sleeps",
        unit: "ms",
        samples: asleep,
        target: { holds: "median", atMost: 10 },
      },
    ];
  },
};
