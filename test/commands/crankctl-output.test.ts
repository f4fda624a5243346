// crankctl's output for a scripted crank: for people, for programs, and as JSON.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { closeSync, openSync } from "node:fs";
import { Desk } from "./harness/scripted-crank.ts";

let desk: Desk;
beforeEach(() => {
  desk = new Desk();
});
afterEach(() => desk.clean());

const WORKER = {
  pid: 41,
  id: 7,
  generation: 3,
  state: "ready",
  cwd: '/srv/"web"\n\u001b[31m',
  command: ["ruby", "app.rb", "\u202eevil"],
  startedAt: "2026-01-01T00:00:00.000Z",
  uptime: 75,
  restarts: 2,
  usage: { at: "2026-01-01T00:00:00.000Z", processes: 2, memory: 117_000_000, cpu: 61.23, connections: 1203 },
};
describe("ps", () => {
  test("prints the original's lines to a pipe", async () => {
    desk.serve("web", (_, reply) =>
      reply.result([WORKER, { ...WORKER, pid: null, id: 8, state: "starting", cwd: "/" }]),
    );
    expect(await desk.ctl("ps", "-ready", "-starting", "-pid", "41")).toEqual({
      status: 0,
      stderr: "",
      stdout:
        '41 7 READY "/srv/\\"web\\"\\n\\x1b[31m" [ruby app.rb \\u202eevil]\n0 8 STARTING "/" [ruby app.rb \\u202eevil]\n',
    });
    expect(desk.asked[0]?.params).toEqual({ ready: true, starting: true, pid: 41 });
  });

  test("prints crank's answer with -json, with control characters escaped", async () => {
    desk.serve("web", (_, reply) => reply.result([WORKER]));
    const { stdout } = await desk.ctl("ps", "-json");
    expect(stdout).not.toContain("\u202e");
    expect(JSON.parse(stdout)).toEqual([WORKER]);
  });

  test("accepts the common flags before and after the command", async () => {
    desk.serve("web", (_, reply) => reply.result([]));
    const ctl = `${desk.directory}/web.ctl`;
    for (const args of [
      ["-json", "-ctl", ctl, "ps"],
      ["ps", "-ctl", ctl, "-json"],
      [`--ctl=unix://${ctl}`, "ps", "--json"],
    ])
      expect(await desk.run("crankctl", args)).toMatchObject({ status: 0, stdout: "[]\n" });
    expect(await desk.run("crankctl", ["ps", "-json"], { CRANK_NAME: "web" })).toMatchObject({ status: 0 });
    expect(await desk.run("crankctl", ["ps", "-json"], { CRANK_CTL: ctl })).toMatchObject({ status: 0 });
  });

  test("writes a long list completely to a slow pipe, and exits silently when its reader is gone", async () => {
    desk.serve("web", (_, reply) => reply.result(Array.from({ length: 20_000 }, () => WORKER)));
    const whole = await desk.run("crankctl", ["-name", "web", "ps"]);
    expect(whole.stdout.split("\n")).toHaveLength(20_001);
    const child = desk.start("crankctl", ["-name", "web", "ps"]);
    const reader = child.stdout.getReader();
    await reader.read();
    await reader.cancel();
    expect(await child.exited).toBe(0);
    expect(await new Response(child.stderr).text()).toBe("");
  });
});

test("output that cannot be written is an error", async () => {
  desk.serve("web", (_, reply) => reply.result([WORKER]));
  const full = openSync("/dev/full", "w");
  const child = Bun.spawn([`${import.meta.dirname}/../../bin/crankctl`, "-ctl", `${desk.directory}/web.ctl`, "ps"], {
    stdin: "ignore",
    stdout: full,
    stderr: "pipe",
  });
  expect(await child.exited).toBe(1);
  expect(await new Response(child.stderr).text()).toBe("crankctl ps: cannot write the output: ENOSPC\n");
  closeSync(full);
});

describe("kill, scale, rollback, reload, shutdown, history, info and status", () => {
  test("send the request that their flags describe", async () => {
    const results: Record<string, unknown> = {
      kill: { pids: [41] },
      scale: { from: 1, to: 3 },
      rollback: { generation: 9, accepted: true, pids: [] },
      reload: { generation: 9, accepted: true, pids: [] },
      shutdown: { workers: 2 },
    };
    desk.serve("web", ({ method }, reply) => reply.result(results[method]));
    const asked = async (...args: string[]) => {
      const ended = await desk.ctl(...args);
      const { clientId: _, ...params } = desk.asked.filter(({ method }) => method !== "status").at(-1)?.params ?? {};
      return [ended.status, ended.stdout, params];
    };
    expect(await asked("kill", "-signal", "hup", "-ready", "-wait")).toEqual([
      0,
      "",
      { signal: "hup", ready: true, wait: true },
    ]);
    expect(await asked("scale", "3", "-json")).toEqual([0, '{"from":1,"to":3}\n', { to: 3 }]);
    expect(await asked("scale", "-by", "-1")).toEqual([0, "Scaled from 1 to 3\n", { by: -1 }]);
    expect(await asked("rollback", "-to", "4", "-wait")).toEqual([
      0,
      expect.stringMatching(/^web: generation 9 deployed in /),
      { to: 4, wait: true },
    ]);
    expect(await asked("reload")).toEqual([
      0,
      "web: generation 9 is rolling out; crankctl status shows its progress\n",
      {},
    ]);
    expect(await asked("shutdown")).toEqual([0, "Shutting down, workers left: 2\n", {}]);
    expect(await asked("shutdown", "-wait")).toEqual([0, "Shut down\n", { wait: true }]);
    expect(await desk.ctl("kill")).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("worker: none selected"),
    });
  });

  test("show the answer for people and as JSON", async () => {
    const status = {
      name: "web",
      pid: 40,
      generation: 3,
      instances: 2,
      phase: "running",
      startedAt: "2026-01-01T00:00:00.000Z",
      restarts: 1,
      sockets: [{ name: "http", address: "tcp://[::]:8080", queue: 3, limit: 4096, connections: 1203, drops: 9 }],
      rollout: {
        generation: 4,
        startedAt: "2026-01-01T00:00:00.000Z",
        wanted: 2,
        starting: 1,
        ready: 1,
        available: 0,
        oldLeft: 2,
        attemptsLeft: 1,
        waiting: null,
      },
      draining: { workers: 0, generations: [], limit: null },
      workers: [WORKER, { ...WORKER, id: 8, state: "starting", status: `compacting \u001b[31m${"x".repeat(60)}` }],
    };
    const info = {
      name: "web",
      version: "9.9",
      keeperVersion: "9.8",
      protocol: 1,
      pid: 40,
      supervisorPid: 44,
      runtime: "bun 1",
      startedAt: status.startedAt,
      upgrades: 0,
      supervisorDeaths: 2,
    };
    const history = [
      { generation: 3, at: status.startedAt, current: true, command: ["a", "b"], cwd: "/srv", instances: 2 },
    ];
    const results: Record<string, unknown> = { status, info, history };
    desk.serve("web", ({ method }, reply) => reply.result(results[method]));
    const { stdout } = await desk.ctl("status");
    for (const text of [
      "web: generation 3, 1 of 2 ready, 1 started again",
      "http    tcp://[::]:8080  3 of 4096         1203        9",
      "Rolling out generation 4",
      "0 of 2 available",
      "2 old left",
      `  compacting \\x1b[31m${"x".repeat(20)}…  `,
      "41   7    3  ready     1 min 15 s         2  112 MiB  1 min 1 s         1203  -  ",
    ])
      expect(stdout).toContain(text);
    expect(stdout).not.toContain("\u001b");
    expect(JSON.parse((await desk.ctl("status", "-json")).stdout)).toEqual(status);
    expect((await desk.ctl("info")).stdout).toMatch(/^crankctl +\d+\.\d+.*\ncrank +9\.9\n/);
    expect((await desk.ctl("history")).stdout).toContain("*    3  2026-01-01T00:00:00.000Z        2  /srv       a b\n");
  });
});

describe("logs and events", () => {
  const said = (line: string) => ({ time: "2026-01-01T00:00:00.000Z", worker: 7, pid: 41, line });

  test("show everything until the end", async () => {
    desk.serve("web", (_, reply) => {
      reply.result({});
      for (const line of ["one", "two \u001b[31m"]) reply.notify("log", said(line));
      reply.notify("logEnd", {});
    });
    const { status, stdout } = await desk.ctl("logs", "-n", "2", "-pid", "41");
    expect(status).toBe(0);
    const when = "Jan  1 00:00:00.000";
    expect(stdout).toBe(`${when} id=7 pid=41 one\n${when} id=7 pid=41 two \u001b[31m\n`);
    expect(desk.asked[0]?.params).toEqual({ lines: 2, pid: 41 });
    const json = await desk.ctl("logs", "-json");
    expect(
      json.stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line))[1],
    ).toEqual(said("two \u001b[31m"));
  });

  test("exit silently when their reader is gone", async () => {
    desk.serve("web", (_, reply) => {
      reply.result({});
      for (let count = 0; count < 30_000; count++) reply.notify("log", said("x".repeat(100)));
    });
    const child = desk.start("crankctl", ["-name", "web", "logs", "-f"]);
    const reader = child.stdout.getReader();
    await reader.read();
    await reader.cancel();
    expect([await child.exited, await new Response(child.stderr).text()]).toEqual([0, ""]);
  });

  test("report that crank closed the connection", async () => {
    desk.serve("web", (_, reply) => {
      reply.result({});
      reply.close();
    });
    expect(await desk.ctl("logs", "-f")).toEqual({
      status: 1,
      stdout: "",
      stderr: "crank closed the connection\n",
    });
  });

  test("print the stored events with -once and exit", async () => {
    desk.serve("web", ({ method }, reply) => {
      if (method === "info") return reply.result({});
      reply.result({ next: 3 });
      reply.notify("event", { seq: 2, time: "2026-01-01T00:00:00.000Z", kind: "scaled", from: 1, to: 2 });
    });
    const { stdout, status } = await desk.ctl("events", "-once");
    expect([status, stdout]).toEqual([0, "2026-01-01T00:00:00.000Z 2 Scaling from 1 to 2 workers\n"]);
    expect(desk.asked[0]?.params).toEqual({ from: 0 });
  });
});
