// crankctl watch in a real terminal, checked against its screen.
import { describe, expect, test } from "bun:test";
import { compiled, RESPONDER } from "../harness/apps.ts";
import { eachTest } from "../harness/each-test.ts";
import { Load } from "../harness/load.ts";
import { Service } from "../harness/service.ts";
import { Terminals } from "../harness/terminal.ts";
import { waitFor } from "../harness/wait.ts";

const SMALL = { columns: 80, rows: 24 };
const LARGE = { columns: 200, rows: 50 };

const web = eachTest(new Service());
const terminals = new Terminals(web);

const sleepers = (count: number) => web.deploy("-instances", String(count), "-ready", "delay:0", "--", "sleep", "600");

const widest = (screen: string): number => Math.max(...screen.split("\n").map((row) => row.length));

describe.each([SMALL, LARGE])("on $columns by $rows", ({ columns, rows }) => {
  test("a rollout is shown as bars, and a drain goes down to nothing", async () => {
    await web.start();
    const server = [compiled("worker"), "-drain", "4000"];
    await web.deploy("-instances", "2", "--", ...server);
    const load = new Load({ port: web.port, anew: 0, pauseMs: 20, stays: 60, talkMs: 1000 });
    await waitFor("the clients that stay", () => load.staying === 60);
    const terminal = await terminals.open({ columns, rows });
    await terminal.watch("-name", "web", "watch");
    const before = await terminal.see("60 connections");
    expect(before).toContain("generation 1");
    expect(before).toContain("2 of 2 ready");
    expect(before.trimEnd().split("\n")).toHaveLength(rows);
    expect(widest(before)).toBeLessThanOrEqual(columns);

    const stuck = web.run("--", ...RESPONDER, "slow", "never-ready");
    for (const words of [/^new .* 0 of 2 available/m, "Rolling out generation 2", /^old +█+ 2 of 2 serving/m])
      await terminal.see(words);
    const next = web.run("-supersede", "--", ...server);
    await Promise.all([stuck, next]);

    const counts: number[] = [];
    await waitFor("the end of the drain", async () => {
      const screen = await terminal.screen();
      const left = /^drain .* (\d+) of 60, \d workers?$/m.exec(screen)?.[1];
      if (left !== undefined) counts.push(Number(left));
      return left === undefined && counts.length > 0;
    });
    expect(counts).toEqual([...counts].sort((a, b) => b - a));
    expect(new Set(counts).size).toBeGreaterThan(1);
    await terminal.see(/exited with status 0/);
    await load.stop();
    await terminal.type("q");
    await terminal.see("ended with 0");
    await terminal.expectRestored();
  });
});

describe("keys", () => {
  test("scale up at once, and down, reload and roll back after a yes", async () => {
    await web.start();
    await sleepers(1);
    const terminal = await terminals.open(SMALL);
    await terminal.watch("-name", "web", "watch");
    await terminal.see("1 of 1 ready");
    await terminal.type("+");
    await terminal.see("2 of 2 ready");
    await terminal.type("-");
    await terminal.see("Stop one of the 2 workers of web? y/n");
    await terminal.type("n");
    await terminal.see("Cancelled");
    await terminal.type("-", "y");
    await terminal.see("1 of 1 ready");
    await terminal.type("b", "y");
    await terminal.see("web: No earlier");
    await terminal.type("r");
    await terminal.see("Replace the 1 workers of web? y/n");
    await terminal.type("y");
    await terminal.see("generation 2");
    // The screen names it from its start.
    await waitFor("the end of the rollout", async () => {
      const { generation, rollout } = await web.status();
      return generation === 2 && rollout === null;
    });
    await web.deploy("--", "sleep", "601");
    await terminal.see("generation 3");
    await terminal.type("b", "y");
    await terminal.see("generation 4");
    await terminal.type("Up", "Down", "x", "F5", "M-r", "q");
    await terminal.see("ended with 0");
    expect((await web.ctl("ps")).stdout).toContain("[sleep 600]");
  });
});

test("a resized terminal is redrawn", async () => {
  await web.start();
  await sleepers(3);
  const terminal = await terminals.open(LARGE);
  await terminal.watch("-name", "web", "watch");
  for (const [columns, rows] of [
    [80, 24],
    [20, 10],
    [120, 40],
  ] as const) {
    await terminal.resize(columns, rows);
    const screen = await waitFor("a whole screen", async () => {
      const seen = await terminal.screen();
      return (
        seen.startsWith("web  gen") &&
        seen.trimEnd().split("\n").length === rows &&
        /q( quit)?$/.test(seen.trimEnd()) &&
        seen.match(/^ +\d+ .*ready/gm)?.length === 3 &&
        seen
      );
    });
    expect(widest(screen)).toBeLessThanOrEqual(columns);
  }
});

test("twenty columns show each worker's state and connections", async () => {
  await web.start();
  await sleepers(2);
  const terminal = await terminals.open({ columns: 20, rows: 12 });
  await terminal.type(terminal.line("-name", "web", "watch"), "Enter");
  const screen = await terminal.see(/^ +1 ready +\d/m);
  expect(screen).toContain("web  gen 1  2/2");
  await terminal.type("-");
  await terminal.see("Stop one of");
});

test("all services of a prefix are listed, and one of them can be opened", async () => {
  const crank = await web.bench.crank("web-a", ["-bind", "127.0.0.1:0"]);
  await web.bench.crank("other", ["-bind", "127.0.0.1:0"]);
  await web.bench.ctl("web-a", "run", "-wait", "-ready", "delay:0", "--", "sleep", "600");
  const terminal = await terminals.open(SMALL);
  await terminal.watch("watch", "web");
  const screen = await terminal.see(/^> web-a +1 +1\/1/m);
  expect(screen).not.toContain("other");
  await web.bench.crank("web-b", ["-bind", "127.0.0.1:0"]);
  await terminal.see(/^ {2}web-b +- +0\/0/m);
  await terminal.type("j", "Enter");
  await terminal.see("web-b  nothing deployed yet");
  await terminal.type("Escape");
  await terminal.see(/^> web-b/m);
  await terminal.type("k", "+");
  await terminal.see(/^> web-a +1 +2\/2/m);
  const workers: { pid: number }[] = JSON.parse((await web.bench.ctl("web-a", "ps", "-json")).stdout);
  crank.signal("SIGKILL");
  await terminal.see(/^> web-a +1 +gone/m);
  await terminal.type("r");
  await terminal.see("web-a is unreachable");
  // They outlive their crank.
  for (const { pid } of workers) process.kill(pid, "SIGKILL");
});

test("a crank that is killed and comes back is found again", async () => {
  await web.start();
  await sleepers(1);
  const terminal = await terminals.open(SMALL);
  await terminal.watch("-name", "web", "watch");
  await terminal.see("1 of 1 ready");
  await web.kill();
  await terminal.see("No crank for");
  await web.start();
  await waitFor("the new one on the screen", async () => {
    const screen = await terminal.screen();
    return !screen.includes("No crank") && screen.includes("1 of 1 ready");
  });
});
