// Workers that are ready and not alive any more: found out by probes and by their watchdog, and replaced whatever -respawn says.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  Bench,
  type Ended,
  isAlive,
  portOf,
  ROOT,
  type Running,
  signal,
  supervisorOf,
  waitFor,
} from "./harness/service.ts";

const TALKER = join(ROOT, "test/apps/talker.py");

let bench: Bench;
let crank: Running;
beforeEach(async () => {
  bench = new Bench();
  crank = await bench.crank("web", ["-bind", "127.0.0.1:0", "-verbose"]);
});
afterEach(() => bench.clean());

type Shown = { readonly pid: number; readonly id: number; readonly state: string };

const run = (flags: readonly string[], ...words: readonly string[]): Promise<Ended> =>
  bench.ctl("web", "run", "-wait", ...flags, "--", "python3", TALKER, ...words);
const ps = async (): Promise<Shown[]> => JSON.parse((await bench.ctl("web", "ps", "-json")).stdout);
const get = async (path: string): Promise<string> => (await fetch(`http://127.0.0.1:${portOf(crank)}${path}`)).text();

const DONE = { status: 0, stdout: "Started successfully\n" };
/** With time for an answer on a machine that is busy: who is well is never taken for ill here. */
const OFTEN = ["-live-interval", "0.1", "-live-timeout", "20", "-live-threshold", "2"];

/** Until another worker serves, and the first one is gone. */
const untilReplaced = (pid: number): Promise<unknown> =>
  waitFor("another worker", async () => {
    const workers = await ps();
    return workers.length === 1 && workers[0]?.state === "ready" && workers[0].pid !== pid && !isAlive(pid);
  });

const only = async (): Promise<Shown> => {
  const [worker] = await ps();
  if (!worker) throw new Error("there is no worker");
  return worker;
};

describe("-live http:PATH", () => {
  test.each([["/sick", "it is not alive, the last probe found that it answered with the status 503"]])(
    "replaces a worker that has become what %s makes of it, and nobody is respawned here",
    async (ill, reason) => {
      expect(await run(["-live", "http:/healthz", ...OFTEN], "one")).toMatchObject(DONE);
      const { pid } = await only();
      await get(ill);
      await untilReplaced(pid);
      await crank.wrote("stderr", `is replaced: ${reason}`);
      // The successor was there before the old one was told to go.
      await crank.wrote("stderr", "Stopping worker 1");
      const said = crank.stderr();
      expect(said).toContain("Worker 2 (pid");
      expect(said.indexOf("Worker 2 (pid")).toBeLessThan(said.indexOf("Stopping worker 1"));
      expect(await get("/")).toStartWith("one ");
    },
  );

  test("replaces a worker that hangs", async () => {
    await run(["-live", "http:/healthz", ...OFTEN, "-live-timeout", "1"], "one");
    const { pid } = await only();
    await get("/hang");
    await untilReplaced(pid);
    await crank.wrote("stderr", "the last probe found that it did not a");
  });

  test("lets a worker be that answers", async () => {
    await run(["-live", "http:/healthz", ...OFTEN], "one", "READY=1");
    const { id } = await only();
    await waitFor("some probes", async () => {
      // Probes are counted through what they do: they connect, and are answered.
      expect(await get("/healthz")).toBe("ok");
      return Number(await journalled("nextProbe")) > 4;
    });
    expect(await only()).toMatchObject({ id, state: "ready" });
  });

  test("stops the worker first where nothing may overlap, and crank waits for its successor", async () => {
    await run(["-live", "http:/healthz", ...OFTEN, "-surge", "0", "-unavailable", "1"], "one");
    const { pid } = await only();
    await get("/sick");
    await untilReplaced(pid);
    await crank.wrote("stderr", "Starting worker 2");
    const said = crank.stderr();
    expect(said).toContain("Stopping worker 1");
    expect(said.indexOf("Stopping worker 1")).toBeLessThan(said.indexOf("Starting worker 2"));
  });

  test("fails a deploy whose worker is not alive before it is available", async () => {
    await run([], "one");
    const deployed = run(["-live", "http:/healthz", ...OFTEN, "-min-ready", "60"], "two");
    await waitFor(
      "the new worker",
      () => crank.stderr().includes("Worker 2 (pid") && crank.stderr().includes("is ready after"),
    );
    await waitFor("it to be ill", async () => {
      await get("/sick?two");
      return crank.stderr().includes("answered with the status 503");
    });
    expect(await deployed).toMatchObject({ status: 1 });
    expect((await deployed).stderr).toContain("it got ready, but before it was available it is not alive");
  });
});

describe("-live exec:COMMAND", () => {
  test("replaces the worker for which it fails, and leaves nothing behind of a command that forks and stays", async () => {
    const ill = join(bench.directory, "ill");
    const left = join(bench.directory, "left");
    const check = join(bench.directory, "check");
    const stay = `setsid sh -c 'echo $$ >> ${left}; exec sleep 600' &\nwhile [ ! -s ${left} ]; do sleep 0.01; done`;
    writeFileSync(check, `#!/bin/sh\n${stay}\n[ "$CRANK_WORKER" != "$(cat ${ill} 2>/dev/null)" ]\n`, { mode: 0o755 });
    expect(await run(["-live", `exec:${check}`, ...OFTEN], "one")).toMatchObject(DONE);
    const { pid } = await only();
    await waitFor("a probe", () => existsSync(left));
    writeFileSync(ill, "1\n");
    await untilReplaced(pid);
    await crank.wrote("stderr", "the last probe found that it exited with status 1");
    await bench.ctl("web", "run", "-wait", "-live", "off");
    const pids = readFileSync(left, "utf8").trim().split("\n").map(Number);
    await waitFor("what the probes left to be gone", () => pids.every((process) => !isAlive(process)));
  });
});

describe("-live watchdog:SEC", () => {
  test("replaces a worker that stops feeding, which gets SIGABRT first", async () => {
    expect(await run(["-live", "watchdog:3"], "one", "feed=0.1", "READY=1")).toMatchObject(DONE);
    const { pid } = await only();
    expect(await get("/env?WATCHDOG_USEC")).toBe("3000000");
    expect(await get("/env?WATCHDOG_PID")).toBe(String(pid));
    await get("/starve");
    await untilReplacedOnce(pid);
    await crank.wrote("stderr", "is replaced: it has not fed its watchdog for 3 s");
    await crank.wrote("stderr", `Stopping worker 1 (pid ${pid}, generation 1) with SIGABRT`);
  });

  test("replaces a worker that never feeds", async () => {
    expect(await run(["-live", "watchdog:0.3"], "one")).toMatchObject(DONE);
    await waitFor("its replacement", () => /Worker 2 .* is ready/.test(crank.stderr()));
    await crank.wrote("stderr", "has not fed its watchdog for 0.3 s");
  });

  test("does not count what another process says for it", async () => {
    await run(["-live", "watchdog:5"], "one");
    const { pid } = await only();
    await get("/feed-by-child?0.05");
    await untilReplacedOnce(pid);
    await crank.wrote("stderr", "WATCHDOG=1 for worker 1 came from other processes alone");
  });

  test("holds for a period that the worker has chosen, and WATCHDOG=trigger needs none", async () => {
    await run(["-live", "watchdog:600"], "one");
    const first = (await only()).pid;
    await get("/say?WATCHDOG_USEC=200000");
    await untilReplacedOnce(first);
    await crank.wrote("stderr", "has not fed its watchdog for 0.2 s");
    const second = await waitFor("the next", async () => (await ps()).find((worker) => worker.state === "ready"));
    await get("/say?WATCHDOG=trigger");
    await untilReplacedOnce(second.pid);
    await crank.wrote("stderr", "is replaced: it asked for it");
  });

  test("goes on when the supervisor is killed", async () => {
    await run(["-live", "watchdog:3"], "one");
    const { pid } = await only();
    const supervisor = await waitFor("the supervisor", () => supervisorOf(crank));
    signal(supervisor, "SIGKILL");
    await untilReplacedOnce(pid);
  });
});

describe("a crank that is killed", () => {
  test("is followed by one that watches over the worker as before", async () => {
    await run(["-live", "watchdog:3"], "one", "feed=0.1", "READY=1");
    const { pid } = await only();
    process.kill(crank.pid, "SIGKILL");
    await crank.ended;
    crank = await bench.crank("web", ["-bind", "127.0.0.1:0", "-verbose"]);
    expect(await get("/")).toBe(`one ${pid}`);
    await get("/starve");
    await untilReplacedOnce(pid);
    await crank.wrote("stderr", "Worker 1 (pid");
    // Nobody but crank itself would end what it adopted.
    await bench.ctl("web", "shutdown", "-wait");
  });
});

describe("what -live cannot be", () => {
  test.each([
    [["-live", "maybe"], 2, "is not http:PATH"],
    [["-live", "http:healthz"], 2, "is not http:PATH"],
    [["-live", "watchdog:0"], 2, "is not http:PATH"],
    [["-live", "watchdog:often"], 2, "is not http:PATH"],
    [["-live", "exec:"], 2, "is not http:PATH"],
    [["-live-threshold", "0"], 2, "must be at least 1"],
    [["-live-timeout", "1"], 1, "There is no liveness probe"],
    [["-live", "watchdog:1", "-live-interval", "1"], 1, "There is no liveness probe"],
    [["-live", "tcp", "-live-addr", "127.0.0.1:{port}"], 1, "{port} is not known"],
  ] as const)("%p is refused with a sentence", async (flags, status, words) => {
    const ended = await run(flags, "one");
    expect(ended.status).toBe(status);
    expect(ended.stderr).toContain(words);
  });
});

/** Until the worker is gone and another one serves, which may be replaced in its turn. */
const untilReplacedOnce = (pid: number): Promise<unknown> =>
  waitFor("another worker", async () => {
    const workers = await ps();
    return !isAlive(pid) && workers.some((worker) => worker.state === "ready" && worker.pid !== pid);
  });

/** A word of the journal's service entry. */
const journalled = async (name: string): Promise<string | undefined> => {
  const text = readFileSync(join(bench.directory, "web.run/journal"), "latin1");
  return [...text.matchAll(new RegExp(`"${name}":(\\d+)`, "g"))].at(-1)?.[1];
};
