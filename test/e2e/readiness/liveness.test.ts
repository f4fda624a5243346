// Workers that are ready and no longer alive: detected by probes and by their watchdog, and replaced whatever -respawn says.
import { beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { Running } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { isAlive, signal, supervisorOf } from "../harness/processes.ts";
import { TALKER } from "../harness/python-apps.ts";
import { Service, type Worker } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";

const web = eachTest(new Service({ flags: ["-verbose"], app: TALKER }));
let crank: Running;
beforeEach(async () => {
  crank = await web.start();
});

const DONE = { status: 0, stdout: expect.stringContaining(" deployed in ") };
/** With enough time for an answer on a busy machine: a healthy worker is never taken for an unhealthy one here. */
const OFTEN = ["-live-interval", "0.1", "-live-timeout", "20", "-live-threshold", "2"];

/** Waits until another worker serves and the first one is gone. */
const untilReplaced = (pid: number): Promise<unknown> =>
  waitFor("another worker", async () => {
    const workers = await web.ps();
    return workers.length === 1 && workers[0]?.state === "ready" && workers[0].pid !== pid && !isAlive(pid);
  });

const only = async (): Promise<Worker> => {
  const [worker] = await web.ps();
  if (!worker) throw new Error("there is no worker");
  return worker;
};

describe("-live http:PATH", () => {
  test.each([["/sick", "it is not alive: the last probe found that it answered with the status 503"]])(
    "replaces a worker that %s has made unhealthy, although -respawn is off",
    async (ill, reason) => {
      expect(await web.app("one", "-live", "http:/healthz", ...OFTEN)).toMatchObject(DONE);
      const { pid } = await only();
      await web.get(ill);
      await untilReplaced(pid);
      await crank.wrote("stderr", `is replaced: ${reason}`);
      // The successor was ready before the old one got its signal.
      await crank.wrote("stderr", "Stopping worker 1");
      const said = crank.stderr();
      expect(said).toContain("Worker 2 (pid");
      expect(said.indexOf("Worker 2 (pid")).toBeLessThan(said.indexOf("Stopping worker 1"));
      expect(await web.get("/")).toStartWith("one ");
    },
  );

  test("replaces a worker that hangs", async () => {
    await web.app("one", "-live", "http:/healthz", ...OFTEN, "-live-timeout", "1");
    const { pid } = await only();
    await web.get("/hang");
    await untilReplaced(pid);
    await crank.wrote("stderr", "the last probe found that it did not a");
  });

  test("keeps a worker that answers", async () => {
    await web.app(["one", "READY=1"], "-live", "http:/healthz", ...OFTEN);
    const { id } = await only();
    await waitFor("some probes", async () => {
      // Probes are counted by their effect: they connect, and are answered.
      expect(await web.get("/healthz")).toBe("ok");
      return Number(await journalled("nextProbe")) > 4;
    });
    expect(await only()).toMatchObject({ id, state: "ready" });
  });

  test("stops the worker first where no overlap is allowed, and crank waits for its successor", async () => {
    await web.app("one", "-live", "http:/healthz", ...OFTEN, "-surge", "0", "-unavailable", "1");
    const { pid } = await only();
    await web.get("/sick");
    await untilReplaced(pid);
    await crank.wrote("stderr", "Starting worker 2");
    const said = crank.stderr();
    expect(said).toContain("Stopping worker 1");
    expect(said.indexOf("Stopping worker 1")).toBeLessThan(said.indexOf("Starting worker 2"));
  });

  test("fails a deploy whose worker stops being alive before it is available", async () => {
    await web.app("one");
    const deployed = web.app("two", "-live", "http:/healthz", ...OFTEN, "-min-ready", "60");
    await waitFor(
      "the new worker",
      () => crank.stderr().includes("Worker 2 (pid") && crank.stderr().includes("is ready after"),
    );
    await waitFor("it to be ill", async () => {
      await web.get("/sick?two");
      return crank.stderr().includes("answered with the status 503");
    });
    expect(await deployed).toMatchObject({ status: 1 });
    expect((await deployed).stderr).toContain("was ready, but before it was available: it is not alive");
  });
});

describe("-live exec:COMMAND", () => {
  test("replaces the worker for which it fails, and leaves nothing of a command that forks", async () => {
    const ill = web.path("ill");
    const left = web.path("left");
    const check = web.path("check");
    const stay = `setsid sh -c 'echo $$ >> ${left}; exec sleep 600' &\nwhile [ ! -s ${left} ]; do sleep 0.01; done`;
    writeFileSync(check, `#!/bin/sh\n${stay}\n[ "$CRANK_WORKER" != "$(cat ${ill} 2>/dev/null)" ]\n`, { mode: 0o755 });
    expect(await web.app("one", "-live", `exec:${check}`, ...OFTEN)).toMatchObject(DONE);
    const { pid } = await only();
    await waitFor("a probe", () => existsSync(left));
    writeFileSync(ill, "1\n");
    await untilReplaced(pid);
    await crank.wrote("stderr", "the last probe found that it exited with status 1");
    await web.run("-live", "off");
    const pids = readFileSync(left, "utf8").trim().split("\n").map(Number);
    await waitFor("what the probes left to be gone", () => pids.every((process) => !isAlive(process)));
  });
});

describe("-live watchdog:SEC", () => {
  test("replaces a worker that stops sending WATCHDOG=1, which gets SIGABRT first", async () => {
    expect(await web.app(["one", "feed=0.1", "READY=1"], "-live", "watchdog:3")).toMatchObject(DONE);
    const { pid } = await only();
    expect(await web.get("/env?WATCHDOG_USEC")).toBe("3000000");
    expect(await web.get("/env?WATCHDOG_PID")).toBe(String(pid));
    await web.get("/starve");
    await untilReplacedOnce(pid);
    await crank.wrote("stderr", "is replaced: it sent no WATCHDOG=1 for 3 s");
    await crank.wrote("stderr", `Stopping worker 1 (pid ${pid}, generation 1) with SIGABRT`);
  });

  test("replaces a worker that never sends WATCHDOG=1", async () => {
    expect(await web.app("one", "-live", "watchdog:0.3")).toMatchObject(DONE);
    await waitFor("its replacement", () => /Worker 2 .* is ready/.test(crank.stderr()));
    await crank.wrote("stderr", "it sent no WATCHDOG=1 for 0.3 s");
  });

  test("does not count what another process sends for it", async () => {
    await web.app("one", "-live", "watchdog:5");
    const { pid } = await only();
    await web.get("/feed-by-child?0.05");
    await untilReplacedOnce(pid);
    await crank.wrote("stderr", "WATCHDOG=1 for worker 1 came only from other processes");
  });

  test("uses the period that the worker has chosen, and WATCHDOG=trigger works without one", async () => {
    await web.app("one", "-live", "watchdog:600");
    const first = (await only()).pid;
    await web.get("/say?WATCHDOG_USEC=200000");
    await untilReplacedOnce(first);
    await crank.wrote("stderr", "it sent no WATCHDOG=1 for 0.2 s");
    const second = await web.ready();
    await web.get("/say?WATCHDOG=trigger");
    await untilReplacedOnce(second.pid);
    await crank.wrote("stderr", "is replaced: it requested it");
  });

  test("continues when the supervisor is killed", async () => {
    await web.app("one", "-live", "watchdog:3");
    const { pid } = await only();
    const supervisor = await waitFor("the supervisor", () => supervisorOf(crank));
    signal(supervisor, "SIGKILL");
    await untilReplacedOnce(pid);
  });
});

describe("a crank that is killed", () => {
  test("is followed by one that continues its workers' probes", async () => {
    await web.app(["one", "feed=0.1", "READY=1"], "-live", "watchdog:3");
    const { pid } = await only();
    crank = await web.replace();
    expect(await web.get("/")).toBe(`one ${pid}`);
    await web.get("/starve");
    await untilReplacedOnce(pid);
    await crank.wrote("stderr", "Worker 1 (pid");
  });
});

describe("an invalid liveness flag:", () => {
  test.each([
    [["-live", "maybe"], 2, "must be http:PATH"],
    [["-live", "http:healthz"], 2, "must be http:PATH"],
    [["-live", "watchdog:0"], 2, "must be http:PATH"],
    [["-live", "watchdog:often"], 2, "must be http:PATH"],
    [["-live", "exec:"], 2, "must be http:PATH"],
    [["-live-threshold", "0"], 2, "must be at least 1"],
    [["-live-timeout", "1"], 1, "The service has no liveness probe"],
    [["-live", "watchdog:1", "-live-interval", "1"], 1, "The service has no liveness probe"],
    [["-live", "tcp", "-live-addr", "127.0.0.1:{port}"], 1, "unknown placeholder {port}"],
  ] as const)("%p is refused with a sentence", async (flags, status, words) => {
    const ended = await web.app("one", ...flags);
    expect(ended.status).toBe(status);
    expect(ended.stderr).toContain(words);
  });
});

/** Waits until the worker is gone and another one serves, which may be replaced in turn. */
const untilReplacedOnce = (pid: number): Promise<unknown> =>
  waitFor("another worker", async () => {
    const workers = await web.ps();
    return !isAlive(pid) && workers.some((worker) => worker.state === "ready" && worker.pid !== pid);
  });

/** A value in the service entry of the journal. */
const journalled = async (name: string): Promise<string | undefined> => {
  const text = readFileSync(web.path("web.run/journal"), "latin1");
  return [...text.matchAll(new RegExp(`"${name}":(\\d+)`, "g"))].at(-1)?.[1];
};
