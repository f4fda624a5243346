// A worker that holds the service's sockets and serves elsewhere is ready, and a warning says that its clients wait.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { Bench, type Ended, portOf, ROOT, type Running, signal, supervisorOf, waitFor } from "./harness/service.ts";

const ASIDE = join(ROOT, "test/apps/aside.py");
const WARNING =
  /Worker \d+ \(pid \d+\) holds tcp:\/\/127\.0\.0\.1:\d+ \(descriptor 3\) but is not seen to accept connections there; it listens on 0\.0\.0\.0:\d+\./;

let bench: Bench;
const clients: Socket[] = [];
beforeEach(() => {
  bench = new Bench();
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await bench.clean();
});

const start = (): Promise<Running> => bench.crank("web", ["-bind", "127.0.0.1:0"]);
/** Deploys a worker that waits in these ways at its own port and at descriptor 3. */
const run = (own: string, given: string, ...rest: readonly string[]): Promise<Ended> =>
  bench.ctl("web", "run", "-wait", "--", "python3", ASIDE, own, given, ...rest);

const client = (crank: Running): Promise<void> =>
  new Promise((resolve) => {
    clients.push(connect(portOf(crank), "127.0.0.1", resolve));
  });

describe("a worker that leaves its socket and listens on a port of its own is named", () => {
  test.each(["epoll", "accept"])("in the deploy's answer, when it waits there by %s", async (own) => {
    const crank = await start();
    const deployed = await run(own, "nothing");
    expect(deployed).toMatchObject({ status: 0, stdout: "Started successfully\n" });
    expect(deployed.stderr).toMatch(WARNING);
    expect(deployed.stderr).toContain("Clients would wait; let it serve on the descriptor that it is given");
    await crank.wrote("stderr", WARNING);
  });

  test("when connections wait that it does not accept, however it waits itself", async () => {
    const crank = await start();
    await client(crank);
    const deployed = await run("poll", "nothing");
    expect(deployed.stderr).toMatch(WARNING);
    expect(deployed.stderr).toContain("1 connection waits; let it serve");
    await crank.wrote("stderr", WARNING);
  });

  test("once for each generation", async () => {
    const crank = await start();
    await bench.ctl("web", "run", "-wait", "-instances", "3", "--", "python3", ASIDE, "epoll", "nothing");
    const next = await run("epoll", "nothing");
    expect(next.stderr).toMatch(WARNING);
    await crank.wrote("stderr", /(not seen to accept[\s\S]*){2}/);
    expect(crank.stderr().match(/not seen to accept/g)).toHaveLength(2);
  });

  test("by the next supervisor, when the one that looked was killed", async () => {
    const crank = await start();
    const deploying = run("epoll", "nothing");
    await crank.wrote("stderr", "is in place");
    signal(await waitFor("a supervisor", () => supervisorOf(crank)), "SIGKILL");
    expect((await deploying).stderr).toMatch(WARNING);
  });
});

describe("nothing is said of a worker with a port of its own", () => {
  test.each(["epoll", "poll", "accept"])("that serves on its socket by %s", async (given) => {
    const crank = await start();
    const deployed = await run("epoll", given);
    expect(deployed).toMatchObject({ status: 0, stdout: "Started successfully\n" });
    expect(await (await fetch(`http://127.0.0.1:${portOf(crank)}/`)).text()).toBe("ok");
    expect(await run("accept", given)).toMatchObject({ status: 0 });
    expect(deployed.stderr + crank.stderr()).not.toContain("not seen to accept");
  });

  test("that is for this machine alone", async () => {
    const crank = await start();
    expect((await run("epoll", "nothing", "127.0.0.1")).stderr).not.toContain("not seen to accept");
    expect(crank.stderr()).not.toContain("not seen to accept");
  });
});
