// The supervisor's memory after many events, and after many further events.
import { join } from "node:path";
import type { Figure, Measurement } from "../measure.ts";
import { deploy, memoryOf, STOPWATCH, untilAwake, withBench } from "../subject.ts";

/** The number of events at each measurement. */
const EVENTS = [20_000, 100_000] as const;
/** Long enough for the supervisor to release the memory that it releases at rest. */
const QUIET_MS = 2_000;
/** Tolerance for single pages and strings. */
const NO_GROWTH_MB = 0.1;
const AT_ONCE = 50;

/** Sends `count` requests on one connection, some at a time, and waits for all answers. */
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
      const crank = await bench.crank("web", ["-bind", "127.0.0.1:0", "-linger", "60"]);
      await deploy(bench, ["-instances", "4"], [STOPWATCH]);
      const looks: { readonly awake: number; readonly rested: number }[] = [];
      let asked = 0;
      for (const events of EVENTS) {
        await request(join(bench.directory, "web.ctl"), events - asked);
        asked = events;
        const supervisor = await untilAwake(crank);
        const awake = memoryOf(supervisor).resident;
        await Bun.sleep(QUIET_MS);
        looks.push({ awake, rested: memoryOf(supervisor).resident });
      }
      const [few, many] = looks;
      if (!few || !many) throw new Error("nothing was looked at");
      const figure = (name: string, sample: number, atMost: number): Figure => ({
        ...{ name, unit: "MB", samples: [sample] },
        target: { holds: "worst", atMost },
      });
      return [
        figure("resident, supervisor awake, after 20,000 events", few.awake, 7),
        figure("… two seconds later", few.rested, 7),
        figure("… after 100,000 events", many.awake, 7),
        figure("… two seconds later, more than after 20,000", many.rested - few.rested, NO_GROWTH_MB),
      ];
    }),
};
