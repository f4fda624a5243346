// What crankctl watch shows of workers besides numbers, and what a rollout waits for, on screens of every width.
import { describe, expect, test } from "bun:test";
import type { Status } from "../../../src/control/messages.ts";
import { UNSAFE } from "../../../src/control/printable.ts";
import { eachTest } from "../harness/each-test.ts";
import { TALKER } from "../harness/python-apps.ts";
import { answering } from "../harness/scripted-service.ts";
import { Service } from "../harness/service.ts";
import { Terminals } from "../harness/terminal.ts";

const web = eachTest(new Service());
const terminals = new Terminals(web);

const AT = new Date(Date.now() - 75_000).toISOString();
const STATUS: Status = {
  ...{ name: "web", pid: 1, generation: 1, instances: 3, phase: "running", startedAt: AT, restarts: 4, sockets: [] },
  rollout: {
    ...{ generation: 2, startedAt: AT, wanted: 3, starting: 0, ready: 1, available: 1, oldLeft: 2, attemptsLeft: 0 },
    waiting: { kind: "draining", limit: 2 },
  },
  workers: [1, 2, 3].map((id) => ({
    ...{ pid: 100 + id, id, generation: 1, state: "ready", cwd: "/", command: ["app"], startedAt: AT, uptime: 75 },
    ...{ restarts: id === 1 ? 4 : 0, usage: null },
    ...(id === 2 ? { status: `evil \u001b[31m\u202e\n${"接".repeat(300)}` } : {}),
    ...(id === 3 ? { status: "serves 12 clients" } : {}),
  })),
};

const watch = async (columns: number, rows: number, env: Readonly<Record<string, string>> = {}) => {
  const terminal = await terminals.open({ columns, rows, env });
  await terminal.type(terminal.line("-name", "web", "watch"), "Enter");
  return terminal;
};

/** No more columns than the screen has; a wide character counts as two. */
const expectInside = (screen: string, columns: number): void => {
  for (const row of screen.trimEnd().split("\n")) expect(Bun.stringWidth(row)).toBeLessThanOrEqual(columns);
  expect(screen.replaceAll("\n", "")).not.toMatch(UNSAFE);
};

describe.each([{}, { NO_COLOR: "1" }])("with %j", (env) => {
  test.each([
    [80, 24],
    [200, 50],
  ])(
    "on %d by %d, status texts and restarts have columns, and what is waited for has a line",
    async (columns, rows) => {
      answering(web, STATUS);
      const terminal = await watch(columns, rows, env);
      const screen = await terminal.see("serves 12 clients");
      expectInside(screen, columns);
      expect(screen).toMatch(/^Waiting for a drain to end \(at most 2 at once\)$/m);
      expect(screen).toMatch(/^web .* 4 started again/m);
      expect(screen).toMatch(/^ +ID .* RESTARTS .*STATUS$/m);
      expect(screen).toMatch(/^ +1 +101 +1 ready +1 min 15 s +4 /m);
      expect(screen).toMatch(/^ +2 .* evil \\x1b\[31m/m);
      expect((await terminal.colours()).includes("\u001b[33m")).toBe(!("NO_COLOR" in env));
      expect(screen.includes("接")).toBe(columns === 200);
    },
  );

  test("on twenty columns, they have lines of their own", async () => {
    answering(web, STATUS);
    const terminal = await watch(20, 16, env);
    const screen = await terminal.see("serves 12 clie");
    expectInside(screen, 20);
    expect(screen).toMatch(/^web {2}gen 1 {2}3\/3$/m);
    expect(screen).toMatch(/^To gen 2 for 1 min/m);
    expect(screen).toMatch(/^waits: 2 drain$/m);
    expect(screen).toMatch(
      /^ +1 ready +-\n {5}4 again\n +2 ready +-\n {5}evil \\x1b\[31m.*\n +3 ready +-\n {5}serves/m,
    );
    await terminal.type("j");
    await terminal.see(/^ +ID STATE +CONNS\n +2 ready/m);
  });
});

test("a pause is counted down, however narrow", async () => {
  const until = new Date(Date.now() + 600_000).toISOString();
  answering(web, { ...STATUS, rollout: STATUS.rollout && { ...STATUS.rollout, waiting: { kind: "pause", until } } });
  const terminal = await watch(80, 24);
  await terminal.see(/^Pausing: the next one in 9 min \d+ s$/m);
  await terminal.resize(20, 16);
  const [first = ""] = /^next in 9 min \d+ s$/m.exec(await terminal.see(/^next in 9 min \d+ s$/m)) ?? [];
  await terminal.see(new RegExp(`^next in 9 min (?!${/(\d+) s/.exec(first)?.[1]} )\\d+ s$`, "m"));
});

test("a real rollout that pauses shows the status texts of its workers, as lines too", async () => {
  await web.start();
  const run = (version: string, ...flags: readonly string[]) =>
    web.ctl("run", ...flags, "--", ...TALKER, version, `STATUS=I am ${version}\nREADY=1`);
  expect(await run("one", "-wait", "-instances", "2")).toMatchObject({ status: 0 });
  const lines = web.bench.start(["bash", "-c", `${web.ctlCommand("watch").join(" ")} | cat`]);
  const terminal = await watch(80, 24);
  await terminal.see(/^ +1 .* I am one$/m);
  await run("two", "-pause", "600");
  const screen = await terminal.see(/^Pausing: the next one in 9 min/m);
  expect(screen).toContain("Rolling out generation 2");
  await terminal.see(/^ +3 .* I am two$/m);
  await terminal.see(/^.* Worker 3 .* reports: I am two$/m);
  await lines.wrote("stdout", /^web: .*1 of 2 available, pausing before the next replacement/m);
});
