// Readiness without a notification: crank probes programs that know nothing of it, and only their own answer counts.
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { RESPONDER } from "../harness/apps.ts";
import { CRANK } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { isAlive, signal, supervisorOf } from "../harness/processes.ts";
import { WEB_SERVER } from "../harness/python-apps.ts";
import { Service } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";

const web = eachTest(new Service({ flags: ["-verbose"], app: WEB_SERVER }));

const HTTP = ["-ready", "http:/healthz", "-probe-interval", "0.05"];
const DONE = { status: 0, stdout: expect.stringContaining(" deployed in ") };

describe("http:PATH", () => {
  test("makes a worker ready that answers with 2xx, and replaces it by another that does", async () => {
    const crank = await web.start();
    expect(await web.app("one", ...HTTP)).toMatchObject(DONE);
    expect(await web.app(["two", "status=204"], ...HTTP)).toMatchObject(DONE);
    await web.settled(1);
    await crank.wrote("stderr", "Rolled out generation 2");
  });

  test.each([
    ["status=503", "answered with the status 503"],
    ["status=301", "answered with the status 301"],
    ["hang", "did not answer in time"],
    ["plain", "did not answer in HTTP"],
  ])("does not make a worker with %s ready, and reports what the probe found", async (habit, reason) => {
    const crank = await web.start();
    await web.app("one", ...HTTP);
    // The answer that it would get in a minute is not waited for.
    void web.app(["two", habit], ...HTTP, "-start", "60", "-probe-timeout", "0.5");
    await crank.wrote("stderr", `The probe of worker 2 found that it ${reason}`);
    expect((await web.ps()).map((worker) => worker.state)).toEqual(["ready", "starting"]);
  });

  test("fails the deploy of a worker that does not pass in time, with the result of the last probe, and the old one serves on", async () => {
    await web.start();
    await web.app("one", ...HTTP);
    const failed = await web.app(["two", "status=503"], ...HTTP, "-start", "10");
    expect(failed.status).toBe(1);
    expect(failed.stderr).toContain("not ready within 10 s; the last probe found that it answered with the status 503");
    expect(await web.get()).toBe("one");
  });

  test("reads only the status, however long the headers are", async () => {
    await web.start();
    expect(await web.app(["one", "dribble"], ...HTTP)).toMatchObject(DONE);
  });

  test("asks again until the worker is ready, and -probe-threshold times in a row", async () => {
    const crank = await web.start();
    expect(await web.app(["one", "after=4"], ...HTTP, "-probe-threshold", "3")).toMatchObject(DONE);
    await crank.wrote("stderr", "Rolled out generation 1");
    expect(crank.stderr().match(/answered with the status 503/g)).toHaveLength(4);
  });

  test("counts the answer of a worker's child as the worker's", async () => {
    const crank = await web.start();
    await web.app("one", ...HTTP);
    expect(await web.app(["two", "fork"], ...HTTP)).toMatchObject(DONE);
    await crank.wrote("stderr", "Rolled out generation 2");
  });

  test("ignores READY=1 of a worker that is probed", async () => {
    await web.start();
    const flags = [...HTTP, "-start", "1", "-probe-timeout", "0.2"];
    expect(await web.run(...flags, "--", ...RESPONDER, "v1")).toMatchObject({
      status: 1,
    });
  });

  test("works on a unix socket as well", async () => {
    const path = web.path("app.sock");
    await web.startOn([path]);
    expect(await web.app("one", ...HTTP)).toMatchObject(DONE);
    expect(await web.app(["two", "deaf"], ...HTTP, "-start", "1", "-probe-timeout", "0.3")).toMatchObject({
      status: 1,
    });
  });

  test("continues when the supervisor is killed in the middle", async () => {
    const crank = await web.start();
    const deployed = web.app(["one", "after=40"], ...HTTP);
    for (let kill = 0; kill < 3; kill++) {
      const seen = crank.stderr().split("status 503").length;
      await waitFor("another probe", () => crank.stderr().split("status 503").length > seen);
      const supervisor = await waitFor("the supervisor", () => supervisorOf(crank));
      signal(supervisor, "SIGKILL");
    }
    expect(await deployed).toMatchObject(DONE);
  });
});

describe("a shared socket", () => {
  test("never makes a broken worker ready by the answers of a healthy one beside it", async () => {
    await web.start();
    await web.app("one", ...HTTP);
    const failed = await web.app(["two", "deaf"], ...HTTP, "-start", "10", "-probe-timeout", "0.5");
    expect(failed.status).toBe(1);
    expect(failed.stderr).toContain("left all connections to other workers");
    // And two hundred times with the probe itself, for a process that does not serve.
    const broken = web.bench.start(["sleep", "600"]);
    const script = `import os, socket, subprocess, sys
def probe():
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    args = ["crank-probe", "100", "http", "4", "127.0.0.1", sys.argv[2], sys.argv[3], "/"]
    process = subprocess.Popen(args, executable=sys.argv[1], preexec_fn=lambda: os.dup2(its.fileno(), 3), pass_fds=[3, its.fileno()])
    its.close()
    ours.settimeout(20)
    return ours, process
said = []
for batch in range(20):
    for ours, process in [probe() for _ in range(10)]:
        process.wait()
        said.append(ours.recv(1000).decode())
print(len(said), sum(text == "ok" for text in said))`;
    const tries = await web.bench.run(["python3", "-c", script, CRANK, String(web.port), String(broken.pid)]);
    expect(tries.stdout).toBe("200 0\n");
    expect(await web.get()).toBe("one");
  });

  test("makes a worker ready beside a pool of old ones that accept most connections", async () => {
    await web.start();
    await web.app("one", ...HTTP, "-instances", "3");
    expect(await web.app("two", ...HTTP)).toMatchObject(DONE);
  });
});

describe("other probes", () => {
  test("tcp: a connection that the worker accepts", async () => {
    await web.start();
    expect(await web.app("one", "-ready", "tcp")).toMatchObject(DONE);
    const failed = await web.app(["two", "deaf"], "-ready", "tcp", "-start", "0.6", "-probe-timeout", "0.2");
    expect(failed.status).toBe(1);
  });

  test("delay:SEC: the worker is alive after that time", async () => {
    const crank = await web.start();
    expect(await web.app(["one", "deaf"], "-ready", "delay:0.2")).toMatchObject(DONE);
    await crank.wrote("stderr", /is ready after (0\.[2-9]|[1-9])/);
  });

  test("exec:COMMAND: its exit status, with the worker's pid in its environment", async () => {
    await web.start();
    const file = web.path("asked");
    const check = web.path("check");
    writeFileSync(
      check,
      `#!/bin/sh\necho "$CRANK_WORKER_PID $CRANK_WORKER $CRANK_NAME $FLAVOUR" >> ${file}\n[ $(wc -l < ${file}) -ge 3 ]\n`,
      { mode: 0o755 },
    );
    expect(
      await web.app("one", "-ready", `exec:${check}`, "-probe-interval", "0.05", "-env", "FLAVOUR=mint"),
    ).toMatchObject(DONE);
    const [worker] = await web.ps();
    expect(readFileSync(file, "utf8")).toBe(`${worker?.pid} 1 web mint\n`.repeat(3));
  });

  test("exec:COMMAND that forks and stays is ended with its process tree when its time is over", async () => {
    await web.start();
    const file = web.path("stays");
    const check = web.path("check");
    writeFileSync(check, `#!/bin/sh\nsleep 600 &\necho $! >> ${file}\nsleep 600\n`, { mode: 0o755 });
    const failed = await web.app("one", "-ready", `exec:${check}`, "-start", "12", "-probe-timeout", "4");
    expect(failed.stderr).toContain("did not answer in time");
    const left = readFileSync(file, "utf8").trim().split("\n").map(Number);
    await waitFor("what it started to be gone", () => left.every((pid) => !isAlive(pid)));
  });

  test("-probe-addr probes each worker at an address of its own", async () => {
    await web.start();
    const template = `unix://${web.directory}/{worker}.sock`;
    const own = ["sh", "-c", `exec ${WEB_SERVER.join(" ")} one at=${web.directory}/$CRANK_WORKER.sock`];
    const deployed = await web.run(...HTTP, "-probe-addr", template, "-instances", "2", "--", ...own);
    expect(deployed).toMatchObject(DONE);
    expect(existsSync(web.path("2.sock"))).toBe(true);
  });

  test("readiness settings hold for the next deploy, and -ready notify resets them", async () => {
    await web.start();
    await web.app("one", ...HTTP, "-probe-timeout", "0.3");
    expect(await web.app(["two", "status=500"], "-start", "0.8")).toMatchObject({ status: 1 });
    expect(await web.run("-ready", "notify", "--", ...RESPONDER, "v1")).toMatchObject(DONE);
  });

  test.each([
    [["-ready", "maybe"], 2, "must be notify, ack, delay:SEC, tcp, http:PATH"],
    [["-ready", "http:healthz"], 2, "must be notify"],
    [["-ready", "http:/a b"], 2, "must be notify"],
    [["-ready", "exec:"], 2, "must be notify"],
    [["-ready", "delay:soon"], 2, "must be notify"],
    [["-probe-threshold", "0"], 2, "must be at least 1"],
    [["-probe-timeout", "1"], 1, "The service has no readiness probe"],
    [["-ready", "tcp", "-probe-addr", "127.0.0.1:{port}"], 1, "unknown placeholder {port}"],
    [["-ready", "tcp", "-probe-addr", "example.com:80"], 1, "give an IP address"],
    [["-ready", "tcp", "-probe-addr", "127.0.0.1:99999"], 1, "99999"],
  ] as const)("%p is refused with a sentence", async (flags, status, words) => {
    await web.start();
    const ended = await web.app("one", ...flags);
    expect(ended.status).toBe(status);
    expect(ended.stderr).toContain(words);
    expect(await web.ps()).toEqual([]);
  });
});
