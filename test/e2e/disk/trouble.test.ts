// Faults of the machine while crank runs: its supervisor cannot be started, its disk is full. Workers go on, and crank goes
// on when the fault is over.
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmSync, statfsSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mountNamespaces, needing } from "../../needs.ts";
import { RESPONDER } from "../harness/apps.ts";
import { CRANK, CRANKCTL, type Ended, ROOT } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { installDamaged, installRuntime } from "../harness/installation.ts";
import { isAlive, signal, supervisorOf } from "../harness/processes.ts";
import { Service } from "../harness/service.ts";
import { Upgraded } from "../harness/upgraded.ts";
import { waitFor } from "../harness/wait.ts";

const web = eachTest(new Service());

describe("a supervisor", () => {
  const service = eachTest(new Upgraded());

  test("that cannot be started is retried, and workers continue meanwhile", async () => {
    const flag = service.path("fails");
    const real = join(CRANK, "../runtime");
    const faltering = installRuntime(service.path("two"), `[ -e "${flag}" ] && exit 1\nexec "${real}" "$@"`);
    const crank = await service.start("-linger", "60");
    await service.deploy(...RESPONDER, "one");
    expect(await service.ctl("upgrade", "-wait", "-exec", faltering)).toMatchObject({ status: 0 });
    const before = await service.ask();
    writeFileSync(flag, "");
    signal(await waitFor("the supervisor", () => supervisorOf(crank)), "SIGKILL");
    await crank.wrote("stderr", "it exited with status 1; workers keep running, and crank retries");
    expect(await service.ask()).toBe(before);
    // A request sent now is answered when it works again.
    const asked = service.run(...RESPONDER, "two");
    rmSync(flag);
    expect(await asked).toMatchObject({ status: 0, stdout: expect.stringContaining(" deployed in ") });
    expect(isAlive(crank.pid)).toBe(true);
  });

  test("starts although all installed files are gone", async () => {
    const crank = await service.start("-linger", "60");
    rmSync(service.path("one"), { recursive: true });
    signal(await waitFor("the supervisor", () => supervisorOf(crank)), "SIGKILL");
    expect(await service.run("--", ...RESPONDER, "one")).toMatchObject({ status: 0 });
  });
});

test("a damaged program is named in one sentence after a few attempts", async () => {
  const crank = installDamaged(web.path("damaged"));
  const ended = await web.bench.run([crank, ...web.own, "-bind", "127.0.0.1:0"]);
  expect(ended.status).toBe(1);
  const own = ended.stderr.split("\n").filter((line) => !line.includes("it is not an image of the engine"));
  expect(own).toEqual([`crank: the supervisor cannot be started: it exited with status 70; check ${crank}`, ""]);
});

needing(mountNamespaces()).test(
  "a deploy on a full disk stands and is reported as not recorded, and the next one is recorded when there is room",
  async () => {
    // A disk of its own, which is removed with crank.
    const disk = web.path("disk");
    mkdirSync(disk);
    const mount = `mount -t tmpfs -o size=256k crank-test "${disk}" && exec "$@"`;
    const flags = ["-prefix", disk, "-name", "web", "-bind", "127.0.0.1:0"];
    const crank = await web.launch(["unshare", "--mount", "--", "sh", "-c", mount, "sh", CRANK, ...flags]);
    const seen = `/proc/${crank.pid}/root${disk}`;
    const ctl = (...args: string[]): Promise<Ended> =>
      web.bench.run([CRANKCTL, "-ctl", join(seen, "web.ctl"), ...args]);
    const run = (version: string) => ctl("run", "-wait", "-cwd", ROOT, "--", ...RESPONDER, version);
    expect(await run("one")).toMatchObject({ status: 0 });
    const record = readFileSync(join(seen, "web.conf"), "utf8");
    const ballast = join(seen, "ballast");
    await web.bench.run(["sh", "-c", 'cat /dev/zero > "$1"', "sh", ballast]);
    expect(statfsSync(seen).bavail).toBe(0);
    const deployed = await run("two");
    expect(deployed).toMatchObject({ status: 0 });
    expect(deployed.stdout + deployed.stderr).toContain("could not be recorded");
    expect(deployed.stdout + deployed.stderr).toContain("no space left on device");
    await web.answers("two");
    expect(readFileSync(join(seen, "web.conf"), "utf8")).toBe(record);
    expect((await ctl("status")).stdout).toContain("The record cannot be written");
    truncateSync(ballast, 0);
    // crank writes it as soon as there is room.
    await waitFor("the record", () => readFileSync(join(seen, "web.conf"), "utf8").includes("two"));
    await crank.wrote("stderr", "web.conf was written again, with the current generation");
    expect((await ctl("status")).stdout).not.toContain("The record cannot be written");
    expect(await run("three")).toMatchObject({ status: 0, stdout: expect.stringContaining(" deployed in ") });
    expect(readFileSync(join(seen, "web.conf"), "utf8")).toContain("three");
    crank.signal("SIGTERM");
    expect(await crank.ended).toMatchObject({ status: 0 });
    expect(existsSync(join(disk, "web.conf"))).toBe(false);
  },
);
