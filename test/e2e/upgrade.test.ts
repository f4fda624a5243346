// crank replaced in place, under the same pid: by which program, and how often.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, readlinkSync } from "node:fs";
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
    await crank.wrote("stderr", /Upgraded from \S+ to \S+, supervisor and keeper\n/);
    expect(await service.workers()).toEqual(workers);
    expect(await service.answer()).toStartWith("one ");
    expect(await service.deploy(...RESPONDER, "two")).toSatisfy(isReady);
    expect(await service.answer()).toStartWith("two ");
    await waitFor("the old worker's end", async () => (await service.workers()).length === 1);
    await waitFor("the descriptors of before", async () => {
      // The supervisor is awake then, as it was.
      await service.info();
      return service.descriptors().length <= descriptors.length;
    });
    await waitFor("nobody to be left that has ended", () => service.zombies().length === 0);
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
    const ask = (_: unknown, index: number): string =>
      `${JSON.stringify({ jsonrpc: "2.0", id: index + 1, method: "upgrade", params: { wait: true } })}\n`;
    socket.write(Array.from({ length: 10 }, ask).join(""));
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
