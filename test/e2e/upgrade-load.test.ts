// Upgrades one after the other, while clients come and stay and workers write.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { compiled } from "./harness/apps.ts";
import { changeKeeper, install, pointTo } from "./harness/installation.ts";
import { Load } from "./harness/load.ts";
import { waitFor } from "./harness/service.ts";
import { Upgraded } from "./harness/upgraded.ts";

const UPGRADES = 12;

let service: Upgraded;
beforeEach(() => {
  service = new Upgraded();
});
afterEach(() => service.clean());

/** The numbered lines of each worker, in the order in which they came out. */
const numberedLines = (text: string): number[][] => {
  const lines = new Map<string, number[]>();
  for (const [, pid = "", number] of text.matchAll(/^\w+ [ \d]\d \S+ id=\d+ pid=(\d+) line (\d+) x*$/gm))
    lines.set(pid, [...(lines.get(pid) ?? []), Number(number)]);
  return [...lines.values()];
};

test("under load nobody is refused or reset, no line is lost or doubled, and nothing stays open", async () => {
  const crank = await service.start("-respawn");
  const other = install(service.path("two"));
  changeKeeper(other);
  const server = (version: number) => ["--", compiled("worker"), "-drain", "200", "-lines", "5", "200", `v${version}`];
  await service.deploy("-instances", "2", ...server(0));
  const load = new Load({ port: service.port, anew: 10, pauseMs: 5, stays: 50, talkMs: 50 });
  await waitFor("the staying clients", () => load.staying === 50);
  await service.ctl("upgrade", "-wait");
  const descriptors = service.descriptors().length;
  for (let count = 1; count <= UPGRADES; count++) {
    if (count % 2 === 0) pointTo(service.link, count % 4 === 0 ? service.installed : other);
    const deploy = count % 4 === 0 ? service.deploy(...server(count)) : null;
    const done = await service.ctl("upgrade", "-wait");
    expect(done.stdout).toContain(count % 2 === 0 ? "supervisor and keeper" : ", the supervisor");
    if (deploy) expect(await deploy).toMatchObject({ status: 0 });
  }
  await waitFor("what drains to be gone", async () => (await service.workers()).length === 2);
  await waitFor("the descriptors of before", async () => {
    await service.info();
    return service.descriptors().length <= descriptors;
  });
  await waitFor("nobody to be left that has ended", () => service.zombies().length === 0);
  expect(await service.info()).toMatchObject({ pid: crank.pid, upgrades: UPGRADES + 1, supervisorDeaths: 0 });
  expect(await load.stop()).toMatchObject({ refused: 0, reset: 0, cut: 0, problems: [] });
  for (const lines of numberedLines(crank.stdout()))
    expect(lines).toEqual(lines.map((_, index) => (lines[0] ?? 0) + index));
}, 120_000);
