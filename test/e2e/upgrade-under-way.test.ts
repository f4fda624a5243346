// Supervisor and keeper replaced in place: whatever is under way goes on.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { changeKeeper } from "./harness/installation.ts";
import { isAlive, waitFor } from "./harness/service.ts";
import { RESPONDER, Upgraded } from "./harness/upgraded.ts";

let service: Upgraded;
beforeEach(() => {
  service = new Upgraded();
});
afterEach(() => service.clean());

const isReady = ({ stdout }: { readonly stdout: string }): boolean => stdout.includes("Started successfully");

describe("with supervisor and keeper replaced,", () => {
  /** Another keeper where the link leads to; asks for the upgrade, and waits for it. */
  const upgradeAll = async (count = 1): Promise<void> => {
    changeKeeper(service.installed);
    service.crank.signal("SIGUSR1");
    await service.upgrades(count);
  };

  test("a deploy in its middle goes on, and who waits for it is answered", async () => {
    const hold = service.path("hold");
    await service.start();
    await service.deploy(...RESPONDER, "one");
    const waiting = service.deploy("-env", `HOLD=${hold}`, ...RESPONDER, "two", "held");
    const [, starting] = await waitFor("the new worker", async () => {
      const workers = await service.workers();
      return workers.length === 2 && workers.every((pid) => pid > 0) && workers;
    });
    await upgradeAll();
    expect((await service.status()).rollout).not.toBeNull();
    expect(await service.answer()).toStartWith("one ");
    writeFileSync(hold, "");
    expect(await waiting).toSatisfy(isReady);
    expect(await service.answer()).toBe(`two ${starting}\n`);
  });

  test("a deadline that fell due meanwhile is kept: a worker that never gets ready fails its deploy", async () => {
    await service.start();
    await service.deploy(...RESPONDER, "one");
    const waiting = service.deploy("-start", "5", ...RESPONDER, "two", "never-ready");
    await waitFor("the new worker", async () => (await service.workers()).length === 2);
    await upgradeAll();
    expect(await waiting).toMatchObject({ status: 1 });
    expect(await service.answer()).toStartWith("one ");
  });

  test("a stop in its middle takes its next step", async () => {
    await service.start();
    await service.deploy("-stop", "5", ...RESPONDER, "one", "deaf");
    const [deaf = 0] = await service.workers();
    await service.deploy(...RESPONDER, "two");
    expect(isAlive(deaf)).toBe(true);
    await upgradeAll();
    await waitFor("the end of the deaf one", () => !isAlive(deaf));
    expect(await service.answer()).toStartWith("two ");
  });

  test("half a line of a worker's output, and half a request, are ended after it", async () => {
    const crank = await service.start();
    const [go, said] = [service.path("go"), service.path("said")];
    const script = `printf half; touch ${said}; while ! [ -e ${go} ]; do sleep 0.05; done; echo ' and half'; exec sleep 600`;
    await service.ctl("run", "--", "sh", "-c", script);
    await waitFor("half a line", () => existsSync(said));
    const { socket, lines } = await service.control();
    socket.write('{"jsonrpc":"2.0","id":7,"met');
    await upgradeAll();
    writeFileSync(go, "");
    await waitFor("the line", () => / half and half\n/.test(crank.stdout()));
    socket.write('hod":"info"}\n');
    await waitFor("the answer", () => lines.length === 1);
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({ id: 7, result: { pid: crank.pid, upgrades: 1 } });
    socket.destroy();
  });

  test("who follows events and logs goes on hearing them", async () => {
    await service.start();
    const { socket, lines } = await service.control();
    socket.write('{"jsonrpc":"2.0","id":1,"method":"events","params":{"follow":true}}\n');
    socket.write('{"jsonrpc":"2.0","id":2,"method":"logs","params":{"follow":true}}\n');
    await waitFor("the answers", () => lines.length >= 2);
    await upgradeAll();
    await service.deploy(...RESPONDER, "one");
    await waitFor("the event", () => lines.some((line) => line.includes('"workerReady"')));
    await waitFor("the line", () => lines.some((line) => line.includes("worker one serves")));
    socket.destroy();
  });

  test("a worker's notify sockets, by number and by path, are heard as before", async () => {
    for (const how of ["", "path"]) {
      const hold = service.path(`hold${how}`);
      if (how === "") await service.start();
      const misdeeds = how === "" ? ["held"] : ["held", how];
      const waiting = service.deploy("-env", `HOLD=${hold}`, ...RESPONDER, "new", ...misdeeds);
      await waitFor("the rollout", async () => (await service.status()).rollout !== null);
      await upgradeAll(how === "" ? 1 : 2);
      writeFileSync(hold, "");
      expect(await waiting).toSatisfy(isReady);
    }
  });

  test("a worker that dies in the meantime is started again", async () => {
    await service.start("-respawn");
    await service.deploy(...RESPONDER, "one");
    const [worker = 0] = await service.workers();
    changeKeeper(service.installed);
    process.kill(worker, "SIGSTOP");
    service.crank.signal("SIGUSR1");
    process.kill(worker, "SIGKILL");
    await service.upgrades(1);
    await waitFor("the next worker", async () => {
      const [now] = (await service.status()).workers;
      return now?.state === "ready" && now.pid !== worker;
    });
    expect(await service.answer()).toStartWith("one ");
  });

  test("the pid's own facts stay: its limits, its name and its arguments", async () => {
    const crank = await service.start();
    const facts = (): string[] =>
      ["limits", "cmdline", "comm", "oom_score_adj"].map((name) => readFileSync(`/proc/${crank.pid}/${name}`, "utf8"));
    const before = facts();
    await upgradeAll();
    expect(facts()).toEqual(before);
  });
});
