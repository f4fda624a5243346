// crank replaced in place: whatever is under way goes on, under the same pid.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { changeKeeper, install, pointTo } from "./harness/installation.ts";
import { isAlive, supervisorOf, waitFor } from "./harness/service.ts";
import { RESPONDER, Upgraded } from "./harness/upgraded.ts";

let service: Upgraded;
beforeEach(() => {
  service = new Upgraded();
});
afterEach(() => service.clean());

const exeOf = (pid: number): string => readlinkSync(`/proc/${pid}/exe`);
const isReady = ({ stdout }: { readonly stdout: string }): boolean => stdout.includes("Started successfully");

describe("an upgrade", () => {
  test("replaces the supervisor alone where the keeper's program is the same", async () => {
    const crank = await service.start("-linger", "600");
    await service.deploy(...RESPONDER, "one");
    const workers = await service.workers();
    const before = await waitFor("the supervisor", () => supervisorOf(crank));
    const done = await service.ctl("upgrade", "-wait");
    expect(done).toMatchObject({ status: 0, stderr: "" });
    expect(done.stdout).toMatch(/^Upgraded from \S+ to \S+, the supervisor\n$/);
    expect(isAlive(before)).toBe(false);
    expect(await service.info()).toMatchObject({ pid: crank.pid, upgrades: 1, supervisorDeaths: 0 });
    expect(await service.workers()).toEqual(workers);
    expect(await service.answer()).toStartWith("one ");
  });

  test("executes a new keeper under the same pid, where the link leads to by now", async () => {
    const crank = await service.start();
    await service.deploy(...RESPONDER, "one");
    const [workers, descriptors, { startedAt }] = [
      await service.workers(),
      service.descriptors(),
      await service.info(),
    ];
    const two = install(service.path("two"));
    changeKeeper(two);
    pointTo(service.link, two);
    crank.signal("SIGUSR1");
    const info = await service.upgrades(1);
    expect(info.pid).toBe(crank.pid);
    expect(Math.abs(Date.parse(info.startedAt) - Date.parse(startedAt))).toBeLessThan(1000);
    expect(exeOf(crank.pid)).toBe(two);
    expect(crank.stderr()).toMatch(/Upgraded from \S+ to \S+, supervisor and keeper\n/);
    expect(await service.workers()).toEqual(workers);
    expect(await service.answer()).toStartWith("one ");
    expect(await service.deploy(...RESPONDER, "two")).toSatisfy(isReady);
    expect(await service.answer()).toStartWith("two ");
    await waitFor("the old worker's end", async () => (await service.workers()).length === 1);
    expect(service.descriptors().length).toBe(descriptors.length);
    expect(service.zombies()).toEqual([]);
    crank.signal("SIGTERM");
    expect((await crank.ended).status).toBe(0);
    expect(existsSync(service.path("web.ctl"))).toBe(false);
  });

  test("follows the link although crank was started by a descriptor, as systemd does it", async () => {
    const crank = await service.startByDescriptor();
    const two = install(service.path("two"));
    pointTo(service.link, two);
    expect((await service.ctl("upgrade", "-wait")).stdout).toContain("supervisor and keeper");
    expect(exeOf(crank.pid)).toBe(two);
    expect(readFileSync(`/proc/${crank.pid}/comm`, "utf8")).toBe("crank\n");
  });

  test("goes to the program that -exec names, and the next ones go there too", async () => {
    const crank = await service.start();
    const two = install(service.path("two"));
    changeKeeper(two);
    expect((await service.ctl("upgrade", "-wait", "-exec", two)).stdout).toContain("supervisor and keeper");
    expect(exeOf(crank.pid)).toBe(two);
    expect((await service.ctl("upgrade", "-wait")).stdout).toContain(", the supervisor\n");
    expect(exeOf(crank.pid)).toBe(two);
    expect((await service.ctl("upgrade", "-wait", "-exec", service.installed)).stdout).toContain("and keeper");
    expect(exeOf(crank.pid)).toBe(service.installed);
    expect((await service.info()).upgrades).toBe(3);
  });

  test("that is asked for ten times at once is one and one more", async () => {
    const crank = await service.start();
    const { socket, lines } = await service.control();
    for (let id = 1; id <= 10; id++)
      socket.write(`${JSON.stringify({ jsonrpc: "2.0", id, method: "upgrade", params: { wait: true } })}\n`);
    await waitFor("ten answers", () => lines.length === 10);
    for (const line of lines) expect(JSON.parse(line).result.done).not.toBeNull();
    expect((await service.info()).upgrades).toBe(2);
    for (let count = 0; count < 10; count++) crank.signal("SIGUSR1");
    // Signals that are pending already are one (signal(7)).
    const { upgrades } = await waitFor("an end", async () => {
      const info = await service.info();
      const told = crank.stderr().split("Upgraded from").length - 1;
      return info.upgrades > 2 && told === info.upgrades && info;
    });
    expect(upgrades).toBeLessThanOrEqual(4);
    socket.destroy();
  });
});

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
      return workers.length === 2 && workers;
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
    const waiting = service.deploy("-start", "1", ...RESPONDER, "two", "never-ready");
    await waitFor("the new worker", async () => (await service.workers()).length === 2);
    await upgradeAll();
    expect(await waiting).toMatchObject({ status: 1 });
    expect(await service.answer()).toStartWith("one ");
  });

  test("a stop in its middle takes its next step", async () => {
    await service.start();
    await service.deploy("-stop", "1", ...RESPONDER, "one", "deaf");
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
