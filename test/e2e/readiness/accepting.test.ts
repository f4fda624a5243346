// A worker that holds the service's sockets and serves elsewhere is ready, and a warning says that its clients wait.
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { ROOT } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { signal, supervisorOf } from "../harness/processes.ts";
import { Service } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";

/** Waits in these ways at its own port and at descriptor 3. */
const ASIDE = ["python3", join(ROOT, "test/apps/aside.py")];
const WARNING =
  /Worker \d+ \(pid \d+\) holds tcp:\/\/127\.0\.0\.1:\d+ \(descriptor 3\) but is not seen to accept connections there; it listens on 0\.0\.0\.0:\d+\./;

const web = eachTest(new Service({ app: ASIDE }));

describe("a worker that leaves its socket and listens on its own port is named", () => {
  test.each(["epoll", "accept"])("in the deploy's answer, when it waits on that port with %s", async (own) => {
    const crank = await web.start();
    const deployed = await web.app([own, "nothing"]);
    expect(deployed).toMatchObject({ status: 0, stdout: expect.stringContaining(" deployed in ") });
    expect(deployed.stderr).toMatch(WARNING);
    expect(deployed.stderr).toContain("Clients would wait; make it serve on the inherited descriptor");
    await crank.wrote("stderr", WARNING);
  });

  test("when connections wait that it does not accept, whatever call it waits in", async () => {
    const crank = await web.start();
    await web.talk();
    const deployed = await web.app(["poll", "nothing"]);
    expect(deployed.stderr).toMatch(WARNING);
    expect(deployed.stderr).toContain("1 connection waits; make it serve");
    await crank.wrote("stderr", WARNING);
  });

  test("once for each generation", async () => {
    const crank = await web.start();
    await web.app(["epoll", "nothing"], "-instances", "3");
    const next = await web.app(["epoll", "nothing"]);
    expect(next.stderr).toMatch(WARNING);
    await crank.wrote("stderr", /(not seen to accept[\s\S]*){2}/);
    expect(crank.stderr().match(/not seen to accept/g)).toHaveLength(2);
  });

  test("by the next supervisor, when the one that looked was killed", async () => {
    const crank = await web.start();
    const deploying = web.app(["epoll", "nothing"]);
    await crank.wrote("stderr", "Rolled out generation");
    signal(await waitFor("a supervisor", () => supervisorOf(crank)), "SIGKILL");
    expect((await deploying).stderr).toMatch(WARNING);
  });
});

describe("no warning names a worker with a port of its own", () => {
  test.each(["epoll", "poll", "accept"])("that serves on its socket with %s", async (given) => {
    const crank = await web.start();
    const deployed = await web.app(["epoll", given]);
    expect(deployed).toMatchObject({ status: 0, stdout: expect.stringContaining(" deployed in ") });
    expect(await web.get()).toBe("ok");
    expect(await web.app(["accept", given])).toMatchObject({ status: 0 });
    expect(deployed.stderr + crank.stderr()).not.toContain("not seen to accept");
  });

  test("that is open to this machine only", async () => {
    const crank = await web.start();
    expect((await web.app(["epoll", "nothing", "127.0.0.1"])).stderr).not.toContain("not seen to accept");
    expect(crank.stderr()).not.toContain("not seen to accept");
  });
});
