// socketmaster: its sockets and its command line.
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { ROOT } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { waitFor } from "../harness/wait.ts";
import { ANY_PORT, LISTENER, Masters, pids, SOCKETMASTER } from "./socketmaster.ts";

const bench = eachTest(new Masters());

describe("-listen", () => {
  test.each(["tcp", "tcp4"])("%s:// listens", async (scheme) => {
    expect(await bench.serving(bench.master(["-listen", `${scheme}://127.0.0.1:0`], "v1"))).toStartWith("v1 ");
  });

  test("tcp6:// listens", async () => {
    const master = bench.master(["-listen", "tcp6://[::1]:0"], "v1");
    await pids(master);
    await master.wrote("stderr", "Listening on tcp6://[::1]:");
  });

  test("unix:// listens, replaces a file that a dead one left, and leaves none itself", async () => {
    const path = bench.path("app.sock");
    const left = createServer().listen(path);
    await waitFor("the socket", () => existsSync(path));
    const second = await bench.master(["-listen", `unix://${path}`], "v1").ended;
    expect(second).toMatchObject({ status: 1 });
    expect(second.stderr).toContain("another process is listening on this socket");
    left.close();
    await bench.run(["python3", "-c", `import socket; socket.socket(socket.AF_UNIX).bind(${JSON.stringify(path)})`]);
    expect(existsSync(path)).toBe(true);
    const master = bench.master(["-listen", `unix://${path}`], "v1");
    await pids(master);
    expect(await bench.answerFrom(path)).toStartWith("v1 ");
    master.signal("SIGTERM");
    await master.ended;
    expect(existsSync(path)).toBe(false);
  });

  test("fd:// uses a socket that it was started with", async () => {
    const script = `import os, socket, sys
s = socket.create_server(("127.0.0.1", 0)); os.dup2(s.fileno(), 9); print(s.getsockname()[1], flush=True)
os.execv(sys.argv[1], sys.argv[1:])`;
    const master = bench.start([
      "python3",
      "-c",
      script,
      SOCKETMASTER,
      "-listen",
      "fd://9",
      "-command",
      "python3",
      "--",
      LISTENER,
      "v1",
    ]);
    await pids(master);
    await master.wrote("stdout", "\n");
    expect(await bench.answerFrom(Number(master.stdout()))).toStartWith("v1 ");
  });

  test.each([
    [["-listen", ":8080"], "the scheme is missing"],
    [["-listen", "udp://:8080"], "unknown scheme"],
    [["-listen", "http://:8080"], "unknown scheme http"],
    [["-listen", "tcp://:70000"], "70000"],
    [["-listen", "tcp://no.such.host.invalid:80"], "no.such.host.invalid"],
    [["-listen", "fd://256"], "from 0 to 255"],
    [["-listen", "fd://77"], "start it with this descriptor open"],
  ] as const)("that is invalid is reported in one sentence with status 1: %p", async (flags, words) => {
    const ended = await bench.master(flags, "v1").ended;
    expect(ended.status).toBe(1);
    expect(ended.stderr).toContain(words);
    expect(ended.stderr.trim().split("\n")).toHaveLength(1);
  });
});

describe("the command line", () => {
  test("without a -command is an error", async () => {
    expect(await bench.run([SOCKETMASTER])).toMatchObject({
      status: 1,
      stderr: "socketmaster: -command is missing: the program to start\n",
    });
  });

  test("with a program that does not exist is an error", async () => {
    const ended = await bench.run([SOCKETMASTER, ...ANY_PORT, "-command", "no-such-program"]);
    expect(ended.status).toBe(1);
    expect(ended.stderr).toContain("Could not start new process: exec: no such file or directory");
  });

  test.each([[["-start", "soon"]], [["-start", "-1"]], [["-colour"]], [["-listen"]]])(
    "%p is wrong usage",
    async (flags) => {
      const ended = await bench.run([SOCKETMASTER, ...flags]);
      expect(ended.status).toBe(2);
      expect(ended.stderr).toContain("Try 'socketmaster -help'");
    },
  );

  test("takes two dashes as well, and = before a value", async () => {
    const master = bench.start([
      SOCKETMASTER,
      "--listen=tcp://127.0.0.1:0",
      "--command=python3",
      "--start=0",
      "--",
      LISTENER,
      "v1",
    ]);
    expect(await bench.serving(master)).toStartWith("v1 ");
  });

  test("-help and -version print and end", async () => {
    expect((await bench.run([SOCKETMASTER, "-help"])).stdout).toContain("-command PATH");
    const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
    expect(await bench.run([SOCKETMASTER, "-version"])).toMatchObject({ status: 0, stdout: `${version}\n` });
  });
});
