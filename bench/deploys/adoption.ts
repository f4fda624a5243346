// Kills keeper and supervisor together, fifty times, under short and long connections, and restarts crank after 0 to 5 s;
// every third time in the middle of a deploy.
import { compiled } from "../../test/e2e/harness/apps.ts";
import type { Running } from "../../test/e2e/harness/bench.ts";
import { Load } from "../../test/e2e/harness/load.ts";
import { Service } from "../../test/e2e/harness/service.ts";
import { waitFor } from "../../test/e2e/harness/wait.ts";
import type { Figure, Measurement } from "../measure.ts";

const KILLS = 50;
const LONGEST_PAUSE_MS = 5_000;
const ANEW = 20;
const STAYS = 100;
const DEPLOY_EVERY = 3;
/** Each worker prints one numbered line of this many bytes at this interval, ms. */
const LINE_MS = 5;
const LINE_BYTES = 200;
/** The size of one read of the keeper: at most this much output can be lost or repeated. */
const BUFFER_BYTES = 64 * 1024;

const server = (version: number): readonly string[] => [
  ...[compiled("worker"), "-drain", "500", "-lines", String(LINE_MS), String(LINE_BYTES)],
  `v${version}`,
];

/** The output of one crank: complete numbered lines by worker, and other lines. */
const heard = (text: string): { readonly numbers: Map<string, number[]>; readonly torn: number } => {
  const numbers = new Map<string, number[]>();
  let torn = 0;
  for (const line of text.split("\n")) {
    const whole = /^\w+ [ \d]\d \S+ id=\d+ pid=(\d+) line (\d+) x*$/.exec(line);
    if (whole) numbers.set(whole[1] ?? "", [...(numbers.get(whole[1] ?? "") ?? []), Number(whole[2])]);
    else if (line !== "") torn += 1;
  }
  return { numbers, torn };
};

/** Lines of one worker that are missing between the outputs of two cranks, or in both. */
const gaps = (before: Map<string, number[]>, after: Map<string, number[]>): number[] =>
  [...after].flatMap(([pid, [first = 0]]) => {
    const last = before.get(pid)?.at(-1);
    return last === undefined ? [] : [Math.abs(first - last - 1)];
  });

const notAdopted = (crank: Running): number =>
  [...crank.stderr().matchAll(/cannot be adopted: (.*)/g)].filter(
    ([, reason = ""]) => !/ is gone$| no process of it is there$/.test(reason),
  ).length;

const measure = async (): Promise<readonly Figure[]> => {
  const service = new Service({ port: "fixed" });
  await service.open();
  const torn: number[] = [];
  const lost: number[] = [];
  const took: number[] = [];
  let strangers = 0;
  try {
    let crank = await service.start("-respawn");
    await service.deploy("-instances", "2", "--", ...server(0));
    const load = new Load({ port: service.port, anew: ANEW, pauseMs: 20, stays: STAYS, talkMs: 500 });
    await waitFor("the clients that stay", () => load.staying === STAYS);
    for (let kill = 1; kill <= KILLS; kill++) {
      await waitFor(
        "lines of both",
        () => [...heard(crank.stdout()).numbers.values()].filter((n) => n.length > 3).length >= 2,
      );
      const deploy = kill % DEPLOY_EVERY === 0 ? service.run("--", ...server(kill)) : null;
      await Bun.sleep(Math.random() * 100);
      await service.kill();
      const before = heard(crank.stdout());
      await Bun.sleep(kill % 2 === 0 ? 0 : Math.random() * LONGEST_PAUSE_MS);
      crank = await service.adopt("-respawn");
      took.push(Number(/, (\d+) ms after the start/.exec(crank.stderr())?.[1]));
      strangers += notAdopted(crank);
      await waitFor("more lines", () => heard(crank.stdout()).numbers.size > 0);
      const after = heard(crank.stdout());
      torn.push(Math.max(before.torn, after.torn));
      lost.push(...gaps(before.numbers, after.numbers));
      await deploy;
    }
    const { refused, reset, cut } = await load.stop();
    const each = `${KILLS} kills of keeper and supervisor`;
    return [
      {
        name: `${each}: connections refused`,
        unit: "count",
        samples: [refused],
        target: { holds: "worst", atMost: 0 },
      },
      {
        name: `${each}: connections reset or cut`,
        unit: "count",
        samples: [reset + cut],
        target: { holds: "worst", atMost: 0 },
      },
      {
        name: `${each}: living workers not adopted`,
        unit: "count",
        samples: [strangers],
        target: { holds: "worst", atMost: 0 },
      },
      {
        name: "adoption: from the new crank's start to the end of it",
        unit: "ms",
        samples: took,
        target: { holds: "worst", atMost: 1000 },
      },
      {
        name: "adoption: output lines torn, two workers",
        unit: "count",
        samples: torn,
        target: { holds: "worst", atMost: 2 },
      },
      {
        name: "adoption: lines of one worker lost or doubled",
        ...{ unit: "count", samples: lost, target: { holds: "worst", atMost: Math.ceil(BUFFER_BYTES / LINE_BYTES) } },
      },
    ];
  } finally {
    await service.clean();
  }
};

export const adoption: Measurement = { name: "adoption", measure };
