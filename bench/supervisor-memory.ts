// The supervisor's memory after many events.
import { join } from "node:path";
import type { Measurement } from "./measure.ts";
import { buildStopwatch, deploy, memoryOf, STOPWATCH, untilAwake, withBench } from "./subject.ts";

const EVENTS = 20_000;
const AT_ONCE = 50;

/** Sends `count` requests over one connection, some at a time, and waits for all answers. */
export const request = (path: string, count: number): Promise<void> =>
  new Promise((resolve, reject) => {
    let sent = 0;
    let answered = 0;
    const ask = (socket: Bun.Socket): void => {
      for (let number = 0; number < AT_ONCE && sent < count; number++)
        socket.write(`{"jsonrpc":"2.0","id":${++sent},"method":"ps","params":{}}\n`);
    };
    Bun.connect({
      unix: path,
      socket: {
        open: ask,
        data: (socket, bytes) => {
          for (const byte of bytes) if (byte === 10) answered += 1;
          if (answered === sent && sent < count) ask(socket);
          if (answered < count) return;
          resolve();
          socket.end();
        },
        close: () => reject(new Error("crank hung up")),
      },
    }).catch(reject);
  });

export const supervisorMemory: Measurement = {
  name: "supervisor-memory",
  measure: () =>
    withBench(async (bench) => {
      buildStopwatch();
      const crank = await bench.crank("web", ["-bind", "127.0.0.1:0", "-linger", "60"]);
      await deploy(bench, ["-instances", "4"], [STOPWATCH]);
      const samples: number[] = [];
      const rested: number[] = [];
      for (let round = 0; round < 3; round++) {
        await request(join(bench.directory, "web.ctl"), EVENTS);
        const supervisor = await untilAwake(crank);
        samples.push(memoryOf(supervisor).resident);
        await Bun.sleep(2_000);
        rested.push(memoryOf(supervisor).resident);
      }
      return [
        {
          name: "resident, supervisor awake, after 20,000 events (and more)",
          unit: "MB",
          samples,
          target: { holds: "worst", atMost: 7 },
        },
        { name: "… and two seconds later", unit: "MB", samples: rested, target: { holds: "worst", atMost: 7 } },
      ];
    }),
};
