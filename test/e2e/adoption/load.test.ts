// Cranks that are killed one after another, while clients connect and stay.
import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { compiled, RESPONDER } from "../harness/apps.ts";
import { eachTest } from "../harness/each-test.ts";
import { Load } from "../harness/load.ts";
import { numberedLines } from "../harness/numbered-lines.ts";
import { Service } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";

const service = eachTest(new Service({ port: "fixed" }));

describe("under load", () => {
  test("no connection is refused or reset, every worker is adopted, and its output continues", async () => {
    let crank = await service.start();
    await service.deploy("-instances", "2", "--", compiled("worker"), "-lines", "5", "200", "v1");
    const before = await service.pids();
    const load = new Load({ port: service.port, anew: 10, pauseMs: 5, stays: 30, talkMs: 50 });
    await waitFor("the staying clients", () => load.staying === 30);
    const said: string[] = [];
    for (const pause of [0, 200, 700, 0]) {
      await waitFor("more lines", () =>
        [...numberedLines(crank.stdout()).values()].every((lines) => lines.length > 20),
      );
      await service.kill();
      said.push(crank.stdout());
      const { answered } = load.counts;
      await Bun.sleep(pause);
      crank = await service.adopt();
      await crank.wrote("stderr", "Adopted 2 of the 2 workers");
      expect(await service.pids()).toEqual(before);
      await waitFor("more answers", () => load.counts.answered > answered + 20);
      await waitFor("lines of both", () => numberedLines(crank.stdout()).size === 2);
    }
    expect(await load.stop()).toMatchObject({ refused: 0, reset: 0, cut: 0, problems: [] });
    said.push(crank.stdout());
    for (const text of said) {
      const whole = text
        .split("\n")
        .slice(0, -1)
        .filter((line) => line !== "");
      const odd = whole.filter((line) => !/ id=\d+ pid=\d+ line \d+ x*$/.test(line));
      // The rest of a line whose beginning the killed crank had read: at most one for each worker.
      expect(odd.length).toBeLessThanOrEqual(2);
    }
    for (const lines of numberedLines(said.join("\n")).values())
      expect(lines).toEqual([...lines].sort((a, b) => a - b));
    await service.ctl("shutdown");
    expect(await crank.ended).toMatchObject({ status: 0 });
  });

  test("no worker is lost in ten adoptions in a row, with every command in between", async () => {
    let crank = await service.start("-respawn");
    await service.deploy("--", ...RESPONDER, "v1");
    for (let round = 1; round <= 10; round++) {
      const before = await service.pids();
      crank = await service.replace("-respawn");
      expect(await service.pids()).toEqual(before);
      expect(await service.ask()).toEndWith(` ${before[0]}\n`);
      if (round === 3) await service.deploy("--", ...RESPONDER, "v2");
      if (round === 6) expect((await service.ctl("reload", "-wait")).status).toBe(0);
    }
    expect((await service.ctl("rollback", "-wait")).status).toBe(0);
    const [pid = 0] = await service.pids();
    expect((await service.ctl("kill", "-pid", String(pid), "-signal", "KILL", "-wait")).status).toBe(0);
    await service.ready();
    crank.signal("SIGTERM");
    expect(await crank.ended).toMatchObject({ status: 0 });
    expect(existsSync(service.path("web.ctl"))).toBe(false);
    expect(existsSync(service.path("web.run/journal"))).toBe(false);
  });
});
