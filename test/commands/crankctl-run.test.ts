// crankctl run against a scripted crank: its request, its output, and its failures.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { Desk } from "./harness/scripted-crank.ts";

let desk: Desk;
beforeEach(() => {
  desk = new Desk();
});
afterEach(() => desk.clean());

const FAILURE = {
  code: 2,
  message: "Exited with code: 3",
  data: {
    generation: 4,
    worker: 8,
    pid: 52,
    failure: {
      kind: "exited",
      ending: { kind: "exit", code: 3 },
      tail: "first\n\u001b]0;title\u0007last \u009b31m words\n",
    },
  },
};

/** The last line of a deploy that was waited for, by a crank that does not say what serves. */
const DEPLOYED = /^web: generation 1 deployed in [\d.]+ s\n$/;

/** A status with five workers of generation 14, and one of generation 13 with 398 connections that drains. */
const STATUS = {
  name: "api",
  generation: 14,
  instances: 5,
  workers: [
    ...[1, 2, 3, 4, 5].map((id) => ({ id, state: "ready", generation: 14 })),
    { id: 6, state: "stopping", generation: 13, usage: { connections: 398 } },
  ],
};

describe("a deploy ends with one line", () => {
  const at = { time: "2026-01-01T00:00:00.000Z" };

  test("that says what serves and what drains, after a line for each worker that changes", async () => {
    desk.serve("web", ({ method }, reply) => {
      if (method === "status") return reply.result(STATUS);
      const worker = { worker: 31, pid: 52, generation: 14 };
      reply.notify("progress", { seq: 1, ...at, kind: "rolloutStarted", generation: 14, instances: 5 });
      reply.notify("progress", { seq: 2, ...at, kind: "workerReady", ...worker, afterMs: 300 });
      reply.result({ generation: 14, accepted: true, pids: [52] });
    });
    const ended = await desk.ctl("run", "-wait", "ruby");
    expect([ended.status, ended.stderr]).toEqual([0, ""]);
    expect(ended.stdout).toMatch(
      /^Worker 31 \(pid 52, generation 14\) is ready after 0.3 s\napi: generation 14 deployed in [\d.]+ s: 5 of 5 ready, 398 connections draining\n$/,
    );
    const json = await desk.ctl("run", "-wait", "-json", "ruby");
    expect(JSON.parse(json.stdout)).toEqual({
      generation: 14,
      accepted: true,
      pids: [52],
      outcome: "deployed",
      durationMs: expect.any(Number),
      failure: null,
      serving: { generation: 14, ready: 5, wanted: 5, draining: 398 },
    });
  });

  test("that says why it failed and what keeps serving", async () => {
    desk.serve("web", ({ method }, reply) => (method === "status" ? reply.result(STATUS) : reply.error(FAILURE)));
    const ended = await desk.ctl("run", "-wait", "ruby");
    expect(ended.stdout).toBe("");
    expect(ended.stderr).toMatch(
      /^api: generation 4 failed after [\d.]+ s: worker 8 exited with status 3 before it was ready; generation 14 keeps serving \(5 of 5\)\nLast lines of worker 8 /,
    );
  });

  test("that says where to look if it was not waited for", async () => {
    desk.serve("web", (_, reply) => reply.result({ generation: 14, accepted: true, pids: [52] }));
    expect(await desk.ctl("reload")).toEqual({
      status: 0,
      stdout: "web: generation 14 is rolling out; crankctl status shows its progress\n",
      stderr: "",
    });
  });
});

describe("run", () => {
  test("requests only what was given, and prints how it ended", async () => {
    desk.serve("web", (_, reply) => reply.result({ generation: 1, accepted: true, pids: [5] }));
    const flags =
      "-cwd app -start 1.5 -stop 0 -wait -pid 0 -supersede -instances 3 -surge 2 -unavailable 1 -min-ready .5 -retries 2 -deadline 0 -stop-steps usr2,TERM@3,KILL@6.5 -kill-mode process -env A=b=c -env E= -unset-env X -user www -umask 027 -limit nofile=9 -limit RLIMIT_CORE=unlimited";
    const ended = await desk.ctl("run", ...flags.split(" "), "--", "ruby", "-wait");
    expect(ended).toEqual({ status: 0, stdout: expect.stringMatching(DEPLOYED), stderr: "" });
    const { clientId, ...params } = desk.asked[0]?.params ?? {};
    expect(clientId).toBeString();
    expect(params).toEqual({
      command: ["ruby", "-wait"],
      cwd: `${desk.directory}/app`,
      startTimeout: 1500,
      wait: true,
      supersede: true,
      instances: 3,
      surge: 2,
      unavailable: 1,
      minReady: 500,
      retries: 2,
      deadline: null,
      stopSteps: [
        { signal: "usr2", after: 0 },
        { signal: "TERM", after: 3000 },
        { signal: "KILL", after: 6500 },
      ],
      killMode: "process",
      env: { A: "b=c", E: "", X: null },
      user: "www",
      umask: 0o27,
      limits: { nofile: 9, core: null },
    });
  });

  test("requests one stop signal or several steps", async () => {
    desk.serve("web", (_, reply) => reply.result({ generation: 1, accepted: true, pids: [5] }));
    await desk.ctl("run", "-stop-signal", "QUIT", "-stop", "9");
    expect(desk.asked[0]?.params).toMatchObject({ stopSignal: "QUIT", stopTimeout: 9000 });
  });

  test("that fails prints the reason and the worker's last lines, without control sequences", async () => {
    desk.serve("web", (_, reply) => reply.error(FAILURE));
    const ended = await desk.ctl("run", "-wait", "ruby");
    expect(ended.status).toBe(1);
    expect(ended.stdout).toBe("");
    expect(ended.stderr.replace(/[\d.]+ s/, "N s")).toBe(
      "web: generation 4 failed after N s: worker 8 exited with status 3 before it was ready\nLast lines of worker 8 (pid 52):\n  | first\n  | \\x1b]0;title\\x07last \\x9b31m words\n",
    );
    const json = await desk.ctl("run", "-wait", "-json", "ruby");
    expect([json.status, JSON.parse(json.stdout)]).toEqual([
      1,
      {
        error: FAILURE,
        outcome: "failed",
        generation: 4,
        durationMs: expect.any(Number),
        failure: "worker 8 exited with status 3 before it was ready",
        serving: null,
      },
    ]);
    expect(json.stderr).toBe("");
  });

  test("that is refused prints the reason", async () => {
    desk.serve("web", (_, reply) => reply.error({ code: 1, message: "New process is already being started" }));
    expect(await desk.ctl("run")).toEqual({
      status: 1,
      stdout: "",
      stderr:
        "crankctl run: New process is already being started. Wait for its end, or give it up with crankctl run -supersede.\n",
    });
  });

  test("that succeeds but is not recorded prints a warning", async () => {
    desk.serve("web", (_, reply) => reply.result({ generation: 1, accepted: true, pids: [], warning: "disk full" }));
    expect(await desk.ctl("run", "-wait")).toMatchObject({ status: 0, stderr: "WARNING: disk full\n" });
  });

  test("retries with the same id when the connection is lost, and prints the answer", async () => {
    desk.serve("web", (_, reply, connection) => {
      if (connection < 3) reply.close();
      else reply.result({ generation: 1, accepted: true, pids: [] });
    });
    expect(await desk.ctl("run", "-wait", "ruby")).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(DEPLOYED),
    });
    const ids = desk.asked.filter(({ method }) => method === "run").map((asked) => asked.params.clientId);
    expect(ids).toHaveLength(3);
    expect(new Set(ids).size).toBe(1);
  });

  test("that is interrupted leaves the rollout running, reports that, and exits with 130", async () => {
    let hasAsked = () => {};
    const asked = new Promise<void>((resolve) => {
      hasAsked = resolve;
    });
    desk.serve("web", () => hasAsked());
    const child = desk.start("crankctl", ["-name", "web", "run", "-wait", "ruby"]);
    await asked;
    child.kill("SIGINT");
    expect(await child.exited).toBe(130);
    expect(await new Response(child.stderr).text()).toContain("The rollout continues");
    expect(await new Response(child.stdout).text()).toBe("");
  });

  test("shows one live line on a terminal, and removes it at the end", async () => {
    desk.serve("web", (_, reply) => {
      const at = { time: "2026-01-01T00:00:00.000Z" };
      const time = new Date(Date.now() + 3600_000).toISOString();
      reply.notify("progress", { seq: 1, ...at, kind: "rolloutStarted", generation: 4, instances: 2 });
      reply.notify("progress", { seq: 2, ...at, kind: "workerStarting", worker: 9, generation: 4 });
      reply.notify("progress", { seq: 3, ...at, kind: "workerReady", worker: 9, generation: 4, pid: 1, afterMs: 3 });
      const draining = { kind: "draining", limit: 2 } as const;
      reply.notify("progress", { seq: 4, ...at, kind: "rolloutWaiting", generation: 4, reason: draining });
      reply.notify("progress", { seq: 5, ...at, kind: "rolloutGoesOn", generation: 4 });
      const pause = { kind: "pause", afterMs: 60_000 } as const;
      reply.notify("progress", { seq: 6, time, kind: "rolloutWaiting", generation: 4, reason: pause });
      reply.result({ generation: 4, accepted: true, pids: [] });
    });
    const shell = `${import.meta.dirname}/../../bin/crankctl -ctl ${desk.directory}/web.ctl run -wait`;
    const child = Bun.spawn(["script", "-qec", shell, "/dev/null"], {
      env: { ...process.env, TERM: "xterm" },
      stdin: "ignore",
      stdout: "pipe",
    });
    const drawn = (await new Response(child.stdout).text()).split("\r");
    expect(drawn).toContainEqual(expect.stringContaining("Generation 4: 1 of 2 ready, "));
    expect(drawn).toContainEqual(expect.stringContaining("waiting for a drain to end (at most 2 at once), "));
    expect(drawn).toContainEqual(expect.stringContaining("the next one in 1 h "));
    expect(drawn.join("")).toMatch(/Kweb: generation 4 deployed in [\d.]+ s\n$/);
  });
});

test("run reports a failure only once", async () => {
  desk.serve("web", (_, reply) => reply.error({ code: 2, message: "Failed to start: not ready within 1 s" }));
  expect(await desk.ctl("run", "-wait", "ruby")).toEqual({
    status: 1,
    stdout: "",
    stderr: expect.stringMatching(/^web: the deploy failed after [\d.]+ s: not ready within 1 s\n$/),
  });
});
