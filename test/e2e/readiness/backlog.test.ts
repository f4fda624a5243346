// The length of a socket's backlog is fixed for the socket: crank restores it when a worker shortens it with listen(2).
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import type { Ended, Running } from "../harness/bench.ts";
import { CRANK } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { Service } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";

const web = eachTest(new Service());

/** The machine's limit. */
const MOST = Math.min(4096, Number(readFileSync("/proc/sys/net/core/somaxconn", "utf8")));

/** A worker that lets this many connections wait at each of its sockets: before it is ready, or on SIGUSR1. */
const run = (backlog: number, when: "at once" | "later" = "at once"): Promise<Ended> => {
  const program = `import os, signal, socket
sockets = [socket.socket(fileno=3 + i) for i in range(int(os.environ["EINHORN_FD_COUNT"]))]
def listen(*_):
    for s in sockets: s.listen(${backlog})
    print("shortened", flush=True)
${when === "at once" ? "listen()" : "signal.signal(signal.SIGUSR1, listen)"}
os.write(int(os.environ["NOTIFY_FD"]), b"READY=1")
while True: signal.pause()`;
  return web.run("--", "python3", "-c", program);
};
const limits = async (): Promise<readonly (number | null)[]> => (await web.status()).sockets.map(({ limit }) => limit);
const warnings = (crank: Running): readonly string[] =>
  crank
    .stderr()
    .split("\n")
    .filter((line) => line.includes("had set the backlog"));

describe("a backlog that a worker has shortened", () => {
  test("is restored on each socket when the worker is ready, and that is reported once for a generation", async () => {
    const path = web.path("web.sock");
    const crank = await web.start("-bind", path);
    expect(await run(5)).toMatchObject({ status: 0 });
    await crank.wrote("stderr", /WARNING: tcp:\S+: a worker of generation 1 had set the backlog to 5; it is \d+ again/);
    await crank.wrote("stderr", /WARNING: unix:\S+web.sock: a worker of generation 1 had set the backlog to 5/);
    expect(await limits()).toEqual([MOST, MOST]);
    expect(await run(7)).toMatchObject({ status: 0 });
    await crank.wrote("stderr", /unix:\S+: a worker of generation 2 had set the backlog to 7/);
    expect(warnings(crank)).toHaveLength(4);
  });

  test("is restored when the status is read, and that is not reported again", async () => {
    const crank = await web.startOn(["127.0.0.1:0?backlog=300"]);
    await run(5, "later");
    for (let times = 1; times <= 2; times++) {
      await web.ctl("kill", "-ready", "-signal", "USR1");
      await waitFor("the shorter queue", () => crank.stdout().split("shortened").length > times);
      expect(await limits()).toEqual([300]);
    }
    await crank.wrote("stderr", "had set the backlog");
    expect(warnings(crank)).toHaveLength(1);
  });

  test("of a socket that was given to crank is restored to its old length", async () => {
    const giver = `import os, socket, sys
s = socket.create_server(("127.0.0.1", 0), backlog=77)
os.dup2(s.fileno(), 3)
os.set_inheritable(3, True)
os.execv(sys.argv[1], sys.argv[1:])`;
    const crank = await web.launch(["python3", "-c", giver, CRANK, ...web.own, "-bind", "fd://3"]);
    await run(5);
    await crank.wrote("stderr", "had set the backlog to 5; it is 77 again");
    expect(await limits()).toEqual([77]);
  });

  test("is not changed where a worker has made it longer", async () => {
    const crank = await web.startOn(["127.0.0.1:0?backlog=50"]);
    await run(60);
    expect(await limits()).toEqual([60]);
    expect(warnings(crank)).toEqual([]);
  });
});
