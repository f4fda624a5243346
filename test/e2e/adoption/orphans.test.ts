// Workers of a killed crank without a usable journal: the next crank finds them without it, or names them.
import { describe, expect, test } from "bun:test";
import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { RESPONDER } from "../harness/apps.ts";
import { eachTest } from "../harness/each-test.ts";
import { isAlive, killCrank } from "../harness/processes.ts";
import { Service } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";

const service = eachTest(new Service({ port: "fixed" }));

const journal = (): string => service.path("web.run/journal");

/** Starts a crank that fails at its start. */
const fails = async (...args: readonly string[]): Promise<string> => {
  const { status, stderr } = await service.bench.run([...service.crankCommand(), ...args]);
  expect(status).toBe(1);
  return stderr;
};

describe("workers of a killed crank are adopted from the record", () => {
  test.each([
    ["is missing", () => rmSync(journal())],
    [
      "has an invalid header",
      () => writeFileSync(journal(), Buffer.concat([Buffer.from("crankold"), readFileSync(journal()).subarray(8)])),
    ],
    ["is missing with its directory", () => rmSync(service.path("web.run"), { recursive: true })],
  ])("when its journal %s", async (_, take) => {
    await service.start("-respawn");
    await service.deploy("--", ...RESPONDER, "v1");
    await service.deploy("-instances", "2", "--", ...RESPONDER, "v2");
    await service.ctl("scale", "3");
    await service.settled(3);
    const before = await service.pids();
    await service.kill();
    take();
    const next = await service.adopt("-respawn");
    await next.wrote("stderr", "There is no journal of the workers 2 (pid");
    expect((await service.pids()).sort()).toEqual([...before].sort());
    await service.answers("v2");
    const status = await service.status();
    expect(status).toMatchObject({ generation: 2, instances: 3, rollout: null });
    await service.deploy("--", ...RESPONDER, "v3");
    expect((await service.settled(3)).every(({ id }) => id > 4)).toBe(true);
    expect(before.some(isAlive)).toBe(false);
    expect((await service.history()).map(({ generation }) => generation)).toEqual([1, 2, 3]);
  });

  test("and replaced by the run that it holds if it does not list theirs", async () => {
    await service.start();
    await service.deploy("--", ...RESPONDER, "v1");
    copyFileSync(service.path("web.conf"), service.path("old.conf"));
    await service.deploy("--", ...RESPONDER, "v2");
    const [unknown = 0] = await service.pids();
    await service.kill();
    rmSync(journal());
    copyFileSync(service.path("old.conf"), service.path("web.conf"));
    const next = await service.adopt();
    await next.wrote("stderr", "the recorded run replaces them");
    await waitFor("the end of the unknown one", () => !isAlive(unknown));
    await next.wrote("stderr", "Rolled out generation 3");
    await service.answers("v1");
    await service.settled(1);
  });

  test("even when a journal can be neither written nor removed", async () => {
    await service.start("-respawn");
    await service.deploy("--", ...RESPONDER, "v1");
    copyFileSync(journal(), service.path("older"));
    await service.ctl("scale", "3");
    await service.settled(3);
    const before = await service.pids();
    await service.kill();
    copyFileSync(service.path("older"), journal());
    const next = await service.adopt("-respawn");
    await next.wrote("stderr", "There is no journal of the workers 1 (pid");
    expect((await service.pids()).sort()).toEqual([...before].sort());
  });

  test("when a crank is killed while it adopts orphaned workers, the next one adopts them", async () => {
    await service.start();
    await service.deploy("--", ...RESPONDER, "v1");
    const before = await service.pids();
    await service.kill();
    rmSync(journal());
    for (const pause of [5, 20, 40, 80]) {
      const hasty = service.bench.start([...service.crankCommand()]);
      await Bun.sleep(pause);
      await killCrank(hasty);
    }
    await service.adopt();
    expect(await service.pids()).toEqual(before);
  });
});

describe("the process that holds the address is named, with what to do,", () => {
  test("when the record does not list the run of a killed crank's workers", async () => {
    await service.start();
    await service.deploy("--", ...RESPONDER, "v1");
    const [pid = 0] = await service.pids();
    await service.kill();
    rmSync(journal());
    writeFileSync(service.path("web.conf"), "{}\n");
    const said = await fails();
    expect(said).toContain(`workers (pid ${pid}) without a journal`);
    expect(said).toContain(`stop them (kill ${pid})`);
    expect(isAlive(pid)).toBe(true);
  });

  test("when it is another program", async () => {
    const port = String(service.port);
    const script = `import socket,time\ns=socket.create_server(("127.0.0.1",${port}))\nprint("there",flush=True)\ntime.sleep(600)`;
    const other = service.bench.start(["python3", "-c", script]);
    await other.wrote("stdout", "there");
    const said = await fails();
    expect(said).toContain("stop the process that uses it");
    expect(said).toMatch(new RegExp(`process ${other.pid} \\(\\S*python3 -c import socket`));
    expect(readdirSync(service.directory)).toContain("web.conf");
  });

  test("when the workers are not to be adopted", async () => {
    await service.start();
    await service.deploy("--", ...RESPONDER, "v1");
    const [pid = 0] = await service.pids();
    await service.kill();
    rmSync(journal());
    expect(await fails("-no-adopt")).toContain(`process ${pid} (`);
    expect(isAlive(pid)).toBe(true);
  });
});
