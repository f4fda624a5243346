// How 10,000 WebSocket clients reconnect when their worker is replaced, with and without a spread: each of them reconnects
// as soon as it is closed; the time until the connection is open again is measured. Writes a picture of both to build/spread.svg;
// docs/worker-spread.svg is a copy of one.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { portOf, ROOT } from "../../test/e2e/harness/bench.ts";
import { waitFor } from "../../test/e2e/harness/wait.ts";
import type { Figure, Measurement } from "../measure.ts";
import { deploy, withBench } from "../subject.ts";
import { type Comeback, spreadPicture } from "./spread-picture.ts";

const CLIENTS = 10_000;
const SPREAD_MS = 20_000;
/** How many connect concurrently at the start. */
const AT_ONCE = 200;
/** The limit for the whole drain, s. */
const STOP_S = 120;
const SECOND_MS = 1_000;

const WORKER = ["node", join(ROOT, "test/apps/library/worker.mjs"), "ws"];

class Crowd {
  /** When clients had reconnected after they were closed, in the time of performance.now(). */
  readonly returns: number[] = [];
  readonly codes = new Map<number, number>();
  failures = 0;
  #isOver = false;
  readonly #port: number;
  readonly #sockets = new Set<WebSocket>();

  constructor(port: number) {
    this.#port = port;
  }

  async gather(): Promise<void> {
    for (let first = 0; first < CLIENTS; first += AT_ONCE)
      await Promise.all(Array.from({ length: AT_ONCE }, (_, index) => this.#connect(first + index)));
  }

  leave(): void {
    this.#isOver = true;
    for (const socket of this.#sockets) socket.terminate();
  }

  /** One client: connects, and reconnects when it is closed. Resolves when it is connected for the first time. */
  #connect(index: number, wasThere = false): Promise<void> {
    // Several addresses, so that there are enough ports for new and recently closed connections.
    const socket = new WebSocket(`ws://127.0.0.${1 + (index % 4)}:${this.#port}/`);
    this.#sockets.add(socket);
    return new Promise((resolve) => {
      // The server's first message, not the handshake, shows that the worker itself has accepted the client.
      socket.onmessage = () => {
        if (wasThere) this.returns.push(performance.now());
        resolve();
      };
      socket.onerror = () => {
        this.failures += 1;
      };
      socket.onclose = ({ code }) => {
        this.#sockets.delete(socket);
        if (this.#isOver) return;
        this.codes.set(code, (this.codes.get(code) ?? 0) + 1);
        void this.#connect(index, true);
      };
    });
  }
}

/** A deploy with all clients connected: when each of them reconnected, ms after the deploy. */
const measureDeploy = (spreadMs: number): Promise<Comeback> =>
  withBench(async (bench) => {
    const crank = await bench.crank("web", ["-bind", "0.0.0.0:0"]);
    const drain = JSON.stringify({ spreadMs });
    await deploy(bench, ["-stop", String(STOP_S), "-env", "VERSION=1", "-env", `DRAIN=${drain}`], WORKER);
    const crowd = new Crowd(portOf(crank));
    await crowd.gather();
    await deploy(bench, ["-env", "VERSION=2"], WORKER);
    const began = performance.now();
    await waitFor("the first to be back", () => crowd.returns.length > 0);
    while (crowd.returns.length < CLIENTS && performance.now() < began + spreadMs + STOP_S * SECOND_MS)
      await Bun.sleep(100);
    crowd.leave();
    const codes = [...crowd.codes].map(([code, count]) => `${count} closed with ${code}`).join(", ");
    console.error(`  (${spreadMs / SECOND_MS} s: ${crowd.returns.length} back, ${codes}, ${crowd.failures} failures)`);
    const first = crowd.returns[0] ?? began;
    return { spreadMs, returnsMs: crowd.returns.map((at) => at - first), failures: crowd.failures };
  });

/** The maximum number within any second. */
const busiestSecond = ({ returnsMs }: Comeback): number => {
  let most = 0;
  let from = 0;
  returnsMs.forEach((at, index) => {
    while ((returnsMs[from] ?? at) <= at - SECOND_MS) from += 1;
    most = Math.max(most, index - from + 1);
  });
  return most;
};

export const spread: Measurement = {
  name: "spread",
  measure: async () => {
    const atOnce = await measureDeploy(0);
    const spreadOut = await measureDeploy(SPREAD_MS);
    mkdirSync("build", { recursive: true });
    writeFileSync("build/spread.svg", spreadPicture([atOnce, spreadOut], CLIENTS));
    const evenRate = (CLIENTS / SPREAD_MS) * SECOND_MS;
    const seconds = `${SPREAD_MS / SECOND_MS} s`;
    const figures: readonly Figure[] = [
      {
        name: `${CLIENTS} WebSockets, spread over ${seconds}: back in the busiest second`,
        unit: "count",
        samples: [busiestSecond(spreadOut)],
        target: { holds: "worst", atMost: 2 * evenRate },
      },
      { name: "… without a spread", unit: "count", samples: [busiestSecond(atOnce)], target: null },
      {
        name: "… clients that did not come back, and failures on the way",
        unit: "count",
        samples: [atOnce, spreadOut].map((one) => CLIENTS - one.returnsMs.length + one.failures),
        target: { holds: "worst", atMost: 0 },
      },
    ];
    return figures;
  },
};
