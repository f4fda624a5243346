// crankctl against a crank that follows a script: what it asks, what it prints, and its exit status.
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
  usage: { at: "2026-01-01T00:00:00.000Z", processes: 2, memory: 117_000_000, cpu: 61.23, connections: 1203 },
};
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
  test("asks for just what was given, and prints the original's sentence", async () => {
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

  test("that fails says how, and the worker's last lines, without what would move the cursor", async () => {
    desk.serve("web", (_, reply) => reply.error(FAILURE));
    const ended = await desk.ctl("run", "-wait", "ruby");
    expect(ended.status).toBe(1);
    expect(ended.stdout).toBe("Exited with code: 3\n");
    expect(ended.stderr).toBe(
      "ERROR: command failed: Exited with code: 3\nThe last lines of worker 8 (pid 52):\n  | first\n  | \\x1b]0;title\\x07last \\x9b31m words\n",
    );
    const json = await desk.ctl("run", "-wait", "-json", "ruby");
    expect([json.status, JSON.parse(json.stdout)]).toEqual([1, { error: FAILURE }]);
  });

  test("that is refused says why", async () => {
    desk.serve("web", (_, reply) => reply.error({ code: 1, message: "New process is already being started" }));
    expect(await desk.ctl("run")).toEqual({
      status: 1,
      stdout: "Failed to start: New process is already being started\n",
      stderr: "ERROR: command failed: New process is already being started\n",
    });
  });

  test("that stands but is not recorded warns of it", async () => {
    desk.serve("web", (_, reply) => reply.result({ generation: 1, accepted: true, pids: [], warning: "disk full" }));
    expect(await desk.ctl("run", "-wait")).toMatchObject({ status: 0, stderr: "WARNING: disk full\n" });
  });

  test("asks again with the same id when the connection is lost, and gives the answer", async () => {
    desk.serve("web", (_, reply, connection) => {
      if (connection < 3) reply.close();
      else reply.result({ generation: 1, accepted: true, pids: [] });
    });
    expect(await desk.ctl("run", "-wait", "ruby")).toMatchObject({ status: 0, stdout: "Started successfully\n" });
    const ids = desk.asked.map((asked) => asked.params.clientId);
    expect(ids).toHaveLength(3);
    expect(new Set(ids).size).toBe(1);
  });

  test("that is interrupted leaves the rollout going, says so, and ends with 130", async () => {
    let hasAsked = () => {};
    const asked = new Promise<void>((resolve) => {
      hasAsked = resolve;
    });
    desk.serve("web", () => hasAsked());
    const child = desk.start("crankctl", ["-name", "web", "run", "-wait", "ruby"]);
    await asked;
    child.kill("SIGINT");
    expect(await child.exited).toBe(130);
    expect(await new Response(child.stderr).text()).toContain("The rollout goes on without us");
    expect(await new Response(child.stdout).text()).toBe("");
  });

  test("shows one live line on a terminal, and takes it away at the end", async () => {
    desk.serve("web", (_, reply) => {
      const at = { time: "2026-01-01T00:00:00.000Z" };
      reply.notify("progress", { seq: 1, ...at, kind: "rolloutStarted", generation: 4, instances: 2 });
      reply.notify("progress", { seq: 2, ...at, kind: "workerStarting", worker: 9, generation: 4 });
      reply.notify("progress", { seq: 3, ...at, kind: "workerReady", worker: 9, generation: 4, pid: 1, afterMs: 3 });
      reply.result({ generation: 4, accepted: true, pids: [] });
    });
    const shell = `${process.execPath} run ${import.meta.dirname}/../../src/commands/crankctl.ts -ctl ${desk.directory}/web.ctl run -wait`;
    const child = Bun.spawn(["script", "-qec", shell, "/dev/null"], {
      env: { ...process.env, TERM: "xterm" },
      stdin: "ignore",
      stdout: "pipe",
    });
    const drawn = (await new Response(child.stdout).text()).split("\r");
    expect(drawn).toContainEqual(expect.stringContaining("Generation 4: 1 of 2 ready, "));
    expect(drawn.join("")).toEndWith("\u001b[KStarted successfully\n");
  });
});

test("run says what a failure is only once on each output", async () => {
  desk.serve("web", (_, reply) => reply.error({ code: 2, message: "Failed to start: not ready within 1 s" }));
  expect(await desk.ctl("run", "-wait", "ruby")).toEqual({
    status: 1,
    stdout: "Failed to start: not ready within 1 s\n",
    stderr: "ERROR: command failed: not ready within 1 s\n",
  });
});

describe("ps", () => {
  test("prints the original's lines when it is read by a program", async () => {
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

  test("prints with -json what crank said, in ASCII where a terminal would act on it", async () => {
    desk.serve("web", (_, reply) => reply.result([WORKER]));
    const { stdout } = await desk.ctl("ps", "-json");
    expect(stdout).not.toContain("\u202e");
    expect(JSON.parse(stdout)).toEqual([WORKER]);
  });

  test("takes the common flags in front of the command, and behind it", async () => {
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

  test("writes all of a long list to a slow pipe, and ends quietly when nobody reads", async () => {
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
  const child = Bun.spawn(
    [
      process.execPath,
      "run",
      `${import.meta.dirname}/../../src/commands/crankctl.ts`,
      "-ctl",
      `${desk.directory}/web.ctl`,
      "ps",
    ],
    { stdin: "ignore", stdout: full, stderr: "pipe" },
  );
  expect(await child.exited).toBe(1);
  expect(await new Response(child.stderr).text()).toBe("ERROR: couldn't write the output: ENOSPC\n");
  closeSync(full);
});

describe("kill, scale, rollback, reload, shutdown, history, info and status", () => {
  test("ask what they were told to", async () => {
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
      const { clientId: _, ...params } = desk.asked.at(-1)?.params ?? {};
      return [ended.status, ended.stdout, params];
    };
    expect(await asked("kill", "-signal", "hup", "-ready", "-wait")).toEqual([
      0,
      "",
      { signal: "hup", ready: true, wait: true },
    ]);
    expect(await asked("scale", "3", "-json")).toEqual([0, '{"from":1,"to":3}\n', { to: 3 }]);
    expect(await asked("scale", "-by", "-1")).toEqual([0, "Scaled from 1 to 3\n", { by: -1 }]);
    expect(await asked("rollback", "-to", "4", "-wait")).toEqual([0, "Started successfully\n", { to: 4, wait: true }]);
    expect(await asked("reload")).toEqual([0, "Started successfully\n", {}]);
    expect(await asked("shutdown")).toEqual([0, "Shutting down, workers left: 2\n", {}]);
    expect(await asked("shutdown", "-wait")).toEqual([0, "Shut down\n", { wait: true }]);
    expect((await desk.ctl("kill")).stderr).toContain("Nobody was signalled");
  });

  test("show what crank says, for people and as JSON", async () => {
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
      },
      workers: [WORKER],
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
      "41   7    3  ready  1 min 15 s  112 MiB  1 min 1 s         1203  /srv",
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

  test("show what was said until its end", async () => {
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

  test("end quietly when nobody reads any more", async () => {
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

  test("say that crank has closed the connection when it does", async () => {
    desk.serve("web", (_, reply) => {
      reply.result({});
      reply.close();
    });
    expect(await desk.ctl("logs", "-f")).toEqual({
      status: 1,
      stdout: "",
      stderr: "crank has closed the connection\n",
    });
  });

  test("with -once print the events that are held, and end", async () => {
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

describe("the exit status", () => {
  test("is 3 when there is no crank, with the original's sentence", async () => {
    const ended = await desk.ctl("ps");
    expect(ended.status).toBe(3);
    expect(ended.stderr).toStartWith("ERROR: couldn't connect: ");
    expect(ended.stderr).toContain(`${desk.directory}/web.ctl`);
  });

  test("is 1 when crank goes away before it answers", async () => {
    desk.serve("web", (_, reply) => reply.close());
    expect(await desk.ctl("ps")).toMatchObject({
      status: 1,
      stderr: "ERROR: command failed: crank has closed the connection\n",
    });
  });

  test("is 2 with one sentence for every wrong usage", async () => {
    const wrong: [string[], string][] = [
      [["ps", "-naem", "x"], "crankctl ps: there is no flag -naem; did you mean -name?"],
      [["pz"], 'crankctl: there is no command "pz"; did you mean ps?'],
      [["ps", "x"], 'crankctl ps: "x" is one word too many'],
      [["run", "-start"], "crankctl run: -start needs a value: -start SEC"],
      [["run", "-retries", "-1"], "crankctl run: -retries must not be negative, but is -1"],
      [
        ["run", "-stop-steps", "TERM@1"],
        "crankctl run: -stop-steps: the first step is taken at once, so it has no time or @0",
      ],
      [
        ["run", "-stop-steps", "TERM,KILL"],
        'crankctl run: -stop-steps: "KILL" is not a step; write SIGNAL@SECONDS, as in SIGTERM@3',
      ],
      [["run", "-env", "A"], 'crankctl run: -env: "A" is not NAME=VALUE'],
      [["run", "-umask", "9"], 'crankctl run: -umask must be octal, from 0 to 777, not "9"'],
      [
        ["run", "-limit", "nofile"],
        'crankctl run: -limit: "nofile" is not NAME=N, as in nofile=65536 or core=unlimited',
      ],
      [
        ["run", "-surge", "0", "-unavailable", "0"],
        "crankctl run: with -surge 0, -unavailable has to be at least 1: otherwise no worker could ever be replaced",
      ],
      [["scale"], "crankctl scale: how many workers? Write scale N for a number, or scale -by N to add"],
      [["scale", "-1"], "crankctl scale: -1 is no flag, and a negative number is not wanted here"],
      [["scale", "1001"], 'crankctl scale: N must be a whole number from 0 to 1000, not "1001"'],
      [
        ["ps", "-ctl", "tcp://:1"],
        "crankctl: -ctl tcp://:1: over tcp crank wants its secret; set CRANK_CTL_TOKEN to the one that it has",
      ],
      [["ps", "-ctl", "fd://3"], "crankctl: -ctl fd://3: a control socket is a unix or tcp stream"],
    ];
    for (const [args, sentence] of wrong) {
      const ended = await desk.run("crankctl", args, { CRANK_NAME: "web" });
      expect([ended.status, ended.stdout, ended.stderr.split("\n")[0] ?? ""]).toEqual([2, "", sentence]);
    }
    const alone = await desk.run("crankctl", []);
    expect([alone.status, alone.stdout, alone.stderr.split("\n")[0]]).toEqual([
      2,
      "",
      "usage: crankctl [flags] COMMAND [flags]",
    ]);
    expect((await desk.run("crankctl", ["ps"], { CRANK_NAME: "" })).stderr).toContain("no service is named");
  });

  test("is 0 for help", async () => {
    expect(await desk.run("crankctl", ["-help"])).toMatchObject({ status: 0, stderr: "" });
    const help = await desk.run("crankctl", ["run", "--help"]);
    expect(help.stdout).toStartWith("usage: crankctl run [flags] [--] [COMMAND ARG...]\n");
  });
});

test("over tcp the token is shown before anything is asked", async () => {
  const port = desk.serveTcp(({ method, params }, reply) => {
    if (method === "authenticate" && params.token !== "secret") return reply.error({ code: 3, message: "wrong token" });
    reply.result(method === "ps" ? [] : {});
  });
  const args = ["-ctl", `127.0.0.1:${port}`, "ps", "-json"];
  expect(await desk.run("crankctl", args, { CRANK_CTL_TOKEN: "secret" })).toMatchObject({ status: 0, stdout: "[]\n" });
  expect(desk.asked.map((asked) => asked.method)).toEqual(["authenticate", "ps"]);
  expect(await desk.run("crankctl", args, { CRANK_CTL_TOKEN: "guess" })).toMatchObject({
    status: 1,
    stderr: "ERROR: command failed: wrong token\n",
  });
});
