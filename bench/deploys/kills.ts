// A thousand SIGKILLs of the supervisor, at random moments, during continuous deploys: the output, events,
// answers and record are checked for missing and repeated items.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { compiled } from "../../test/e2e/harness/apps.ts";
import { type Bench, CRANKCTL, portOf, type Running } from "../../test/e2e/harness/bench.ts";
import { Load } from "../../test/e2e/harness/load.ts";
import { supervisorOf } from "../../test/e2e/harness/processes.ts";
import { waitFor } from "../../test/e2e/harness/wait.ts";
import type { Figure, Measurement } from "../measure.ts";
import { deploy, withBench } from "../subject.ts";

const KILLS = 1_000;
/** Maximum time between two kills, ms; often the next supervisor has not begun to work. */
const LATEST_MS = 120;
const ANEW = 10;
const STAYS = 50;
const LINE_MS = 5;
const LINE_BYTES = 100;
const FAILING_EVERY = 4;

/** The checked part of an event as `crankctl events -json` prints it. */
type Event = { readonly seq: number; readonly kind: string; readonly worker?: number; readonly generation?: number };

const server = (version: number): readonly string[] => [
  ...[compiled("worker"), "-drain", "100", "-lines", String(LINE_MS), String(LINE_BYTES)],
  `v${version}`,
];

/** Kills the supervisor repeatedly, shortly after it has started. */
const killAThousandTimes = async (crank: Running): Promise<void> => {
  for (let kill = 0; kill < KILLS; kill++) {
    const supervisor = await waitFor("a supervisor", () => supervisorOf(crank));
    await Bun.sleep(Math.random() * LATEST_MS);
    if (supervisorOf(crank) !== supervisor) kill -= 1;
    else process.kill(supervisor, "SIGKILL");
  }
};

/** Deploys until the end; some must fail. Returns the number of deploys, and of wrong answers. */
const deployUntil = async (bench: Bench, isOver: () => boolean): Promise<{ deploys: number; wrong: number }> => {
  let wrong = 0;
  let deploys = 0;
  while (!isOver()) {
    deploys += 1;
    const fails = deploys % FAILING_EVERY === 0;
    const command = fails ? ["/bin/sh", "-c", "exit 3"] : server(deploys);
    const ended = await bench.ctl("web", "run", "-wait", "--", ...command);
    const isRight = fails ? ended.status === 1 && ended.stderr.includes("xited with ") : ended.status === 0;
    if (isRight) continue;
    wrong += 1;
    console.error(`  (deploy ${deploys}: status ${ended.status}, ${ended.stdout.trim()} ${ended.stderr.trim()})`);
  }
  return { deploys, wrong };
};

/** How many numbers from `first` on are missing, repeated or out of order. */
const disorder = (numbers: readonly number[], first: number): number =>
  numbers.filter((number, index) => number !== first + index).length;

/** Missing or repeated events: numbers, exits of workers, ends of rollouts. */
const wrongEvents = (events: readonly Event[]): number => {
  const times = (kind: string, of: "worker" | "generation"): Map<number, number> => {
    const counts = new Map<number, number>();
    for (const event of events) {
      if (event.kind === kind) counts.set(event[of] ?? 0, (counts.get(event[of] ?? 0) ?? 0) + 1);
    }
    return counts;
  };
  const twice = [
    times("workerStarted", "worker"),
    times("workerReady", "worker"),
    times("workerGone", "worker"),
  ].flatMap((counts) => [...counts.values()].filter((count) => count !== 1));
  const gone = times("workerGone", "worker");
  const neverGone = [...times("workerStarted", "worker").keys()].filter((worker) => !gone.has(worker));
  const ends = [...times("rolloutComplete", "generation"), ...times("rolloutRolledBack", "generation")];
  const endless = [...times("rolloutStarted", "generation").keys()].filter(
    (generation) => ends.filter(([ended]) => ended === generation).length !== 1,
  );
  return (
    disorder(
      events.map(({ seq }) => seq),
      1,
    ) +
    twice.length +
    neverGone.length +
    endless.length
  );
};

/** Lines of workers that are missing, repeated or out of order. */
const wrongLines = (output: string): number => {
  const numbers = new Map<string, number[]>();
  let torn = 0;
  for (const line of output.split("\n")) {
    const whole = /^\w+ [ \d]\d \S+ id=\d+ pid=(\d+) line (\d+) x*$/.exec(line);
    const pid = whole?.[1];
    if (pid !== undefined) numbers.set(pid, [...(numbers.get(pid) ?? []), Number(whole?.[2])]);
    else if (line !== "") torn += 1;
  }
  return [...numbers.values()].reduce((sum, said) => sum + disorder(said, 1), torn);
};

/** Repeated log lines of crank about single workers and generations. */
const doubledLog = (log: string): number => {
  const sentences = log
    .split("\n")
    .flatMap((line) => /\] ((?:Worker|Stopping worker|Generation) \d+ .*)$/.exec(line)?.[1] ?? []);
  return sentences.length - new Set(sentences).size;
};

const measure = (): Promise<readonly Figure[]> =>
  withBench(async (bench) => {
    const crank = await bench.crank("web", ["-bind", "127.0.0.1:0"]);
    const follower = bench.start([
      ...[CRANKCTL, "-prefix", bench.directory, "-name", "web"],
      ...["events", "-json", "-since", "1"],
    ]);
    await deploy(bench, [], server(0));
    const load = new Load({ port: portOf(crank), anew: ANEW, pauseMs: 20, stays: STAYS, talkMs: 500 });
    await waitFor("the clients that stay", () => load.staying === STAYS);
    let isOver = false;
    const deploying = deployUntil(bench, () => isOver);
    await killAThousandTimes(crank).finally(() => {
      isOver = true;
    });
    const { deploys, wrong } = await deploying;
    const { refused, reset, cut } = await load.stop();
    const recorded: string = JSON.stringify(JSON.parse(readFileSync(join(bench.directory, "web.conf"), "utf8")));
    const newest = deploys - (deploys % FAILING_EVERY === 0 ? 1 : 0);
    const stopped = await bench.ctl("web", "shutdown", "-wait");
    const { stderr, stdout, status } = await crank.ended;
    const events: Event[] = (await follower.ended).stdout
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line));
    console.error(
      `  (${KILLS} supervisors killed in ${deploys} deploys; ${events.length} events, ${stdout.length} bytes of output)`,
    );
    const none = { unit: "count", target: { holds: "worst", atMost: 0 } } as const;
    const each = `${KILLS} kills of the supervisor`;
    return [
      { name: `${each}: connections refused, reset or cut`, samples: [refused + reset + cut], ...none },
      {
        name: "… deploys answered wrongly, or not in the record",
        samples: [wrong + (recorded.includes(`"v${newest}"`) ? 0 : 1)],
        ...none,
      },
      { name: "… events missing, doubled or out of order", samples: [wrongEvents(events)], ...none },
      { name: "… worker output lines missing, doubled or torn", samples: [wrongLines(stdout)], ...none },
      { name: "… crank's own lines doubled", samples: [doubledLog(stderr)], ...none },
      {
        name: "… exit statuses that are not 0 at the end",
        samples: [(status === 0 ? 0 : 1) + (stopped.status === 0 ? 0 : 1)],
        ...none,
      },
    ];
  });

export const kills: Measurement = { name: "kills", measure };
