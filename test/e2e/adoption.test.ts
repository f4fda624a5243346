// A crank that was killed, and the next one of its name, which takes over what it left.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compiled } from "./harness/apps.ts";
import { killCrank, RESPONDER, Service, type Worker } from "./harness/left.ts";
import { isAlive, ROOT, waitFor } from "./harness/service.ts";

let service: Service;
beforeEach(async () => {
  service = await Service.open();
});
afterEach(() => service.clean());

describe("what was under way goes on", () => {
  test("a rollout is finished: readiness on NOTIFY_FD is heard by the next crank", async () => {
    const hold = service.path("hold");
    const crank = await service.start();
    await service.deploy("--", ...RESPONDER, "v1");
    const client = service.bench.start([
      ...[join(ROOT, "bin/crankctl"), "-prefix", service.bench.directory, "-name", "web", "run", "-wait"],
      ...["-env", `HOLD=${hold}`, "--", ...RESPONDER, "v2", "held"],
    ]);
    const isThere = ({ state, pid }: Worker): boolean => state === "starting" && pid > 0;
    await waitFor("the second worker", async () => (await service.workers()).some(isThere));
    const next = await service.replace(crank);
    expect((await service.workers()).map(({ state }) => state)).toEqual(["ready", "starting"]);
    writeFileSync(hold, "");
    // The client asks the next crank by the id of its request.
    expect(await client.ended).toMatchObject({ status: 0, stdout: "Started successfully\n" });
    await waitFor("the rollout's end", async () => (await service.workers()).map(({ id }) => id).join() === "2");
    expect(await service.ask()).toStartWith("v2 ");
    await next.wrote("stderr", "Generation 2 is in place");
    expect(JSON.parse(readFileSync(service.path("web.conf"), "utf8")).command).toContain("v2");
  });

  test("readiness that a process says which its worker left behind is heard", async () => {
    const hold = service.path("hold");
    const crank = await service.start();
    const command = ["python3", join(ROOT, "test/apps/unruly.py"), "leaves-an-orphan"];
    await service.bench.ctl("web", "run", "-env", `HOLD=${hold}`, "--", ...command);
    await waitFor("the worker", async () => (await service.workers()).some(({ state }) => state === "starting"));
    await service.replace(crank);
    writeFileSync(hold, "");
    await waitFor("its readiness", async () => (await service.workers()).some(({ state }) => state === "ready"));
  });

  test("a rollout that fails is rolled back, and the steps of a stop are taken", async () => {
    const crank = await service.start();
    await service.deploy("--", ...RESPONDER, "v1");
    service.bench.ctl("web", "run", "-start", "6", "--", ...RESPONDER, "v2", "never-ready");
    await waitFor("the second worker", async () => (await service.workers()).some(({ state }) => state === "starting"));
    const next = await service.replace(crank);
    await waitFor("the way back", async () => (await service.workers()).map(({ id }) => id).join() === "1");
    // It may be one whose readiness nobody has heard, and that has clients.
    await next.wrote("stderr", /Stopping worker 2 .* with SIGTERM/);
    expect(await service.ask()).toStartWith("v1 ");
    expect((await service.bench.ctl("web", "status")).stdout).toContain("generation 1, 1 of 1 ready");
  });

  test("a worker that does not go is killed when its time is over", async () => {
    const crank = await service.start();
    await service.deploy("-stop", "10", "--", ...RESPONDER, "v1", "deaf");
    const [deaf = 0] = await service.pids();
    await service.deploy("-stop", "10", "--", ...RESPONDER, "v2");
    expect((await service.workers()).map(({ state }) => state)).toEqual(["stopping", "ready"]);
    const next = await service.replace(crank);
    await waitFor("its end", () => !isAlive(deaf));
    await waitFor("its end in the log", () => next.stderr().includes("ended; how is not known"));
    await next.wrote("stderr", "Stopping worker 1");
    expect(await service.ask()).toStartWith("v2 ");
  });

  test("one that dies while no crank is there is replaced by the rules", async () => {
    const crank = await service.start("-respawn");
    await service.deploy("-instances", "2", "--", ...RESPONDER, "v1");
    const [first = 0] = await service.pids();
    await killCrank(crank);
    process.kill(first, "SIGKILL");
    await waitFor("its end", () => !isAlive(first));
    const next = await service.adopt("-respawn");
    await next.wrote("stderr", "Adopted 1 of the 2 workers");
    await next.wrote("stderr", `process ${first} is gone`);
    await waitFor(
      "two workers",
      async () => (await service.workers()).filter(({ state }) => state === "ready").length === 2,
    );
  });

  test("nobody is left: what the record holds is started", async () => {
    const crank = await service.start();
    await service.deploy("--", ...RESPONDER, "v1");
    const [pid = 0] = await service.pids();
    await killCrank(crank);
    process.kill(pid, "SIGKILL");
    await waitFor("its end", () => !isAlive(pid));
    const next = await service.start();
    await waitFor("a worker", async () => (await service.workers()).some(({ state }) => state === "ready"));
    await next.wrote("stderr", "none of its workers is left");
    expect(await service.ask()).toStartWith("v1 ");
  });
});

describe("what is taken back", () => {
  test("a unix socket keeps its file, a control socket is bound anew, and logs are followed", async () => {
    const path = service.path("web.sock");
    const crank = await service.start("-bind", path);
    await service.deploy("--", compiled("worker"), "-lines", "20", "40", "v1");
    const { ino } = statSync(path);
    const next = await service.replace(crank, "-bind", path);
    expect(statSync(path).ino).toBe(ino);
    await next.wrote("stderr", `Took unix://${path}`);
    const logs = service.bench.start([
      join(ROOT, "bin/crankctl"),
      "-prefix",
      service.bench.directory,
      "-name",
      "web",
      "logs",
      "-f",
    ]);
    await waitFor("lines", () => logs.stdout().includes("line "));
    logs.signal("SIGINT");
    next.signal("SIGTERM");
    await next.ended;
    expect(existsSync(path)).toBe(false);
  });

  test("a crank that is killed while it adopts is followed by another", async () => {
    let crank = await service.start();
    await service.deploy("--", ...RESPONDER, "v1");
    const before = await service.pids();
    await killCrank(crank);
    for (const pause of [5, 15, 25, 35, 50]) {
      const hasty = service.bench.start([...service.command]);
      await Bun.sleep(pause);
      await killCrank(hasty);
    }
    crank = await service.adopt();
    expect(await service.pids()).toEqual(before);
    expect(await service.ask()).toBe(`v1 ${before[0]}\n`);
  });
});
