// Readiness by other means than a notification: programs that never heard of crank are asked, and only their own answer counts.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  Bench,
  CRANK,
  CRANKCTL,
  type Ended,
  isAlive,
  portOf,
  ROOT,
  type Running,
  signal,
  supervisorOf,
  waitFor,
} from "./harness/service.ts";

const WEB = join(ROOT, "test/apps/web.py");

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.clean());

const start = (...args: string[]): Promise<Running> =>
  bench.crank("web", ["-bind", "127.0.0.1:0", "-verbose", ...args]);
const run = (flags: readonly string[], ...words: readonly string[]): Promise<Ended> =>
  bench.ctl("web", "run", "-wait", ...flags, "--", "python3", WEB, ...words);
const ps = async (): Promise<{ pid: number; state: string; command: string[] }[]> =>
  JSON.parse((await bench.ctl("web", "ps", "-json")).stdout);
const answer = async (crank: Running): Promise<string> => (await fetch(`http://127.0.0.1:${portOf(crank)}/`)).text();

const HTTP = ["-ready", "http:/healthz", "-probe-interval", "0.05"];
const DONE = { status: 0, stdout: "Started successfully\n" };

describe("http:PATH", () => {
  test("makes a worker ready that answers with 2xx, and replaces it by one that does", async () => {
    const crank = await start();
    expect(await run(HTTP, "one")).toMatchObject(DONE);
    expect(await run(HTTP, "two", "status=204")).toMatchObject(DONE);
    await waitFor("the old one to be gone", async () => (await ps()).length === 1);
    await crank.wrote("stderr", "Generation 2 is in place");
  });

  test.each([
    ["status=503", "answered with the status 503"],
    ["status=301", "answered with the status 301"],
    ["hang", "did not answer in time"],
    ["plain", "did not answer in HTTP"],
  ])("does not make a worker with %s ready, and says what the probe found", async (habit, reason) => {
    const crank = await start();
    await run(HTTP, "one");
    // The answer that it would get in a minute is not waited for.
    const asked = [
      "-prefix",
      bench.directory,
      "-name",
      "web",
      "run",
      "-wait",
      ...HTTP,
      "-start",
      "60",
      "-probe-timeout",
      "0.5",
    ];
    bench.start([CRANKCTL, ...asked, "--", "python3", WEB, "two", habit]);
    await waitFor("the probe", () => crank.stderr().includes(`The probe of worker 2 found that it ${reason}`));
    expect((await ps()).map((worker) => worker.state)).toEqual(["ready", "starting"]);
  });

  test("fails the deploy of a worker that does not pass in time, with what the last probe found, and the old one serves on", async () => {
    const crank = await start();
    await run(HTTP, "one");
    const failed = await run([...HTTP, "-start", "10"], "two", "status=503");
    expect(failed.status).toBe(1);
    expect(failed.stderr).toContain("not ready within 10 s; the last probe found that it answered with the status 503");
    expect(await answer(crank)).toBe("one");
  });

  test("looks at the status alone, however long the headers go on", async () => {
    await start();
    expect(await run(HTTP, "one", "dribble")).toMatchObject(DONE);
  });

  test("asks again until the worker is ready, and -probe-threshold times in a row", async () => {
    const crank = await start();
    expect(await run([...HTTP, "-probe-threshold", "3"], "one", "after=4")).toMatchObject(DONE);
    await crank.wrote("stderr", "Generation 1 is in place");
    expect(crank.stderr().match(/answered with the status 503/g)).toHaveLength(4);
  });

  test("counts the answer of a worker's child as the worker's", async () => {
    const crank = await start();
    await run(HTTP, "one");
    expect(await run(HTTP, "two", "fork")).toMatchObject(DONE);
    await crank.wrote("stderr", "Generation 2 is in place");
  });

  test("does not believe READY=1 of a worker that is to be asked", async () => {
    await start();
    const flags = [...HTTP, "-start", "1", "-probe-timeout", "0.2"];
    const responder = join(ROOT, "test/apps/responder.py");
    expect(await bench.ctl("web", "run", "-wait", ...flags, "--", "python3", responder, "v1")).toMatchObject({
      status: 1,
    });
  });

  test("works on a unix socket as well", async () => {
    const path = join(bench.directory, "app.sock");
    await bench.crank("web", ["-bind", path]);
    expect(await run(HTTP, "one")).toMatchObject(DONE);
    expect(await run([...HTTP, "-start", "1", "-probe-timeout", "0.3"], "two", "deaf")).toMatchObject({ status: 1 });
  });

  test("goes on when the supervisor is killed in the middle", async () => {
    const crank = await start();
    const deployed = run(HTTP, "one", "after=40");
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
    const crank = await start();
    await run(HTTP, "one");
    const failed = await run([...HTTP, "-start", "10", "-probe-timeout", "0.5"], "two", "deaf");
    expect(failed.status).toBe(1);
    expect(failed.stderr).toContain("left all connections to other workers");
    // And two hundred times with the probe itself, for a process that serves nobody.
    const broken = bench.start(["sleep", "600"]);
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
    const tries = await bench.run(["python3", "-c", script, CRANK, String(portOf(crank)), String(broken.pid)]);
    expect(tries.stdout).toBe("200 0\n");
    expect(await answer(crank)).toBe("one");
  });

  test("makes a worker ready beside a pool of old ones that accept most", async () => {
    await start();
    await run([...HTTP, "-instances", "3"], "one");
    expect(await run(HTTP, "two")).toMatchObject(DONE);
  });
});

describe("other means", () => {
  test("tcp: a connection that the worker accepts", async () => {
    await start();
    expect(await run(["-ready", "tcp"], "one")).toMatchObject(DONE);
    const failed = await run(["-ready", "tcp", "-start", "0.6", "-probe-timeout", "0.2"], "two", "deaf");
    expect(failed.status).toBe(1);
  });

  test("delay:SEC: being alive after that time", async () => {
    const crank = await start();
    expect(await run(["-ready", "delay:0.2"], "one", "deaf")).toMatchObject(DONE);
    await crank.wrote("stderr", /is ready after (0\.[2-9]|[1-9])/);
  });

  test("exec:COMMAND: its exit status, with the worker's pid in its environment", async () => {
    await start();
    const file = join(bench.directory, "asked");
    const check = join(bench.directory, "check");
    writeFileSync(
      check,
      `#!/bin/sh\necho "$CRANK_WORKER_PID $CRANK_WORKER $CRANK_NAME $FLAVOUR" >> ${file}\n[ $(wc -l < ${file}) -ge 3 ]\n`,
      { mode: 0o755 },
    );
    expect(
      await run(["-ready", `exec:${check}`, "-probe-interval", "0.05", "-env", "FLAVOUR=mint"], "one"),
    ).toMatchObject(DONE);
    const [worker] = await ps();
    expect(readFileSync(file, "utf8")).toBe(`${worker?.pid} 1 web mint\n`.repeat(3));
  });

  test("exec:COMMAND that forks and stays is ended with all that it started when its time is over", async () => {
    await start();
    const file = join(bench.directory, "stays");
    const check = join(bench.directory, "check");
    writeFileSync(check, `#!/bin/sh\nsleep 600 &\necho $! >> ${file}\nsleep 600\n`, { mode: 0o755 });
    const failed = await run(["-ready", `exec:${check}`, "-start", "12", "-probe-timeout", "4"], "one");
    expect(failed.stderr).toContain("did not answer in time");
    const left = readFileSync(file, "utf8").trim().split("\n").map(Number);
    await waitFor("what it started to be gone", () => left.every((pid) => !isAlive(pid)));
  });

  test("-probe-addr asks each worker at an address of its own", async () => {
    await start();
    const template = `unix://${bench.directory}/{worker}.sock`;
    const own = ["sh", "-c", `exec python3 ${WEB} one at=${bench.directory}/$CRANK_WORKER.sock`];
    const deployed = await bench.ctl(
      "web",
      "run",
      "-wait",
      ...HTTP,
      "-probe-addr",
      template,
      "-instances",
      "2",
      "--",
      ...own,
    );
    expect(deployed).toMatchObject(DONE);
    expect(existsSync(join(bench.directory, "2.sock"))).toBe(true);
  });

  test("what was said of readiness holds for the next deploy, and -ready notify takes it back", async () => {
    await start();
    await run([...HTTP, "-probe-timeout", "0.3"], "one");
    expect(await run(["-start", "0.8"], "two", "status=500")).toMatchObject({ status: 1 });
    const responder = join(ROOT, "test/apps/responder.py");
    expect(await bench.ctl("web", "run", "-wait", "-ready", "notify", "--", "python3", responder, "v1")).toMatchObject(
      DONE,
    );
  });

  test.each([
    [["-ready", "maybe"], 2, "is not notify, ack, delay:SEC, tcp, http:PATH"],
    [["-ready", "http:healthz"], 2, "is not notify"],
    [["-ready", "http:/a b"], 2, "is not notify"],
    [["-ready", "exec:"], 2, "is not notify"],
    [["-ready", "delay:soon"], 2, "is not notify"],
    [["-probe-threshold", "0"], 2, "must be at least 1"],
    [["-probe-timeout", "1"], 1, "There is no probe"],
    [["-ready", "tcp", "-probe-addr", "127.0.0.1:{port}"], 1, "{port} is not known"],
    [["-ready", "tcp", "-probe-addr", "example.com:80"], 1, "give an IP address"],
    [["-ready", "tcp", "-probe-addr", "127.0.0.1:99999"], 1, "99999"],
  ] as const)("%p is refused with a sentence", async (flags, status, words) => {
    await start();
    const ended = await run(flags, "one");
    expect(ended.status).toBe(status);
    expect(ended.stderr).toContain(words);
    expect(await ps()).toEqual([]);
  });
});
