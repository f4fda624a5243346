// Supervisor and keeper replaced in place: work in progress continues.
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { RESPONDER } from "../harness/apps.ts";
import { eachTest } from "../harness/each-test.ts";
import { changeKeeper } from "../harness/installation.ts";
import { isAlive } from "../harness/processes.ts";
import { Upgraded } from "../harness/upgraded.ts";
import { waitFor } from "../harness/wait.ts";

const service = eachTest(new Upgraded());

const isReady = ({ stdout }: { readonly stdout: string }): boolean => stdout.includes(" deployed in ");

describe("with supervisor and keeper replaced,", () => {
  /** Makes the link lead to another keeper; requests the upgrade, and waits for it. */
  const upgradeAll = async (count = 1): Promise<void> => {
    changeKeeper(service.installed);
    service.crank.signal("SIGUSR1");
    await service.upgrades(count);
  };

  test("a deploy in its middle continues, and the client that waits for it is answered", async () => {
    const hold = service.path("hold");
    await service.start();
    await service.deploy(...RESPONDER, "one");
    const waiting = service.run("-env", `HOLD=${hold}`, ...RESPONDER, "two", "held");
    const [, starting] = await waitFor("the new worker", async () => {
      const workers = await service.allPids();
      return workers.length === 2 && workers.every((pid) => pid > 0) && workers;
    });
    await upgradeAll();
    expect((await service.status()).rollout).not.toBeNull();
    expect(await service.ask()).toStartWith("one ");
    writeFileSync(hold, "");
    expect(await waiting).toSatisfy(isReady);
    expect(await service.answers("two")).toBe(`two ${starting}\n`);
  });

  test("a deadline that fell due meanwhile is kept: a worker that never becomes ready fails its deploy", async () => {
    await service.start();
    await service.deploy(...RESPONDER, "one");
    const waiting = service.run("-start", "5", ...RESPONDER, "two", "never-ready");
    await waitFor("the new worker", async () => (await service.allPids()).length === 2);
    await upgradeAll();
    expect(await waiting).toMatchObject({ status: 1 });
    expect(await service.ask()).toStartWith("one ");
  });

  test("a stop in its middle takes its next step", async () => {
    await service.start();
    await service.deploy("-stop", "5", ...RESPONDER, "one", "deaf");
    const { pid: deaf } = await service.ready();
    await service.deploy(...RESPONDER, "two");
    expect(isAlive(deaf)).toBe(true);
    await upgradeAll();
    await waitFor("the end of the deaf one", () => !isAlive(deaf));
    await service.answers("two");
  });

  test("half a line of a worker's output and half a request are completed afterwards", async () => {
    const crank = await service.start();
    const [go, said] = [service.path("go"), service.path("said")];
    const script = `printf half; touch ${said}; while ! [ -e ${go} ]; do sleep 0.05; done; echo ' and half'; exec sleep 600`;
    await service.ctl("run", "--", "sh", "-c", script);
    await waitFor("half a line", () => existsSync(said));
    const control = await service.control();
    control.say('{"jsonrpc":"2.0","id":7,"met');
    await upgradeAll();
    writeFileSync(go, "");
    await waitFor("the line", () => / half and half\n/.test(crank.stdout()));
    control.say('hod":"info"}\n');
    await control.hearsLines(1);
    expect(JSON.parse(control.lines[0] ?? "")).toMatchObject({ id: 7, result: { pid: crank.pid, upgrades: 1 } });
  });

  test("a client that follows events and logs continues to receive them", async () => {
    await service.start();
    const control = await service.control();
    control.say('{"jsonrpc":"2.0","id":1,"method":"events","params":{"follow":true}}\n');
    control.say('{"jsonrpc":"2.0","id":2,"method":"logs","params":{"follow":true}}\n');
    await control.hearsLines(2);
    await upgradeAll();
    await service.deploy(...RESPONDER, "one");
    await waitFor("the event", () => control.lines.some((line) => line.includes('"workerReady"')));
    await waitFor("the line", () => control.lines.some((line) => line.includes("worker one serves")));
  });

  test("a worker's notify sockets, by number and by path, still work", async () => {
    for (const how of ["", "path"]) {
      const hold = service.path(`hold${how}`);
      if (how === "") await service.start();
      const misdeeds = how === "" ? ["held"] : ["held", how];
      const waiting = service.run("-env", `HOLD=${hold}`, ...RESPONDER, "new", ...misdeeds);
      await waitFor("the rollout", async () => (await service.status()).rollout !== null);
      await upgradeAll(how === "" ? 1 : 2);
      writeFileSync(hold, "");
      expect(await waiting).toSatisfy(isReady);
    }
  });

  test("a worker that dies meanwhile is restarted", async () => {
    await service.start("-respawn");
    await service.deploy(...RESPONDER, "one");
    const { pid: worker } = await service.ready();
    changeKeeper(service.installed);
    process.kill(worker, "SIGSTOP");
    service.crank.signal("SIGUSR1");
    process.kill(worker, "SIGKILL");
    await service.upgrades(1);
    await service.ready(worker);
    expect(await service.ask()).toStartWith("one ");
  });

  test("the process keeps its limits, its name and its arguments", async () => {
    const crank = await service.start();
    const facts = (): string[] =>
      ["limits", "cmdline", "comm", "oom_score_adj"].map((name) => readFileSync(`/proc/${crank.pid}/${name}`, "utf8"));
    const before = facts();
    await upgradeAll();
    expect(facts()).toEqual(before);
  });
});
