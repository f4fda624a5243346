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

describe("run", () => {
  test("requests only what was given, and prints the original's sentence", async () => {
    desk.serve("web", (_, reply) => reply.result({ generation: 1, accepted: true, pids: [5] }));
    const flags =
      "-cwd app -start 1.5 -stop 0 -wait -pid 0 -supersede -instances 3 -surge 2 -unavailable 1 -min-ready .5 -retries 2 -deadline 0 -stop-steps usr2,TERM@3,KILL@6.5 -kill-mode process -env A=b=c -env E= -unset-env X -user www -umask 027 -limit nofile=9 -limit RLIMIT_CORE=unlimited";
    const ended = await desk.ctl("run", ...flags.split(" "), "--", "ruby", "-wait");
    expect(ended).toEqual({ status: 0, stdout: "Started successfully\n", stderr: "" });
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
    expect(ended.stdout).toBe("Exited with code: 3\n");
    expect(ended.stderr).toBe(
      "crankctl: Exited with code: 3\nLast lines of worker 8 (pid 52):\n  | first\n  | \\x1b]0;title\\x07last \\x9b31m words\n",
    );
    const json = await desk.ctl("run", "-wait", "-json", "ruby");
    expect([json.status, JSON.parse(json.stdout)]).toEqual([1, { error: FAILURE }]);
  });

  test("that is refused prints the reason", async () => {
    desk.serve("web", (_, reply) => reply.error({ code: 1, message: "New process is already being started" }));
    expect(await desk.ctl("run")).toEqual({
      status: 1,
      stdout: "Failed to start: New process is already being started\n",
      stderr: "crankctl: New process is already being started\n",
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
    expect(await desk.ctl("run", "-wait", "ruby")).toMatchObject({ status: 0, stdout: "Started successfully\n" });
    const ids = desk.asked.map((asked) => asked.params.clientId);
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
    expect(drawn.join("")).toEndWith("\u001b[KStarted successfully\n");
  });
});

test("run reports a failure only once on each output", async () => {
  desk.serve("web", (_, reply) => reply.error({ code: 2, message: "Failed to start: not ready within 1 s" }));
  expect(await desk.ctl("run", "-wait", "ruby")).toEqual({
    status: 1,
    stdout: "Failed to start: not ready within 1 s\n",
    stderr: "crankctl: not ready within 1 s\n",
  });
});
