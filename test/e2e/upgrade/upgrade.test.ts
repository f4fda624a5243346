// crank replaced in place, under the same pid: by which program, and how often.
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, readlinkSync } from "node:fs";
import { RESPONDER } from "../harness/apps.ts";
import { eachTest } from "../harness/each-test.ts";
import { changeKeeper, install, pointTo } from "../harness/installation.ts";
import { isAlive, supervisorOf } from "../harness/processes.ts";
import { Upgraded } from "../harness/upgraded.ts";
import { waitFor } from "../harness/wait.ts";

const service = eachTest(new Upgraded());

const exeOf = (pid: number): string => readlinkSync(`/proc/${pid}/exe`);
const isReady = ({ stdout }: { readonly stdout: string }): boolean => stdout.includes(" deployed in ");

describe("an upgrade", () => {
  test("replaces the supervisor alone where the keeper's program is the same", async () => {
    const crank = await service.start("-linger", "600");
    await service.deploy(...RESPONDER, "one");
    const workers = await service.allPids();
    const before = await waitFor("the supervisor", () => supervisorOf(crank));
    const done = await service.ctl("upgrade", "-wait");
    expect(done).toMatchObject({ status: 0, stderr: "" });
    expect(done.stdout).toMatch(/^Upgraded from \S+ to \S+, the supervisor\n$/);
    expect(isAlive(before)).toBe(false);
    expect(await service.info()).toMatchObject({ pid: crank.pid, upgrades: 1, supervisorDeaths: 0 });
    expect(await service.allPids()).toEqual(workers);
    expect(await service.ask()).toStartWith("one ");
  });

  test("executes a new keeper under the same pid, where the link now leads", async () => {
    const crank = await service.start();
    await service.deploy(...RESPONDER, "one");
    const [workers, descriptors, { startedAt }] = [
      await service.allPids(),
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
    await crank.wrote("stderr", /Upgraded from \S+ to \S+, supervisor and keeper\n/);
    expect(await service.allPids()).toEqual(workers);
    expect(await service.ask()).toStartWith("one ");
    expect(await service.run(...RESPONDER, "two")).toSatisfy(isReady);
    await service.answers("two");
    await service.settled(1);
    await service.hasDescriptors(descriptors.length);
    await service.hasNoZombies();
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

  test("executes the program that -exec names, and so do the next ones", async () => {
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

  test("that is requested ten times at once is done once, and once again for requests that came meanwhile", async () => {
    const crank = await service.start();
    const control = await service.control();
    const ask = (_: unknown, index: number): string =>
      `${JSON.stringify({ jsonrpc: "2.0", id: index + 1, method: "upgrade", params: { wait: true } })}\n`;
    control.say(Array.from({ length: 10 }, ask).join(""));
    await control.hearsLines(10);
    for (const line of control.lines) expect(JSON.parse(line).result.done).not.toBeNull();
    expect((await service.info()).upgrades).toBe(2);
    for (let count = 0; count < 10; count++) crank.signal("SIGUSR1");
    // Signals that are already pending are merged (signal(7)).
    const { upgrades } = await waitFor("an end", async () => {
      const info = await service.info();
      const told = crank.stderr().split("Upgraded from").length - 1;
      return info.upgrades > 2 && told === info.upgrades && info;
    });
    expect(upgrades).toBeLessThanOrEqual(4);
  });
});
