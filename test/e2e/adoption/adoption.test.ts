// A crank that was killed, and the next one of its name, which adopts what it left.
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compiled, RESPONDER } from "../harness/apps.ts";
import { ROOT } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { isAlive, killCrank } from "../harness/processes.ts";
import { Service, type Worker } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";

const service = eachTest(new Service({ port: "fixed" }));

describe("the next crank", () => {
  test("finishes a rollout, and receives readiness on NOTIFY_FD", async () => {
    const hold = service.path("hold");
    await service.start();
    await service.deploy("--", ...RESPONDER, "v1");
    const client = service.run("-env", `HOLD=${hold}`, "--", ...RESPONDER, "v2", "held");
    const isThere = ({ state, pid }: Worker): boolean => state === "starting" && pid > 0;
    await waitFor("the second worker", async () => (await service.ps()).some(isThere));
    const next = await service.replace();
    expect((await service.ps()).map(({ state }) => state)).toEqual(["ready", "starting"]);
    writeFileSync(hold, "");
    // The client asks the next crank by the id of its request.
    expect(await client).toMatchObject({ status: 0, stdout: expect.stringContaining(" deployed in ") });
    await waitFor("the rollout's end", async () => (await service.ps()).map(({ id }) => id).join() === "2");
    await service.answers("v2");
    await next.wrote("stderr", "Rolled out generation 2");
    expect(JSON.parse(readFileSync(service.path("web.conf"), "utf8")).command).toContain("v2");
  });

  test("receives readiness from a process that its worker left behind", async () => {
    const hold = service.path("hold");
    await service.start();
    const command = ["python3", join(ROOT, "test/apps/unruly.py"), "leaves-an-orphan"];
    await service.ctl("run", "-env", `HOLD=${hold}`, "--", ...command);
    await waitFor("the worker", async () => (await service.ps()).some(({ state }) => state === "starting"));
    await service.replace();
    writeFileSync(hold, "");
    await service.ready();
  });

  test("rolls back a rollout that fails, and takes the steps of a stop", async () => {
    await service.start();
    await service.deploy("--", ...RESPONDER, "v1");
    service.ctl("run", "-start", "6", "--", ...RESPONDER, "v2", "never-ready");
    await waitFor("the second worker", async () => (await service.ps()).some(({ state }) => state === "starting"));
    const next = await service.replace();
    await waitFor("the way back", async () => (await service.ps()).map(({ id }) => id).join() === "1");
    // It may be a worker that has clients and whose readiness no crank has seen.
    await next.wrote("stderr", /Stopping worker 2 .* with SIGTERM/);
    await service.answers("v1");
    expect((await service.ctl("status")).stdout).toContain("generation 1, 1 of 1 ready");
  });

  test("kills a worker that does not stop when its time is over", async () => {
    await service.start();
    await service.deploy("-stop", "10", "--", ...RESPONDER, "v1", "deaf");
    const [deaf = 0] = await service.pids();
    await service.deploy("-stop", "10", "--", ...RESPONDER, "v2");
    expect((await service.ps()).map(({ state }) => state)).toEqual(["stopping", "ready"]);
    const next = await service.replace();
    await waitFor("its end", () => !isAlive(deaf));
    await next.wrote("stderr", "exited with an unknown status");
    await next.wrote("stderr", "Stopping worker 1");
    await service.answers("v2");
  });

  test("replaces a worker that died while no crank ran, by the usual rules", async () => {
    await service.start("-respawn");
    await service.deploy("-instances", "2", "--", ...RESPONDER, "v1");
    const [first = 0] = await service.pids();
    await service.kill();
    process.kill(first, "SIGKILL");
    await waitFor("its end", () => !isAlive(first));
    const next = await service.adopt("-respawn");
    await next.wrote("stderr", "Adopted 1 of the 2 workers");
    await next.wrote("stderr", `process ${first} is gone`);
    await service.settled(2);
  });

  test("with no worker left starts what the record holds", async () => {
    await service.start();
    await service.deploy("--", ...RESPONDER, "v1");
    const [pid = 0] = await service.pids();
    await service.kill();
    process.kill(pid, "SIGKILL");
    await waitFor("its end", () => !isAlive(pid));
    const next = await service.start();
    await service.ready();
    await next.wrote("stderr", "none of its workers runs any more");
    await service.answers("v1");
  });
});

describe("a crank that adopts", () => {
  test("keeps a unix socket's file, binds its control socket again, and follows logs", async () => {
    const path = service.path("web.sock");
    await service.start("-bind", path);
    await service.deploy("--", compiled("worker"), "-lines", "20", "40", "v1");
    const { ino } = statSync(path);
    const next = await service.replace("-bind", path);
    expect(statSync(path).ino).toBe(ino);
    await next.wrote("stderr", `Took unix://${path}`);
    const logs = service.bench.start(service.ctlCommand("logs", "-f"));
    await logs.wrote("stdout", "line ");
    logs.signal("SIGINT");
    next.signal("SIGTERM");
    await next.ended;
    expect(existsSync(path)).toBe(false);
  });

  test("is followed by another when it is killed meanwhile", async () => {
    await service.start();
    await service.deploy("--", ...RESPONDER, "v1");
    const before = await service.pids();
    await service.kill();
    for (const pause of [5, 15, 25, 35, 50]) {
      const hasty = service.bench.start([...service.crankCommand()]);
      await Bun.sleep(pause);
      await killCrank(hasty);
    }
    await service.adopt();
    expect(await service.pids()).toEqual(before);
    expect(await service.ask()).toBe(`v1 ${before[0]}\n`);
  });
});
