// crankctl and a crank of another version: an older one that does not know crankctl's parameters, and a newer one that
// sends more than crankctl knows.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { type Asked, Desk, type Reply } from "./harness/scripted-crank.ts";

let desk: Desk;
beforeEach(() => {
  desk = new Desk();
});
afterEach(() => desk.clean());

const AT = "2026-01-01T00:00:00.000Z";
/** The answers of cranks that could not measure yet. */
const WORKER = {
  pid: 41,
  id: 7,
  generation: 3,
  state: "ready",
  cwd: "/srv",
  command: ["app"],
  startedAt: AT,
  uptime: 75,
};
const STATUS = {
  ...{ name: "web", pid: 9, generation: 3, instances: 1, phase: "running", startedAt: AT, restarts: 0, rollout: null },
  sockets: [{ name: "x", address: "tcp://[::]:80", queue: 0, limit: 128 }],
  workers: [WORKER],
};

/** A crank that refuses unknown parameters. */
const older = ({ method, params }: Asked, reply: Reply): void => {
  const [unknown] = Object.keys(params).filter((name) => name === "measure");
  if (unknown !== undefined) reply.error({ code: -32602, message: `${method} has no parameter "${unknown}"` });
  else reply.result(method === "ps" ? [WORKER] : STATUS);
};

describe("an older crank", () => {
  test("is asked once more without the unknown parameter, and its answer is shown", async () => {
    desk.serve("web", older);
    expect(await desk.ctl("ps", "-json", "-ready")).toEqual({
      status: 0,
      stdout: `${JSON.stringify([WORKER])}\n`,
      stderr: "",
    });
    expect(desk.asked.map(({ params }) => params)).toEqual([{ ready: true, measure: true }, { ready: true }]);
    expect(await desk.ctl("status", "-json")).toMatchObject({ status: 0, stdout: `${JSON.stringify(STATUS)}\n` });
    const { status, stdout, stderr } = await desk.ctl("status");
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^x +tcp:\/\/\[::\]:80 +0 of 128 +- +-$/m);
    expect(stdout).toMatch(/^ *41 +7 +3 +ready +1 min 15 s +- +- +- +- +\/srv +app$/m);
    expect(stdout).not.toMatch(/undefined|NaN/);
  });

  test("can be watched, without measurements", async () => {
    desk.serve("web", (asked, reply) =>
      asked.method === "events" ? reply.result({ first: 1, next: 1 }) : older(asked, reply),
    );
    const child = desk.start("crankctl", ["-name", "web", "watch"]);
    const reader = child.stdout.getReader();
    const { value } = await reader.read();
    expect(new TextDecoder().decode(value)).toBe("web: generation 3, 1 of 1 ready\n");
    await reader.cancel();
  });

  test("that does not know the caller's directory gets the resolved directory", async () => {
    desk.serve("web", ({ method, params }, reply) => {
      if ("callerCwd" in params) reply.error({ code: -32602, message: `${method} has no parameter "callerCwd"` });
      else reply.result({ generation: 1, accepted: true, pids: [41] });
    });
    expect(await desk.ctl("run", "-wait", "--", "./server")).toMatchObject({ status: 0 });
    const [first, second] = desk.asked.map(({ params }) => params);
    expect(first).toMatchObject({ command: ["./server"], callerCwd: desk.directory });
    expect(second).toMatchObject({ command: ["./server"], cwd: desk.directory });
    expect(second).not.toHaveProperty("callerCwd");
  });

  test.each([
    ["another error", { code: 1, message: 'refused, whatever "measure" is' }],
    ["another parameter", { code: -32602, message: 'ps has no parameter "ready"' }],
  ])("that refuses for %s is not asked again", async (_what, error) => {
    desk.serve("web", (_, reply) => reply.error(error));
    const { status, stderr } = await desk.ctl("ps", "-json", "-ready");
    expect([status, stderr]).toEqual([1, expect.stringContaining(error.message)]);
    expect(desk.asked).toHaveLength(1);
  });

  test("that refuses both requests is not asked a third time", async () => {
    const message = 'ps has no parameter "measure"';
    desk.serve("web", (_, reply) => reply.error({ code: -32602, message }));
    expect((await desk.ctl("ps", "-json")).status).toBe(1);
    expect(desk.asked).toHaveLength(2);
  });
});

describe("a newer crank", () => {
  test("may send additional fields", async () => {
    const more = { mood: { is: ["fine"] } };
    const status = {
      ...STATUS,
      ...more,
      sockets: [{ ...STATUS.sockets[0], ...more }],
      workers: [{ ...WORKER, ...more }],
    };
    desk.serve("web", ({ method }, reply) => reply.result(method === "ps" ? status.workers : status));
    expect((await desk.ctl("status")).stdout).toContain("generation 3, 1 of 1 ready");
    expect(JSON.parse((await desk.ctl("ps", "-json")).stdout)).toEqual(status.workers);
  });

  test("may send unknown events under unknown names", async () => {
    desk.serve("web", ({ method }, reply) => {
      if (method === "info") return reply.result({});
      reply.result({ first: 1, next: 4 });
      reply.notify("event", { seq: 1, time: AT, kind: "moonRose", over: "\u001b[2J" });
      reply.notify("omen", { seq: 2, time: AT, kind: "owl" });
      reply.notify("happening", { seq: 3, time: AT, kind: "supervisorDied", ending: { kind: "exit", code: 1 } });
    });
    expect(await desk.ctl("events", "-once")).toEqual({
      status: 0,
      stderr: "",
      stdout: `${AT} 1 moonRose, an event that this crankctl does not know; -json shows it
${AT} 3 The supervisor exited with status 1; it was restarted, and the workers are not affected
`,
    });
    expect((await desk.ctl("events", "-once", "-json")).stdout).toContain('"kind":"moonRose","over":"\\u001b[2J"');
  });
});
