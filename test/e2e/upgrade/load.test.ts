// Upgrades one after another, while clients connect and stay and workers write.
import { expect, test } from "bun:test";
import { compiled } from "../harness/apps.ts";
import { eachTest } from "../harness/each-test.ts";
import { changeKeeper, install, pointTo } from "../harness/installation.ts";
import { Load } from "../harness/load.ts";
import { numberedLines } from "../harness/numbered-lines.ts";
import { Upgraded } from "../harness/upgraded.ts";
import { waitFor } from "../harness/wait.ts";

const UPGRADES = 12;

const service = eachTest(new Upgraded());

test("under load no connection is refused or reset, no line is lost or doubled, and nothing stays open", async () => {
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
    const deploy = count % 4 === 0 ? service.run(...server(count)) : null;
    const done = await service.ctl("upgrade", "-wait");
    expect(done.stdout).toContain(count % 2 === 0 ? "supervisor and keeper" : ", the supervisor");
    if (deploy) expect(await deploy).toMatchObject({ status: 0 });
  }
  await service.settled(2);
  await service.hasDescriptors(descriptors);
  await service.hasNoZombies();
  expect(await service.info()).toMatchObject({ pid: crank.pid, upgrades: UPGRADES + 1, supervisorDeaths: 0 });
  expect(await load.stop()).toMatchObject({ refused: 0, reset: 0, cut: 0, problems: [] });
  for (const lines of numberedLines(crank.stdout()).values())
    expect(lines).toEqual(lines.map((_, index) => (lines[0] ?? 0) + index));
}, 120_000);
